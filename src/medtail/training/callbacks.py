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
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback

from medtail.distributed import sum_over_ranks
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
class AngleCounts:
    """How many angles of an epoch lie in each hundredth of a degree: quantiles of millions of angles in little memory.

    Example:
        >>> counts = AngleCounts()
        >>> counts.add(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
        >>> counts.columns()["negative_q50"]  # doctest: +ELLIPSIS
        1.570...
    """

    _BINS = 18_000
    _QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

    def __init__(self) -> None:
        #: Angles to the true class, then to all classes.
        self._counts = torch.zeros(2, self._BINS, dtype=torch.int64)

    def add(self, cosines: torch.Tensor, targets: torch.Tensor) -> None:
        """Count the angles of cosines ``(N, C)`` to the true class ``(N,)`` and to the others."""
        angles = cosines.detach().double().clamp(-1, 1).acos()
        bins = (angles * (self._BINS / math.pi)).long().clamp_max(self._BINS - 1)
        for kind, counted in enumerate((bins.gather(1, targets[:, None]), bins)):
            self._counts[kind] += counted.flatten().bincount(minlength=self._BINS).cpu()

    def add_other_ranks(self, device: torch.device) -> None:
        """Add what other processes counted; they must call this, too."""
        self._counts = sum_over_ranks(self._counts.to(device)).cpu()

    def columns(self) -> dict[str, float]:
        """Return quantiles in radians by the names of their columns; nothing if nothing was counted."""
        target, every = self._counts
        if not every.any():
            return {}
        return {
            f"{kind}_q{100 * share:02.0f}": self._quantile(counts, share)
            for kind, counts in (("negative", every - target), ("target", target))
            for share in self._QUANTILES
        }

    def _quantile(self, counts: torch.Tensor, share: float) -> float:
        below = counts.cumsum(0)
        position = int(torch.searchsorted(below, share * float(below[-1])))
        return (position + 0.5) * math.pi / self._BINS


@final
class AngleTable(EpochTable):
    """``angles.csv`` for heads that emit cosines: the scale, and quantiles of angles, in radians.

    Columns ``train_negative_q05`` … ``train_negative_q95`` are of the angles between training images, as they were
    augmented in the epoch, and wrong classes (DAL Fig. 1), ``train_target_q05`` … of those to the true class.
    ``negative_q05`` … and ``target_q05`` … are of the watched images after the epoch, usually validation. Images that
    were mixed have no one true class: then there are no columns of training.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._train = AngleCounts()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._train = AngleCounts()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module = cast(MethodModule, pl_module)
        if module.method.cosine_scale() is not None and module.trained is not None:
            self._train.add(*module.trained)

    def row(self, trainer: lightning.Trainer, module: MethodModule) -> Mapping[str, float]:
        """Return the scale and the quantiles; nothing if the head emits logits."""
        scale = module.method.cosine_scale()
        if scale is None:
            return {}
        watched = AngleCounts()
        if module.validated is not None:
            watched.add(*module.validated)
        self._train.add_other_ranks(module.device)
        training = {f"train_{name}": value for name, value in self._train.columns().items()}
        return {"scale": scale, **watched.columns(), **training}


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
