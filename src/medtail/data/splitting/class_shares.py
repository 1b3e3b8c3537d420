"""Whether the test split holds the classes in other shares than training."""

from dataclasses import dataclass
from typing import final

import numpy as np

from medtail.data.collection import ImageCollection

#: Shares that differ by a smaller factor change metrics little.
LEAST_RATIO = 1.5

_PARTS = ("train", "test")

#: How often equal shares may look different by chance.
_SIGNIFICANCE = 0.001

#: With fewer expected images, the χ² distribution is no guide.
_LEAST_EXPECTED = 5


@final
@dataclass(frozen=True)
class ShareDifference:
    """A class whose share of the test images is not that of the training images.

    Attributes:
        label: Name of the class.
        train: Its share of the training images.
        test: Its share of the test images.
    """

    label: str
    train: float
    test: float

    @property
    def text(self) -> str:
        """The difference as text."""
        return f"{self.label}: {self.test:.3g} instead of {self.train:.3g}"


def share_differences(collection: ImageCollection) -> list[ShareDifference]:
    """The classes whose shares differ between training and test by a factor of at least 1.5.

    A class counts only if Pearson's χ² test of the class against the rest rejects equal shares at 0.001, divided by the
    number of classes. Images of one group are no independent draws, so counts are scaled to the number of groups.

    Args:
        collection: A collection; without a training and a test split, nothing is found.
    """
    from scipy.stats import chi2_contingency

    if "split" not in collection.table or not all(len(collection.rows(part)) for part in _PARTS):
        return []
    members = np.stack([collection.class_counts(part) for part in _PARTS]).astype(float)
    known = np.stack([collection.known_counts(part) for part in _PARTS]).astype(float)
    rows = [collection.rows(part) for part in _PARTS]
    independent = np.array([[len(set(collection.groups[own])) / len(own)] for own in rows])
    found = []
    for label, counts, totals in zip(collection.class_names, members.T, known.T, strict=True):
        if not totals.all():
            continue
        table = np.stack([counts, totals - counts], axis=1) * independent
        expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
        if expected.min() < _LEAST_EXPECTED:
            continue
        train, test = counts / totals
        differs = max(train, test) >= LEAST_RATIO * min(train, test)
        if differs and chi2_contingency(table).pvalue * len(collection.class_names) < _SIGNIFICANCE:
            found.append(ShareDifference(label, float(train), float(test)))
    return found
