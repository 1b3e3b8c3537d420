"""Precision-recall and ROC curves of classes against the rest, and where decisions lie on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtail import metrics
from medtail.evaluation.report.drawing import GRID, INK, SERIES, draw, shortened
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR
from medtail.runs.predictions import SavedPredictions

#: From a class's 0/1 targets, its scores and a grid to the values of its curve on the grid.
Line = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

#: From a class's 0/1 targets and decisions to a place on its curve.
Place = Callable[[np.ndarray, np.ndarray], tuple[float, float]]

#: Points of a curve on the page; more could not be seen.
_POINTS = 200

#: What marks the first and the second set of decisions.
_MARKS = ("o", "D")


@final
@dataclass(frozen=True)
class ClassCurves:
    """The curves of some classes on one split.

    Attributes:
        predictions: Whose scores draw the curves.
        drawn: Ids of the classes to draw, each with images and with others.
        groups: Classes by the name of their group, for means where there are more classes than colours.
        decided: Predictions of the same images whose decisions are marked on the curves, by what they are.
    """

    predictions: SavedPredictions
    drawn: Sequence[int]
    groups: Mapping[str, Sequence[int]]
    decided: Mapping[str, SavedPredictions] = field(default_factory=dict)

    def figures(self) -> list[Markup]:
        """Return the precision-recall and the ROC curves."""
        return [
            self._figure(
                precision_recall_line, metrics.average_precision, _recall_and_precision,
                "Precision and recall, AP", ("recall", "precision"),
            ),
            self._figure(
                roc_line, metrics.roc_auc, _rates, "ROC, AUC", ("false positive rate", "true positive rate")
            ),
        ]  # fmt: skip

    def _figure(
        self,
        line: Line,
        area: Callable[[np.ndarray, np.ndarray], float | np.ndarray],
        place: Place,
        title: str,
        labels: tuple[str, str],
    ) -> Markup:
        """One line per class, or with more classes than colours, one per group of classes over faint ones."""
        grid = np.linspace(0, 1, _POINTS)
        lines, areas = {}, {}
        for index in self.drawn:
            known = self.predictions.known[:, index]
            positive = self.predictions.carried[known, index]
            scores = self.predictions.scores[known, index]
            lines[index] = line(positive, scores, grid)
            areas[index] = float(area(positive.astype(np.int64), scores))
        names = self.predictions.class_names
        if len(self.drawn) <= CLASSES_IN_COLOUR:
            shown = {names[index]: [index] for index in self.drawn}
        else:
            shown = {
                name: [index for index in members if index in lines] for name, members in self.groups.items()
            }
            shown = {name: members for name, members in shown.items() if members}
        means = {name: float(np.mean([areas[index] for index in members])) for name, members in shown.items()}

        def paint(figure: Figure) -> None:
            axes = figure.subplots()
            if len(self.drawn) > CLASSES_IN_COLOUR:
                for faint in lines.values():
                    axes.plot(grid, faint, color=GRID, linewidth=0.8)
            for colour, (name, members) in zip(SERIES, shown.items(), strict=False):
                mean = np.mean([lines[index] for index in members], axis=0)
                axes.plot(
                    grid, mean, color=colour, label=f"{shortened(name)}  {means[name]:.2f}", linewidth=1.7
                )
            self._mark(axes, place)
            axes.set_xlabel(labels[0])
            axes.set_ylabel(labels[1])
            axes.set_xlim(-0.02, 1.02)
            axes.set_ylim(-0.02, 1.03)
            axes.set_title(title)
            figure.legend(
                loc="outside lower left", ncols=3, labelcolor=INK, handlelength=1.4, columnspacing=1.4
            )

        values = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
        marks = "".join(
            f"; {what}: "
            + ", ".join(
                f"{names[index]} at {labels[0]} {x:.2f}, {labels[1]} {y:.2f}"
                for index in self.drawn
                for x, y in [self._place(place, decided, index)]
                if np.isfinite([x, y]).all()
            )
            for what, decided in self.decided.items()
        )
        rows = -(-(len(shown) + len(self.decided)) // 3)
        return draw(paint, width=4.8, height=4.1 + 0.22 * rows, description=f"{title}: {values}{marks}")

    def _place(self, place: Place, decided: SavedPredictions, index: int) -> tuple[float, float]:
        return place(decided.targets == index, decided.decisions == index)

    def _mark(self, axes: Axes, place: Place) -> None:
        """Mark where decisions lie: hollow, then filled."""
        for mark, (what, decided) in zip(_MARKS, self.decided.items(), strict=False):
            filled = mark == _MARKS[-1]
            for colour, index in zip(SERIES, self.drawn, strict=False):
                axes.plot(
                    *self._place(place, decided, index), mark, color=colour, markersize=8,
                    markerfacecolor=colour if filled else "none", markeredgewidth=1.6, clip_on=False, zorder=5,
                )  # fmt: skip
            axes.plot(
                [], [], mark, color=INK, markerfacecolor=INK if filled else "none", label=what, markersize=7
            )


def precision_recall_line(positive: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Precision of the highest threshold that reaches each recall of the grid: steps, whose mean is the AP.

    Joining the points with straight lines instead would promise precisions that no threshold has.
    """
    from sklearn.metrics import precision_recall_curve

    precisions, recalls, _ = precision_recall_curve(positive, scores)
    # From the highest threshold to the lowest, without the last point, which has no threshold.
    precisions, recalls = precisions[-2::-1], recalls[-2::-1]
    line: np.ndarray = precisions[np.searchsorted(recalls, grid, side="left")]
    return line


def roc_line(positive: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """True positive rate at each false positive rate of the grid, ties joined by straight lines."""
    from sklearn.metrics import roc_curve

    false_positives, true_positives, _ = roc_curve(positive, scores)
    line: np.ndarray = np.interp(grid, false_positives, true_positives)
    return line


def _recall_and_precision(positive: np.ndarray, decided: np.ndarray) -> tuple[float, float]:
    hits = float((positive & decided).sum())
    return hits / positive.sum(), hits / decided.sum() if decided.any() else float("nan")


def _rates(positive: np.ndarray, decided: np.ndarray) -> tuple[float, float]:
    return float(decided[~positive].mean()), float(decided[positive].mean())
