"""Training: the loop around a method, and the optimizer :class:`SAM` for any loop."""

from medtail.sam import SAM
from medtail.training.fit import train
from medtail.training.fold_training import cross_validate

__all__ = ["SAM", "cross_validate", "train"]
