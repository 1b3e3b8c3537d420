"""The operating point: the rule that turns the probabilities of a run into decisions where the model is used."""

from medtail.operating_point.calibration import TemperatureScaling, VectorScaling
from medtail.operating_point.class_sets import ClassConditionalSets
from medtail.operating_point.decisions import (
    ClassThreshold,
    ClassWeights,
    Decision,
    MinimumCost,
    MostProbable,
)
from medtail.operating_point.point import OperatingPoint
from medtail.operating_point.prior_shift import PriorShift
from medtail.operating_point.probability_maps import ProbabilityMap
from medtail.operating_point.promises import ConfidentShare, ExpectedShare

__all__ = [
    "ClassConditionalSets",
    "ClassThreshold",
    "ClassWeights",
    "ConfidentShare",
    "Decision",
    "ExpectedShare",
    "MinimumCost",
    "MostProbable",
    "OperatingPoint",
    "PriorShift",
    "ProbabilityMap",
    "TemperatureScaling",
    "VectorScaling",
]
