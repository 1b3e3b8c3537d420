"""Methods: how a model is trained and how it predicts."""

from medtail.methods.base import Batch, Method, StepOutput
from medtail.methods.conditional import Condition, Conditional
from medtail.methods.families import FAMILIES, LossFamily, create_family
from medtail.methods.linear_density import LinearDensity
from medtail.methods.loss_conditional import LossConditional
from medtail.methods.supervised import Supervised

__all__ = [
    "FAMILIES",
    "Batch",
    "Condition",
    "Conditional",
    "LinearDensity",
    "LossConditional",
    "LossFamily",
    "Method",
    "StepOutput",
    "Supervised",
    "create_family",
]
