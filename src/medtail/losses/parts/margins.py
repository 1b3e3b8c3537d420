"""Margins: their sizes (constant, by count, by batch, by difficulty) and their kinds (angular, cosine)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, final

import torch
from torch import Tensor

from medtail import tensor_checks
from medtail.losses import functional
from medtail.losses.parts.base import Part
from medtail.tensor_checks import ClassCounts

# ---------------------------------------------------------------------------------------------- sizes


class MarginSize(Part, ABC):
    """The size of each sample's margin, abstract."""

    @abstractmethod
    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margins, ``(N,)`` or one for all ``()``."""


@final
class ConstantMargin(MarginSize):
    """The same margin for every sample."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margin ``()``."""
        return cosines.new_full((), self.margin)


@final
class ClassMargin(MarginSize):
    r"""A margin that decreases with the class count, :math:`m_c = m_{\max}(n_c / n_\text{ref})^{-\text{power}}`.

    Args:
        class_counts: ``(C,)``.
        max_margin: The margin of the reference class.
        power: ¼ in LDAM, 1 in DBM.
        reference_class: Its id; by default the rarest class.
    """

    margins: Tensor

    def __init__(
        self,
        class_counts: ClassCounts,
        *,
        max_margin: float,
        power: float,
        reference_class: int | None = None,
    ) -> None:
        super().__init__()
        counts = tensor_checks.class_counts(class_counts)
        reference = counts.min() if reference_class is None else counts[reference_class]
        margins = functional.class_margins(counts, max_margin, power, reference)
        self.register_buffer("margins", margins, persistent=False)

    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margins ``(N,)``."""
        return self.margins.to(cosines)[targets]


@final
class BatchAdaptiveMargin(MarginSize):
    """DAL's margin, by how rare a class is in the joined batch of all ranks (eqs. 8–9)."""

    uses_batch_statistics: ClassVar[bool] = True

    def __init__(self, *, min_margin: float, max_margin: float) -> None:
        super().__init__()
        self.min_margin = min_margin
        self.max_margin = max_margin

    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margins ``(N,)``."""
        counts = functional.batch_counts(cosines.detach(), targets)
        return functional.adaptive_margins(counts, self.min_margin, self.max_margin)[targets]


@final
class InstanceMargin(MarginSize):
    r"""DBM's difficulty-aware margin for all positives: :math:`m_C + m_C\,d_I`, :math:`d_I = (1 - \cos\theta_y)/2`.

    The gradient flows through the difficulty :math:`d_I` (eqs. 7–8).
    """

    def __init__(self, class_margin: MarginSize) -> None:
        super().__init__()
        self.class_margin = class_margin

    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margins ``(N,)``."""
        difficulty = (1 - functional.target_entries(cosines, targets)) / 2
        margins: Tensor = self.class_margin(cosines, targets)
        return margins * (1 + difficulty)


@final
class HardInstanceMargin(MarginSize):
    """DBM's difficulty-aware margin for hard positives only, to which another class has a smaller angle (eqs. 8–9)."""

    def __init__(self, class_margin: MarginSize) -> None:
        super().__init__()
        self.class_margin = class_margin

    def forward(self, cosines: Tensor, targets: Tensor) -> Tensor:
        """Return the margins ``(N,)``."""
        cosine = functional.target_entries(cosines, targets)
        difficulty = torch.where(cosine < cosines.detach().amax(1), (1 - cosine) / 2, 0.0)
        margins: Tensor = self.class_margin(cosines, targets)
        return margins * (1 + difficulty)


#: Choices for ``instance_margin``: how a class margin becomes that of a sample.
INSTANCE_MARGINS: dict[str, Callable[[ClassMargin], MarginSize]] = {
    "hard": HardInstanceMargin,
    "all": InstanceMargin,
    "none": lambda class_margin: class_margin,
}

#: The class whose count DBM divides by: the rarest in the paper, the last one in the released code.
REFERENCE_CLASSES: dict[str, int | None] = {"paper": None, "official": -1}


# ---------------------------------------------------------------------------------------------- kinds


class Margin(Part, ABC):
    """A change of the entry of the true class, abstract."""

    needs_one_class: ClassVar[str] = "the margin belongs to the true class"

    @abstractmethod
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` with the margin applied."""


@final
class NoMargin(Margin):
    """Leave the outputs unchanged."""

    needs_one_class: ClassVar[str] = ""
    convex = True

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the outputs."""
        return outputs


@final
class AngularMargin(Margin):
    """Add the margin to the angle, cos(θ + m); see :func:`functional.angular_margin`."""

    def __init__(self, size: MarginSize) -> None:
        super().__init__()
        self.size = size

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cosines with the margin applied."""
        return functional.angular_margin(outputs, targets, self.size(outputs, targets))


@final
class MonotonicAngularMargin(Margin):
    """Add the margin to the angle and keep decreasing beyond π; see :func:`functional.monotonic_angular_margin`."""

    def __init__(self, size: MarginSize) -> None:
        super().__init__()
        self.size = size

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cosines with the margin applied."""
        return functional.monotonic_angular_margin(outputs, targets, self.size(outputs, targets))


@final
class CosineMargin(Margin):
    """Subtract the margin from the cosine, cos θ - m; see :func:`functional.cosine_margin`."""

    def __init__(self, size: MarginSize) -> None:
        super().__init__()
        self.size = size

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the outputs with the margin applied."""
        return functional.cosine_margin(outputs, targets, self.size(outputs, targets))


@final
class MultiplicativeMargin(Margin):
    """Multiply the angle, cos(mθ), made monotonic; see :func:`functional.multiplicative_margin`."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cosines with the margin applied."""
        return functional.multiplicative_margin(outputs, targets, self.factor)


#: Choices for ``monotonic``.
ANGULAR_MARGINS: dict[bool, type[AngularMargin] | type[MonotonicAngularMargin]] = {
    False: AngularMargin,
    True: MonotonicAngularMargin,
}
