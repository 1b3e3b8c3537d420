"""Opening DATA, whatever its layout."""

import warnings
from collections.abc import Callable
from pathlib import Path

from medtail.data.collection import DataWarning, ImageCollection
from medtail.data.datasets.class_folders import open_class_folders
from medtail.data.datasets.list_files import LIST_EXTENSION, list_files, open_list_files, with_siblings
from medtail.data.datasets.npz import open_npz
from medtail.data.datasets.published.cifar import is_cifar, open_cifar
from medtail.data.datasets.published.digits import open_digits
from medtail.data.datasets.published.medmnist import is_medmnist_name, open_medmnist
from medtail.data.datasets.tables.columns import BY_NAME, TableColumns
from medtail.data.datasets.tables.files import TABLE_EXTENSIONS, tables_in
from medtail.data.datasets.tables.others import describes_images
from medtail.data.datasets.tables.table import TABLE_NAMES, open_table
from medtail.data.formats.base import most_pixels
from medtail.errors import InputError
from medtail.naming import is_plain, nearest

#: Data sets that need no file; :mod:`medtail.data.datasets.descriptions` says what each is.
BUILT_IN: dict[str, Callable[[], ImageCollection]] = {"digits-lt": open_digits}


def open_collection(
    data: str | Path, *, columns: TableColumns = BY_NAME, max_pixels: int | None = None
) -> ImageCollection:
    """Open a data set: its table is read, its pixels are not.

    A line of the log (logger ``medtail``) says where labels, groups and splits come from.

    Args:
        data: A folder with one sub-folder per class (or split folders that hold them); a folder with ``labels.csv``
            or ``labels.parquet``, or with one other table of images, or such a file; a folder with list files
            (``…_train.txt`` with a path and a class id per line), or one of them; a MedMNIST-style ``.npz``; a folder
            of CIFAR-10 or CIFAR-100 as published; a name in :data:`BUILT_IN`; or a name in MedMNIST, such as
            ``dermamnist``, which is downloaded. A path that exists takes precedence over a name.
        columns: Columns of a table that their names do not tell.
        max_pixels: Image files with more pixels are refused when they are read; None takes ``$MEDTAIL_MAX_PIXELS``, or
            80 million.

    Raises:
        InputError: There is no such data, it has none of these layouts, or columns are named and it is no table.

    Example:
        >>> digits = open_collection("digits-lt")
        >>> digits.class_counts("train").tolist()
        [100, 64, 41, 27, 17, 11, 7, 4, 3, 2]
    """
    max_pixels = most_pixels() if max_pixels is None else max_pixels
    if not str(data):
        raise InputError(
            "DATA must be a path or the name of a data set, got an empty text; name the current folder `.`"
        )
    if not is_plain(str(data)):
        raise InputError(f"DATA must be a path in UTF-8, got {str(data)!r}; rename the file or folder")
    table = _table(Path(data))
    if table is not None:
        root = Path(data) if Path(data).is_dir() else table.parent
        return open_table(table, str(data), max_pixels, columns, root)
    if columns.given():
        raise InputError(
            f"`{next(iter(columns.given()))}` names a column of a table, but {data} is read without one; leave it out, "
            f"or give the table"
        )
    return _open_without_table(Path(data), str(data), max_pixels)


def _table(path: Path) -> Path | None:
    """The table that a file is, or that a folder is read through; None if the data is of another kind."""
    if path.is_file() and path.suffix.lower() in TABLE_EXTENSIONS:
        return path
    if not path.is_dir():
        return None
    tables = tables_in(path)
    named = [table for table in tables if table.name.lower() in TABLE_NAMES]
    found = named or [table for table in tables if describes_images(table, path)]
    if not found:
        # The ground truth of ISIC has a folder of its own, beside that of the images.
        inside = [
            table for folder in sorted(path.iterdir()) if folder.is_dir() for table in tables_in(folder)
        ]
        found = [table for table in inside if describes_images(table, path)]
    if len(found) > 1:
        raise InputError(
            f"{path} must hold one table of labels, but has {' and '.join(table.name for table in found)}; name one"
        )
    if found and not named:
        warnings.warn(
            f"labels are read from {found[0]}, the only table in {path} with labels of images that exist; folders "
            f"there are no classes",
            DataWarning,
            stacklevel=3,
        )
    return found[0] if found else None


def _open_without_table(path: Path, data: str, max_pixels: int) -> ImageCollection:
    if path.is_dir():
        if lists := list_files(path):
            return open_list_files(lists, data, max_pixels)
        if is_cifar(path):
            return open_cifar(path, data)
        return open_class_folders(path, data, max_pixels)
    if path.is_file():
        if path.suffix == LIST_EXTENSION:
            return open_list_files(with_siblings(path), data, max_pixels)
        if path.suffix == ".npz":
            return open_npz(path, data)
        raise InputError(
            f"DATA must be a folder, a table ({', '.join(TABLE_EXTENSIONS)}), a list ({LIST_EXTENSION}) or an .npz, "
            f"got the file {path}; {_remedy(path)}"
        )
    if data in BUILT_IN:
        return BUILT_IN[data]()
    if is_medmnist_name(data):
        return open_medmnist(data)
    raise InputError(
        f"DATA must be a path that exists, a name in MedMNIST or one of {', '.join(BUILT_IN)}, got {data!r}"
        f"{nearest(data, BUILT_IN)}; check the path"
    )


def _remedy(path: Path) -> str:
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        return "save the sheet as .csv"
    if path.suffix.lower() in (".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"):
        return "unpack it and give the folder"
    return "give the folder it lies in"
