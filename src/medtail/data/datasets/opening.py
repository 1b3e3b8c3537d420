"""Opening DATA, whatever its layout."""

from collections.abc import Callable
from pathlib import Path

from medtail.data.collection import ImageCollection
from medtail.data.datasets.class_folders import open_class_folders
from medtail.data.datasets.digits import open_digits
from medtail.data.datasets.list_files import LIST_EXTENSION, list_files, open_list_files, with_siblings
from medtail.data.datasets.medmnist import is_medmnist_name, open_medmnist
from medtail.data.datasets.npz import open_npz
from medtail.data.datasets.table import TABLE_EXTENSIONS, TABLE_NAMES, open_table
from medtail.data.formats.base import MAX_PIXELS
from medtail.errors import InputError
from medtail.naming import nearest

#: Data sets that need no file; the first line of each docstring says what it is.
BUILT_IN: dict[str, Callable[[], ImageCollection]] = {"digits-lt": open_digits}


def open_collection(data: str | Path, *, max_pixels: int = MAX_PIXELS) -> ImageCollection:
    """Open a data set: its table is read, its pixels are not.

    Args:
        data: A folder with one sub-folder per class (or split folders that hold them); a folder with ``labels.csv``
            or ``labels.parquet``, or such a file; a folder with list files (``…_train.txt`` with a path and a class id
            per line), or one of them; a MedMNIST-style ``.npz``; a name in :data:`BUILT_IN`; or a name in MedMNIST,
            such as ``dermamnist``, which is downloaded. A path that exists takes precedence over a name.
        max_pixels: Image files with more pixels are refused when they are read.

    Raises:
        InputError: There is no such data, or it has none of these layouts.

    Example:
        >>> digits = open_collection("digits-lt")
        >>> digits.class_counts("train").tolist()
        [100, 64, 41, 27, 17, 11, 7, 4, 3, 2]
    """
    path = Path(data)
    if path.is_dir():
        tables = [path / name for name in TABLE_NAMES if (path / name).is_file()]
        if len(tables) > 1:
            raise InputError(
                f"{path} must hold one table of labels, but has {' and '.join(TABLE_NAMES)}; name one"
            )
        if tables:
            return open_table(tables[0], str(data), max_pixels)
        if lists := list_files(path):
            return open_list_files(lists, str(data), max_pixels)
        return open_class_folders(path, str(data), max_pixels)
    if path.is_file():
        if path.suffix in TABLE_EXTENSIONS:
            return open_table(path, str(data), max_pixels)
        if path.suffix == LIST_EXTENSION:
            return open_list_files(with_siblings(path), str(data), max_pixels)
        if path.suffix == ".npz":
            return open_npz(path, str(data))
        raise InputError(
            f"DATA must be a folder, a table ({', '.join(TABLE_EXTENSIONS)}), a list ({LIST_EXTENSION}) or an .npz, "
            f"got the file {path}; give the folder it lies in"
        )
    if str(data) in BUILT_IN:
        return BUILT_IN[str(data)]()
    if is_medmnist_name(str(data)):
        return open_medmnist(str(data))
    raise InputError(
        f"DATA must be a path that exists, a name in MedMNIST or one of {', '.join(BUILT_IN)}, got {str(data)!r}"
        f"{nearest(str(data), BUILT_IN)}; check the path"
    )
