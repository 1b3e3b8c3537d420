"""Where decoded pixels are kept: one class per place."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor


class PixelStore(ABC):
    """uint8 images ``(channels, *spatial)`` by position.

    Attributes:
        resident: Whether reading only copies from memory, so that worker processes would not help.
        decoded: Whether reading decodes nothing.
    """

    resident: bool
    decoded = True

    @property
    def size_in_bytes(self) -> int:
        """Memory that all images take."""
        return 0

    @property
    def device(self) -> torch.device:
        """Device on which :meth:`read` returns images."""
        return torch.device("cpu")

    @abstractmethod
    def read(self, positions: np.ndarray) -> Tensor:
        """Images ``(len(positions), channels, *spatial)``."""

    def to(self, device: torch.device) -> "PixelStore":
        """The same pixels on a device, if they can be kept there."""
        return self


@final
class Resident(PixelStore):
    """In the memory of the machine or of a device."""

    resident = True

    def __init__(self, images: Tensor) -> None:
        self.images = images

    @property
    def size_in_bytes(self) -> int:
        return self.images.nbytes

    @property
    def device(self) -> torch.device:
        return self.images.device

    def read(self, positions: np.ndarray) -> Tensor:
        index = torch.from_numpy(positions).to(self.images.device, non_blocking=True)
        return self.images.index_select(0, index)

    def to(self, device: torch.device) -> "Resident":
        return Resident(self.images.to(device))


@final
class Mapped(PixelStore):
    """In a file; the operating system keeps the used parts of it in memory.

    Args:
        path: An ``.npy`` file of uint8 images.
    """

    resident = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._images = np.asarray(np.load(path, mmap_mode="r"))

    def read(self, positions: np.ndarray) -> Tensor:
        return torch.from_numpy(self._images[positions])

    def loaded(self) -> Resident:
        """The same pixels in memory, which is that of the file's pages: processes that load one file share it."""
        # Copied where it is written, because tensors cannot be read-only; nobody writes to pixels.
        return Resident(torch.from_numpy(np.asarray(np.load(self.path, mmap_mode="c"))))

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the file itself, so no pixels are copied to it.
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])


@final
class OnRequest(PixelStore):
    """Nowhere: images are decoded whenever they are read.

    Args:
        decode: From positions to decoded images.
    """

    resident = False
    decoded = False

    def __init__(self, decode: Callable[[np.ndarray], Tensor]) -> None:
        self.decode = decode

    def read(self, positions: np.ndarray) -> Tensor:
        return self.decode(positions)
