"""What happens around the epochs: tables, whole checkpoints, a line in the log."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, final

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from medtail.errors import InputError
from medtail.files import replacing
from medtail.runs.run import Run
from medtail.training.module import MethodModule

_log = logging.getLogger(__name__)


@final
class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name first, and reads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with replacing(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, str(temporary), storage_options)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: Any = True
    ) -> dict[str, Any]:
        # Whatever Lightning asks for, our checkpoints hold nothing but tensors and plain values.
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without executing anything in it."""
    return dict(torch.load(path, map_location="cpu", weights_only=True))


class EpochTable(Callback, ABC):
    """A CSV file with one row per epoch, kept in the checkpoint so that a resumed run continues it; abstract."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    @abstractmethod
    def row(self, trainer: lightning.Trainer, module: MethodModule) -> Mapping[str, float]:
        """Return the columns of an epoch besides its number; nothing if there is no file to write."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        row = self.row(trainer, cast(MethodModule, pl_module))
        if not row:
            return
        self.rows.append({"epoch": trainer.current_epoch + 1, **row})
        if trainer.is_global_zero:
            with replacing(self.path) as temporary:
                pd.DataFrame(self.rows).to_csv(temporary, index=False, float_format="%.6g")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


@final
class AtStart(Callback):
    """Calls a function when data and model are ready, so that an input refused earlier leaves no file behind."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.is_global_zero:
            self.action()


@final
class MetricsTable(EpochTable):
    """``metrics.csv``: learning rate, losses and validation metrics."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.learning_rate = float("nan")

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Read here, because Lightning moves the schedule on before the epoch ends.
        self.learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def row(self, trainer: lightning.Trainer, module: MethodModule) -> Mapping[str, float]:
        """Return the learning rate, the training loss, the validation columns, then the terms of the method."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        first = {"learning_rate": self.learning_rate, "train_loss": logged.pop("train_loss")}
        validation = {name: logged.pop(name) for name in list(logged) if name.startswith("validation_")}
        return {**first, **validation, **logged}


@final
class AngleTable(EpochTable):
    """``angles.csv`` for heads that emit cosines: the scale, and quantiles of angles on validation, in radians.

    Columns ``negative_q05`` … ``negative_q95`` are of the angles between images and wrong classes (DAL Fig. 1),
    ``target_q05`` … ``target_q95`` of those to the true class.
    """

    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)

    def row(self, trainer: lightning.Trainer, module: MethodModule) -> Mapping[str, float]:
        """Return the scale and the quantiles; nothing if the head emits logits."""
        scale = module.method.cosine_scale()
        if scale is None or module.validated is None:
            return {}
        cosines, targets = (values.cpu() for values in module.validated)
        angles = cosines.double().clamp(-1, 1).acos()
        is_target = torch.zeros_like(angles, dtype=torch.bool).scatter_(1, targets[:, None], True)
        return {
            "scale": scale,
            **self._columns("negative", angles[~is_target]),
            **self._columns("target", angles[is_target]),
        }

    def _columns(self, kind: str, angles: torch.Tensor) -> dict[str, float]:
        values = np.quantile(angles.numpy(), self.quantiles)
        return {
            f"{kind}_q{100 * q:02.0f}": float(value) for q, value in zip(self.quantiles, values, strict=True)
        }


@final
class EpochLine(Callback):
    """One line per epoch in the log, for files and pipes where a progress bar would be noise.

    Args:
        watched: The split that is judged after every epoch, or None.
    """

    def __init__(self, watched: str | None) -> None:
        self.watched = watched

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        judged = (
            ""
            if self.watched is None
            else f"  {self.watched} balanced accuracy {logged['validation_balanced_accuracy']:.4f}"
            f"  auc {logged['validation_auc']:.4f}"
        )
        _log.info(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  loss {logged['train_loss']:.4f}{judged}"
        )


@final
class StopOnBrokenLoss(Callback):
    """Ends a training whose loss is no longer finite, because no later epoch can repair the weights."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not math.isfinite(float(trainer.callback_metrics["train_loss"])):
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            raise InputError(
                f"training diverged: train_loss must be finite, but is not in epoch {trainer.current_epoch + 1} "
                f"(learning rate {rate:g}); lower it with `optimizer.learning_rate={rate / 10:g}` or clip with "
                f"`training.gradient_clip_norm=1`"
            )


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
