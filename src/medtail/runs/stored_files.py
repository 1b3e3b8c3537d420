"""Reading the files of a run: each returns what a sound file holds, or says which file, what is wrong, and what to do.

Files are trusted no further than they can be checked: a table of predictions carries a digest of its values, and
``.npz`` files and checkpoints are archives whose parts carry checksums.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtail.errors import InputError
from medtail.files import load_yaml, replacing
from medtail.naming import listing

#: What to do about a damaged file, unless its reader knows better.
RESTORE = "restore it from a copy or train the run again"


def damaged(path: Path, problem: object, remedy: str = RESTORE) -> InputError:
    """Return the refusal of a file of a run.

    Example:
        >>> str(damaged(Path("run/summary.json"), "is not JSON"))
        'run/summary.json is damaged: it is not JSON; restore it from a copy or train the run again'
    """
    return InputError(f"{path} is damaged: it {' '.join(str(problem).split())}; {remedy}")


@contextmanager
def reading(path: Path, kind: str, remedy: str = RESTORE) -> Iterator[None]:
    """Turn what goes wrong while a file is decoded into the sentence that names it.

    Args:
        path: The file.
        kind: What it should be, as in "readable JSON".
        remedy: What to do.

    Raises:
        InputError: The block raised anything but an ``InputError``. A file that cannot be opened at all keeps its
            ``OSError``, which says why.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Decoders raise almost anything on broken bytes.
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise damaged(path, f"is not {kind} ({why})", remedy) from error


def decode_json(path: Path, remedy: str = RESTORE) -> Any:
    """Read a JSON file, whatever it holds.

    Raises:
        InputError: It is not JSON.
    """
    with reading(path, "readable JSON", remedy):
        return json.loads(path.read_text(encoding="utf-8"))


def read_json(path: Path, remedy: str = RESTORE) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        InputError: It is not JSON, or holds something else.
    """
    content = decode_json(path, remedy)
    if not isinstance(content, dict):
        raise damaged(path, f"must hold names with values, not {type(content).__name__}", remedy)
    return content


def require_keys(path: Path, content: Mapping[str, Any], keys: Iterable[str], remedy: str = RESTORE) -> None:
    """Refuse content that lacks a key.

    Raises:
        InputError: It lacks some, which the message names.
    """
    missing = [key for key in keys if key not in content]
    if missing:
        raise damaged(path, f"is missing {', '.join(missing)}", remedy)


def read_yaml(path: Path, remedy: str = RESTORE) -> dict[str, Any]:
    """Read a YAML file that holds sections, without trusting its size, depth or references.

    Raises:
        InputError: It is not YAML, holds something else, or is built to exhaust its reader.
    """
    with reading(path, "readable YAML", remedy):
        content = load_yaml(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise damaged(path, f"must hold sections, not {type(content).__name__}", remedy)
    return content


def read_csv(
    path: Path, *, numbers: Iterable[str] = (), texts: Iterable[str] = (), remedy: str = RESTORE
) -> pd.DataFrame:
    """Read a CSV file of a run.

    Args:
        path: The file.
        numbers: Columns that must be there and hold numbers.
        texts: Columns that must be there, read as they are.
        remedy: What to do about a damaged file.

    Raises:
        InputError: It is not CSV, has no row of these columns, lacks a column, or holds text where numbers belong.
    """
    numbers, texts = list(numbers), list(texts)
    with reading(path, "a readable CSV table", remedy):
        # A class or an image may be called NA.
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=not texts)
    missing = [name for name in (*numbers, *texts) if name not in table]
    if missing:
        raise InputError(f"{path} is missing columns {listing(missing)}; {remedy}")
    if (numbers or texts) and table.empty:
        raise damaged(path, "has no row", remedy)
    check_numbers(path, table, numbers, remedy)
    for name in texts:
        if (table[name].isna() | (table[name] == "")).any():
            raise damaged(path, f"has rows without {name}", remedy)
    return table


def check_numbers(path: Path, table: pd.DataFrame, columns: Iterable[str], remedy: str = RESTORE) -> None:
    """Refuse a table with text where numbers belong.

    Raises:
        InputError: A column holds text, which the message names.
    """
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise damaged(path, f"has text in the column {name} of numbers", remedy)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by their names to a compressed ``.npz`` file, for :func:`read_arrays`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        # To a type checker, any name might be that of the function's own argument.
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Read plain arrays from an ``.npz`` file, whose parts carry checksums.

    Raises:
        InputError: It is no such archive, a part of it is damaged, or an array is missing.
    """
    with reading(path, "a readable .npz archive"), np.load(path, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array, not several with names")
        missing = [name for name in names if name not in archive]
        if missing:
            raise InputError(f"{path} must hold the arrays {', '.join(names)}, lacks {', '.join(missing)}")
        return {name: archive[name] for name in (*names, *optional) if name in archive}


def check_archive(path: Path, remedy: str = RESTORE) -> None:
    """Compare every part of a zip archive, such as a checkpoint, with the checksum that it carries.

    Raises:
        InputError: It is no archive, or a part of it was changed.
    """
    with reading(path, "a whole archive", remedy), zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        if broken is not None:
            raise damaged(path, f"was changed after it was written ({broken} fails its checksum)", remedy)


def digest_of(values: Mapping[str, Any]) -> str:
    """Return a hash of plain values, whatever the order of their names.

    Example:
        >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def table_digest(table: pd.DataFrame) -> str:
    """Return a hash of the names and values of a table."""
    digest = hashlib.blake2b(digest_size=16)
    for name in table.columns:
        digest.update(f"{name}\0".encode())
        values = table[name].to_numpy()
        if values.dtype.kind in "iufb":
            digest.update(np.ascontiguousarray(values.astype(np.float64)).data)
        else:
            digest.update("\0".join(map(str, values)).encode())
    return digest.hexdigest()
