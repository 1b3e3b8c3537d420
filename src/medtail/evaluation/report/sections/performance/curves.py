"""The results of other thresholds: precision-recall and ROC curves, one class against the rest."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail import metrics
from medtail.evaluation.report.drawing import GRID, INK, SERIES, draw, shortened
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR

#: From a class's 0/1 targets, its scores and a grid to the values of its curve on the grid.
Line = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

#: Points of a curve on the page; more could not be seen.
_POINTS = 200


def curves(evidence: Evidence) -> Section:
    """Precision-recall and ROC curves of each class or label on the test split."""
    positives = evidence.test.carried
    sizes = positives.sum(axis=0)
    known = evidence.test.known.sum(axis=0)
    drawn = [index for index in evidence.from_frequent_to_rare if 0 < sizes[index] < known[index]]
    binary = None
    if evidence.test.binary and drawn:
        drawn = drawn[-1:]  # the curves of the other class are the same ones seen from the other side
        binary = evidence.class_names[drawn[0]]
    return Section(
        "curves",
        "Precision-recall and ROC curves",
        "section_curves.html",
        {
            "binary": binary,
            "each": len(drawn) <= CLASSES_IN_COLOUR,
            "figures": [
                _figure(
                    evidence,
                    positives,
                    drawn,
                    precision_recall_line,
                    metrics.average_precision,
                    "Precision and recall, AP",
                    ("recall", "precision"),
                ),
                _figure(
                    evidence,
                    positives,
                    drawn,
                    roc_line,
                    metrics.roc_auc,
                    "ROC, AUC",
                    ("false positive rate", "true positive rate"),
                ),
            ]
            if drawn
            else [],
        },
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


def _figure(
    evidence: Evidence,
    positives: np.ndarray,
    drawn: Sequence[int],
    line: Line,
    area: Callable[[np.ndarray, np.ndarray], float | np.ndarray],
    title: str,
    labels: tuple[str, str],
) -> Markup:
    """One line per class, or with more classes than colours, one per group of classes over faint ones."""
    grid = np.linspace(0, 1, _POINTS)
    lines, areas = {}, {}
    for index in drawn:
        known = evidence.test.known[:, index]
        positive, scores = positives[known, index], evidence.test.scores[known, index]
        lines[index] = line(positive, scores, grid)
        areas[index] = float(area(positive.astype(np.int64), scores))
    if len(drawn) <= CLASSES_IN_COLOUR:
        shown = {evidence.class_names[index]: [index] for index in drawn}
    else:
        groups = {name.split(" (")[0]: members for name, members in evidence.frequency_groups.items()}
        shown = {name: [index for index in members if index in lines] for name, members in groups.items()}
        shown = {name: members for name, members in shown.items() if members}
    means = {name: float(np.mean([areas[index] for index in members])) for name, members in shown.items()}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        if len(drawn) > CLASSES_IN_COLOUR:
            for faint in lines.values():
                axes.plot(grid, faint, color=GRID, linewidth=0.8)
        for colour, (name, members) in zip(SERIES, shown.items(), strict=False):
            mean = np.mean([lines[index] for index in members], axis=0)
            axes.plot(grid, mean, color=colour, label=f"{shortened(name)}  {means[name]:.2f}", linewidth=1.7)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.02)
        axes.set_title(title)
        figure.legend(loc="outside lower left", ncols=3, labelcolor=INK, handlelength=1.4, columnspacing=1.4)

    values = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    rows = -(-len(shown) // 3)
    return draw(paint, width=4.8, height=4.1 + 0.22 * rows, description=f"{title}: {values}")
