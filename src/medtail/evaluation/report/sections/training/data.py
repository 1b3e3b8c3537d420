"""The images that the model learned from, and those it was judged on."""

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import SERIES, draw, plain_powers
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.training.augmented import augmented
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES


def data(evidence: Evidence) -> Section:
    """Counts of each class or label, groups, unreadable files."""
    facts = evidence.facts
    order = evidence.from_frequent_to_rare
    splits = {split: evidence.counts(split) for split in ("train", "validation", "test")}
    train, images = splits["train"], facts.num_images
    many = len(order) >= MANY_CLASSES and not facts.multi_label
    # A bar of a class is as wide as its share of the most frequent; one of a label, as its share of known images.
    known = facts.known("train")
    widest = np.maximum(known, 1) if facts.multi_label else np.full(len(train), train.max())
    return Section(
        "data",
        "Data",
        "section_data.html",
        {
            "facts": facts,
            "augmented": augmented(evidence),
            "choice": _choice(evidence),
            "subsample": _subsample(evidence),
            "images": images,
            "each": train.sum() / images["train"],
            "ratio": train.max() / max(train.min(), 1),
            "rarest": evidence.class_names[order[-1]],
            "commonest": evidence.class_names[order[0]],
            "classes": [
                {
                    "name": evidence.class_names[index],
                    **{split: int(counts[index]) for split, counts in splits.items()},
                    "share": train[index] / max(known[index], 1),
                    "width": train[index] / widest[index],
                }
                for index in order
            ],
            "unknown": {split: int((facts.num_images[split] - facts.known(split)).sum()) for split in splits},
            "many": many,
            "figure": _figure(train[order]) if many else None,
        },
    )


def _choice(evidence: Evidence) -> str:
    """How the epoch was chosen, after "The model learned from the training images, "."""
    if evidence.settings.protocol is not None:
        return "and was then judged on the test images. " + evidence.settings.protocol
    chosen = (
        "its best epoch was chosen on the validation images"
        if evidence.chosen_by_validation
        else "the last epoch was kept, whatever the validation images said"
    )
    return f"{chosen}, and the test images were read once."


def _figure(counts: np.ndarray) -> Markup:
    """Training images of each class, from frequent to rare."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(np.arange(1, len(counts) + 1), counts, color=SERIES[0], width=0.85)
        axes.set_yscale("log")
        plain_powers(axes.yaxis)
        axes.set_xlabel("classes, from frequent to rare")
        axes.set_ylabel("training images")
        axes.grid(axis="x", visible=False)
        axes.set_xlim(0.2, len(counts) + 0.8)

    return draw(
        paint,
        width=9,
        height=2.8,
        description=f"Training images of {len(counts)} classes, from {counts.max()} down to {counts.min()}",
    )


def _subsample(evidence: Evidence) -> dict[str, Any] | None:
    """Which training images were left out on purpose."""
    before = evidence.facts.counts_before_subsample
    if before is None:
        return None
    settings = dict(evidence.settings.get("data.subsample"))
    return {
        "name": settings.pop("name"),
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "before": sum(before),
        "left_out": sum(before) - sum(int(evidence.counts(split).sum()) for split in _subsampled(evidence)),
        "complete": "Validation and test are"
        if "validation" not in _subsampled(evidence)
        else "The test split is",
    }


def _subsampled(evidence: Evidence) -> tuple[str, ...]:
    """The splits that the images kept by subsampling went to."""
    return ("train", "validation") if evidence.settings.get("data.drawn_first") == "subsample" else ("train",)
