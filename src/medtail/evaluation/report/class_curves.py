"""Precision-recall and ROC curves of classes against the rest, and where decisions lie on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import GRID, INK, SERIES, draw, shortened
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR
from medtail.metrics.thresholds import RankedScores, ThresholdCounts
from medtail.runs.predictions import SavedPredictions

#: From what the thresholds of a class find and a grid to the values of its curve on the grid.
Line = Callable[[ThresholdCounts, np.ndarray], np.ndarray]

#: From a class's 0/1 targets and decisions to a place on its curve.
Place = Callable[[np.ndarray, np.ndarray], tuple[float, float]]

#: Points of a curve on the page; more could not be seen.
_POINTS = 200

#: The most classes whose own curves are drawn under the means of groups; more would only darken the figure.
MOST_FAINT = 100

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
        # Of many classes and images these fill memory, and are computed whenever they are asked for.
        known, carried, scores = self.predictions.known, self.predictions.carried, self.predictions.scores
        once = self.predictions.once()
        found = {
            index: RankedScores.of(carried[:, index], scores[:, index], known[:, index]).counts(once)
            for index in self.drawn
        }
        return [
            self._figure(
                found, precision_recall_line, ThresholdCounts.average_precision, _recall_and_precision,
                "Precision and recall, AP", ("recall", "precision"),
            ),
            self._figure(
                found, roc_line, ThresholdCounts.roc_auc, _rates,
                "ROC, AUC", ("false positive rate", "true positive rate"),
            ),
        ]  # fmt: skip

    def _figure(
        self,
        found: Mapping[int, ThresholdCounts],
        line: Line,
        area: Callable[[ThresholdCounts], np.ndarray],
        place: Place,
        title: str,
        labels: tuple[str, str],
    ) -> Markup:
        """One line per class, or with more classes than colours, one per group of classes over faint ones."""
        grid = np.linspace(0, 1, _POINTS)
        lines = {index: line(counts, grid) for index, counts in found.items()}
        areas = {index: float(area(counts)[0]) for index, counts in found.items()}
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
                for faint in evenly(list(lines.values()), MOST_FAINT):
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


def evenly(values: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
    """At most this many of the values, spread evenly over all.

    Example:
        >>> evenly([np.array(value) for value in range(5)], 3)
        [array(0), array(2), array(4)]
    """
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[place] for place in places]


def precision_recall_line(counts: ThresholdCounts, grid: np.ndarray) -> np.ndarray:
    """Precision of the highest threshold that reaches each recall of the grid: steps, whose mean is the AP.

    Joining the points with straight lines instead would promise precisions that no threshold has.
    """
    hits, alarms = counts.true_positives[:, 0], counts.false_positives[:, 0]
    line: np.ndarray = (hits / (hits + alarms))[np.searchsorted(hits / counts.positives, grid, side="left")]
    return line


def roc_line(counts: ThresholdCounts, grid: np.ndarray) -> np.ndarray:
    """True positive rate at each false positive rate of the grid, ties joined by straight lines."""
    hits, alarms = counts.true_positives[:, 0], counts.false_positives[:, 0]
    # Before each threshold lie the negatives between it and the next higher one, which add no hit.
    before = np.stack([alarms - counts.tied[:, 0], hits - counts.at[:, 0]], axis=1)
    corners = np.stack([before, np.stack([alarms, hits], axis=1)], axis=1).reshape(-1, 2)
    corners = np.concatenate([[[0.0, 0.0]], corners, [[counts.negatives[0], counts.positives[0]]]])
    line: np.ndarray = np.interp(grid, *(corners / [counts.negatives[0], counts.positives[0]]).T)
    return line


def _recall_and_precision(positive: np.ndarray, decided: np.ndarray) -> tuple[float, float]:
    hits = float((positive & decided).sum())
    return hits / positive.sum(), hits / decided.sum() if decided.any() else float("nan")


def _rates(positive: np.ndarray, decided: np.ndarray) -> tuple[float, float]:
    return float(decided[~positive].mean()), float(decided[positive].mean())
