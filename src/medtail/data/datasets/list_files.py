"""Lists of images, one ``path label`` per line and one file per split: ImageNet-LT, iNaturalist 2018, Places-LT."""

from collections.abc import Sequence
from pathlib import Path

from medtail.data.collection import ImageCollection, Split, sort_labels, split_name
from medtail.data.datasets.image_files.found_files import FoundFiles, relative_to
from medtail.data.datasets.origins import tell
from medtail.data.formats.image_files import ImageFiles
from medtail.errors import InputError
from medtail.naming import listing

LIST_EXTENSION = ".txt"


def list_files(folder: Path) -> list[Path]:
    """Find the list files of a folder: their names end in the name of a split, as in ``ImageNet_LT_train.txt``."""
    return sorted(
        path
        for path in folder.glob(f"*{LIST_EXTENSION}")
        if _parsed(path)[1] is not None and path.is_file() and not path.name.startswith(".")
    )


def open_list_files(files: Sequence[Path], data: str, max_pixels: int) -> ImageCollection:
    """Read the list files of one data set: each line is a path below their folder, a space, and a class id.

    The end of a file's name says its split (``_train``, ``_val``, ``_test``); a single file with another name has no
    split. Class names are the ids. Paths may contain spaces; empty lines are ignored. Missing images are reported
    together with unreadable ones, when pixels are loaded.

    Args:
        files: List files in one folder.
        data: DATA as the user gave it.
        max_pixels: Files with more pixels are refused when they are read.

    Raises:
        InputError: The files belong to several data sets, two of them to one split, a line is malformed (its number
            is named), a path leads out of the folder, an image occurs twice, or none of the images exists.
    """
    names = {_parsed(file)[0] for file in files}
    splits_of_files = {file: _parsed(file)[1] for file in files}
    if len(names) > 1:
        raise InputError(
            f"DATA must be the lists of one data set, but {files[0].parent} has those of {listing(sorted(names))} "
            f"({listing(file.name for file in files)}); give one of the files, whose other splits are then found"
        )
    if len(set(splits_of_files.values())) < len(files):
        raise InputError(
            f"DATA must have one list per split, but {files[0].parent} has "
            f"{listing(file.name for file in files)}; remove one"
        )
    folder = files[0].parent
    ids: list[str] = []
    labels: list[str] = []
    splits: list[Split] = []
    for file, split in splits_of_files.items():
        paths, classes = _read(file)
        ids += paths
        labels += classes
        if split is not None:
            splits += [split] * len(paths)
    if ids and not any((folder / name).exists() for name in ids):
        found = FoundFiles(folder)
        if not found.some(ids):
            raise InputError(
                f"none of the {len(ids)} images named in {listing(file.name for file in files)} is in {folder} "
                f"(first: {ids[0]}){found.nearest(ids[0])}; put the lists into the folder that their paths start from"
            )
        paths_of_images = found.resolve(ids, files[0])
    else:
        paths_of_images = [folder / name for name in ids]
    tell(data, labels="the lists", groups=None, splits="the names of the lists" if splits else None)
    return ImageCollection.build(
        name=names.pop() or folder.resolve().name,
        data=data,
        ids=ids,
        labels=labels,
        source=ImageFiles(paths_of_images, max_pixels),
        class_names=sort_labels(set(labels)),
        splits=splits or None,
    )


def with_siblings(file: Path) -> list[Path]:
    """A list with those of the other splits beside it: naming one opens all. A list without a split stands alone."""
    name, split = _parsed(file)
    if split is None:
        return [file]
    return [other for other in list_files(file.parent) if _parsed(other)[0] == name]


def _parsed(file: Path) -> tuple[str, Split | None]:
    """The data set and the split in the name of a list: ImageNet_LT_train.txt gives (ImageNet_LT, train)."""
    for separator in ("_", "-", "."):
        name, _, ending = file.stem.rpartition(separator)
        split = split_name(ending)
        if split is not None:
            return name, split
    return file.stem, None


def _read(file: Path) -> tuple[list[str], list[str]]:
    """Normalised paths, and class ids as text."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"list {file} must be text in UTF-8, but is not ({error}); save it again") from error
    paths: list[str] = []
    labels: list[str] = []
    for number, line in enumerate(lines, start=1):
        words = line.rsplit(maxsplit=1)
        if not words:
            continue
        if len(words) < 2 or not (words[1].isascii() and words[1].isdecimal()):
            raise InputError(
                f"line {number} of {file} must be a path and a class id (a whole number), e.g. train/0001.jpg 17, got "
                f"{_short(line.strip())!r}; fix it, or move the file elsewhere if it is not a list of images"
            )
        path = relative_to(file.parent, words[0].strip())
        if path is None:
            raise InputError(
                f"line {number} of {file} must name an image below {file.parent}, got {_short(words[0])!r}; move the "
                f"image or the list"
            )
        paths.append(path)
        # Without int: it takes a limited number of digits.
        labels.append(words[1].lstrip("0") or "0")
    if not paths:
        raise InputError(f"list {file} must have a line for each image, but has none; fill or remove it")
    return paths, labels


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
