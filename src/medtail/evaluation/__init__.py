"""After training: everything here is a function of saved files, and none of it loads a model."""

from medtail.evaluation.compare import Comparison, compare_runs
from medtail.evaluation.label_predictions import MultiLabelPredictions, read_predictions
from medtail.evaluation.predictions import Predictions
from medtail.evaluation.report import write_report
from medtail.evaluation.summary import summarize
from medtail.evaluation.tuning import Tuning, tune

__all__ = [
    "Comparison",
    "MultiLabelPredictions",
    "Predictions",
    "Tuning",
    "compare_runs",
    "read_predictions",
    "summarize",
    "tune",
    "write_report",
]
