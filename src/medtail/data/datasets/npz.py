"""MedMNIST-style archives: ``{train,val,test}_{images,labels}``."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from medtail.data.collection import ImageCollection, Split, sort_labels, split_name
from medtail.data.formats.sources import ARRAY_SHAPES, ImageArray
from medtail.errors import InputError
from medtail.naming import listing

_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError)


def open_npz(path: Path, data: str, *, class_names: Sequence[str] | None = None) -> ImageCollection:
    """Read an archive of uint8 images or volumes (:class:`ImageArray`) and labels ``(N,)`` or ``(N, 1)``.

    Labels are names or numbers. Numbers are named by the key ``class_names`` of the archive, else by the argument, else
    by themselves. Nothing in the file is executed: pickled arrays are refused.

    Args:
        path: The archive.
        data: DATA as the user gave it.
        class_names: In class-id order.

    Raises:
        InputError: A key is missing, a shape or type is not one of these, or images have several labels.
    """
    try:
        headers = _headers(path)
    except _UNREADABLE as error:
        raise InputError(
            f"{path} must be an .npz archive, but cannot be read ({error}); save it again"
        ) from error
    _check_types(path, headers)
    shapes = {key: shape for key, (shape, _) in headers.items()}
    parts = _parts(path, shapes)
    _check_shapes(path, shapes, parts)
    try:
        with np.load(path, allow_pickle=False) as archive:
            images = _joined([f"{prefix}_images" for prefix in parts], shapes, archive)
            labels = np.concatenate([archive[f"{prefix}_labels"].reshape(-1) for prefix in parts])
            given_names = archive["class_names"].tolist() if "class_names" in shapes else class_names
    except MemoryError as error:
        raise InputError(
            f"{path} must fit into memory, but its images have shapes "
            f"{listing(shapes[f'{prefix}_images'] for prefix in parts)}; save the images as files"
        ) from error
    except _UNREADABLE as error:
        raise InputError(f"{path} must hold plain arrays, but is damaged ({error}); save it again") from error
    texts = _label_texts(path, labels, given_names)
    return ImageCollection.build(
        name=path.stem,
        data=data,
        ids=[f"{prefix}/{row}" for prefix in parts for row in range(shapes[f"{prefix}_images"][0])],
        labels=texts,
        source=ImageArray(images),
        class_names=sort_labels(set(texts)) if given_names is None else [str(name) for name in given_names],
        splits=[split for prefix, split in parts.items() for _ in range(shapes[f"{prefix}_images"][0])],
    )


def _joined(
    keys: Sequence[str], shapes: Mapping[str, tuple[int, ...]], archive: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Join arrays with only one of them in memory beside the result: volumes are large."""
    first = archive[keys[0]]
    if len(keys) == 1:
        return first
    joined = np.empty((sum(shapes[key][0] for key in keys), *first.shape[1:]), dtype=first.dtype)
    place = 0
    for key in keys:
        part = archive[key]
        joined[place : place + len(part)] = part
        place += len(part)
    return joined


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types from the headers, so that wrong arrays are refused before they are unpacked."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                read_header = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, number_type = read_header(member)
                headers[name.removesuffix(".npy")] = (shape, number_type)
    return headers


def _check_types(path: Path, headers: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> None:
    for key, (_, number_type) in headers.items():
        if number_type.hasobject:
            raise InputError(
                f"{key} of {path} must be one plain array, but holds Python objects (perhaps images of several sizes), "
                f"which are not unpickled; resize the images to one size and save them as uint8"
            )
        if key.endswith("_images") and number_type != np.uint8:
            raise InputError(
                f"{key} of {path} must be uint8 (0 to 255), got {number_type}; scale and convert them first"
            )


def _parts(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Split]:
    """The prefixes of the images in the archive, each with the split that it names."""
    parts: dict[str, Split] = {}
    for key in shapes:
        prefix, _, kind = key.rpartition("_")
        split = split_name(prefix)
        if kind == "images" and split is not None:
            parts[prefix] = split
    if "train" not in parts.values():
        raise InputError(
            f"{path} must hold train_images and train_labels (and val_, test_), but has the keys {listing(shapes)}; "
            f"rename them"
        )
    for prefix in parts:
        if f"{prefix}_labels" not in shapes:
            raise InputError(
                f"{path} must hold {prefix}_labels beside {prefix}_images, but does not; add the labels"
            )
    if len(set(parts.values())) < len(parts):
        raise InputError(f"{path} must name each split once, but has {listing(parts)}; remove one")
    return parts


def _check_shapes(path: Path, shapes: dict[str, tuple[int, ...]], parts: dict[str, Split]) -> None:
    forms = {shapes[f"{prefix}_images"][1:] for prefix in parts}
    for prefix in parts:
        images, labels = shapes[f"{prefix}_images"], shapes[f"{prefix}_labels"]
        if len(images) not in (3, 4, 5):
            raise InputError(
                f"{prefix}_images of {path} must have shape {ARRAY_SHAPES}, got {images}; reshape them"
            )
        if len(labels) == 2 and labels[1] > 1:
            raise InputError(
                f"{prefix}_labels of {path} must hold one class id per image, shape (N,) or (N, 1), got {labels}; "
                f"use a table with columns label_<class> for several labels per image"
            )
        if len(labels) not in (1, 2) or labels[0] != images[0]:
            raise InputError(
                f"{prefix}_labels of {path} must hold one class id for each of {images[0]} images, got shape "
                f"{labels}; fix the archive"
            )
    if len(forms) > 1:
        raise InputError(
            f"images of {path} must have one shape in all splits, got {listing(sorted(forms))}; resize them"
        )


def _label_texts(path: Path, labels: np.ndarray, given_names: Sequence[object] | None) -> list[str]:
    if labels.dtype.kind in "US":
        return [str(label) for label in labels.astype(str)]
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise InputError(f"labels of {path} must be class ids, got NaN or infinity; remove these images")
        if (labels != np.floor(labels)).any():
            raise InputError(f"labels of {path} must be whole class ids, got fractions; fix the labels")
    elif labels.dtype.kind not in "iub":
        raise InputError(f"labels of {path} must be class ids or names, got {labels.dtype}; convert them")
    ids = labels.astype(np.int64)
    if len(ids) and ids.min() < 0:
        raise InputError(f"labels of {path} must not be negative, got {ids.min()}; number the classes from 0")
    if given_names is None:
        return [str(label) for label in ids]
    if len(set(given_names)) < len(given_names):
        raise InputError(
            f"class_names of {path} must differ from each other, but some occur twice; rename them"
        )
    if len(ids) and ids.max() >= len(given_names):
        raise InputError(
            f"class_names of {path} must name every label, but has {len(given_names)} names for label {ids.max()}; "
            f"add the names"
        )
    return [str(given_names[label]) for label in ids]
