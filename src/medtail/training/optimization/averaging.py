"""A moving average of the weights, which is validated and saved in their place."""

from collections.abc import Sequence
from typing import final

import lightning
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


@final
class MovingAverage(WeightAveraging):
    r"""The exponential moving average of all weights and buffers over the steps of a training.

    .. math:: \bar\theta \leftarrow d_n \bar\theta + (1 - d_n)\,\theta, \quad
       d_n = \min\left(d, \frac{1 + n}{10 + n}\right)

    after step n, so that the first steps are forgotten also in short trainings. Training goes on with θ; validation,
    the choice of the epoch and the checkpoints' ``state_dict`` are of the average. The checkpoint also holds θ, from
    which a training continues.

    Args:
        decay: d, in (0, 1).

    Source: the warm-up of d is that of TensorFlow's ``ExponentialMovingAverage``, which EfficientNet was trained with.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._follow)
        self.decay = decay

    def _follow(self, averages: Sequence[Tensor], values: Sequence[Tensor], steps: Tensor | int) -> None:
        decay = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        get_ema_multi_avg_fn(decay)(averages, values, steps)  # type: ignore[no-untyped-call]

    # The module reads its validation outputs after Lightning calls on_validation_epoch_end of callbacks, and a loss may
    # have a state, so the average stays in place until validation ends.
    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_validation_epoch_end(trainer, pl_module)

    def on_validation_epoch_start(self, *_: object) -> None:
        """Nothing: the average is in place."""

    def on_validation_epoch_end(self, *_: object) -> None:
        """Nothing: the average stays until validation ends."""
