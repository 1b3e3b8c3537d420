"""Scales: how sharp the softmax over cosines is."""

import math
import warnings
from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from torch import Tensor

from medtail import checks
from medtail.distributed import gather_over_ranks, sum_over_ranks
from medtail.errors import InputError
from medtail.losses import functional
from medtail.losses.parts.base import Part

#: DAL's choice for 5 to 8 classes (§3.1): the middle of the range of eq. 7 for 7 and 8 classes.
PAPER_SCALE = 4.0


class Scale(Part, ABC):
    """A factor on the scores, which may be measured on the batch; abstract."""

    @abstractmethod
    def sharpen(self, scores: Tensor) -> Tensor:
        """Return the scaled scores ``(N, C)``, as inference uses them."""

    def forward(self, scores: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled scores; in training mode, the raw outputs of the batch may change the scale first."""
        return self.sharpen(scores)


@final
class NoScale(Scale):
    """Leave the scores unchanged."""

    convex = True

    def sharpen(self, scores: Tensor) -> Tensor:
        """Return the scores."""
        return scores


@final
class FixedScale(Scale):
    """A constant factor s."""

    convex = True

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def sharpen(self, scores: Tensor) -> Tensor:
        """Return the scores times s."""
        return self.value * scores


def _are_cosines(values: Tensor) -> Tensor:
    """Whether all values are cosines ``()``: none is NaN, infinite or, as the loss passes those on, far too large."""
    if not values.numel():
        return torch.ones((), dtype=torch.bool, device=values.device)
    low, high = values.aminmax()
    return (low >= -2) & (high <= 2)


def adacos_scale(num_classes: int) -> float:
    """Return AdaCos's fixed scale √2·log(C - 1); two classes are refused, because theirs is 0."""
    checks.whole_number(
        "num_classes",
        num_classes,
        low=3,
        remedy="AdaCos's scale √2·log(C - 1) is 0 for 2 classes, so take arcface with margin 0 and a scale",
    )
    return math.sqrt(2) * math.log(num_classes - 1)


@final
class AdaCosScale(Scale):
    r"""AdaCos's dynamic scale, updated on every batch (Zhang et al., 2019).

    .. math:: s \leftarrow \frac{\log B_\text{avg}}{\cos\min(\pi/4, \theta_\text{med})},\qquad
              B_\text{avg} = \frac1N\sum_i\sum_{j\neq y_i} e^{s\cos\theta_{ij}}

    θ_med is the lower median of the angles to the true class. Both are measured over the joined batch of all ranks. The
    scale is a buffer that is saved with the state. In training mode only, it is updated before it is applied, unless
    the joined batch is empty or holds a value that is not finite. It is at least that of DAL's eq. 7 at 180°, so that a
    batch of very negative cosines cannot change its sign.
    """

    uses_batch_statistics: ClassVar[bool] = True
    documented_state: ClassVar[tuple[str, ...]] = ("value",)
    needs_one_class: ClassVar[str] = "the scale follows the angle to the true class"
    value: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(adacos_scale(num_classes), dtype=torch.float64))
        self.lowest, _ = functional.scale_range(num_classes, math.pi, math.pi)

    def sharpen(self, scores: Tensor) -> Tensor:
        """Return the scores times the current scale."""
        return self.value.to(scores, copy=True) * scores

    def forward(self, scores: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled scores; in training mode, the batch updates the scale first."""
        if self.training:
            self._update(outputs.detach(), targets)
        return self.sharpen(scores)

    @torch.no_grad()
    def _update(self, cosines: Tensor, targets: Tensor) -> None:
        scale = self.value.to(cosines)
        # exp(s·cos - s) cannot overflow. The floor keeps it from underflow, which takes CPUs ten times as long.
        lowest = 0.99 * math.log(torch.finfo(cosines.dtype).tiny)
        exponentials = (cosines - 1).mul_(scale).clamp_min_(lowest).exp_()
        wrong = exponentials.scatter_(1, targets.unsqueeze(1), 0.0)
        usable = _are_cosines(cosines).to(cosines)
        size = cosines.new_full((), len(targets))
        sum_wrong, size, usable_size = sum_over_ranks(
            torch.stack([wrong.sum(), size, usable * size])
        ).unbind()
        log_mean_wrong = (sum_wrong / size).log() + scale

        own_cosines = gather_over_ranks(functional.target_entries(cosines, targets))
        median_angle = own_cosines.clamp(-1, 1).acos().median()
        scale = log_mean_wrong / median_angle.clamp_max(math.pi / 4).cos()
        usable = (size > 0) & (usable_size == size)
        self.value.copy_(torch.where(usable, scale.clamp_min(self.lowest), self.value))


@final
class MeasuredScale(Scale):
    """DAL's scale for the measured negative angles: the middle of the range of eq. 7.

    In training mode the angles between samples and wrong classes are counted over all ranks, except in a joined batch
    with a value that is not finite. When an epoch begins, the 5th and 95th percentile of the previous epoch give the
    range. The first epoch uses the paper's 4. Scale and counts are saved with the state, so that a resumed run
    continues identically.
    """

    documented_state: ClassVar[tuple[str, ...]] = ("value", "angle_counts", "num_classes")
    needs_one_class: ClassVar[str] = "the scale is measured on the angles to wrong classes"
    bins_per_degree: ClassVar[int] = 4
    value: Tensor
    angle_counts: Tensor
    num_classes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(PAPER_SCALE, dtype=torch.float64))
        self.register_buffer("angle_counts", torch.zeros(180 * self.bins_per_degree, dtype=torch.int64))
        self.register_buffer("num_classes", torch.tensor(0))

    def sharpen(self, scores: Tensor) -> Tensor:
        """Return the scores times the current scale."""
        return self.value.to(scores, copy=True) * scores

    def forward(self, scores: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled scores; in training mode, count the negative angles of the batch first."""
        if outputs.shape[1] == 2:
            raise InputError(
                "scale must be a number for 2 classes, for which log(C - 1) is 0, got 'auto'; set scale=4"
            )
        if self.training:
            self._count(outputs.detach(), targets)
        return self.sharpen(scores)

    @torch.no_grad()
    def _count(self, cosines: Tensor, targets: Tensor) -> None:
        degrees = cosines.nan_to_num().clamp(-1, 1).acos().rad2deg()
        bins = (degrees * self.bins_per_degree).long().clamp_max(len(self.angle_counts) - 1)
        negative = torch.ones_like(bins).scatter(1, targets[:, None], 0)
        counts = torch.zeros_like(self.angle_counts, device=bins.device)
        counts = counts.scatter_add(0, bins.flatten(), negative.flatten())
        unusable = _are_cosines(cosines).logical_not().to(counts)
        joined = sum_over_ranks(torch.cat([counts, unusable[None]]))
        self.angle_counts += torch.where(joined[-1] == 0, joined[:-1], 0).to(self.angle_counts.device)
        self.num_classes.fill_(cosines.shape[1])

    def negative_angles(self, *quantiles: float) -> list[float]:
        """Return quantiles of the negative angles that were counted since the epoch began, in radians."""
        counts = self.angle_counts.cpu().double()
        cumulative = counts.cumsum(0) / counts.sum()
        bins = torch.searchsorted(cumulative, torch.tensor(quantiles, dtype=torch.float64))
        return [math.radians((int(index) + 0.5) / self.bins_per_degree) for index in bins]

    def set_epoch(self, epoch: int) -> None:
        """Take the scale from the angles of the previous epoch, and start counting anew."""
        if not bool(self.angle_counts.any()):
            return
        nearest, farthest = self.negative_angles(0.05, 0.95)
        if nearest > math.pi / 4:
            self.value.fill_(sum(functional.scale_range(int(self.num_classes), nearest, farthest)) / 2)
        else:
            warnings.warn(
                f"scale stays {float(self.value):.3g}: a twentieth of the angles to wrong classes lies within "
                f"{math.degrees(nearest):.3g}°, and eq. 7 of DAL gives no scale within 45°",
                stacklevel=2,
            )
        self.angle_counts.zero_()


def adacos_scale_part(num_classes: int, dynamic: bool) -> Scale:
    """Return AdaCos's dynamic or fixed scale."""
    if checks.boolean("dynamic", dynamic):
        return AdaCosScale(num_classes)
    return FixedScale(adacos_scale(num_classes))


def dal_scale_part(scale: float | str) -> Scale:
    """Return the given scale, or the measured one for ``"auto"``."""
    if isinstance(scale, str):
        checks.choice("scale", scale, ["auto", "a positive number"])
        return MeasuredScale()
    return FixedScale(checks.positive("scale", scale))
