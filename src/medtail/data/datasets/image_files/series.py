"""Folders of DICOM slices inside class folders, each of which is one volume."""

import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import final

from medtail.data.collection import DataWarning
from medtail.data.formats.dicom import slices_by_series
from medtail.data.formats.image_files import may_be_dicom
from medtail.errors import InputError
from medtail.naming import listing

_log = logging.getLogger(__name__)

#: Slices of a class folder whose headers are read: it may hold tens of thousands.
_SAMPLE = 200


@final
@dataclass
class FoundSeries:
    """DICOM series that were found so far.

    Attributes:
        slices: By the folder of a volume, the number of its slices.
    """

    slices: dict[str, int] = field(default_factory=dict)

    def as_volumes(self, root: Path, class_folder: Path, images: Sequence[str]) -> list[str]:
        """Put the folder of every series in place of its slices.

        Slices that lie in the class folder itself stay images, which a warning says.

        Args:
            root: The folder that images are relative to.
            class_folder: The folder of their class.
            images: Relative paths of files.

        Raises:
            InputError: A folder holds slices of several series.
        """
        folders = {str(PurePosixPath(name).parent) for name in images if may_be_dicom(name)}
        own = class_folder.relative_to(root).as_posix()
        if own in folders and _holds_series(slices_by_series(class_folder, most=_SAMPLE)):
            warnings.warn(
                f"DICOM slices that lie directly in {class_folder} are read as one image each, although several are of "
                f"one series; put each series into a folder of its own to make it one volume",
                DataWarning,
                stacklevel=5,
            )
        for folder in sorted(folders - {own}):
            counts = slices_by_series(root / folder)
            if not _holds_series(counts):
                continue
            if len(counts) > 1:
                numbers = listing((f"{count} slices" for count in counts.values()), most=5)
                raise InputError(
                    f"folder {root / folder} must hold one DICOM series, which is one volume, but holds {len(counts)} "
                    f"({numbers}); put each into a folder of its own, or name files in a table of labels"
                )
            self.slices[folder] = counts.total()
        kept = (
            folder
            if (folder := str(PurePosixPath(name).parent)) in self.slices and may_be_dicom(name)
            else name
            for name in images
        )
        return list(dict.fromkeys(kept))

    def tell(self) -> None:
        """Report the volumes, if there are any."""
        if self.slices:
            fewest, most = min(self.slices.values()), max(self.slices.values())
            _log.info(
                "%d folders of DICOM slices are one volume each: by SeriesInstanceUID, ordered by position, %s slices "
                "(name the files in a table of labels to make each slice an image)",
                len(self.slices),
                fewest if fewest == most else f"{fewest} to {most}",
            )


def _holds_series(counts: Counter[str]) -> bool:
    """Whether there are two slices of one series."""
    return max(counts.values(), default=0) > 1
