"""The metric that chooses the epoch, averaged over the last epochs because single ones are noisy."""

import logging
from typing import Any, final

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from medtail.evaluation.summaries.chosen_epoch import trailing_mean

_log = logging.getLogger(__name__)

#: With fewer epochs, an early one is nothing to remark on.
_FEWEST = 6

#: An epoch up to this share of all is early.
_EARLY = 1 / 3


@final
class MonitoredMean(Callback):
    """Logs the mean of a metric over the last epochs, and says at the end if it was highest early.

    Args:
        column: The metric, as the module logs it.
        window: The number of epochs; with 1, nothing is logged.
    """

    def __init__(self, column: str, window: int) -> None:
        self.column = column
        self.window = window
        self.values: list[float] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.values.append(float(trainer.callback_metrics[self.column]))
        if self.window > 1:
            mean = torch.tensor(trailing_mean(self.values, self.window), dtype=torch.float32)
            pl_module.log(f"{self.column}_mean", mean)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        count = len(self.values)
        means = [trailing_mean(self.values[:epoch], self.window) for epoch in range(1, count + 1)]
        kept = (
            max(range(count), key=lambda row: (means[row], row if self.window > 1 else -row), default=0) + 1
        )
        if trainer.is_global_zero and count >= _FEWEST and kept <= _EARLY * count:
            _log.info(
                f"epoch {kept} of {count} is kept: validation was best early, before the learning rate had fallen. A "
                f"lower `optimizer.learning_rate` may help; with few validation images it may also be chance, so look "
                f"at the last epoch, too (`checkpoint=last` of `evaluate()`)"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = list(state_dict["values"])
