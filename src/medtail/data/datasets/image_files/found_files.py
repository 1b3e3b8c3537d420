"""From the names of images in a table or list to files below its folder."""

import logging
import os
import re
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import final

from medtail.data.collection import DataWarning
from medtail.data.datasets.image_files.masks import mask_files
from medtail.data.formats.image_files import EXTENSIONS, walk_images, without_extension
from medtail.errors import InputError
from medtail.naming import listing, nearest

_log = logging.getLogger(__name__)

#: Extensions that are spellings of one another.
_SPELLINGS = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif"}

#: In a path: an absolute one, a backslash, or a part that is empty, ``.`` or ``..``.
_UNUSUAL = re.compile(r"\\|(?:^|/)\.{0,2}(?:/|$)")

#: The nearest name is searched for among at most this many.
_MOST_COMPARED = 20_000


@final
class FoundFiles:
    """The images below a folder, listed once, and those of them that names stand for.

    A name is a path with or without extension, below the folder or below its folder ``images``, or that of a folder
    of DICOM slices. Where there is no such file, the one file is taken whose path is the same but for the case of
    letters, the way accents are composed, backslashes, the extension, leading folders, or leading zeros of a number.
    Segmentation masks of the same name are passed over.

    Args:
        folder: The folder that names are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = set(walk_images(folder))
        self._folders = {file.rpartition("/")[0] or "." for file in self.files}

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _grouped(self.files, without_extension)

    @cached_property
    def _by_last_part(self) -> dict[str, list[str]]:
        return _grouped(self.files, lambda file: _parts(file)[-1])

    @cached_property
    def _by_number(self) -> dict[str, list[str]]:
        numbered: dict[str, list[str]] = defaultdict(list)
        for last, files in self._by_last_part.items():
            if last.isdecimal():
                numbered[last.lstrip("0")] += files
        return numbered

    @cached_property
    def _masks(self) -> set[str]:
        return mask_files(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def find(self, relative: str) -> str | None:
        """The file or folder of a name, without any liberty; None if there is none.

        Raises:
            InputError: Several files match.
        """
        candidates = (relative, f"images/{relative}")
        for candidate in candidates:
            if candidate in self.files:
                return candidate
        for candidate in candidates:
            matches = self._by_stem.get(candidate, [])
            if len(matches) > 1:
                raise InputError(
                    f"image {relative} must name one file, but {listing(sorted(matches))} match; add the extension"
                )
            if matches:
                return matches[0]
        return next((candidate for candidate in candidates if candidate in self._folders), None)

    def find_alike(self, relative: str) -> str | None:
        """The one file whose path is the name but for spelling, extension or leading folders; None if there is none.

        Raises:
            InputError: Several files match equally well.
        """
        wanted = _parts(relative)
        # The whole of the name or the whole of the path must agree: a/x.jpg is not b/x.jpg.
        alike = {
            file: len(parts)
            for file in self._by_last_part.get(wanted[-1], [])
            if _end_alike(wanted, parts := _parts(file))
        }
        same_kind = [file for file in alike if _kind(file) == _kind(relative)]
        matches = same_kind or list(alike)
        longest = max((min(alike[file], len(wanted)) for file in matches), default=0)
        matches = [file for file in matches if min(alike[file], len(wanted)) == longest]
        if len(matches) > 1:
            matches = [file for file in matches if file not in self._masks] or matches
        if len(matches) > 1:
            raise InputError(
                f"image {relative} must name one file, but {listing(sorted(matches))} match; write the path below "
                f"{self.folder}"
            )
        return matches[0] if matches else self._with_zeros(wanted[-1])

    def _with_zeros(self, number: str) -> str | None:
        """The one file called by a number whose leading zeros a spreadsheet has taken away."""
        shortened = number.isdecimal() and number == str(int(number))
        matches = self._by_number.get(number, []) if shortened else []
        return matches[0] if len(matches) == 1 else None

    def nearest(self, name: str) -> str:
        """``; did you mean X?`` for the file whose name is closest, or nothing."""
        close = nearest(name, sorted(self.files)[:_MOST_COMPARED])
        return close or nearest(_parts(name)[-1], list(self._by_last_part)[:_MOST_COMPARED])

    def some(self, names: Sequence[str]) -> bool:
        """Whether any of the names stands for a file."""
        return any(
            relative in self.files
            or relative in self._folders
            or f"images/{relative}" in self._folders
            or any(_end_alike(_parts(relative), _parts(file)) for file in self._of(relative))
            or self._with_zeros(relative) is not None
            for relative in map(self._relative, names)
            if relative is not None
        )

    def _relative(self, name: str) -> str | None:
        """A name as a path below the folder, where most are already; None if it leads out of it."""
        return relative_to(self.folder, name) if _UNUSUAL.search(name) else name

    def _of(self, relative: str) -> Sequence[str]:
        return self._by_last_part.get(_parts(relative)[-1], ())

    def resolve(self, names: Sequence[str], where: Path) -> list[Path]:
        """The file of each name; of a missing one the path where it would be, so that reading it reports that.

        Args:
            names: One per image.
            where: The file that names them, for messages.

        Raises:
            InputError: A name leads out of the folder, several files match it, two names stand for one file, or no
                image exists.
        """
        inside = [self._relative(name) for name in names]
        outside = [name for name, relative in zip(names, inside, strict=True) if relative is None]
        if outside:
            raise InputError(
                f"images must lie in the folder of the table, but {len(outside)} of {where} do not: "
                f"{listing(outside, most=5)}; move them or the table"
            )
        relatives = [str(relative) for relative in inside]
        exact = [self.find(relative) for relative in relatives]
        found = [file or self.find_alike(relative) for file, relative in zip(exact, relatives, strict=True)]
        if not any(found):
            raise InputError(
                f"none of the {len(names)} images named in {where} is in {self.folder} or {self.folder / 'images'} "
                f"(first: {names[0]}, tried as it is and with {', '.join(EXTENSIONS)}){self.nearest(names[0])}; put "
                f"the images there"
            )
        self._refuse_repeated(names, found, where)
        self._warn(names, exact, found, where)
        return [self.folder / (file or relative) for file, relative in zip(found, relatives, strict=True)]

    def _refuse_repeated(self, names: Sequence[str], found: Sequence[str | None], where: Path) -> None:
        named_by: dict[str, list[str]] = defaultdict(list)
        for name, file in zip(names, found, strict=True):
            if file is not None:
                named_by[file].append(name)
        repeated = [" and ".join(names) for names in named_by.values() if len(set(names)) > 1]
        if repeated:
            raise InputError(
                f"each image must be named once, but {where} names one twice: {listing(repeated, most=5)}; "
                f"remove the repeated rows"
            )

    def _warn(
        self, names: Sequence[str], exact: Sequence[str | None], found: Sequence[str | None], where: Path
    ) -> None:
        elsewhere = [
            (name, file)
            for name, plain, file in zip(names, exact, found, strict=True)
            if plain is None and file is not None
        ]
        moved = [f"{file} for {name}" for name, file in elsewhere if _only_moved(name, file)]
        alike = [f"{file} for {name}" for name, file in elsewhere if not _only_moved(name, file)]
        missing = [name for name, file in zip(names, found, strict=True) if file is None]
        if moved:
            _log.info(f"{len(moved)} of {len(names)} images are in other folders: {listing(moved, most=1)}")
        if alike:
            warnings.warn(
                f"images are not called as {where} says, but one file is called alike for each: {len(alike)} of "
                f"{len(names)} ({listing(alike, most=3)})",
                DataWarning,
                stacklevel=5,
            )
        if missing:
            warnings.warn(
                f"images named in {where} do not exist: {len(missing)} of {len(names)} "
                f"({listing(missing, most=3)}){self.nearest(missing[0])}",
                DataWarning,
                stacklevel=5,
            )


def relative_to(folder: Path, name: str) -> str | None:
    """``name`` as a path relative to a folder; None if it leads out of the folder, or is the folder.

    An absolute path may also lead there through links, because DATA is often a link to where the images lie.
    """
    # Text and not paths: a table may have a row for each of a million images.
    name = name.replace("\\", "/")
    root = os.path.normpath(Path.cwd() / folder)
    absolute = name.startswith("/")
    path = os.path.normpath(name if absolute else f"{root}/{name}")
    if absolute and not path.startswith(f"{root}/"):
        # Only folders are resolved: a link to an image may lead anywhere.
        root, path = os.path.realpath(root), f"{os.path.realpath(Path(path).parent)}/{Path(path).name}"
    return path.removeprefix(f"{root}/") if path.startswith(f"{root}/") else None


def _grouped(files: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    """Files by a key, sorted."""
    groups: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files):
        groups[key(file)].append(file)
    return groups


def _only_moved(name: str, file: str) -> bool:
    """Whether a file lies in other folders than its name says, and is called the same."""
    ends = (PurePosixPath(file).name, PurePosixPath(without_extension(file)).name)
    return PurePosixPath(name.replace("\\", "/")).name in ends


def _parts(path: str) -> list[str]:
    """A path in parts, without extension, case and accents' composition."""
    return unicodedata.normalize("NFC", without_extension(path)).casefold().split("/")


def _end_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


def _kind(path: str) -> str:
    extension = path[len(without_extension(path)) :].removeprefix(".").casefold()
    return _SPELLINGS.get(extension, extension)
