"""Lightning without its notices, and every warning once."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Leave out Lightning's notices on hardware and loaders, which name nothing that our users can change.

    Every other warning is shown once, though each epoch may raise it again.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in (
            ".*does not have many workers.*",
            ".*Checkpoint directory.*exists and is not empty.*",
            ".*LeafSpec.*is deprecated.*",
        ):
            warnings.filterwarnings("ignore", message)
        warnings.showwarning = _once(warnings.showwarning)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _once(show: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a warning unless it has shown one of the same text."""
    shown: set[str] = set()

    def show_new(message: Warning | str, *arguments: Any, **settings: Any) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            show(message, *arguments, **settings)

    return show_new
