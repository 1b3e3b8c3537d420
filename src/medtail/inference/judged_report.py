"""The report of several runs, or of several views of each image, on labelled images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medtail.data.collection_images import own_images, read_image
from medtail.evaluation.report.evidence import EXTERNAL, TEST, VALIDATION, Evidence
from medtail.evaluation.report.report import write_combined_report
from medtail.files import write_json
from medtail.inference.judging import JudgedTogether
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings
from medtail.training.inference.external_validation import external_data, new_folder

_OWN = {"test": TEST, "validation": VALIDATION}


def write_judged_together(
    parent: Path, runs: Sequence[Run], judged: JudgedTogether, summary: dict[str, Any]
) -> Path:
    """Write ``report.html``, ``predictions.parquet`` and ``summary.json`` to a new folder.

    The folder is called after the other data set, or ``combined`` for the runs' own images.

    Args:
        parent: Where the folder goes.
        runs: Those that judged together.
        judged: Their predictions.
        summary: Their metrics, from :func:`medtail.evaluation.summarize`.

    Returns:
        The path of the page.
    """
    collection, first = judged.collection, runs[0]
    if collection is None:
        name, kind, origin, images = "combined", _OWN[str(judged.split)], None, own_images(first)
    else:
        unreadable = len(collection.table) - len(judged.predictions.ids)
        origin = external_data(first, collection, judged.split, unreadable, judged.atypicality)
        images = read_image(collection.windowed(RunSettings.load(first).get("data.window")))
        name, kind = collection.name, EXTERNAL
    folder = new_folder(parent, name)
    evidence = Evidence.judged_later(
        first,
        judged.predictions,
        kind,
        summary=summary,
        external_data=origin,
        combined=judged.words,
        read_image=images,
    )
    page = write_combined_report(evidence, folder / "report.html")
    judged.predictions.write(folder / "predictions.parquet")
    write_json(folder / "summary.json", summary)
    return page
