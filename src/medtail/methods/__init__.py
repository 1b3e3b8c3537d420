"""Methods: how a model is trained and how it predicts."""

from medtail.methods.base import Batch, Method, StepOutput
from medtail.methods.supervised import Supervised

__all__ = ["Batch", "Method", "StepOutput", "Supervised"]
