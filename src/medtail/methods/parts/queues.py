"""Memories of keys that a training step reads whole, and that change once per optimizer step."""

from abc import ABC
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from medtail import checks, tensor_checks
from medtail.distributed import gather_over_ranks
from medtail.errors import InputError
from medtail.tensor_checks import ClassCounts


class Queue(nn.Module, ABC):
    """A memory in buffers, abstract.

    What a batch writes is kept aside until :meth:`commit`, so that the weights of an optimizer step see one and the
    same memory: the second pass of :class:`medtail.sam.SAM` writes what the first one wrote, in its place, and batches
    whose gradients are accumulated write one after the other. The host never waits for the device.

    Distributed: all ranks write the keys of all ranks, in rank order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Tensor] | None = None
        self._after: dict[str, Tensor] | None = None

    def begin_batch(self) -> None:
        """Let what was written so far stay: the next keys are of another batch."""
        self._before = self._after

    @torch.no_grad()
    def commit(self) -> None:
        """Take over what was written since the last call."""
        for name, values in (self._after or {}).items():
            self.get_buffer(name).copy_(values)
        self._before = self._after = None

    def _contents(self) -> dict[str, Tensor]:
        return dict(self.named_buffers()) if self._before is None else self._before


@final
class KeyQueue(Queue):
    """The latest K keys, oldest first overwritten.

    Args:
        size: K; 1,024 in NCL.
        key_size: D.

    It starts with random unit vectors, as MoCo's does.

    Example:
        >>> queue = KeyQueue(4, 2)
        >>> queue.write(torch.eye(2))
        >>> queue.commit()
        >>> queue.keys[:2]
        tensor([[1., 0.],
                [0., 1.]])
    """

    keys: Tensor
    position: Tensor

    def __init__(self, size: int, key_size: int) -> None:
        super().__init__()
        checks.whole_number("queue_size", size, low=1)
        self.register_buffer("keys", nn.functional.normalize(torch.randn(size, key_size), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    def read(self) -> Tensor:
        """Return the keys ``(K, D)`` of batches before this one."""
        return self._contents()["keys"].clone()

    @torch.no_grad()
    def write(self, keys: Tensor) -> None:
        """Write the keys ``(N, D)`` of this batch in place of the oldest; of more than K, the last K."""
        contents = self._contents()
        size = len(contents["keys"])
        keys = gather_over_ranks(keys.detach())
        places = contents["position"] + torch.arange(len(keys), device=keys.device)
        self._after = {
            "keys": contents["keys"].index_copy(0, places[-size:] % size, keys[-size:].to(contents["keys"])),
            "position": (contents["position"] + len(keys)) % size,
        }


@final
class ClassQueue(Queue):
    """The latest keys of each class, in slices of the sizes of the classes.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.
        size: K; 4,096 in GML.
        key_size: D.
        smallest_slice: Keys that every class has at least; 2 in GML. What is left of K follows the counts.

    Raises:
        InputError: K is too small for the classes.

    It starts with random unit vectors that belong to no image. Of a batch, a class keeps as many keys as its slice
    has places.

    Example:
        >>> ClassQueue([75, 25], 8, 2).classes
        tensor([0, 0, 0, 0, 0, 1, 1, 1])
    """

    keys: Tensor
    images: Tensor
    positions: Tensor
    classes: Tensor
    starts: Tensor
    sizes: Tensor

    def __init__(
        self, class_counts: ClassCounts, size: int, key_size: int, *, smallest_slice: int = 2
    ) -> None:
        super().__init__()
        counts = tensor_checks.class_counts(class_counts).numpy()
        least = len(counts) * checks.whole_number("smallest_slice", smallest_slice, low=1)
        if checks.whole_number("queue_size", size, low=1) < least:
            raise InputError(
                f"queue_size must be at least {smallest_slice} for each of {len(counts)} classes, got {size}; "
                f"take at least {least}"
            )
        shares = (
            smallest_slice * np.arange(1, len(counts) + 1) + (size - least) * (counts / counts.sum()).cumsum()
        )
        # Rounding must not count one key too many.
        ends = np.minimum(np.ceil(shares - 1e-9), size).astype(np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        self.register_buffer("keys", nn.functional.normalize(torch.randn(size, key_size), dim=1))
        self.register_buffer("images", torch.arange(-size, 0))
        self.register_buffer("positions", torch.zeros(len(counts), dtype=torch.long))
        for name, values in (
            ("classes", np.repeat(np.arange(len(counts)), ends - starts)),
            ("starts", starts),
            ("sizes", ends - starts),
        ):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    @torch.no_grad()
    def write(self, keys: Tensor, targets: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Write this batch's keys and return all keys ``(K, D)`` with the images they are of ``(K,)``.

        Args:
            keys: ``(N, D)``.
            targets: Class ids ``(N,)``.
            images: The number of each image in the data ``(N,)``, at least 0.
        """
        contents = self._contents()
        keys, targets, images = (gather_over_ranks(values) for values in (keys.detach(), targets, images))
        membership = torch.zeros(len(keys), len(self.sizes), dtype=torch.long, device=keys.device)
        membership = membership.scatter(1, targets[:, None], 1)
        ranks = membership.cumsum(0).gather(1, targets[:, None]).squeeze(1) - 1
        sizes = self.sizes[targets]
        places = self.starts[targets] + (contents["positions"][targets] + ranks) % sizes
        # A place beyond the last takes what has no room: a choice by a mask would wait for the device.
        places = torch.where(ranks < sizes, places, len(self.keys))
        self._after = {
            "keys": _with_rows(contents["keys"], places, keys),
            "images": _with_rows(contents["images"], places, images),
            "positions": (contents["positions"] + membership.sum(0)) % self.sizes,
        }
        return self._after["keys"], self._after["images"]

    def _contents(self) -> dict[str, Tensor]:
        contents = super()._contents()
        return {name: contents[name] for name in ("keys", "images", "positions")}


def _with_rows(table: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """Return a copy of the table with rows replaced; those beyond its end are left out."""
    longer = torch.cat([table, table[:1]])
    return longer.index_copy(0, places, rows.to(table))[:-1]
