"""The sections of each page, in reading order.

Importing this draws in Matplotlib, which reading predictions need not wait for.
"""

from collections.abc import Callable

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.model.angles import angles
from medtail.evaluation.report.sections.model.conditions import conditions
from medtail.evaluation.report.sections.model.geometry import geometry
from medtail.evaluation.report.sections.model.heat_maps import heat_maps
from medtail.evaluation.report.sections.model.members import members
from medtail.evaluation.report.sections.model.operating_point import operating_point
from medtail.evaluation.report.sections.performance.calibration import calibration
from medtail.evaluation.report.sections.performance.confusion import confusion
from medtail.evaluation.report.sections.performance.copies import copies
from medtail.evaluation.report.sections.performance.cross_validation import cross_validation
from medtail.evaluation.report.sections.performance.curves import curves
from medtail.evaluation.report.sections.performance.external import external
from medtail.evaluation.report.sections.performance.gallery import gallery
from medtail.evaluation.report.sections.performance.labels import labels
from medtail.evaluation.report.sections.performance.overall import overall
from medtail.evaluation.report.sections.performance.overview import overview
from medtail.evaluation.report.sections.performance.positive_class import positive_class
from medtail.evaluation.report.sections.performance.recalls import recalls
from medtail.evaluation.report.sections.training.authors import authors
from medtail.evaluation.report.sections.training.data import data
from medtail.evaluation.report.sections.training.epochs import epochs
from medtail.evaluation.report.sections.training.settings import settings

#: Writes one section, or returns None where the evidence has nothing for it.
Part = Callable[[Evidence], Section | None]

#: On every page: how images with labels are decided, and how far the probabilities can be trusted.
_OF_DECISIONS: tuple[Part, ...] = (recalls, labels, confusion, curves, calibration)

#: Of a run.
RUN: tuple[Part, ...] = (
    overview,
    data,
    overall,
    copies,
    operating_point,
    positive_class,
    *_OF_DECISIONS,
    conditions,
    members,
    epochs,
    angles,
    geometry,
    gallery,
    heat_maps,
    authors,
    settings,
)

#: Of a cross-validation: about test images, which all images are once.
CROSS_VALIDATION: tuple[Part, ...] = (
    cross_validation,
    *_OF_DECISIONS,
    gallery,
    settings,
)

#: Of other data: about images that are judged, and the recipe of the run.
EXTERNAL: tuple[Part, ...] = (
    overview,
    external,
    overall,
    operating_point,
    positive_class,
    *_OF_DECISIONS,
    gallery,
    settings,
)

#: Of several runs or views: about images that are judged.
COMBINED: tuple[Part, ...] = (
    overview,
    external,
    overall,
    positive_class,
    *_OF_DECISIONS,
    gallery,
)
