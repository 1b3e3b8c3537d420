"""Checkpoints: written whole, of finite weights, and read without trusting them."""

from pathlib import Path
from typing import Any, final

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from medtail.files import replacing
from medtail.runs.run import Run
from medtail.runs.stored_files import RESTORE, check_archive, damaged, reading, require_keys

#: Where a checkpoint keeps the identity of its run.
IDENTITY = "medtail_run"

#: What continuing a run takes; prediction needs the weights alone.
_FOR_RESUMING = (
    "state_dict",
    "epoch",
    "global_step",
    "pytorch-lightning_version",
    "loops",
    "callbacks",
    "optimizer_states",
    "lr_schedulers",
)

START_AGAIN = "restore it from a copy, or remove it and start again from the first epoch with `resume=True`"


@final
class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name first, and reads tensors and plain values only.

    Args:
        identity: Of the run, written into every checkpoint; None for runs from before there was one.
    """

    def __init__(self, identity: str | None) -> None:
        super().__init__()
        self.identity = identity

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if self.identity is not None:
            checkpoint = {**checkpoint, IDENTITY: self.identity}
        with replacing(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, str(temporary), storage_options)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: Any = True
    ) -> dict[str, Any]:
        # Whatever Lightning asks for, our checkpoints hold nothing but tensors and plain values.
        content = read_checkpoint(Path(path), self.identity, START_AGAIN)
        require_keys(Path(path), content, _FOR_RESUMING, START_AGAIN)
        return content


def read_checkpoint(path: Path, identity: str | None = None, remedy: str = RESTORE) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without executing anything in it.

    Args:
        path: The file.
        identity: Of the run it must belong to; None reads any.
        remedy: What to do about a damaged file.

    Raises:
        InputError: A part fails its checksum, it is no checkpoint, has no weights, or is of another run.
    """
    check_archive(path, remedy)
    with reading(path, "a readable checkpoint", remedy):
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise damaged(path, f"must hold a checkpoint, not {type(content).__name__}", remedy)
    require_keys(path, content, ("state_dict",), remedy)
    weights = content["state_dict"]
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise damaged(path, "must hold tensors by their names in state_dict", remedy)
    written = content.get(IDENTITY)
    if identity is not None and written is not None and written != identity:
        raise damaged(path, "belongs to another run", remedy)
    return content


def checkpoints(run: Run, monitored: str | None) -> list[ModelCheckpoint]:
    """Keep the last epoch and the one with the highest value in a column, the first of equals (the last for None)."""
    folder = run.best_checkpoint.parent
    common: dict[str, Any] = {
        "dirpath": folder,
        "auto_insert_metric_name": False,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
    }
    best = ModelCheckpoint(filename=run.best_checkpoint.stem, monitor=monitored, mode="max", **common)
    last = ModelCheckpoint(filename=run.last_checkpoint.stem, monitor=None, **common)
    return [best, last]
