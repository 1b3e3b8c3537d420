"""The test images of rare classes that the model recognised worst."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from medtail.evaluation.report.evidence import Evidence, ReadImage
from medtail.evaluation.report.page import Section

_CLASSES, _IMAGES = 8, 6

#: Larger images are shrunk to this many pixels and stored as JPEG; smaller ones are kept as they are, as PNG.
_LARGEST, _SMALL = 256, 96


def gallery(evidence: Evidence) -> Section | None:
    """The images with the lowest probability of their true class, of each rare class; None for labels.

    A class is rare if it has less than an equal share of the training images.
    """
    if evidence.facts.multi_label:
        return None
    train = evidence.counts("train")
    tested = np.bincount(evidence.test.targets, minlength=len(train)) > 0
    rare = [
        index
        for index in evidence.from_frequent_to_rare[::-1]
        if train[index] < train.mean() and tested[index]
    ]
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
        source, small = _data_url(read_image(str(evidence.test.ids[row])))
        images.append(
            {
                "source": source,
                "small": small,
                "id": str(evidence.test.ids[row]),
                "probability": float(evidence.test.probabilities[row, index]),
                "decision": evidence.class_names[decision],
                "decision_probability": float(evidence.test.probabilities[row, decision]),
                "right": decision == index,
            }
        )
    return {"name": name, "train": int(evidence.counts("train")[index]), "test": len(rows), "images": images}


def _data_url(pixels: np.ndarray) -> tuple[str, bool]:
    image = Image.fromarray(pixels)
    small = max(image.size) <= _SMALL
    buffer = io.BytesIO()
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.thumbnail((_LARGEST, _LARGEST))
        image.save(buffer, "JPEG", quality=85)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}", small
