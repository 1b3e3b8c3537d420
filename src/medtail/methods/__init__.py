"""Methods: how a model is trained and how it predicts."""

from medtail.methods.base import Batch, Method, StepOutput
from medtail.methods.families import FAMILIES, LossFamily, create_family
from medtail.methods.linear_density import LinearDensity
from medtail.methods.loss_conditional import Condition, LossConditional, whole_condition
from medtail.methods.supervised import Supervised

__all__ = [
    "FAMILIES",
    "Batch",
    "Condition",
    "LinearDensity",
    "LossConditional",
    "LossFamily",
    "Method",
    "StepOutput",
    "Supervised",
    "create_family",
    "whole_condition",
]
