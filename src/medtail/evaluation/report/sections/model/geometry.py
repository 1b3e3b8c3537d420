"""How compact the classes are in feature space, and how far apart: DBM's analysis."""

import warnings
from typing import Any, cast

import numpy as np
from markupsafe import Markup
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from medtail.checks import class_ids
from medtail.errors import InputError
from medtail.evaluation.report.drawing import SERIES, draw, shortened
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.metrics import UndefinedMetricWarning, fisher_separability
from medtail.metrics.undefined import mean_over_defined
from medtail.runs.features import SavedFeatures

#: Where solving for the projections of all pairs of classes takes more multiplications, about half a minute, the
#: report leaves separability out.
_MOST_OPERATIONS = 2e11

#: With fewer angles, a density shows the kernel and not the class.
_FEWEST_FOR_A_DENSITY = 5


def geometry(evidence: Evidence) -> Section | None:
    """Angles of test features to their own class centre (DBM Fig. 4), and Fisher separability (eqs. 12–13).

    Reads ``features/test.npz``, see docs/report.md; None if the run has none, or several labels per image.

    Raises:
        InputError: The file is damaged, or its arrays are of other sizes than the data.
    """
    if evidence.facts.multi_label or not evidence.run.features.is_file():
        return None
    saved = SavedFeatures.read(evidence.run)
    classes = len(evidence.class_names)
    targets = class_ids("targets", saved.targets, classes)
    if saved.centres is None:
        return None
    if len(saved.centres) != classes:
        raise InputError(
            f"{evidence.run.features} must hold a centre for each of {classes} classes, got {len(saved.centres)}"
        )
    own = np.degrees(saved.own_angles())
    separability = _separability(saved.features, targets, classes)
    parts = _parts(evidence)
    # In many dimensions, some projection separates a few points from anything.
    inflated = np.bincount(targets, minlength=classes) <= saved.features.shape[1]
    return Section(
        "geometry",
        "Compactness and separability",
        "section_geometry.html",
        {
            "figure": angle_violins(
                {name: own[np.isin(targets, members) & np.isfinite(own)] for name, members in parts.items()}
            ),
            "rows": [
                {
                    **_row(members, own, targets, separability),
                    "name": name,
                    "inflated": separability is not None and bool(inflated[members].any()),
                }
                for name, members in {**parts, "all": list(range(classes))}.items()
            ],
            "features": saved.features.shape[1],
            "images": len(targets),
            "thinned": len(evidence.test.ids) - len(targets),
            "without_direction": int(np.isnan(own).sum()),
            "separable": separability is not None,
            "grouped": classes >= MANY_CLASSES,
        },
    )


def _parts(evidence: Evidence) -> dict[str, list[int]]:
    """What gets a violin: each class, or with many classes each group by frequency."""
    if len(evidence.class_names) >= MANY_CLASSES:
        return evidence.frequency_groups
    return {evidence.class_names[index]: [index] for index in evidence.from_frequent_to_rare}


def _separability(features: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray | None:
    """Fisher separability of each class; None where it takes too long."""
    size = features.shape[1]
    rows = min(size, 2 * int(np.bincount(targets, minlength=classes).mean()))
    if classes * (classes - 1) / 2 * size * rows**2 > _MOST_OPERATIONS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # the table shows a dash
        return fisher_separability(features, targets, classes)


def _row(
    members: list[int], own: np.ndarray, targets: np.ndarray, separability: np.ndarray | None
) -> dict[str, Any]:
    belonging = np.isin(targets, members)
    angles = own[belonging & np.isfinite(own)]
    quartiles = np.quantile(angles, [0.25, 0.5, 0.75]) if len(angles) else np.full(3, np.nan)
    return {
        "n": int(belonging.sum()),
        "lower": float(quartiles[0]),
        "median": float(quartiles[1]),
        "upper": float(quartiles[2]),
        "separability": np.nan if separability is None else float(mean_over_defined(separability[members])),
    }


def angle_violins(angles: dict[str, np.ndarray]) -> Markup:
    """Draw the density of the angles, in degrees, of each group of images."""
    shown = {name: values for name, values in angles.items() if len(values)}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, values in enumerate(shown.values()):
            if len(values) >= _FEWEST_FOR_A_DENSITY and np.ptp(values) > 0:
                violins = axes.violinplot([values], [position], widths=0.8, showextrema=False)
                for body in cast("list[PolyCollection]", violins["bodies"]):
                    body.set_facecolor(SERIES[0])
                    body.set_alpha(0.35)
                axes.hlines(
                    np.quantile(values, [0.25, 0.5, 0.75]), position - 0.22, position + 0.22,
                    color=SERIES[0], linestyle=["dashed", "solid", "dashed"], linewidth=1.4,
                )  # fmt: skip
            else:
                axes.plot([position] * len(values), values, "o", color=SERIES[0], markersize=4)
        axes.set_xticks(range(len(shown)), [shortened(name, 14) for name in shown])
        axes.set_ylabel("angle to the own centre, degrees")
        axes.grid(axis="x", visible=False)

    medians = ", ".join(f"{name} {np.median(values):.0f}°" for name, values in shown.items())
    return draw(
        paint,
        width=min(9.0, 2.5 + 0.9 * len(shown)),
        height=3.8,
        description=f"Angles of test features to the centre of their own class, medians: {medians}",
    )
