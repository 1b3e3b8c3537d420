"""What is asked of an operating point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.adaptation.goals import Goal
from medtail.checks import choice
from medtail.errors import InputError
from medtail.operating_point.calibration import CALIBRATIONS


@final
@dataclass(frozen=True)
class Request:
    """A goal, and what is known of the place where the model is used.

    Attributes:
        goal: What the decision is chosen for.
        prior: Shares of the classes where the model is used ``(C,)``; None where they are as in validation, or do not
            matter.
        calibrate: A key of :data:`~medtail.operating_point.calibration.CALIBRATIONS`, or ``"none"``.
        coverage: How often sets of classes contain the true one, for each class, in (0, 1); None for no sets.
        condition: λ at which the run is read; None for its default.

    Raises:
        InputError: The calibration is unknown, or the coverage is not in (0, 1).
    """

    goal: Goal
    prior: np.ndarray | None = None
    calibrate: str = "none"
    coverage: float | None = None
    condition: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        choice("`calibrate`", self.calibrate, (*CALIBRATIONS, "none"))
        if self.coverage is not None and not 0 < self.coverage < 1:
            raise InputError(f"`coverage` must lie between 0 and 1, got {self.coverage:g}; 0.9 is usual")

    @property
    def needs_cases(self) -> bool:
        """Whether anything is chosen on cases with known classes; a prior alone is applied without them."""
        return (
            self.prior is None
            or self.calibrate != "none"
            or self.coverage is not None
            or self.goal.needs_cases
        )
