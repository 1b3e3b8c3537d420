"""The base class of the parts of a loss."""

from abc import ABC
from typing import ClassVar

from torch import nn


class Part(nn.Module, ABC):
    """A part of a loss: a small module over a pure function, without parameters; abstract.

    Attributes:
        uses_batch_statistics: Whether the value for a sample depends on the other samples of the batch.
        documented_state: The names of its entries in ``state_dict``; most parts have none.
        needs_one_class: Why the part needs the one class of each sample, to end a sentence after "because"; empty for
            a part that also takes class probabilities.
        convex: Whether a loss of this part is still a convex function of logits that stays the same in training.
    """

    uses_batch_statistics: ClassVar[bool] = False
    documented_state: ClassVar[tuple[str, ...]] = ()
    needs_one_class: ClassVar[str] = ""
    convex: bool = False

    def set_epoch(self, epoch: int) -> None:
        """Note which epoch begins, counted from 0; this does nothing without a schedule."""
