"""Checkpoints: written whole, of finite weights."""

from pathlib import Path
from typing import Any, final

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

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


@final
class _LatestOfBest(ModelCheckpoint):
    """Keeps the last of equally good epochs, whose learning rate had fallen furthest."""

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        best = self.best_model_score
        as_good = current is not None and best is not None and bool(current == best)
        return as_good or super().check_monitor_top_k(trainer, current)


def checkpoints(run: Run, monitored: str | None, window: int) -> list[ModelCheckpoint]:
    """Keep the last epoch and the one with the highest value in a column.

    Args:
        run: The run.
        monitored: The column; the last epoch is the best for None.
        window: Over how many epochs the column is a mean. Of equals, the last is kept; for single epochs the first.
    """
    folder = run.best_checkpoint.parent
    common: dict[str, Any] = {
        "dirpath": folder,
        "auto_insert_metric_name": False,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
    }
    kind = ModelCheckpoint if window == 1 else _LatestOfBest
    best = kind(filename=run.best_checkpoint.stem, monitor=monitored, mode="max", **common)
    last = ModelCheckpoint(filename=run.last_checkpoint.stem, monitor=None, **common)
    return [best, last]
