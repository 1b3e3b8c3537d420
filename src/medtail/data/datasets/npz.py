"""MedMNIST-style archives: ``{train,val,test}_{images,labels}``."""

import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medtail.data.collection import DataWarning, ImageCollection, Split, sort_labels, split_name
from medtail.data.datasets.origins import tell
from medtail.data.datasets.tables.columns import speaks_of_groups
from medtail.data.formats.base import USUAL_COMPRESSION, most_pixels, most_unpacked
from medtail.data.formats.sources import ARRAY_SHAPES, ImageArray
from medtail.errors import InputError
from medtail.naming import listing

#: The largest float64 up to which every whole number is exact.
_LARGEST_EXACT = 2**53


def open_npz(path: Path, data: str, *, class_names: Sequence[str] | None = None) -> ImageCollection:
    """Read an archive of uint8 images or volumes (:class:`ImageArray`) and their labels.

    Labels are names or numbers ``(N,)`` or ``(N, 1)``, or 0 and 1 for each of L classes ``(N, L)``: one class per image
    where every row holds a single 1, else any number of labels, where -1 and NaN are unknown. Classes are named by the
    key ``class_names`` of the archive, else by the argument, else by their numbers. Nothing in the file is executed:
    pickled arrays are refused.

    Images with an axis of 3 or 4 in front of much longer ones have their channels first, and a last axis of 4 is RGBA;
    both are converted, and a warning says so.

    Args:
        path: The archive.
        data: DATA as the user gave it.
        class_names: In class-id order.

    Raises:
        InputError: A key is missing, or a shape or type is not one of these.
    """
    try:
        headers = _headers(path)
    except (InputError, MemoryError):
        raise
    # Decoders raise almost anything on broken or encrypted bytes.
    except Exception as error:
        raise InputError(
            f"{path} must be an .npz archive, but cannot be read ({_said(error)}); save it again"
        ) from error
    _check_types(path, headers)
    shapes = {key: shape for key, (shape, _) in headers.items()}
    parts = _parts(path, shapes)
    _check_shapes(path, shapes, parts)
    _check_unpacked(path, headers)
    try:
        with np.load(path, allow_pickle=False) as archive:
            images = _joined([f"{prefix}_images" for prefix in parts], shapes, archive)
            labels = np.concatenate([_flat(archive[f"{prefix}_labels"]) for prefix in parts])
            given_names = (
                _given_names(path, archive["class_names"]) if "class_names" in shapes else class_names
            )
    except MemoryError as error:
        raise InputError(
            f"{path} must fit into memory, but its images have shapes "
            f"{listing(shapes[f'{prefix}_images'] for prefix in parts)}; save the images as files"
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path} must hold plain arrays, but is damaged ({_said(error)}); save it again"
        ) from error
    used = {f"{prefix}_{kind}" for prefix in parts for kind in ("images", "labels")} | {"class_names"}
    tell(
        data,
        labels="the keys *_labels",
        groups=None,
        splits="the keys",
        unused=[key for key in shapes if key not in used],
    )
    if looking := [key for key in shapes if key not in used and speaks_of_groups(key)]:
        warnings.warn(
            f"keys of {path} look like groups, but are not used, so that images of one may be in several splits: "
            f"{listing(looking)}",
            DataWarning,
            stacklevel=3,
        )
    common: dict[str, Any] = {
        "name": path.stem,
        "data": data,
        "ids": [f"{prefix}/{row}" for prefix in parts for row in range(shapes[f"{prefix}_images"][0])],
        "source": ImageArray(_channels_last(path, images)),
        "splits": [split for prefix, split in parts.items() for _ in range(shapes[f"{prefix}_images"][0])],
    }
    if labels.ndim == 2:
        known = _indicators(path, labels)
        names = _names_of_columns(path, labels.shape[1], given_names)
        if not (known.sum(axis=1) == 1).all():
            return ImageCollection.build_multi_label(
                labels={name: known[:, place] for place, name in enumerate(names)}, **common
            )
        labels, given_names = known.argmax(axis=1), names
    texts = _label_texts(path, labels, given_names)
    return ImageCollection.build(
        labels=texts,
        class_names=sort_labels(set(texts)) if given_names is None else [str(name) for name in given_names],
        **common,
    )


def _flat(labels: np.ndarray) -> np.ndarray:
    return labels.reshape(-1) if labels.size == len(labels) else labels


def _indicators(path: Path, labels: np.ndarray) -> np.ndarray:
    """Labels of 0 and 1 as float64 ``(N, L)``, NaN where unknown."""
    if labels.dtype.kind not in "iufb":
        raise InputError(
            f"labels of {path} must be 0 or 1 for each class, as their shape is {labels.shape}, got {labels.dtype}; "
            f"convert them, or save one class per image"
        )
    values = labels.astype(np.float64)
    values[values == -1] = np.nan
    wrong = values[~(np.isin(values, (0, 1)) | np.isnan(values))]
    if wrong.size:
        raise InputError(
            f"labels of {path} must be 0 or 1 for each class, as their shape is {labels.shape}, got {wrong[0]:g}; save "
            f"one class id per image, or 0 and 1 (-1 where unknown)"
        )
    if np.isnan(values).any():
        warnings.warn(
            f"labels of {path} are unknown where they are -1 or NaN: {int(np.isnan(values).sum())} of {values.size}",
            DataWarning,
            stacklevel=4,
        )
    return values


