"""CIFAR-10 and CIFAR-100 as their authors publish them: folders of binary files, or of Python pickles."""

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from medtail.data.collection import ImageCollection, Split
from medtail.data.datasets.origins import tell
from medtail.data.formats.sources import ImageArray
from medtail.errors import InputError

_PIXELS = 3 * 32 * 32


@final
@dataclass(frozen=True)
class _Layout:
    """One of the four published folders.

    Attributes:
        training: Files of training images, in order.
        test: File of test images.
        names: File of class names.
        labels: Bytes of labels before each image in a binary file, of which the last is taken; in a pickle their key.
        names_key: Key of the class names, in a pickle.
    """

    training: Sequence[str]
    test: str
    names: str
    labels: int | str
    names_key: str = ""


_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]

_LAYOUTS = (
    _Layout([f"{batch}.bin" for batch in _BATCHES], "test_batch.bin", "batches.meta.txt", 1),
    _Layout(["train.bin"], "test.bin", "fine_label_names.txt", 2),
    _Layout(_BATCHES, "test_batch", "batches.meta", "labels", "label_names"),
    _Layout(["train"], "test", "meta", "fine_labels", "fine_label_names"),
)


def is_cifar(folder: Path) -> bool:
    """Whether a folder has the files of CIFAR-10 or CIFAR-100."""
    return _layout(folder) is not None


def _layout(folder: Path) -> _Layout | None:
    return next(
        (
            layout
            for layout in _LAYOUTS
            if all((folder / name).is_file() for name in (layout.training[0], layout.test, layout.names))
        ),
        None,
    )


def open_cifar(folder: Path, data: str) -> ImageCollection:
    """Read CIFAR-10 or CIFAR-100 (its 100 fine classes): 32 × 32 colour images, training and test.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009;
    https://www.cs.toronto.edu/~kriz/cifar.html describes the files. Pickles are read by a reader that makes nothing
    but arrays, texts, lists and dictionaries, so nothing in them is executed.

    Args:
        folder: ``cifar-10-batches-bin``, ``cifar-100-binary``, ``cifar-10-batches-py`` or ``cifar-100-python``.
        data: DATA as the user gave it.

    Raises:
        InputError: A file is missing, or is not what its name says.
    """
    layout = _layout(folder)
    if layout is None:
        raise InputError(f"{folder} must hold the files of CIFAR-10 or CIFAR-100; unpack the archive again")
    names = _class_names(folder, layout)
    images, labels, ids, splits = [], [], [], []
    parts: list[tuple[str, Split]] = [(file, "train") for file in layout.training]
    parts.append((layout.test, "test"))
    for file, split in parts:
        own_images, own_labels = _read(folder / file, layout)
        images.append(own_images)
        labels.append(own_labels)
        ids += [f"{Path(file).stem}/{row}" for row in range(len(own_labels))]
        splits += [split] * len(own_labels)
    class_ids = np.concatenate(labels)
    if len(class_ids) and class_ids.max() >= len(names):
        raise InputError(
            f"labels of {folder} must be below {len(names)}, the number of classes in {layout.names}, got "
            f"{class_ids.max()}; unpack the archive again"
        )
    tell(data, labels="the files", groups=None, splits="the files")
    return ImageCollection.build(
        name=folder.resolve().name,
        data=data,
        ids=ids,
        labels=[names[label] for label in class_ids],
        source=ImageArray(np.concatenate(images)),
        class_names=names,
        splits=splits,
    )


def _class_names(folder: Path, layout: _Layout) -> list[str]:
    if not layout.names_key:
        return (folder / layout.names).read_text(encoding="utf-8").split()
    return [
        str(name)
        for name in _entry(_unpickled(folder / layout.names), layout.names_key, folder / layout.names)
    ]


def _read(file: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, 32, 32, 3)`` and class ids ``(N,)`` of one file."""
    if not file.is_file():
        raise InputError(
            f"{file} must lie beside the other files of CIFAR, but does not exist; unpack the archive again"
        )
    if isinstance(layout.labels, int):
        content = np.fromfile(file, dtype=np.uint8)
        if not len(content) or len(content) % (layout.labels + _PIXELS):
            raise InputError(
                f"{file} must hold records of {layout.labels + _PIXELS} bytes, but has {len(content)} bytes; unpack "
                f"the archive again"
            )
        records = content.reshape(-1, layout.labels + _PIXELS)
        pixels, labels = records[:, layout.labels :], records[:, layout.labels - 1]
    else:
        batch = _unpickled(file)
        pixels = np.asarray(_entry(batch, "data", file))
        labels = np.asarray(_entry(batch, layout.labels, file))
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), _PIXELS):
            raise InputError(
                f"data of {file} must be uint8 of shape ({len(labels)}, {_PIXELS}), got {pixels.dtype} of shape "
                f"{pixels.shape}; unpack the archive again"
            )
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels.astype(np.int64)


def _entry(content: Any, key: str, file: Path) -> Any:
    if not isinstance(content, Mapping) or key not in content:
        raise InputError(f"{file} must hold {key}, as the published file does; unpack the archive again")
    return content[key]


@final
class _ArraysOnly(pickle.Unpickler):
    """Makes arrays of numbers and Python's own containers, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy") and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        raise pickle.UnpicklingError(f"it wants to run {module}.{name}")


def _latin_bytes(text: str, encoding: str = "latin1") -> bytes:
    """What pickles call to make bytes; nothing else that ``codecs.encode`` can do."""
    return text.encode("latin1")


def _unpickled(file: Path) -> Any:
    try:
        # The published pickles are Python 2's, whose texts are bytes.
        return _ArraysOnly(io.BytesIO(file.read_bytes()), encoding="latin1").load()
    # Broken pickles raise almost anything.
    except Exception as error:
        raise InputError(
            f"{file} must be a pickle of arrays as published, but is not read ({error}); unpack the archive again"
        ) from error
