"""Which classes are mistaken for which."""

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, MUTED, draw
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES
from medtail.metrics import confusion_matrix
from medtail.runs.predictions import SavedPredictions

#: Text turns light on cells darker than this.
_STRONG = 0.55

_LISTED = 10

#: With more classes, a cell of the figure would be smaller than a pixel and only mistakes are shown, more of them.
_MOST_DRAWN, _LISTED_INSTEAD = 300, 50


def confusion(evidence: Evidence) -> Section | None:
    """The confusion matrix of the test split and the largest mistakes; None for labels.

    The matrix is a table, a figure where there are many classes, and left out where there are too many to see.
    """
    if evidence.facts.multi_label:
        return None
    order = evidence.from_frequent_to_rare
    names = [evidence.class_names[index] for index in order]
    counts, shares = _counts_and_shares(evidence.test, order)
    many, drawn = len(names) >= MANY_CLASSES, len(names) <= _MOST_DRAWN
    return Section(
        "confusion",
        "Confusion matrix",
        "section_confusion.html",
        {
            "names": names,
            "rows": [] if many else confusion_rows(evidence.test, order),
            "figure": _figure(shares, evidence) if many and drawn else None,
            "most_drawn": _MOST_DRAWN,
            "mistakes": _mistakes(counts, shares, names, _LISTED if drawn else _LISTED_INSTEAD),
        },
    )


def confusion_rows(predictions: SavedPredictions, order: list[int]) -> list[dict[str, Any]]:
    """Return the confusion matrix for the template: one row per true class, one cell per decision."""
    counts, shares = _counts_and_shares(predictions, order)
    return [
        {
            "name": predictions.class_names[index],
            "n": int(counts[row].sum()),
            "cells": [
                {"count": int(count), "share": share, "strong": share > _STRONG}
                for count, share in zip(counts[row], shares[row], strict=True)
            ],
        }
        for row, index in enumerate(order)
    ]


def _counts_and_shares(predictions: SavedPredictions, order: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Images by true and decided class, and their shares of the true class."""
    matrix = confusion_matrix(predictions.targets, predictions.decisions, len(order))
    counts = matrix[np.ix_(order, order)]
    return counts, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _mistakes(counts: np.ndarray, shares: np.ndarray, names: list[str], most: int) -> list[dict[str, Any]]:
    """Mistakes by their share of the true class, so that those on rare classes are not drowned out."""
    wrong = counts * (1 - np.eye(len(names), dtype=counts.dtype))
    ranked = np.lexsort((-counts.ravel(), -(shares * (wrong > 0)).ravel()))[:most]
    return [
        {
            "truth": names[row],
            "decision": names[column],
            "count": int(wrong[row, column]),
            "share": shares[row, column],
        }
        for row, column in zip(*np.unravel_index(ranked, counts.shape), strict=True)
        if wrong[row, column]
    ]


def _figure(shares: np.ndarray, evidence: Evidence) -> Markup:
    size = len(shares)
    # Blue with the share as opacity, darkened by a root so that small shares show on light and dark pages alike.
    pixels = np.empty((size, size, 4))
    pixels[...] = (0.22, 0.50, 0.80, 0.0)
    pixels[..., 3] = np.sqrt(shares)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(pixels, interpolation="nearest")
        axes.set_xlabel("decided class, from frequent to rare")
        axes.set_ylabel("true class")
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)
        end = 0
        groups = list(evidence.frequency_groups.items())
        for position, (name, members) in enumerate(groups):
            start, end = end, end + len(members)
            axes.annotate(
                name.split(" (")[0], (0, (start + end) / 2 - 0.5), xycoords=("axes fraction", "data"),
                xytext=(-6, 0), textcoords="offset points", ha="right", va="center", color=INK, fontsize=9,
                annotation_clip=False, rotation=90,
            )  # fmt: skip
            if position < len(groups) - 1:
                axes.axhline(end - 0.5, color=MUTED, linewidth=0.8)
                axes.axvline(end - 0.5, color=MUTED, linewidth=0.8)
        axes.yaxis.set_label_coords(-0.07, 0.5)

    return draw(
        paint,
        width=6.4,
        height=6.2,
        description=f"Confusion matrix of {size} classes; "
        f"the mean share on the diagonal is {np.diagonal(shares).mean():.2f}; the largest mistakes are listed below",
    )
