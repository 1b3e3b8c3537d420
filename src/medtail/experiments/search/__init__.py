"""Searches for good settings of a method: trials that validation judges."""

from medtail.experiments.search.search import Search
from medtail.experiments.search.space import Space, read_space, space_of

__all__ = ["Search", "Space", "read_space", "space_of"]
