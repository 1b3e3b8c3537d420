"""Folders with one sub-folder per class."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from medtail.data.collection import DataWarning, ImageCollection, Split, sort_labels, split_name
from medtail.data.datasets.groups import groups_in_paths
from medtail.data.datasets.image_files.masks import mask_files
from medtail.data.datasets.image_files.series import FoundSeries
from medtail.data.datasets.origins import tell
from medtail.data.datasets.values import clean
from medtail.data.formats.image_files import (
    EXTENSIONS,
    ImageFiles,
    is_ignored_folder,
    is_image_name,
    unknown_extensions,
    walk_images,
)
from medtail.errors import InputError
from medtail.naming import listing

#: Words that may stand beside the name of a split in that of a folder: train_data, "Test Images".
_FILLERS = (
    *(
        "data",
        "dataset",
        "set",
        "images",
        "image",
        "imgs",
        "img",
        "pictures",
        "samples",
        "files",
        "folder",
        "split",
    ),
)


#: As in HAM10000_images_part_1, imgs_part_2 and fold3.
_PART = re.compile(r"(^|[ _-])(part|fold|chunk|batch|shard|subset|split)[ _-]?[0-9]+$", re.IGNORECASE)


@final
@dataclass
class _Found:
    """Images below class folders, and what was left out."""

    classes: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    series: FoundSeries = field(default_factory=FoundSeries)


def open_class_folders(folder: Path, data: str, max_pixels: int) -> ImageCollection:
    """Read a folder of class folders, or of split folders (train, val, test) that hold class folders.

    Labels are folder names, ids are paths below ``folder``. Files without the extension of an image are ignored; an
    empty class folder is a class without images. Two or more folders with names of splits (``Train``, ``valid``,
    ``test_data``) are splits. What is no class then (folders beside the splits, a copy of the data inside itself,
    segmentation masks, images in no class folder) is left out, and a warning names it. A folder of DICOM slices of one
    series inside a class folder is one volume.

    Args:
        folder: Folder of class folders.
        data: DATA as the user gave it.
        max_pixels: Files with more pixels are refused when they are read.

    Raises:
        InputError: There is no class folder, no class folder holds an image, folders may be splits or classes, or one
            holds slices of several DICOM series.
    """
    found = _Found()
    split_folders = _split_folders(folder)
    if split_folders:
        beside = [part for part in _folders(folder) if part.name not in split_folders]
        found.left_out += [f"{part.name} ({_kind(part)})" for part in beside]
        for name, split in split_folders.items():
            _collect(folder, folder / name, split, found)
    else:
        _collect(folder, folder, None, found)
    found.series.tell()
    if not found.ids:
        raise InputError(
            f"DATA must be a folder with one sub-folder of images ({', '.join(EXTENSIONS)}) per class, or hold "
            f"labels.csv; {folder} holds {_content(folder)}; check the path"
        )
    loose = [part for part in (folder, *(folder / name for name in split_folders)) if _loose_images(part)]
    found.left_out += [f"{_loose_images(part)} images directly in {part}" for part in loose]
    unknown = unknown_extensions(folder)
    if unknown:
        warnings.warn(
            f"{unknown.total()} files of {folder} with extensions that are not read are left out: "
            f"{listing(f'{extension} ({count})' for extension, count in unknown.most_common())}; convert them to PNG",
            DataWarning,
            stacklevel=3,
        )
    if found.left_out:
        warnings.warn(
            f"what is no class of {folder} is left out: {listing(found.left_out)}; move it elsewhere, or the images "
            f"into class folders",
            DataWarning,
            stacklevel=3,
        )
    # Numbers of patients may start anew in every split.
    groups = None if found.splits else groups_in_paths([identity.partition("/")[2] for identity in found.ids])
    tell(
        data,
        labels="the folders",
        groups=None if groups is None else "the paths",
        splits=listing(split_folders) or None,
    )
    collection = ImageCollection.build(
        name=folder.resolve().name,
        data=data,
        ids=found.ids,
        labels=found.labels,
        source=ImageFiles((folder / name for name in found.ids), max_pixels),
        class_names=sort_labels(found.classes),
        groups=groups,
        group_column=None if groups is None else "patient",
        splits=found.splits or None,
    )
    return replace(collection, skipped=dict(unknown.most_common()))


def _collect(root: Path, part: Path, split: Split | None, found: _Found) -> None:
    """Add the class folders of one part of the data."""
    folders = _folders(part)
    names = {entry.name for entry in folders}
    images: dict[Path, list[str]] = {}
    for entry in folders:
        copied = sorted(names.intersection(inner.name for inner in _folders(entry)))
        if len(copied) > 1:
            found.left_out.append(
                f"{entry.relative_to(root).as_posix()} (a copy of {listing(copied, most=3)})"
            )
        else:
            own = [(entry / name).relative_to(root).as_posix() for name in walk_images(entry)]
            images[entry] = found.series.as_volumes(root, entry, own)
    masks = mask_files(name for own in images.values() for name in own)
    if masks:
        found.left_out.append(f"{len(masks)} segmentation masks in {part} ({listing(sorted(masks), most=2)})")
    if len(folders) == 1 and len(_folders(folders[0])) > 1:
        warnings.warn(
            f"{part} holds a single folder, {folders[0].name}, which is read as one class although it holds "
            f"{listing((inner.name for inner in _folders(folders[0])), most=5)}; give {folders[0]} if those are "
            f"classes or splits",
            DataWarning,
            stacklevel=4,
        )
    for entry, own in images.items():
        kept = [name for name in own if name not in masks]
        if own and not kept:
            continue
        if split is not None and split_name(entry.name) is not None:
            warnings.warn(
                f"folder {entry} has the name of a split, but is read as a class, because it lies in another",
                DataWarning,
                stacklevel=4,
            )
        label = clean(entry.name)
        found.classes.add(label)
        found.ids += kept
        found.labels += [label] * len(kept)
        if split is not None:
            found.splits += [split] * len(kept)


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_ignored_folder(entry.name))


def _split_folders(folder: Path) -> Mapping[str, Split]:
    """The folders that are splits; none if the folders are classes.

    Raises:
        InputError: Folders have names of splits in longer names.
    """
    folders = _folders(folder)
    words = {entry.name: _words(entry.name) for entry in folders}
    mentioned: dict[str, Split] = {
        name: splits[0]
        for name, own in words.items()
        if len(splits := [split for word in own if (split := split_name(word)) is not None]) == 1
    }
    named = {
        name: split
        for name, split in mentioned.items()
        if all(word in _FILLERS or split_name(word) is not None for word in words[name])
    }
    if len(set(named.values())) > 1 or (named and len(named) == len(folders)):
        return named
    if len(folders) > 1 and all(_PART.search(entry.name) for entry in folders):
        raise InputError(
            f"folders of {folder} look like parts of one set of images and not like classes: "
            f"{listing(entry.name for entry in folders)}; rename them, or give a table of labels"
        )
    if len(set(mentioned.values())) > 1:
        raise InputError(
            f"folders of {folder} look like splits and not like classes: {listing(mentioned)}; rename them to train, "
            f"val and test, or write a labels.csv"
        )
    for name in named:
        # Cars, trucks and trains are classes; a folder of class folders is none.
        if len(_folders(folder / name)) > 1:
            warnings.warn(
                f"folder {folder / name} has the name of a split, but is read as a class, because no other split lies "
                f"beside it",
                DataWarning,
                stacklevel=4,
            )
    return {}


def _words(name: str) -> list[str]:
    """The words of a name, without numbers: TrainSet, train_set and trainset are train and set."""
    parts = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    words: list[str] = []
    for part in (part.casefold() for part in parts):
        ending = next((filler for filler in _FILLERS if part.endswith(filler) and part != filler), "")
        stem = part.removesuffix(ending)
        words += [stem, ending] if ending and split_name(stem) else [part]
    return words


def _kind(folder: Path) -> str:
    """What a folder beside splits is, as far as its names tell."""
    inside = _folders(folder)
    copied = [entry.name for entry in inside if split_name(entry.name) is not None]
    if len(copied) > 1:
        return f"a copy with {listing(copied)}"
    count = sum(1 for _ in walk_images(folder))
    return f"{count} images" if count else "no image"


def _loose_images(folder: Path) -> int:
    return sum(is_image_name(entry.name) and entry.is_file() for entry in folder.iterdir())


def _content(folder: Path) -> str:
    names: Sequence[str] = sorted(entry.name for entry in folder.iterdir())
    if any(is_image_name(name) for name in names):
        return "images that lie in no class folder"
    return f"only {listing(names, most=5)}" if names else "nothing"
