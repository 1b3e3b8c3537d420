"""Unlabelled cases of several sequences, from folders and tables."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from medtail.data.datasets.image_files.found_files import FoundFiles
from medtail.data.datasets.tables.columns import columns_called
from medtail.data.datasets.tables.files import TABLE_EXTENSIONS, read_table
from medtail.data.datasets.tables.images import SEQUENCE_PREFIX
from medtail.data.datasets.tables.labels import required
from medtail.data.formats.image_files import image_paths, without_extension
from medtail.data.formats.sequences import SequenceFiles
from medtail.errors import InputError
from medtail.naming import listing

#: What stands between the name of a case and that of a sequence in the name of a file.
_BETWEEN = "_-. "


@final
@dataclass
class _Cases:
    """The files of each case, by its name and by sequence."""

    sequences: Sequence[str]
    files: dict[str, dict[str, Path]] = field(default_factory=dict)

    def add(self, name: str, files: dict[str, Path]) -> None:
        missing = [sequence for sequence in self.sequences if sequence not in files]
        if missing:
            raise InputError(
                f"case {name} must have the sequences {', '.join(self.sequences)}, but has no {listing(missing)}; add "
                f"the file, or name the files of each case in a table"
            )
        if name in self.files:
            raise InputError(f"cases must have different names, but {name} occurs twice; rename one of them")
        self.files[name] = files


def find_cases(paths: Sequence[Path], sequences: Sequence[str], *, volumes: bool) -> SequenceFiles:
    """Find cases of several sequences.

    Args:
        paths: Tables with a column ``image_<sequence>`` for each sequence, and maybe a column ``id``; and folders with
            files that are called by sequence, ``t1.nii.gz``, or by case and sequence, ``case07_t1.nii.gz``.
        sequences: Names of the channels, in their order.
        volumes: Whether a folder of DICOM slices is one file.

    Raises:
        InputError: A path is neither a folder nor a table, holds no case, or a case lacks a sequence or has it twice.
    """
    cases = _Cases(sequences)
    for path in paths:
        if path.is_dir():
            _add_folder(cases, path, volumes)
        elif path.is_file() and path.suffix.lower() in TABLE_EXTENSIONS:
            _add_table(cases, path)
        else:
            raise InputError(
                f"cases of several sequences ({', '.join(sequences)}) must be given as folders or tables, got {path}; "
                f"give the folder of the case"
            )
    by_sequence = {sequence: [files[sequence] for files in cases.files.values()] for sequence in sequences}
    return SequenceFiles(list(cases.files), by_sequence)


def _add_folder(cases: _Cases, folder: Path, volumes: bool) -> None:
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in image_paths([folder], volumes=volumes):
        named = _case_and_sequence(path, cases.sequences)
        if named is None:
            continue
        case, sequence = named
        if sequence in found[case]:
            raise InputError(
                f"case {case} must have one file of sequence {sequence}, but has {found[case][sequence]} and {path}; "
                f"remove one of them"
            )
        found[case][sequence] = path
    if not found:
        raise InputError(
            f"folder {folder} must hold files that are called by sequence ({', '.join(cases.sequences)}, maybe after "
            f"the name of the case), but holds none; rename them, or name them in a table"
        )
    for case, files in found.items():
        cases.add(case, files)


def _case_and_sequence(path: Path, sequences: Sequence[str]) -> tuple[str, str] | None:
    """The case and the sequence that a file name tells; None if it names no sequence."""
    stem = without_extension(path.name)
    # Of t1 and native_t1 the longer one is meant.
    for sequence in sorted(sequences, key=len, reverse=True):
        before = stem[: len(stem) - len(sequence)]
        if stem.casefold().endswith(sequence.casefold()) and (not before or before[-1] in _BETWEEN):
            case = before.rstrip(_BETWEEN)
            return str(path.parent / case if case else path.parent), sequence
    return None


def _add_table(cases: _Cases, table_file: Path) -> None:
    table, _ = read_table(table_file)
    columns = {column.casefold(): column for column in table.columns}
    wanted = {sequence: f"{SEQUENCE_PREFIX}{sequence}".casefold() for sequence in cases.sequences}
    missing = [f"{SEQUENCE_PREFIX}{sequence}" for sequence, name in wanted.items() if name not in columns]
    if missing:
        raise InputError(
            f"table {table_file} is missing columns {', '.join(missing)}, which name the files of each sequence; add "
            f"them"
        )
    files = FoundFiles(table_file.parent)
    names = {sequence: required(table, columns[name], table_file) for sequence, name in wanted.items()}
    paths = {sequence: files.resolve(own, table_file) for sequence, own in names.items()}
    id_column = next(iter(columns_called(table, ["id"])), None)
    ids = names[cases.sequences[0]] if id_column is None else required(table, id_column, table_file)
    for row, name in enumerate(ids):
        cases.add(name, {sequence: own[row] for sequence, own in paths.items()})
