"""Folders with one sub-folder per class."""

from collections.abc import Sequence
from pathlib import Path

from medtail.data.collection import ImageCollection, Split, sort_labels, split_name
from medtail.data.formats.image_files import (
    EXTENSIONS,
    ImageFiles,
    is_ignored_folder,
    is_image_name,
    walk_images,
)
from medtail.errors import InputError
from medtail.naming import listing


def open_class_folders(folder: Path, data: str, max_pixels: int) -> ImageCollection:
    """Read a folder of class folders, or of split folders (train, val, test) that hold class folders.

    Labels are folder names, ids are paths below ``folder``. Files without the extension of an image are ignored; an
    empty class folder is a class without images.

    Args:
        folder: Folder of class folders.
        data: DATA as the user gave it.
        max_pixels: Files with more pixels are refused when they are read.

    Raises:
        InputError: There is no class folder, or no class folder holds an image.
    """
    parts = _parts(folder)
    classes: set[str] = set()
    ids: list[str] = []
    labels: list[str] = []
    splits: list[Split] = []
    for split, part in parts:
        for class_folder in _folders(part):
            classes.add(class_folder.name)
            images = [
                (class_folder / name).relative_to(folder).as_posix() for name in walk_images(class_folder)
            ]
            ids += images
            labels += [class_folder.name] * len(images)
            if split is not None:
                splits += [split] * len(images)
    if not ids:
        raise InputError(
            f"DATA must be a folder with one sub-folder of images ({', '.join(EXTENSIONS)}) per class, or hold "
            f"labels.csv; {folder} holds {_content(folder)}; check the path"
        )
    return ImageCollection.build(
        name=folder.resolve().name,
        data=data,
        ids=ids,
        labels=labels,
        source=ImageFiles((folder / name for name in ids), max_pixels),
        class_names=sort_labels(classes),
        splits=splits or None,
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_ignored_folder(entry.name))


def _parts(folder: Path) -> Sequence[tuple[Split | None, Path]]:
    """The folders that hold class folders, each with its split; a single one if the data has no splits."""
    folders = _folders(folder)
    named = [(split_name(part.name), part) for part in folders]
    # Folders such as "train" and "test" are splits, but only if no other folder lies beside them.
    if folders and all(split is not None for split, _ in named):
        return named
    return [(None, folder)]


def _content(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if any(is_image_name(name) for name in names):
        return "images that lie in no class folder"
    return f"only {listing(names, most=5)}" if names else "nothing"
