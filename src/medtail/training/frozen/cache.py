"""Features of frozen networks on disk, for every run that starts from the same weights and images.

An entry is one ``.npy`` file. Its name is a hash of all that its values depend on, so it is never out of date: the
weights, how images are prepared, the pixels themselves. Runs may share a folder: one run writes an entry while others
that need it wait, and the entry appears under its name only when it is complete.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import nn

from medtail.data.decoded.cache_files import (
    allocated,
    check_outside_data,
    check_space,
    locked,
    readable_size,
)
from medtail.files import replacing

_log = logging.getLogger(__name__)

#: Format of the entries; entries of other formats are never opened.
_FORMAT = 1

_WHAT = "features of a frozen network"


@final
class FeatureCache:
    """A folder of features.

    Args:
        folder: Created when the first entry is written.
        data: DATA as the user gave it, in which the folder must not lie.

    Raises:
        InputError: The folder lies in the folder of the data.
    """

    def __init__(self, folder: Path, data: str) -> None:
        check_outside_data(folder, data)
        self.folder = folder

    def features(self, key: str, shape: tuple[int, ...], compute: Callable[[np.ndarray], None]) -> np.ndarray:
        """Open an entry, mapped into memory; if there is none, compute and write it first.

        Args:
            key: Of :func:`feature_key`.
            shape: Of the features.
            compute: Fills float32 zeros of this shape.

        Returns:
            The features, of which writes reach only a copy.

        Raises:
            InputError: The disk is too small.
        """
        path = self.folder / f"{key}.npy"
        with locked(self.folder, key):
            if not _is_whole(path, shape):
                self._write(path, shape, compute)
        return np.load(path, mmap_mode="c")  # type: ignore[no-any-return]

    def _write(self, path: Path, shape: tuple[int, ...], compute: Callable[[np.ndarray], None]) -> None:
        size = 4 * int(np.prod(shape, dtype=np.int64))
        check_space(self.folder, size, _WHAT)
        _log.info(
            f"the frozen network looks at {shape[0]} images once; later runs read its features from {path} "
            f"({readable_size(size)})"
        )
        with replacing(path) as temporary:
            features = allocated(temporary, shape, np.float32, _WHAT)
            compute(features)
            features.flush()


def feature_key(network: nn.Module, settings: Mapping[str, Any]) -> str:
    """Return a hash of a network and of whatever else its features depend on.

    Args:
        network: Its weights count, by name, type, shape and bytes.
        settings: Plain values.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, settings], sort_keys=True).encode())
    for name, tensor in network.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(json.dumps([name, str(values.dtype), list(values.shape)]).encode())
        digest.update(values.flatten().view(-1).numpy().tobytes())
    return digest.hexdigest()


def _is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        return np.load(path, mmap_mode="r").shape == shape  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError):
        return False
