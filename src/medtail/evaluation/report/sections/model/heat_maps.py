"""What decisions on right and wrong test images of rare classes rest on."""

from itertools import groupby

import numpy as np
from PIL import Image

from medtail.evaluation.report.embedded_pictures import data_url
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.runs.heat_maps import HeatMaps

#: The sides of the pictures, which hold several images, in pixels.
_LARGEST = 900


def heat_maps(evidence: Evidence) -> Section | None:
    """The heat maps that were written for the run; None if there are none."""
    found = HeatMaps.load(evidence.run)
    if found is None:
        return None
    classes = [
        {
            "name": name,
            "examples": [
                {
                    "source": data_url(
                        np.asarray(Image.open(found.picture(evidence.run, example)).convert("RGB")), _LARGEST
                    ),
                    "id": example.id,
                    "recognised": example.recognised,
                    "probability": example.probability,
                    "explained": example.explained,
                }
                for example in examples
            ],
        }
        for name, examples in groupby(found.examples, key=lambda example: example.class_name)
    ]
    return Section(
        "heat-maps",
        "What decisions on rare classes rest on",
        "section_heat_maps.html",
        {"kind": found.heat_map, "classes": classes},
    )
