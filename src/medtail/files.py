"""Files: written atomically, so that no reader sees half of one, and YAML read without trusting it."""

import errno
import json
import os
import re
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from medtail.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: The errors of a disk, or a user's share of it, that is full; bytes below which nothing can be written.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_SPACE = 2**16

#: No text of settings is longer, is nested deeper, or stands for more values.
LONGEST = 2**18
DEEPEST = 40
MOST_VALUES = 10_000

#: What a spreadsheet would run as a formula.
_FORMULA = re.compile(r"'*[=+\-@]")

#: Files that a writer makes before it renames them: the target, the machine and the process.
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8})\.(\d+)\.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block succeeds.

    After an exception, the temporary file is removed and ``path`` is unchanged. What a writer of the same file left
    when it was killed is removed too.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("42")
        >>> target.read_text()
        '42'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent, f".{path.name}.")
    temporary = path.with_name(f".{path.name}.{_machine()}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except InputError:
        raise
    except Exception as error:
        # Libraries lose the reason, or which file it was.
        if getattr(error, "errno", None) in _FULL or shutil.disk_usage(path.parent).free < _NO_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_left_over(folder: Path, prefix: str = ".") -> None:
    """Remove the temporary files in a folder whose writers on this machine are dead.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> left = folder / f".answer.txt.{_machine()}.{2**22 + 1}.tmp"
        >>> _ = left.write_text("4")
        >>> remove_left_over(folder)
        >>> left.exists()
        False
    """
    for entry in os.scandir(folder):
        match = _TEMPORARY.fullmatch(entry.name) if entry.name.startswith(prefix) else None
        if match and match[1] == _machine() and not _lives(int(match[2])):
            Path(entry).unlink(missing_ok=True)


def _machine() -> str:
    """A short name of this machine: process numbers mean nothing on another."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _lives(process: int) -> bool:
    if os.name == "nt":  # There, the call below would end the process.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It belongs to somebody else.
        return True
    return True


def cell(text: str) -> str:
    """Return a name as a cell of a CSV file: behind an apostrophe where a spreadsheet would take it for a formula.

    Example:
        >>> cell("=HYPERLINK(1)"), cell("nevus"), cell("'-1")
        ("'=HYPERLINK(1)", 'nevus', "''-1")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """Return the name that :func:`cell` wrote.

    Example:
        >>> from_cell("'=HYPERLINK(1)"), from_cell("nevus"), from_cell("''-1")
        ('=HYPERLINK(1)', 'nevus', "'-1")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def with_cells(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table whose names are as :func:`cell` gives them, ready for CSV."""
    safe = table.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "iufb":
            safe[name] = [cell(value) if isinstance(value, str) else value for value in safe[name]]
    return safe


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path`` atomically, as indented JSON; NaN raises a ``ValueError``: JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def load_yaml(text: str) -> Any:
    r"""Return what a YAML text says, of the size of settings: ten lines can stand for a billion values.

    Raises:
        ValueError: It is longer than 256 KiB, nested deeper than 40 levels, stands for more than 10,000 values, or
            holds itself.
        yaml.YAMLError: It is not YAML.

    Example:
        >>> load_yaml("a: &scales [1, 2]\nb: *scales")
        {'a': [1, 2], 'b': [1, 2]}
        >>> load_yaml("[" * 50 + "]" * 50)
        Traceback (most recent call last):
        ValueError: it is nested deeper than 40 levels, the limit for settings
    """
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters, the limit for settings")
    _check_size(text)
    return yaml.safe_load(text)


def _check_size(text: str) -> None:
    """Count levels and values, references by what they stand for, before anything is built from them."""
    sizes: dict[str, int] = {}
    # The anchor of each part that is open, and the values in it so far.
    parts: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            parts.append((anchor, 0))
            size = 0
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                raise ValueError(f"it refers to *{anchor} within itself or before it is there")
            size = sizes[anchor]
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent):
            anchor, size = parts.pop() if isinstance(event, yaml.CollectionEndEvent) else (anchor, 0)
            size += 1
            if anchor is not None:
                sizes[anchor] = size
        else:
            continue
        parts[-1] = (parts[-1][0], parts[-1][1] + size)
        if parts[-1][1] > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES} values, the limit for settings")
        if len(parts) > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels, the limit for settings")