def _names_of_columns(path: Path, count: int, given_names: Sequence[object] | None) -> list[str]:
    names = [str(name) for name in (range(count) if given_names is None else given_names)]
    if len(names) != count or len(set(names)) < count:
        raise InputError(
            f"class_names of {path} must name each of {count} columns of labels differently, but has {len(names)} "
            f"names; fix the names"
        )
    return names


#: How many times as long as the axis of channels the others are, at least.
_MUCH_LONGER = 4


def _channels_last(path: Path, images: np.ndarray) -> np.ndarray:
    """The same images, with channels behind the axes of space and transparent pixels black."""
    first, *others = images.shape[1:]
    # Few slices in front of much longer axes are channels, unless the last axis may be those.
    channels_first = (
        len(others) > 1
        and first in (1, 3, 4)
        and min(others) >= _MUCH_LONGER * first
        and (images.ndim == 4 or others[-1] > 4)
    )
    if channels_first:
        warnings.warn(
            f"images of {path} of shape {images.shape} are read as {' x '.join(map(str, others))} with {first} "
            f"channels first; save volumes of {first} slices as (N, D, H, W, channels)",
            DataWarning,
            stacklevel=4,
        )
        images = np.moveaxis(images, 1, -1)
    if images.ndim == 4 and images.shape[3] == 4 and min(images.shape[1:3]) >= _MUCH_LONGER * 4:
        if not channels_first:
            warnings.warn(
                f"images of {path} of shape {images.shape} are read as RGBA; save volumes that are 4 voxels wide as "
                f"(N, D, H, W, channels)",
                DataWarning,
                stacklevel=4,
            )
        return _on_black(images)
    return images


def _on_black(images: np.ndarray) -> np.ndarray:
    """RGBA as RGB, transparent pixels black, as in picture files; one image at a time, to save memory."""
    flat = np.empty((*images.shape[:3], 3), dtype=np.uint8)
    for place, image in enumerate(images):
        colours, alpha = image[..., :3].astype(np.uint16), image[..., 3:].astype(np.uint16)
        flat[place] = (colours * alpha + 127) // 255
    return flat


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


def _check_unpacked(path: Path, headers: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> None:
    """Refuse an archive that would fill the memory, by what its headers say it holds."""
    size = sum(math.prod(shape) * number_type.itemsize for shape, number_type in headers.values())
    packed, limit = path.stat().st_size, most_unpacked()
    if size > limit and size > USUAL_COMPRESSION * packed:
        raise InputError(
            f"{path} must unpack to at most {limit} bytes (max_unpacked), but holds {size} in a file of {packed}; "
            f"set the variable MEDTAIL_MAX_UNPACKED if you trust it"
        )
    for key, (shape, _) in headers.items():
        if key.endswith("_images") and math.prod(shape[1:]) > most_pixels():
            raise InputError(
                f"{key} of {path} must hold images of at most {most_pixels()} pixels (max_pixels), got "
                f"{' x '.join(map(str, shape[1:]))}; resize them"
            )


def _given_names(path: Path, names: np.ndarray) -> list[str]:
    if names.ndim != 1 or names.dtype.kind not in "USiu":
        raise InputError(
            f"class_names of {path} must be a list of names, shape (C,), got {names.dtype} of shape {names.shape}; "
            f"save it as one"
        )
    return [str(name) for name in _texts(path, names)]


def _texts(path: Path, names: np.ndarray) -> np.ndarray:
    if names.dtype.kind == "S":
        try:
            return np.char.decode(names, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"names in {path} must be text in UTF-8, but are not; save them as text"
            ) from error
    return names.astype(str)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


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
        if len(labels) not in (1, 2) or labels[0] != images[0]:
            raise InputError(
                f"{prefix}_labels of {path} must hold one class id, or 0 or 1 for each class, for each of {images[0]} "
                f"images, got shape {labels}; fix the archive"
            )
    widths = {(*shapes[f"{prefix}_labels"], 1)[1] for prefix in parts}
    if len(widths) > 1:
        raise InputError(
            f"labels of {path} must have one number of columns in all splits, got {listing(sorted(widths))}; save one "
            f"class id per image, or 0 or 1 for each class, in all of them"
        )
    if len(forms) > 1:
        raise InputError(
            f"images of {path} must have one shape in all splits, got {listing(sorted(forms))}; resize them"
        )


def _label_texts(path: Path, labels: np.ndarray, given_names: Sequence[object] | None) -> list[str]:
    if labels.dtype.kind in "US":
        return [str(label) for label in _texts(path, labels)]
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise InputError(f"labels of {path} must be class ids, got NaN or infinity; remove these images")
        if (labels != np.floor(labels)).any():
            raise InputError(f"labels of {path} must be whole class ids, got fractions; fix the labels")
        if len(labels) and np.abs(labels).max() > _LARGEST_EXACT:
            raise InputError(f"labels of {path} must be class ids, got {labels.max():g}; number them from 0")
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
