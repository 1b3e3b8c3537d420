"""After training: everything here is a function of saved files, and none of it loads a model."""

from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.evaluation.comparison.ranking import RankedComparisons, rank_comparisons
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.summary import summarize
from medtail.evaluation.tuning.tuning import Tuning, tune
from medtail.runs.label_predictions import MultiLabelPredictions, read_predictions
from medtail.runs.predictions import Predictions

__all__ = [
    "Comparison",
    "MultiLabelPredictions",
    "Predictions",
    "RankedComparisons",
    "Tuning",
    "compare_runs",
    "rank_comparisons",
    "read_predictions",
    "summarize",
    "tune",
    "write_report",
]
