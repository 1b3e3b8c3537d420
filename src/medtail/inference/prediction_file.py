"""Predictions of new images as CSV."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, final

import pandas as pd

from medtail.files import from_cell, with_cells
from medtail.runs.stored_files import damaged, digest_of


def predictions_csv(table: pd.DataFrame, *, header: bool = True) -> str:
    """Return predictions as CSV: six digits, and no name that a spreadsheet would run."""
    return with_cells(table).to_csv(index=False, header=header, float_format="%.6f", lineterminator="\n")


@final
class PredictionFile:
    """A CSV file of predictions that is written as they come, under another name until it is complete.

    The other name tells what predicts, so that only the same predictions are continued.

    Args:
        path: The file.
        identity: What tells this classifier from others, as :attr:`medtail.inference.Classifier.identity`.
        resume: Keep what a stopped command with the same classifier wrote.

    Attributes:
        images: Names of the images that are in the file already.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.{digest_of(identity)[:8]}.partial")
        self._rows = 0
        self.images: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and self._partial.is_file():
            self._read()
        else:
            self._partial.unlink(missing_ok=True)

    def _read(self) -> None:
        """Take over whole rows; the last one may be cut off."""
        content = self._partial.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            table = pd.read_csv(BytesIO(whole), dtype={"image": str}) if whole else pd.DataFrame()
        except ValueError as error:
            raise damaged(self._partial, f"is no CSV ({error})", "remove it and predict again") from error
        self._partial.write_bytes(whole)
        self._rows = len(table)
        self.images = {from_cell(name) for name in table["image"]} if self._rows else set()

    def append(self, table: pd.DataFrame) -> None:
        """Write more rows."""
        text = predictions_csv(table, header=not self._partial.is_file() or not self._partial.stat().st_size)
        try:
            with self._partial.open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self._rows += len(table)

    def finish(self) -> int:
        """Give the file its name; return the number of rows."""
        if self._partial.is_file():
            self._partial.replace(self.path)
        return self._rows
