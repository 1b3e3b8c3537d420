"""The classes on the hypersphere during training: the figures of DAL, for heads that emit cosines."""

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.errors import InputError
from medtail.evaluation.report.drawing import INK, MUTED, SERIES, draw
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.runs.stored_files import check_numbers, read_csv

_QUANTILES = ("q05", "q25", "q50", "q75", "q95")
_KINDS = {"negative": "Angles to wrong classes", "target": "Angles to the own class"}

#: The most boxes that can be told apart.
_SHOWN_EPOCHS = 12


def angles(evidence: Evidence) -> Section | None:
    """Angles to wrong and to own classes per epoch (DAL Fig. 1), and what the scale makes of them (Fig. 2).

    Reads ``angles.csv``, see docs/report.md; None if the run has none.

    Raises:
        InputError: A column is missing, or an angle is not in [0, π].
    """
    path = evidence.run.angles
    if not path.is_file():
        return None
    table = read_csv(path)
    watched = "validation images" if evidence.facts.has_validation else "test images"
    # Images that were mixed have no angles of training, and a run without validation has no others.
    known = {"training images": "train_", watched: ""}
    images = {name: prefix for name, prefix in known.items() if f"{prefix}negative_q50" in table} or {
        watched: ""
    }
    measured = [
        f"{prefix}{kind}_{quantile}"
        for prefix in images.values()
        for kind in _KINDS
        for quantile in _QUANTILES
    ]
    columns = ["epoch", "scale", *measured]
    missing = [name for name in columns if name not in table]
    if missing or table.empty:
        raise InputError(
            f"{path} must have rows with the columns {', '.join(columns)}, lacks {', '.join(missing) or 'rows'}"
        )
    check_numbers(path, table, columns)
    values = table[measured].to_numpy(dtype=np.float64)
    if not ((values >= 0) & (values <= np.pi)).all():
        raise InputError(
            f"angles in {path} must be radians in [0, π], got {values[~((values >= 0) & (values <= np.pi))][0]:g}"
        )
    last, (measured_on, prefix) = table.iloc[-1], list(images.items())[-1]
    nearest, farthest = float(last[f"{prefix}negative_q05"]), float(last[f"{prefix}negative_q95"])
    return Section(
        "angles",
        "Angles to the class centres",
        "section_angles.html",
        {
            "scale": float(last["scale"]),
            "measured_on": measured_on,
            "nearest": float(np.degrees(nearest)),
            "farthest": float(np.degrees(farthest)),
            "own": float(np.degrees(last[f"{prefix}target_q50"])),
            "range": _scale_range(len(evidence.class_names), nearest, farthest),
            "figures": [
                *(
                    angle_boxes(table, f"{prefix}{kind}", f"{title}: {name}")
                    for kind, title in _KINDS.items()
                    for name, prefix in images.items()
                ),
                _probability(len(evidence.class_names), float(last["scale"]), nearest, farthest),
            ],
        },
    )


def _scale_range(num_classes: int, nearest: float, farthest: float) -> tuple[float, float] | None:
    """DAL eq. 7 for the measured angles; None where it has no solution."""
    # The losses import torch, which pages without angles need not wait for.
    from medtail.losses.functional import scale_range

    try:
        return scale_range(num_classes, nearest, farthest)
    except InputError:  # two classes, or wrong classes nearer than 45°
        return None


def angle_boxes(table: pd.DataFrame, kind: str, title: str) -> Markup:
    """Draw box plots of ``angles.csv`` by epoch; ``kind`` is ``negative`` or ``target``."""
    rows = np.unique(np.linspace(0, len(table) - 1, _SHOWN_EPOCHS).round().astype(int))
    shown = table.iloc[rows]
    degrees = np.degrees(shown[[f"{kind}_{quantile}" for quantile in _QUANTILES]].to_numpy(dtype=np.float64))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        line = {"color": SERIES[0], "linewidth": 1.2}
        axes.bxp(
            [
                {
                    **{"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high},
                    **{"fliers": [], "label": str(epoch)},
                }
                for epoch, (low, first, median, third, high) in zip(shown["epoch"], degrees, strict=True)
            ],
            boxprops=line, whiskerprops=line, capprops=line,
            medianprops={"color": SERIES[1], "linewidth": 2},
        )  # fmt: skip
        axes.axhline(90, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.set_ylabel("degrees")
        axes.grid(axis="x", visible=False)

    low, _, median, _, high = degrees[-1]
    return draw(
        paint,
        width=4.8,
        height=3.4,
        description=f"{title} by epoch; at the end 90 % lie between {low:.0f}° and {high:.0f}°, median {median:.0f}°",
    )


def _probability(num_classes: int, scale: float, nearest: float, farthest: float) -> Markup:
    """Probability of the own class against the angle to it, for this scale, a quarter and four times of it."""
    own = np.linspace(0, np.pi / 2, 181)
    spread = np.linspace(nearest, farthest, num_classes - 1)

    def probability(factor: float, wrong: np.ndarray) -> np.ndarray:
        gaps = np.cos(wrong)[:, None] - np.cos(own)[None, :]
        values: np.ndarray = 1 / (1 + np.exp(factor * gaps).sum(axis=0))
        return values

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, factor in zip(SERIES[1:], (scale / 4, scale, 4 * scale), strict=False):
            low = probability(factor, np.full(num_classes - 1, nearest))
            high = probability(factor, np.full(num_classes - 1, farthest))
            axes.fill_between(np.degrees(own), low, high, color=colour, alpha=0.22, linewidth=0)
            axes.plot(np.degrees(own), probability(factor, spread), color=colour, label=f"s = {factor:.3g}")
        axes.set_title("Probability of the own class")
        axes.set_xlabel("angle to the own class, degrees")
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, 90)
        figure.legend(loc="outside lower left", ncols=3, labelcolor=INK, handlelength=1.4)

    at_thirty = float(probability(scale, spread)[60])
    return draw(
        paint,
        width=4.8,
        height=3.6,
        description=f"Probability of the own class against the angle to it; "
        f"with scale {scale:.3g} it is {at_thirty:.2f} at 30°",
    )
