"""Training: the loop around a method, and the optimizer :class:`SAM` for any loop."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medtail.sam import SAM
    from medtail.training.fit import train
    from medtail.training.fold_training import cross_validate

__all__ = ["SAM", "cross_validate", "train"]

#: The module of each name, loaded when the name is first used: predicting need not wait for Lightning.
_MODULES = {
    "SAM": "medtail.sam",
    "cross_validate": "medtail.training.fold_training",
    "train": "medtail.training.fit",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
