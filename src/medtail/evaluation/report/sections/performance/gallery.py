"""The test images of rare classes that the model recognised worst."""

from typing import Any

import numpy as np

from medtail.evaluation.report.embedded_pictures import SMALL, data_url
from medtail.evaluation.report.evidence import Evidence, ReadImage
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.frequency_groups import rare_classes

_CLASSES, _IMAGES = 8, 6

#: Larger images are shrunk to this many pixels.
_LARGEST = 256


def gallery(evidence: Evidence) -> Section | None:
    """The images with the lowest probability of their true class, of each rare class; None for labels.

    A class is rare if it has less than an equal share of the training images.
    """
    if evidence.facts.multi_label:
        return None
    tested = evidence.test.carried.sum(axis=0) > 0
    rare = [index for index in rare_classes(evidence.counts("train")) if tested[index]]
    read_image = evidence.read_image
    return Section(
        "gallery",
        "Worst-recognised images of rare classes",
        "section_gallery.html",
        {
            "at_hand": read_image is not None,
            "rare": len(rare),
            "classes": [_worst(evidence, index, read_image) for index in rare[:_CLASSES]]
            if read_image
            else [],
        },
    )


def _worst(evidence: Evidence, index: int, read_image: ReadImage) -> dict[str, Any]:
    rows = np.flatnonzero(evidence.test.targets == index)
    probabilities = evidence.test.probabilities[rows, index]
    name = evidence.class_names[index]
    images = []
    for row in rows[np.argsort(probabilities, kind="stable")][:_IMAGES]:
        decision = int(evidence.test.decisions[row])
        pixels = read_image(str(evidence.test.ids[row]))
        images.append(
            {
                "source": data_url(pixels, _LARGEST),
                "small": max(pixels.shape[:2]) <= SMALL,
                "id": str(evidence.test.ids[row]),
                "probability": float(evidence.test.probabilities[row, index]),
                "decision": evidence.class_names[decision],
                "decision_probability": float(evidence.test.probabilities[row, decision]),
                "right": decision == index,
            }
        )
    return {"name": name, "train": int(evidence.counts("train")[index]), "test": len(rows), "images": images}
