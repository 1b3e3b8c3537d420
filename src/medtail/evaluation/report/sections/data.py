"""What the model learned from, and what it was judged on."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import SERIES, draw, plain_powers
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.augmented import augmented
from medtail.evaluation.report.sections.layout import MANY_CLASSES
from medtail.evaluation.summaries.chosen_epoch import MONITORED, monitor_of


def data(evidence: Evidence) -> Section:
    """Class counts, groups, unreadable files."""
    train = evidence.counts("train")
    order = evidence.from_frequent_to_rare
    splits = {split: evidence.counts(split) for split in ("train", "validation", "test")}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(np.arange(1, len(order) + 1), train[order], color=SERIES[0], width=0.85)
        axes.set_yscale("log")
        plain_powers(axes.yaxis)
        axes.set_xlabel("classes, from frequent to rare")
        axes.set_ylabel("training images")
        axes.grid(axis="x", visible=False)
        axes.set_xlim(0.2, len(order) + 0.8)

    many = len(order) >= MANY_CLASSES
    ratio = train.max() / train.min()
    return Section(
        "data",
        "Data",
        "section_data.html",
        {
            "facts": evidence.facts,
            "augmented": augmented(evidence),
            "chosen_by_validation": MONITORED[monitor_of(evidence.recipe)] is not None,
            "positive": evidence.facts.positive,
            "subsample": _subsample(evidence),
            "totals": {split: int(counts.sum()) for split, counts in splits.items()},
            "ratio": ratio,
            "rarest": evidence.class_names[order[-1]],
            "commonest": evidence.class_names[order[0]],
            "classes": [
                {
                    "name": evidence.class_names[index],
                    **{split: int(counts[index]) for split, counts in splits.items()},
                    "share": train[index] / train.sum(),
                    "width": train[index] / train.max(),
                }
                for index in order
            ],
            "many": many,
            "figure": draw(
                paint,
                width=9,
                height=2.8,
                description=f"Training images of {len(order)} classes, from {train.max()} down to {train.min()}",
            )
            if many
            else None,
        },
    )


def _subsample(evidence: Evidence) -> dict[str, Any] | None:
    """What was left out of training on purpose."""
    before = evidence.facts.counts_before_subsample
    if before is None:
        return None
    settings = dict(evidence.recipe["data"]["subsample"])
    return {
        "name": settings.pop("name"),
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "before": sum(before),
        "left_out": sum(before) - int(evidence.counts("train").sum()),
    }
