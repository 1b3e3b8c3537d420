"""What the parts of a loss have in common."""

from abc import ABC
from typing import ClassVar

from torch import nn


class Part(nn.Module, ABC):
    """A part of a loss: a small module over a pure function, without parameters.

    Attributes:
        uses_batch_statistics: Whether the value for a sample depends on the other samples of the batch.
        documented_state: Names of the entries it keeps in ``state_dict``; most parts keep none.
    """

    uses_batch_statistics: ClassVar[bool] = False
    documented_state: ClassVar[tuple[str, ...]] = ()

    def set_epoch(self, epoch: int) -> None:
        """Note which epoch (from 0) begins; nothing to do where there is no schedule."""
