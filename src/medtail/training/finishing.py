"""After the last epoch: the best one is judged, and what later steps read is written."""

import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import Tensor

from medtail.data.collection_images import read_image
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.summary import protocol_summary, summarize
from medtail.files import write_json
from medtail.progress import Progress
from medtail.recipes.recorded_prior import prior_summary
from medtail.runs.features import SavedFeatures
from medtail.runs.images.attributes import write_attributes
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EVALUATED_SPLITS, Run
from medtail.runs.settings import RunSettings
from medtail.training.devices import device, hardware, peak_memory_mb
from medtail.training.frozen.features import FrozenFeatures, judged_features
from medtail.training.inference.condition_sweep import write_conditions
from medtail.training.inference.members import write_members
from medtail.training.inference.trained_model import TrainedModel
from medtail.training.inference.typicality import Typicality
from medtail.training.prepare import PreparedData

_RECORDED = ("torch", "torchvision", "timm", "lightning", "torchmetrics", "scikit-learn", "numpy", "pandas")


@final
@dataclass(frozen=True)
class Fitted:
    """What a training leaves besides its files.

    Attributes:
        data: With the facts as they were saved.
        features: Of its images, if the network was frozen throughout.
        sizes: Numbers of parameters.
    """

    data: PreparedData
    features: FrozenFeatures | None
    sizes: Mapping[str, int]


def finish(run: Run, fitted: Fitted, *, started: float, progress: Progress | None) -> dict[str, Any]:
    """Judge the best epoch on the validation split and, once, on the test split, and write what later steps read.

    Args:
        run: With its checkpoints.
        fitted: What the training left besides.
        started: When the training began (seconds since 1970).
        progress: Told about predicting.

    Returns:
        The content of ``summary.json``, which is written last and marks a finished run.
    """
    model, data = TrainedModel.load(run), fitted.data
    rows = {split: rows for split in EVALUATED_SPLITS if len(rows := data.collection.rows(split))}
    features_of = judged_features(model, data, fitted.features, progress)
    features = {split: features_of(rows[split]) for split in rows}
    predictions = {split: model.predictions(data.collection, rows[split], features[split]) for split in rows}
    for split, predicted in predictions.items():
        predicted.write(run.predictions(split))
    _saved_features(model, predictions["test"], features["test"]).write(run.features)
    judged = np.concatenate(list(rows.values()))
    own = data.collection.select(judged)
    write_attributes(run, own.table["id"].tolist(), own.attributes)
    if model.method.conditional is not None:
        write_conditions(run, model, predictions, features)
    write_members(run, model, predictions, features)
    if "validation" in rows:
        typicality = Typicality.fit(
            model.described(data.pixels, rows["validation"], features["validation"]),
            predictions["validation"].groups,
            model.described(data.pixels, rows["test"], features["test"]),
        )
        if typicality is not None:
            typicality.write(run)
    summary = summarize(
        predictions["test"],
        "test",
        training_counts=data.facts.training_counts,
        positive=data.facts.positive_id,
    )
    summary |= protocol_summary(RunSettings.load(run)) | prior_summary(run, data.facts)
    surroundings = {**environment(started), **fitted.sizes}
    write_json(run.environment, surroundings)
    write_report(run, read_image(data.collection), summary=summary, environment=surroundings)
    # Last, because it marks a finished run.
    write_json(run.summary, summary)
    return summary


def finish_trial(run: Run, fitted: Fitted, *, started: float, progress: Progress | None) -> dict[str, Any]:
    """Judge the best epoch on validation alone, without a report; arguments are those of :func:`finish`."""
    model, data = TrainedModel.load(run), fitted.data
    rows = data.collection.rows("validation")
    features_of = judged_features(model, data, fitted.features, progress)
    predicted = model.predictions(data.collection, rows, features_of(rows))
    predicted.write(run.predictions("validation"))
    summary = summarize(
        predicted, "validation", training_counts=data.facts.training_counts, positive=data.facts.positive_id
    )
    write_json(run.environment, {**environment(started), **fitted.sizes})
    # Last, because it marks a finished run.
    write_json(run.summary, summary)
    return summary


def _saved_features(model: TrainedModel, images: SavedPredictions, features: Tensor) -> SavedFeatures:
    """Return the last layer's input and weights, which show the geometry of the classes."""
    centres = model.method.class_centres
    return SavedFeatures(
        images.ids,
        images.targets,
        model.embeddings(features).numpy(),
        None if centres is None else centres.detach().float().cpu().numpy(),
    ).thinned()


def environment(started: float) -> dict[str, Any]:
    """Return versions, hardware and duration of a training that began at ``started`` (seconds since 1970)."""
    return {
        "medtail": version("medtail"),
        "python": platform.python_version(),
        **{name: version(name) for name in _RECORDED},
        "device": device().type,
        "hardware": hardware(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "peak_memory_mb": peak_memory_mb(),
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """Return the commit of the source tree that medtail runs from; None for an installed package."""
    tree = Path(__file__).resolve().parents[3]
    if not (tree / ".git").exists() or shutil.which("git") is None:
        return None
    result = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tree, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or None
