"""One page that says everything a run's files say."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from medtail.evaluation.report.evidence import Evidence, ReadImage
from medtail.evaluation.report.page import Section, render_page
from medtail.files import write_text
from medtail.runs.run import Run

#: Writes one section, or returns None where the evidence has nothing for it.
Part = Callable[[Evidence], Section | None]


def write_report(
    run: Run,
    read_image: ReadImage | None = None,
    *,
    summary: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
) -> Path:
    """Write ``report.html`` of a finished run, a page without scripts that loads nothing; its tables and model card.

    Args:
        run: Folder with recipe, data facts, epochs, environment, both predictions files and summary.
        read_image: From an image's id to its pixels, uint8 ``(H, W, 3)``, for the gallery; without it the page
            says that the images were not at hand.
        summary: The content of ``summary.json``, where it is not written yet: its presence marks a finished run,
            so it is written after the page.
        environment: The content of ``environment.json``, where it is not written yet.

    Returns:
        The path of the page.

    Raises:
        InputError: A file is missing or unreadable, or the files are of different runs.
    """
    evidence = Evidence.read(run, read_image, summary=summary, environment=environment)
    # Imported here, as the sections are.
    from medtail.evaluation.report.authors.model_card import model_card
    from medtail.evaluation.report.authors.tables import write_tables

    write_tables(evidence, run.tables)
    card = model_card(evidence)
    write_text(run.model_card, card)
    write_text(run.published_card, card)
    return _write_page(evidence, _run_parts(), f"run {run.folder.name}")


def write_cross_validation_report(evidence: Evidence) -> Path:
    """Write ``report.html`` of a cross-validation: its folds, then what all images together say.

    Args:
        evidence: From :meth:`medtail.evaluation.report.evidence.Evidence.pooled`.

    Returns:
        The path of the page.
    """
    what = f"{len(evidence.summary['folds']['images'])}-fold cross-validation"
    return _write_page(evidence, _cross_validation_parts(), what)


def write_external_report(evidence: Evidence, path: Path) -> Path:
    """Write the report of a run on other data, an external validation.

    Args:
        evidence: From :meth:`medtail.evaluation.report.evidence.Evidence.external`.
        path: The page to write.

    Returns:
        The path of the page.
    """
    assert evidence.external_data is not None
    title = f"{evidence.settings.method} on {evidence.external_data.name}: external validation"
    what = f"run {evidence.run.folder.name}, trained on {evidence.facts.name}"
    return _write_page(evidence, _external_parts(), what, title=title, path=path)


def _write_page(
    evidence: Evidence,
    parts: Iterable[Part],
    what: str,
    *,
    title: str | None = None,
    path: Path | None = None,
) -> Path:
    settings = evidence.settings
    place = path or evidence.run.report
    page = render_page(
        title or f"{settings.method} on {evidence.facts.name}",
        f"{settings.get('backbone.name')}, {settings.get('training.epochs')} epochs, seed {settings.seed}; {what}",
        [section for part in parts if (section := part(evidence)) is not None],
        judged=evidence.judged,
    )
    write_text(place, page)
    return place


def _run_parts() -> tuple[Part, ...]:
    """In reading order. Imported here: Matplotlib takes time that reading predictions need not wait for."""
    from medtail.evaluation.report.sections.model.angles import angles
    from medtail.evaluation.report.sections.model.conditions import conditions
    from medtail.evaluation.report.sections.model.geometry import geometry
    from medtail.evaluation.report.sections.model.heat_maps import heat_maps
    from medtail.evaluation.report.sections.model.members import members
    from medtail.evaluation.report.sections.model.operating_point import operating_point
    from medtail.evaluation.report.sections.performance.calibration import calibration
    from medtail.evaluation.report.sections.performance.confusion import confusion
    from medtail.evaluation.report.sections.performance.copies import copies
    from medtail.evaluation.report.sections.performance.curves import curves
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

    return (
        overview,
        data,
        overall,
        copies,
        operating_point,
        positive_class,
        recalls,
        labels,
        confusion,
        curves,
        calibration,
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


def _cross_validation_parts() -> tuple[Part, ...]:
    """The sections about test images, which all images of a cross-validation are once."""
    from medtail.evaluation.report.sections.performance.calibration import calibration
    from medtail.evaluation.report.sections.performance.confusion import confusion
    from medtail.evaluation.report.sections.performance.cross_validation import cross_validation
    from medtail.evaluation.report.sections.performance.curves import curves
    from medtail.evaluation.report.sections.performance.gallery import gallery
    from medtail.evaluation.report.sections.performance.labels import labels
    from medtail.evaluation.report.sections.performance.recalls import recalls
    from medtail.evaluation.report.sections.training.settings import settings

    return (cross_validation, recalls, labels, confusion, curves, calibration, gallery, settings)


def _external_parts() -> tuple[Part, ...]:
    """The sections about images that are judged, and the recipe of the run."""
    from medtail.evaluation.report.sections.model.operating_point import operating_point
    from medtail.evaluation.report.sections.performance.calibration import calibration
    from medtail.evaluation.report.sections.performance.confusion import confusion
    from medtail.evaluation.report.sections.performance.curves import curves
    from medtail.evaluation.report.sections.performance.external import external
    from medtail.evaluation.report.sections.performance.gallery import gallery
    from medtail.evaluation.report.sections.performance.labels import labels
    from medtail.evaluation.report.sections.performance.overall import overall
    from medtail.evaluation.report.sections.performance.overview import overview
    from medtail.evaluation.report.sections.performance.positive_class import positive_class
    from medtail.evaluation.report.sections.performance.recalls import recalls
    from medtail.evaluation.report.sections.training.settings import settings

    return (
        overview,
        external,
        overall,
        operating_point,
        positive_class,
        recalls,
        labels,
        confusion,
        curves,
        calibration,
        gallery,
        settings,
    )
