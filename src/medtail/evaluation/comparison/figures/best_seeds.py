"""The run that stands for a row in figures of single models: the best of its seeds."""

from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.comparison.comparison import Comparison


def best_seeds(comparison: Comparison) -> list[JudgedRun]:
    """Return the run with the highest balanced accuracy of each row, rows in the order of the table."""
    values = comparison.runs["balanced_accuracy"].to_numpy(dtype=float)
    best: dict[str, int] = {}
    for number, run in enumerate(comparison.judged):
        if run.label not in best or values[number] > values[best[run.label]]:
            best[run.label] = number
    return [comparison.judged[best[label]] for label in comparison.labels]
