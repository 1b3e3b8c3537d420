"""One page that says everything a run's files say."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtail.evaluation.report.evidence import Evidence, ReadImage
from medtail.evaluation.report.page import render_page
from medtail.files import write_text
from medtail.runs.run import Run

if TYPE_CHECKING:
    from medtail.evaluation.report.parts import Part


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
    # Imported here, because the sections import Matplotlib.
    from medtail.evaluation.report import parts
    from medtail.evaluation.report.authors.model_card import model_card
    from medtail.evaluation.report.authors.tables import write_tables

    evidence = Evidence.read(run, read_image, summary=summary, environment=environment)
    write_tables(evidence, run.tables)
    card = model_card(evidence)
    write_text(run.model_card, card)
    write_text(run.published_card, card)
    return _write_page(evidence, parts.RUN, f"run {run.folder.name}")


def write_cross_validation_report(evidence: Evidence) -> Path:
    """Write ``report.html`` of a cross-validation: its folds, then what all images together say.

    Args:
        evidence: From :meth:`medtail.evaluation.report.evidence.Evidence.pooled`.

    Returns:
        The path of the page.
    """
    from medtail.evaluation.report import parts

    what = f"{len(evidence.summary['folds']['images'])}-fold cross-validation"
    return _write_page(evidence, parts.CROSS_VALIDATION, what)


def write_external_report(evidence: Evidence, path: Path) -> Path:
    """Write the report of a run on other data, an external validation.

    Args:
        evidence: From :meth:`medtail.evaluation.report.evidence.Evidence.judged_later`.
        path: The page to write.

    Returns:
        The path of the page.
    """
    from medtail.evaluation.report import parts

    assert evidence.external_data is not None
    title = f"{evidence.settings.method} on {evidence.external_data.name}: external validation"
    what = f"run {evidence.run.folder.name}, trained on {evidence.facts.name}"
    return _write_page(evidence, parts.EXTERNAL, what, title=title, path=path)


def write_combined_report(evidence: Evidence, path: Path) -> Path:
    """Write the report of several runs, or of several views of each image.

    Args:
        evidence: From :meth:`medtail.evaluation.report.evidence.Evidence.judged_later`.
        path: The page to write.

    Returns:
        The path of the page.
    """
    from medtail.evaluation.report import parts

    data = evidence.external_data
    title = f"Combined predictions on {evidence.facts.name if data is None else data.name}"
    return _write(evidence, parts.COMBINED, title, f"Trained on {evidence.facts.name}", path)


def _write_page(
    evidence: Evidence,
    parts: "Iterable[Part]",
    what: str,
    *,
    title: str | None = None,
    path: Path | None = None,
) -> Path:
    settings = evidence.settings
    return _write(
        evidence,
        parts,
        title or f"{settings.method} on {evidence.facts.name}",
        f"{settings.get('backbone.name')}, {settings.get('training.epochs')} epochs, seed {settings.seed}; {what}",
        path or evidence.run.report,
    )


def _write(evidence: Evidence, parts: "Iterable[Part]", title: str, subtitle: str, place: Path) -> Path:
    page = render_page(
        title,
        subtitle,
        [section for part in parts if (section := part(evidence)) is not None],
        judged=evidence.judged,
    )
    write_text(place, page)
    return place
