"""What a run folder holds, readable without torch."""

from medtail.runs.facts import DatasetFacts, positive_class
from medtail.runs.grid import Grid, GridRuns, Point
from medtail.runs.label_predictions import MultiLabelPredictions, read_predictions
from medtail.runs.predictions import Predictions, SavedPredictions
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit, Run
from medtail.runs.settings import RunSettings
from medtail.runs.tasks import MultiLabel, SingleLabel, Task, task_of

__all__ = [
    "EVALUATED_SPLITS",
    "DatasetFacts",
    "EvaluatedSplit",
    "Grid",
    "GridRuns",
    "MultiLabel",
    "MultiLabelPredictions",
    "Point",
    "Predictions",
    "Run",
    "RunSettings",
    "SavedPredictions",
    "SingleLabel",
    "Task",
    "positive_class",
    "read_predictions",
    "task_of",
]
