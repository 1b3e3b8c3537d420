"""Segmentation masks that lie among the images they belong to."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from medtail.data.formats.image_files import without_extension

#: Ending of the name of a mask: BUSI's ``benign (1)_mask.png`` and ``benign (1)_mask_1.png``.
_ENDING = re.compile(
    r"[ _-](masks?|segmentation|seg|superpixels|lesion|roi|gt)([ _-]?[0-9]+)?$", re.IGNORECASE
)

_FOLDER = re.compile(r"(masks?|segmentations?|ground ?truths?|annotations?|superpixels|rois?)", re.IGNORECASE)


def mask_files(paths: Iterable[str]) -> set[str]:
    """The paths that are masks of others: by their ending, or by their folder, and there is an image of that name.

    Args:
        paths: Relative paths with ``/``.

    Example:
        >>> sorted(mask_files(["a/1.png", "a/1_mask.png", "a/2_mask.png", "a/masks/1.png"]))
        ['a/1_mask.png', 'a/masks/1.png']
    """
    all_paths = list(paths)
    named = {path: PurePosixPath(without_extension(path)) for path in all_paths}
    in_mask_folder = {
        path for path in all_paths if any(_FOLDER.fullmatch(_spaced(part)) for part in named[path].parts[:-1])
    }
    images = {(str(stem.parent), stem.name) for path, stem in named.items() if path not in in_mask_folder}
    names = {name for _, name in images}

    def is_mask(path: str) -> bool:
        stem = named[path]
        base = _ENDING.sub("", stem.name)
        if path in in_mask_folder:
            return bool({base, stem.name} & names)
        return base != stem.name and (str(stem.parent), base) in images

    return {path for path in all_paths if is_mask(path)}


def _spaced(folder: str) -> str:
    return " ".join(re.findall(r"[A-Za-z]+", folder))
