"""What happens around the epochs: tables, a line in the log, and what ends a training early."""

import logging
import math
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast, final

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback

from medtail.errors import InputError, TerminatedError
from medtail.files import replacing
from medtail.naming import listing
from medtail.recipes.schema import Recipe
from medtail.training.module import MethodModule

_log = logging.getLogger(__name__)


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
    """Ends a training that diverged, before a checkpoint of the epoch is written: no later epoch can repair it.

    Args:
        recipe: Of the run, for the remedy.
        ids: Image ids by row, to name those of the batch.
    """

    def __init__(self, recipe: Recipe, ids: Sequence[str]) -> None:
        self.recipe = recipe
        self.ids = ids

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"]) if isinstance(outputs, dict) else float(outputs)
        if not math.isfinite(loss):
            images = listing((self.ids[row] for row in batch["row"].tolist()), most=5)
            self._refuse(trainer, f"the loss is {loss} in step {batch_idx + 1} (images {images})")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        broken = [
            name
            for name, value in pl_module.state_dict().items()
            if value.is_floating_point() and not bool(torch.isfinite(value).all())
        ]
        if broken:
            self._refuse(trainer, f"{len(broken)} weights are no longer finite, such as {broken[0]}")

    def _refuse(self, trainer: lightning.Trainer, what: str) -> None:
        # The rate of the recipe: that of the moment may be 0, at the end of a schedule.
        rate = self.recipe.optimizer.learning_rate
        raise InputError(
            f"training diverged: {what} of epoch {trainer.current_epoch + 1} (learning rate {rate:g}); checkpoints "
            f"hold the epochs before; lower it with `optimizer.learning_rate={rate / 10:g}` or clip with "
            f"`training.gradient_clip_norm=1`"
        )


@final
class FinishEpoch(Callback):
    """On SIGTERM, finishes the epoch, so that its checkpoint is written, and then ends the training.

    Schedulers kill what is left after a grace period. An epoch that takes longer is lost; those before it are not.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before = signal.getsignal(signal.SIGTERM)
        self._may_handle = threading.current_thread() is threading.main_thread() and self._before is not None

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._may_handle:
            # In place of the handler Lightning has just set, which would end the training within the epoch.
            signal.signal(signal.SIGTERM, self._request)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # The scheduler may have told one process of several.
        if trainer.strategy.reduce_boolean_decision(self.requested, all=False):
            self.requested = trainer.should_stop = True

    def restore(self) -> None:
        """Put back what handled SIGTERM before, and pass a request on.

        Raises:
            TerminatedError: The process was asked to end.
        """
        if self._may_handle:
            signal.signal(signal.SIGTERM, self._before)
        if self.requested:
            raise TerminatedError
