"""CPU seconds of the numbers of a large test split, against scikit-learn's areas of the same split once.

A summary is every metric on a thousand resamples. Run with ``python benchmarks/summaries.py``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import results_file
from sklearn.metrics import average_precision_score, roc_auc_score

from medtail.evaluation import summarize
from medtail.runs.predictions import Predictions

_COLUMNS = (
    "images",
    "classes",
    "resamples",
    "cpu_seconds",
    "scikit_learn_areas_once",
    "ratio",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
)


def imagined(images: int, classes: int) -> Predictions:
    """Draw predictions of a long-tailed test split, a hundred times more images of the first class than of the last."""
    generator = np.random.default_rng(0)
    shares = 100 ** (-np.arange(classes) / (classes - 1))
    targets = generator.choice(classes, images, p=shares / shares.sum())
    logits = generator.normal(size=(images, classes))
    logits[np.arange(images), targets] += 2
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Predictions(
        ids=np.arange(images).astype(str),
        targets=targets,
        probabilities=np.exp(log_probabilities),
        class_names=tuple(f"class {index}" for index in range(classes)),
        groups=None,
        log_probabilities=log_probabilities,
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure three sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "summaries_cpu.csv")
    options = parser.parse_args()
    with results_file(options.out, _COLUMNS, "cpu", "src/medtail/metrics", "src/medtail/runs") as write:
        for images, classes in ((10_000, 7), (100_000, 2), (100_000, 100)):
            predictions = imagined(images, classes)
            truth = np.eye(classes)[predictions.targets]

            def areas(truth: np.ndarray = truth, predictions: Predictions = predictions) -> None:
                roc_auc_score(truth, predictions.probabilities)
                average_precision_score(truth, predictions.probabilities)

            def summary(predictions: Predictions = predictions) -> None:
                summarize(predictions, "test", resamples=options.resamples)

            reference, seconds = cpu_seconds(areas), cpu_seconds(summary)
            row = {
                "images": images,
                "classes": classes,
                "resamples": options.resamples,
                "cpu_seconds": f"{seconds:.2f}",
                "scikit_learn_areas_once": f"{reference:.2f}",
                "ratio": f"{seconds / reference:.1f}",
            }
            write(row)
            print(row)


if __name__ == "__main__":
    main()
