"""Figures that follow from equations alone: DAL Fig. 2, LCT Fig. 3, DBM Fig. 2."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, final

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from medtail.errors import InputError
from medtail.evaluation.report.drawing import INK, SERIES, draw
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, Kind, Reached
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.losses.functional import scale_range
from medtail.methods.linear_density import LinearDensity


@final
class ScaleCurves(Kind):
    """The probability of the own class against the angle to it, for several scales (DAL Fig. 2).

    Attributes:
        num_classes: C.
        nearest: The smallest angle to a wrong class, in degrees.
        farthest: The largest one.
        scales: s.
    """

    needs_data: ClassVar[bool] = False

    name: Literal["scale_curves"]
    num_classes: int
    nearest: float
    farthest: float
    scales: list[float]

    def columns_of(self, part: str) -> Sequence[str]:
        return ["lower bound of s", "upper bound of s"]

    def findings(self, part: PlannedPart) -> Findings:
        angles = (math.radians(self.nearest), math.radians(self.farthest))
        low, high = scale_range(self.num_classes, *angles)
        own = np.linspace(0, np.pi / 2, 181)
        wrong = {
            "solid": np.full(self.num_classes - 1, angles[0]),
            "dashed": np.linspace(*angles, self.num_classes - 1),
            "dotted": np.full(self.num_classes - 1, angles[1]),
        }

        def paint(figure: Figure) -> None:
            axes = figure.subplots()
            for colour, scale in zip(SERIES, self.scales, strict=False):
                for style, others in wrong.items():
                    gaps = np.cos(others)[:, None] - np.cos(own)[None, :]
                    axes.plot(
                        np.degrees(own),
                        1 / (1 + np.exp(scale * gaps).sum(axis=0)),
                        color=colour,
                        linestyle=style,
                        linewidth=1.3,
                        label=f"s = {scale:g}" if style == "solid" else None,
                    )
            axes.set_xlabel("angle to the own class, degrees")
            axes.set_ylabel("probability of the own class")
            figure.legend(loc="outside lower left", ncols=len(self.scales), labelcolor=INK)

        drawing = draw(
            paint,
            width=6.4,
            height=4.2,
            description=f"Probability of the own class of {self.num_classes} at scales {self.scales}",
        )
        caption = (
            f"Wrong classes all at {self.nearest:g}° (solid), between {self.farthest:g}° (dashed), "
            f"and all at {self.farthest:g}° (dotted)."
        )
        cells = {
            ("eq. 7", "lower bound of s"): Reached((low,)),
            ("eq. 7", "upper bound of s"): Reached((high,)),
        }
        return Findings(cells, [DrawnFigure(caption, drawing)])


@final
class Densities(Kind):
    """Linear densities and their distribution functions on one interval (LCT Fig. 3).

    Attributes:
        low: a.
        high: b.
        heights: h_b of each density.
        printed_but_not_legal: Densities of the paper that are none: [a, b, h_b].
    """

    needs_data: ClassVar[bool] = False

    name: Literal["densities"]
    low: float
    high: float
    heights: list[float]
    printed_but_not_legal: list[tuple[float, float, float]] = Field(default_factory=list)

    def findings(self, part: PlannedPart) -> Findings:
        densities = [LinearDensity(self.low, self.high, height) for height in self.heights]
        values = np.linspace(self.low, self.high, 101)

        def paint(figure: Figure) -> None:
            left, right = figure.subplots(1, 2)
            for colour, density in zip(SERIES, densities, strict=False):
                left.plot(values, density.pdf(values), color=colour, label=str(density))
                right.plot(values, density.cdf(values), color=colour)
            left.set_title("Density")
            right.set_title("Distribution function")
            figure.legend(loc="outside lower left", ncols=3, labelcolor=INK)

        drawing = draw(
            paint,
            width=8.2,
            height=3.8,
            description=f"Densities and distribution functions of {', '.join(map(str, densities))}",
        )
        remarks = []
        for low, high, height in self.printed_but_not_legal:
            try:
                LinearDensity(low, high, height)
            except InputError as error:
                remarks.append(
                    f"L({low:g}, {high:g}, {height:g}), which the paper lists, is no density: {error}."
                )
        return Findings(
            figures=[DrawnFigure(f"L(a, b, h_b) on [{self.low:g}, {self.high:g}].", drawing)], remarks=remarks
        )


@final
class Margins(Kind):
    """The margins of DBM: by the frequency of the class, and by the angle to its centre (DBM Fig. 2).

    Attributes:
        largest: K.
        power: τ.
        ratios: ρ of the classes whose instance-wise margin is drawn.
    """

    needs_data: ClassVar[bool] = False

    name: Literal["margins"]
    largest: float
    power: float
    ratios: list[float]

    def findings(self, part: PlannedPart) -> Findings:
        ratio = np.linspace(1, max(self.ratios), 200)
        angle = np.linspace(0, np.pi, 181)

        def paint(figure: Figure) -> None:
            left, right = figure.subplots(1, 2)
            left.plot(ratio, self.largest * ratio**-self.power, color=SERIES[0])
            left.set_title("Class-wise margin")
            left.set_xlabel("images of the class per image of the rarest class")
            for colour, each in zip(SERIES, self.ratios, strict=False):
                class_wise = self.largest * each**-self.power
                right.plot(
                    np.degrees(angle),
                    class_wise * (1 - np.cos(angle)) / 2,
                    color=colour,
                    label=f"ρ = {each:g}",
                )
            right.set_title("Instance-wise margin")
            right.set_xlabel("angle to the own class centre, degrees")
            figure.legend(loc="outside lower left", ncols=len(self.ratios), labelcolor=INK)

        drawing = draw(
            paint,
            width=8.6,
            height=3.8,
            description=f"Margins of DBM at K = {self.largest:g} and τ = {self.power:g}",
        )
        return Findings(
            figures=[DrawnFigure(f"K = {self.largest:g}, τ = {self.power:g} (eqs. 6 to 8).", drawing)]
        )
