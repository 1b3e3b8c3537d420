"""One page that says everything a run's files say."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from medtail.evaluation.report.evidence import Evidence, LabelEvidence, ReadImage, RunEvidence, read_evidence
from medtail.evaluation.report.page import Section, render_page
from medtail.files import write_text
from medtail.runs.run import Run

_E = TypeVar("_E", bound=RunEvidence)


def write_report(run: Run, read_image: ReadImage | None = None) -> Path:
    """Write ``report.html`` of a finished run: a page without scripts that loads nothing.

    Args:
        run: Folder with recipe, data facts, epochs, environment, both predictions files and summary.
        read_image: From an image's id to its pixels, uint8 ``(H, W, 3)``, for the gallery; without it the page
            says that the images were not at hand.

    Returns:
        The path of the page.

    Raises:
        InputError: A file is missing or unreadable, or the files are of different runs.
    """
    evidence = read_evidence(run, read_image)
    sections = (
        _written(_label_parts(), evidence)
        if isinstance(evidence, LabelEvidence)
        else _written(_parts(), evidence)
    )
    _write_page(evidence, sections, f"run {run.folder.name}")
    return run.report


def write_cross_validation_report(evidence: Evidence | LabelEvidence) -> Path:
    """Write ``report.html`` of a cross-validation: its folds, then what all images together say.

    Args:
        evidence: Of :func:`medtail.evaluation.summaries.cross_validation.pooled_evidence`.

    Returns:
        The path of the page.
    """
    sections = (
        _written(_cross_validation_label_parts(), evidence)
        if isinstance(evidence, LabelEvidence)
        else _written(_cross_validation_parts(), evidence)
    )
    _write_page(evidence, sections, f"{len(evidence.summary['folds']['images'])}-fold cross-validation")
    return evidence.run.report


def _write_page(evidence: RunEvidence, sections: Iterable[Section], what: str) -> None:
    recipe = evidence.recipe
    page = render_page(
        f"{evidence.method} on {evidence.facts.name}",
        f"{recipe['backbone']['name']}, {recipe['training']['epochs']} epochs, seed {recipe['training']['seed']}; "
        f"{what}",
        sections,
    )
    write_text(evidence.run.report, page)


def _written(parts: Iterable[Callable[[_E], Section | None]], evidence: _E) -> list[Section]:
    return [section for part in parts if (section := part(evidence)) is not None]


def _parts() -> tuple[Callable[[Evidence], Section | None], ...]:
    """In reading order. Imported here: Matplotlib takes time that reading predictions need not wait for."""
    from medtail.evaluation.report.sections.angles import angles
    from medtail.evaluation.report.sections.calibration import calibration
    from medtail.evaluation.report.sections.conditions import conditions
    from medtail.evaluation.report.sections.confusion import confusion
    from medtail.evaluation.report.sections.curves import curves
    from medtail.evaluation.report.sections.data import data
    from medtail.evaluation.report.sections.gallery import gallery
    from medtail.evaluation.report.sections.geometry import geometry
    from medtail.evaluation.report.sections.operating_point import operating_point
    from medtail.evaluation.report.sections.overall import overall
    from medtail.evaluation.report.sections.overview import overview
    from medtail.evaluation.report.sections.positive_class import looked_for
    from medtail.evaluation.report.sections.recalls import recalls
    from medtail.evaluation.report.sections.settings import settings
    from medtail.evaluation.report.sections.training import training

    return (
        overview,
        data,
        overall,
        operating_point,
        looked_for,
        recalls,
        confusion,
        curves,
        calibration,
        conditions,
        training,
        angles,
        geometry,
        gallery,
        settings,
    )


def _label_parts() -> tuple[Callable[[LabelEvidence], Section | None], ...]:
    """For several labels an image: the sections that do not speak of the one class of an image."""
    from medtail.evaluation.report.sections.curves import label_curves
    from medtail.evaluation.report.sections.label_data import label_data
    from medtail.evaluation.report.sections.label_overview import label_overview
    from medtail.evaluation.report.sections.labels import labels
    from medtail.evaluation.report.sections.overall import label_overall
    from medtail.evaluation.report.sections.settings import settings
    from medtail.evaluation.report.sections.training import training

    return (label_overview, label_data, label_overall, labels, label_curves, training, settings)


def _cross_validation_parts() -> tuple[Callable[[Evidence], Section | None], ...]:
    """The sections that speak of test images, which all images of a cross-validation are once."""
    from medtail.evaluation.report.sections.calibration import calibration
    from medtail.evaluation.report.sections.confusion import confusion
    from medtail.evaluation.report.sections.cross_validation import cross_validation
    from medtail.evaluation.report.sections.curves import curves
    from medtail.evaluation.report.sections.gallery import gallery
    from medtail.evaluation.report.sections.recalls import recalls
    from medtail.evaluation.report.sections.settings import settings

    return (cross_validation, recalls, confusion, curves, calibration, gallery, settings)


def _cross_validation_label_parts() -> tuple[Callable[[LabelEvidence], Section | None], ...]:
    from medtail.evaluation.report.sections.cross_validation import cross_validation
    from medtail.evaluation.report.sections.curves import label_curves
    from medtail.evaluation.report.sections.labels import labels
    from medtail.evaluation.report.sections.settings import settings

    return (cross_validation, labels, label_curves, settings)
