"""Checkpoints: written whole, of finite weights."""

from pathlib import Path
from typing import Any, final

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from medtail.files import replacing
from medtail.runs.run import Run
from medtail.runs.stored_files import require_keys
from medtail.training.checkpoint_reading import IDENTITY, read_checkpoint

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
