"""Training: recipes, the loop around a method, and the optimizer :class:`SAM` for any loop."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medtail.training.sam import SAM

__all__ = ["SAM"]


def __getattr__(name: str) -> Any:
    # Recipes are read where torch is not wanted; only the optimizer needs it.
    if name == "SAM":
        from medtail.training.sam import SAM

        return SAM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
