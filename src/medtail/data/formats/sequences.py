"""Several files per case, one channel each: T1, T1 with contrast, T2, FLAIR."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import final

import numpy as np

from medtail.data.formats.base import most_pixels
from medtail.data.formats.grey_windows import GreyWindow, WholeRange
from medtail.data.formats.image_files import ImageFiles, answer, file_format
from medtail.data.formats.sources import ImageForm, ImageSource, UnreadableImageError
from medtail.naming import listing

#: Millimetres by which the corners of the volumes of one case may differ, because programs round headers.
TOLERANCE = 0.1


@final
class SequenceFiles(ImageSource):
    """Grey images or volumes of one case, registered to each other, as channels in the given order.

    The files of a case must have one shape and, if their format says where voxels lie, one place in the patient:
    nothing is resampled, so others would not line up.

    Args:
        names: Name of the case of each row, for messages.
        sequences: Files of each sequence, by its name, one per row.
        max_pixels: Files with more pixels are refused.
        window: How 16-bit grey pictures become 8-bit ones.
    """

    max_pixels: int

    def __init__(
        self,
        names: Sequence[str],
        sequences: Mapping[str, Sequence[Path]],
        max_pixels: int | None = None,
        window: GreyWindow | None = None,
    ) -> None:
        self.names = list(names)
        max_pixels = most_pixels() if max_pixels is None else max_pixels
        self.window = WholeRange() if window is None else window
        self.sequences = {
            name: ImageFiles(paths, max_pixels, self.window) for name, paths in sequences.items()
        }
        self.max_pixels = max_pixels
        self.channel_names = tuple(sequences)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int, *, at_least: int = 0) -> np.ndarray:
        self._check_one_place(row, self.form(row).shape)
        # Decoded at a lower resolution, files of one size could come out in two sizes.
        channels = [files.read(row) for files in self.sequences.values()]
        for name, channel in zip(self.sequences, channels, strict=True):
            if channel.shape[-1] != 1:
                raise UnreadableImageError(
                    self.names[row], f"is in colour where one channel is expected (image_{name})"
                )
        self._check_alike(row, "shapes", [channel.shape[:-1] for channel in channels])
        return np.concatenate(channels, axis=-1)

    def deep_greys(self, row: int) -> np.ndarray | None:
        deep = [values for files in self.sequences.values() if (values := files.deep_greys(row)) is not None]
        return np.concatenate([values.ravel() for values in deep]) if deep else None

    def form(self, row: int) -> ImageForm:
        forms = [files.form(row) for files in self.sequences.values()]
        self._check_alike(row, "shapes", [form.shape for form in forms])
        first = forms[0]
        return ImageForm(
            first.height, first.width, first.mode, first.depth, first.spacing, channels=len(forms)
        )

    def files(self, row: int) -> tuple[Path, ...]:
        return tuple(path for files in self.sequences.values() for path in files.files(row))

    def select(self, rows: np.ndarray) -> "SequenceFiles":
        return SequenceFiles(
            [self.names[row] for row in rows],
            {name: [files.paths[row] for row in rows] for name, files in self.sequences.items()},
            self.max_pixels,
            self.window,
        )

    def limited(self, max_pixels: int) -> "SequenceFiles":
        return SequenceFiles(self.names, self._paths, max_pixels, self.window)

    def windowed(self, window: GreyWindow) -> "SequenceFiles":
        return SequenceFiles(self.names, self._paths, self.max_pixels, window)

    @property
    def _paths(self) -> dict[str, list[Path]]:
        return {name: files.paths for name, files in self.sequences.items()}

    def _check_alike(self, row: int, what: str, values: Sequence[tuple[int, ...]]) -> None:
        if len(set(values)) > 1:
            described = (
                f"image_{name} {' x '.join(map(str, value))}"
                for name, value in zip(self.sequences, values, strict=True)
            )
            raise UnreadableImageError(
                self.names[row],
                f"has sequences of different {what} ({listing(described)}; resample them to one)",
            )

    def _check_one_place(self, row: int, shape: tuple[int, ...]) -> None:
        paths = [files.paths[row] for files in self.sequences.values()]
        affines = [answer(path, lambda path=path: file_format(path).affine(path)) for path in paths]  # type: ignore[misc]
        known = [
            (name, affine) for name, affine in zip(self.sequences, affines, strict=True) if affine is not None
        ]
        # An affine takes (width, height, depth, 1) to millimetres.
        corners = np.array([(*corner, 1) for corner in product(*((0, side) for side in shape[::-1]))])
        for name, affine in known[1:]:
            apart = np.abs((affine - known[0][1])[:3] @ corners.T).max()
            if apart > TOLERANCE:
                raise UnreadableImageError(
                    self.names[row],
                    f"has sequences that lie {apart:.3g} mm apart in the patient (image_{known[0][0]} and "
                    f"image_{name}, by their affines; resample them to one)",
                )
