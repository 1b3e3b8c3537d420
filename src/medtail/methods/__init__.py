"""Methods: how a model is trained and how it predicts."""

from medtail.methods.balanced_contrastive import BalancedContrastive
from medtail.methods.base import Batch, Method, StepOutput
from medtail.methods.conditional import Condition, Conditional
from medtail.methods.families import FAMILIES, LossFamily, create_family
from medtail.methods.gaussian_mixture import GaussianMixtureLikelihood
from medtail.methods.linear_density import LinearDensity
from medtail.methods.loss_conditional import LossConditional
from medtail.methods.nested_collaborative import Expert, NestedCollaborative
from medtail.methods.parts.teacher import Teacher
from medtail.methods.supervised import Supervised
from medtail.methods.tau_normalized import TauNormalized

__all__ = [
    "FAMILIES",
    "BalancedContrastive",
    "Batch",
    "Condition",
    "Conditional",
    "Expert",
    "GaussianMixtureLikelihood",
    "LinearDensity",
    "LossConditional",
    "LossFamily",
    "Method",
    "NestedCollaborative",
    "StepOutput",
    "Supervised",
    "TauNormalized",
    "Teacher",
    "create_family",
]
