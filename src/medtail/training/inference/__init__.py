"""A trained model: its predictions on any images, and at any λ if it has one."""

from medtail.training.inference.trained_model import TrainedModel

__all__ = ["TrainedModel"]
