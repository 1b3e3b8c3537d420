"""Training: the loop around a method, and the optimizer :class:`SAM` for any loop."""

from typing import TYPE_CHECKING

from medtail.naming import late_names

if TYPE_CHECKING:
    from medtail.sam import SAM
    from medtail.training.fit import train
    from medtail.training.fold_training import cross_validate
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            ".sam": ["SAM"],
            "fit": ["train"],
            "fold_training": ["cross_validate"],
        },
    )

__all__ = ["SAM", "cross_validate", "train"]
