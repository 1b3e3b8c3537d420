"""Facts of data sets that exist only on paper."""

from collections.abc import Sequence
from typing import Any

from medtail.runs.facts import DatasetFacts


def make_facts(
    class_names: Sequence[str],
    train: Sequence[int],
    validation: Sequence[int] = (),
    test: Sequence[int] = (),
    **others: Any,
) -> DatasetFacts:
    """Facts of 28-pixel colour images with the given counts."""
    nothing = [0] * len(class_names)
    counts = {"train": list(train), "validation": list(validation) or nothing, "test": list(test) or nothing}
    known: dict[str, Any] = {
        "name": "paper",
        "data": "paper",
        "class_names": list(class_names),
        "class_counts": counts,
        "group_column": None,
        "image_size": 28,
        "channels": 3,
        "mean": [0.5] * 3,
        "standard_deviation": [0.2] * 3,
        "unreadable": [],
        "fingerprint": "0",
        "multi_label": False,
        "num_images": {split: sum(each) for split, each in counts.items()},
    }
    return DatasetFacts(**{**known, **others})
