"""The report of a run on other data."""

import re
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from medtail.data import ImageCollection
from medtail.data.collection_images import read_image
from medtail.evaluation.report.evidence import EXTERNAL, Evidence, ExternalData
from medtail.evaluation.report.report import write_external_report
from medtail.files import write_json
from medtail.runs.predictions import Predictions, SavedPredictions
from medtail.runs.run import EvaluatedSplit, Run
from medtail.training.inference.other_data import BackbonePass
from medtail.training.inference.typicality import UNLIKE, Typicality


def write_external_validation(
    run: Run,
    passed: BackbonePass,
    predictions: SavedPredictions,
    summary: dict[str, Any],
    adapted: Predictions | None = None,
) -> Path:
    """Write ``report.html``, ``predictions.parquet`` and ``summary.json`` to a new folder in ``RUN/evaluations``.

    The folder is called after the data set, with a number behind it where there is one of that name.

    Args:
        run: The run.
        passed: The other data, passed through its backbone.
        predictions: As the run decides without an operating point.
        summary: Their metrics, from :func:`medtail.evaluation.summarize`.
        adapted: The same images at the operating point, where that is asked for.

    Returns:
        The path of the page.
    """
    folder = new_folder(run.evaluations, passed.collection.name)
    origin = external_data(
        run,
        passed.collection,
        passed.split,
        len(passed.collection.table) - len(passed.rows),
        passed.atypicality,
    )
    window = passed.model.recipe.data.window
    evidence = Evidence.judged_later(
        run,
        predictions,
        EXTERNAL,
        summary=summary,
        external_data=origin,
        adapted=adapted,
        read_image=read_image(passed.collection.windowed(window)),
    )
    page = write_external_report(evidence, folder / "report.html")
    predictions.write(folder / "predictions.parquet")
    write_json(folder / "summary.json", summary)
    return page


def external_data(
    run: Run,
    collection: ImageCollection,
    split: EvaluatedSplit | None,
    unreadable: int,
    atypicality: np.ndarray | None,
) -> ExternalData:
    """Return what a report says of other data.

    Args:
        run: The run, or the first of several.
        collection: The images.
        split: The split of theirs that was taken; None for data without splits.
        unreadable: How many were left out.
        atypicality: Of the others ``(N,)``; None where that is not known.
    """
    typicality = Typicality.read(run)
    return ExternalData(
        name=collection.name,
        data=collection.data,
        part="all images" if split is None else f"its {split} split",
        group_column=collection.group_column,
        unreadable=unreadable,
        atypicality=atypicality,
        unlike_from=UNLIKE,
        test_share=None if typicality is None else float(typicality.test_share),
    )


def new_folder(parent: Path, name: str) -> Path:
    """Return a folder that does not exist, called ``name`` or, where that is taken, ``name-2``, ``name-3``, ….

    Example:
        >>> import tempfile
        >>> parent = Path(tempfile.mkdtemp())
        >>> new_folder(parent, "my clinic/2026").name
        'my_clinic_2026'
        >>> (parent / "clinic").mkdir()
        >>> new_folder(parent, "clinic").name
        'clinic-2'
    """
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "data"
    names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
    return next(parent / name for name in names if not (parent / name).exists())
