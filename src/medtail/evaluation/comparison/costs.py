"""What each row cost, as its runs recorded it."""

from typing import Any

import numpy as np

from medtail.evaluation.comparison.comparison import Comparison


def costs(comparison: Comparison) -> list[dict[str, Any]]:
    """Return mean seconds, images per second and peak memory over the seeds of each trained row.

    Images per second are the training images of all epochs over the seconds of the whole run, with decoding, validation
    and test. Memory is None for runs that did not record it; seconds are those of all folds of a cross-validation.
    """
    rows = []
    for label in comparison.labels:
        runs = [run for run in comparison.judged if run.label == label and run.adapted_from is None]
        if not runs:
            continue
        records = [run.run.read_environment() for run in runs]
        seconds = np.array([float(record["seconds"]) for record in records])
        images = [
            int(run.facts.training_counts.sum()) * len(run.run.read_epochs())
            if run.run.metrics.is_file()
            else np.nan
            for run in runs
        ]
        memory = [record.get("peak_memory_mb") for record in records]
        rows.append(
            {
                "method": label,
                "seconds": float(seconds.mean()),
                "images_per_second": float(np.mean(np.array(images) / seconds)),
                "peak_memory_mb": None
                if None in memory
                else float(np.mean([float(value) for value in memory if value is not None])),
                "hardware": ", ".join(dict.fromkeys(str(record["hardware"]) for record in records)),
            }
        )
    return rows
