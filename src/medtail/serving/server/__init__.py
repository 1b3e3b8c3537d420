"""A trained model behind HTTP: images in, probabilities and decisions out."""

from medtail.serving.server.limits import Limits
from medtail.serving.server.serving import serve

__all__ = ["Limits", "serve"]
