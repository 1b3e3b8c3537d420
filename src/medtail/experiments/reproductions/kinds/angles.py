"""Angles to class centres: during training (DAL Figs. 1 and 6), and of test images to their own (DBM Fig. 4)."""

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
from pydantic import Field

from medtail.evaluation.report.sections.model.angles import angle_boxes
from medtail.evaluation.report.sections.model.geometry import angle_violins
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, OfVariants, Reached
from medtail.experiments.reproductions.measures import JudgedSplit
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.runs.features import SavedFeatures
from medtail.runs.run import Run
from medtail.runs.stored_files import read_csv


@final
class NegativeAngles(OfVariants):
    """Box plots of the angles to wrong classes by epoch, one figure per variant."""

    name: Literal["negative_angles"]

    def columns_of(self, part: str) -> Sequence[str]:
        return ["nearest negative angle", "farthest negative angle"]

    def findings(self, part: PlannedPart) -> Findings:
        cells, figures = {}, []
        for row in part.trained_rows:
            runs = part.runs(row)
            tables = [read_csv(run.require(run.angles)) for run in runs]
            for column, name in (
                ("nearest negative angle", "negative_q05"),
                ("farthest negative angle", "negative_q95"),
            ):
                cells[row.label, column] = Reached(
                    tuple(float(np.degrees(table[name].iloc[-1])) for table in tables)
                )
            figures.append(
                DrawnFigure(
                    f"{row.label}: angles to wrong classes, seed 0.",
                    angle_boxes(tables[0], "negative", row.label),
                )
            )
        remark = "Ours are the 5th and the 95th percentile in the last epoch, in degrees."
        return Findings(cells, figures, [remark])


@final
class OwnAngles(OfVariants):
    """Distributions of the angles of test images to the centre of their own class, by the frequency of the class.

    Attributes:
        differences: Pairs of rows; the mean angle of the first minus that of the second is tabled.
    """

    name: Literal["own_angles"]
    differences: list[tuple[str, str]] = Field(default_factory=list)

    def columns_of(self, part: str) -> Sequence[str]:
        return ["mean angle", "difference of mean angles"]

    def findings(self, part: PlannedPart) -> Findings:
        angles = {row.label: [_own_angles(run) for run in part.runs(row)] for row in part.trained_rows}
        means = {label: [float(own.mean()) for own, _ in runs] for label, runs in angles.items()}
        cells = {(label, "mean angle"): Reached(tuple(values)) for label, values in means.items()}
        for first, second in self.differences:
            if first in means and second in means:
                differences = [a - b for a, b in zip(means[first], means[second], strict=True)]
                cells[f"{first} - {second}", "difference of mean angles"] = Reached(tuple(differences))
        figures = []
        for row in part.trained_rows:
            own, targets = angles[row.label][0]
            judged = JudgedSplit(part.runs(row)[0])
            members = {name: judged.members(name) for name in ("many", "medium", "few")}
            shown = {name: own[np.isin(targets, ids)] for name, ids in members.items() if ids}
            figures.append(DrawnFigure(f"{row.label}, seed 0, test images.", angle_violins(shown)))
        return Findings(cells, figures)


def _own_angles(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Angles in degrees of test images to the centre of their class, and the class ids."""
    saved = SavedFeatures.read(run)
    angles = np.degrees(saved.own_angles())
    known = ~np.isnan(angles)
    return angles[known], saved.targets[known]
