"""Whole batches, straight from the pixels."""

import signal
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from medtail.data.decoded.pixels import Pixels
from medtail.errors import InputError


@final
class ImageBatches(Dataset[dict[str, Tensor]]):
    """The images of some rows, read a whole batch at a time.

    A batch is ``{"image": uint8 (N, channels, H, W), "target": int64 (N,), "row": int64 (N,)}``; ``row`` is the
    position in the collection's table. Multi-label targets are 0/1 ``(N, C)``, float32 with NaN if some are unknown.

    Args:
        pixels: Where images come from.
        rows: Rows to read, e.g. ``collection.rows("train")``.
        targets: Class ids ``(N,)``, or 0/1 labels ``(N, C)``, of these rows.

    Raises:
        InputError: There are not as many targets as rows.
    """

    def __init__(self, pixels: Pixels, rows: np.ndarray, targets: np.ndarray) -> None:
        if len(rows) != len(targets):
            raise InputError(
                f"targets must be as many as rows, got {len(targets)} for {len(rows)} rows; take both from one split"
            )
        self.pixels = pixels
        self.rows = np.asarray(rows, dtype=np.int64)
        # Labels of which some are unknown are float: NaN has no place among integers.
        labels = np.asarray(targets)
        self.targets = labels.astype(np.float32 if np.issubdtype(labels.dtype, np.floating) else np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        return {name: value[0] for name, value in self.__getitems__([position]).items()}

    def __getitems__(self, positions: Sequence[int]) -> dict[str, Tensor]:
        chosen = np.asarray(positions, dtype=np.int64)
        rows = self.rows[chosen]
        return {
            "image": self.pixels.read(rows),
            "target": torch.from_numpy(self.targets[chosen]),
            "row": torch.from_numpy(rows),
        }


@final
class PairedBatches(Dataset[dict[str, Tensor]]):
    """Batches of :class:`ImageBatches` with a partner for each image.

    Positions are pairs, as :class:`medtail.data.samplers.PairedSampler` draws them. A batch also has
    ``partner_image`` and ``partner_target``, like ``image`` and ``target``.

    Args:
        images: Where images and partners come from.
    """

    def __init__(self, images: ImageBatches) -> None:
        self.images = images
        self.pixels = images.pixels

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, pairs: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        own, partners = zip(*pairs, strict=True)
        partner = self.images.__getitems__(partners)
        return {
            **self.images.__getitems__(own),
            "partner_image": partner["image"],
            "partner_target": partner["target"],
        }


def _unchanged(batch: Any) -> Any:
    return batch


def _outlive_sigterm(worker: int) -> None:
    """Schedulers send SIGTERM to every process, but the epoch can only be finished with its workers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def batch_loader(
    dataset: ImageBatches | PairedBatches,
    sampler: Sampler[Any],
    batch_size: int,
    *,
    workers: int = 2,
    drop_last: bool = False,
) -> DataLoader[Any]:
    """A loader of whole batches; worker processes only where images still have to be decoded.

    Args:
        dataset: The images.
        sampler: Draws positions in the dataset, e.g. a sampler of :mod:`medtail.data.samplers`.
        batch_size: Images per batch of this process.
        workers: Number of decoding processes, used where the pixels are not resident.
        drop_last: Leave out a last batch that is not full.
    """
    processes = 0 if dataset.pixels.resident else workers
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=_unchanged,
        num_workers=processes,
        worker_init_fn=_outlive_sigterm,
        persistent_workers=processes > 0,
        # Pixels that are already on the device cannot be pinned.
        pin_memory=torch.cuda.is_available() and dataset.pixels.device.type == "cpu",
        drop_last=drop_last,
    )
