"""Test images that show the same as a training image, and what remains of the metrics without them."""

import numpy as np

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section


def copies(evidence: Evidence) -> Section | None:
    """The metrics with and without test images that have a copy in training; None if there are no such images."""
    test = evidence.test
    new = np.flatnonzero(~np.isin(test.ids.astype(str), evidence.facts.test_images_with_copy))
    copied = len(test.ids) - len(new)
    if not copied:
        return None
    all_values = test.measure()
    values = test.rows(new).measure() if len(new) else {name: [np.nan] for name in all_values}
    return Section(
        "copies",
        "Without copies of training images",
        "section_copies.html",
        {
            "copied": copied,
            "images": len(test.ids),
            "rows": [
                {
                    "heading": metric.heading,
                    "all": float(all_values[name][0]),
                    "new": float(values[name][0]),
                }
                for name, metric in evidence.facts.task.metrics.items()
            ],
        },
    )
