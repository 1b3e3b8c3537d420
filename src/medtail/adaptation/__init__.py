"""Adaptation: choosing an operating point on validation, without retraining."""

from medtail.adaptation.choosing import adapt, choose
from medtail.adaptation.goals import (
    BestCondition,
    FewestMistakes,
    Goal,
    HighestBalancedAccuracy,
    LowestCost,
    PromisedRecall,
)
from medtail.adaptation.request import Request
from medtail.adaptation.run_predictions import Adaptable, RunPredictions

__all__ = [
    "Adaptable",
    "BestCondition",
    "FewestMistakes",
    "Goal",
    "HighestBalancedAccuracy",
    "LowestCost",
    "PromisedRecall",
    "Request",
    "RunPredictions",
    "adapt",
    "choose",
]
