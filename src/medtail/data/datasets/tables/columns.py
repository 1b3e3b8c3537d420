"""Which column of a table holds images, labels, groups and splits."""

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import final

import pandas as pd

from medtail.data.collection import DataWarning, split_name
from medtail.data.datasets.values import texts
from medtail.errors import InputError
from medtail.naming import listing, nearest

# Names are compared in the form that `canonical` gives them; in each list the first that a table has is used.

#: Columns that name image files.
IMAGE_NAMES = (
    "image",
    "imageid",
    "imagename",
    "imagepath",
    "imagefile",
    "imagefilename",
    "imagefilepath",
    "imageindex",
    "filename",
    "filepath",
    "path",
    "file",
    "img",
    "imgid",
    "imgname",
    "imgpath",
    "imgfile",
    "idcode",
    "isicid",
    "dicomid",
    "xrayimagename",
    "md5hash",
    "id",
)

#: Columns of one class per image. The names that came first are also the ones that win over columns of 0 and 1.
PLAIN_LABEL_NAMES = ("label", "diagnosis", "dx")
LABEL_NAMES = (
    *PLAIN_LABEL_NAMES,
    "labels",
    "class",
    "classname",
    "classlabel",
    "classid",
    "category",
    "diagnostic",
    "diagnose",
    "disease",
    "findinglabels",
    "findinglabel",
    "finding",
    "findings",
    "pathology",
    "benignmalignant",
    "target",
    "level",
    "grade",
    "groundtruth",
)

#: Columns that say which images belong together, the coarsest first.
GROUP_NAMES = (
    *(
        stem + ending
        for stem in ("patient", "subject", "participant", "person", "individual", "donor", "animal", "mouse")
        for ending in ("", "id", "ids", "no", "number", "num", "nr", "code", "key", "name", "identifier")
    ),
    "pid",
    "mrn",
    *(
        stem + ending
        for stem in ("case", "lesion", "study", "exam", "accession", "series", "specimen", "slide")
        for ending in ("", "id", "no", "number", "num", "code", "uid", "instanceuid")
    ),
    "groupid",
    "id",
)

#: Columns of splits.
SPLIT_NAMES = (
    "split",
    "splits",
    "datasplit",
    "set",
    "subset",
    "partition",
    "phase",
    "usage",
    "dataset",
    "datasettype",
    "fold",
)

#: Columns of yes and no that tell splits apart; they are named, not used.
SPLIT_FLAGS = (
    *(
        "train",
        "istrain",
        "training",
        "istraining",
        "trainset",
        "intrain",
        "test",
        "istest",
        "testset",
        "intest",
    ),
    *(
        "val",
        "isval",
        "valid",
        "isvalid",
        "validation",
        "isvalidation",
        "valset",
        "holdout",
        "isholdout",
        "traintest",
    ),
)

#: In the name of a column, these speak of groups, unless one of the words below says otherwise.
_GROUP_WORDS = (
    *("patient", "subject", "participant", "person", "individual", "donor", "animal", "mouse", "mrn"),
    *("case", "lesion", "study", "exam", "accession", "series", "specimen", "slide", "visit", "eye", "group"),
    *("smear", "plate", "sample", "biopsy", "video", "wsi"),
)
_OTHER_WORDS = ("age", "sex", "gender", "race", "ethnic", "weight", "size", "height", "type", "date", "year")

#: In the name of a column, these speak of where, when or with what an image was made, unless it names a part of the
#: body as well.
_ACQUISITION_WORDS = (
    *("site", "hospital", "centre", "center", "clinic", "institut", "scanner", "device", "camera", "machine"),
    *(
        "vendor",
        "manufacturer",
        "station",
        "dataset",
        "source",
        "operator",
        "photographer",
        "protocol",
        "date",
    ),
)
_BODY_WORDS = ("anat", "body", "lesion", "tumor", "tumour", "primary", "locali", "biopsy", "update")

_NUMBERED = re.compile(r"[^\W\d]+[\w .-]*\d+", re.ASCII)

#: A column with such a bare name holds groups only if it has at most this many images per value on average.
_MOST_IMAGES_PER_GROUP = 20


@final
@dataclass(frozen=True)
class TableColumns:
    """Columns of a table by name, where the names alone do not say it; None leaves a column to its name.

    Attributes:
        image_column: Paths or ids of images.
        label_column: Class names.
        group_column: What images of one patient, lesion, … share; they never cross splits.
        split_column: train, validation or test.
        label_separator: What stands between several labels in one value, such as ``|`` in ``Effusion|Mass``; the
            images then carry several labels. None reads each value as one class.
        mask_column: Masks of what images are to be centred on, as :class:`CentredOnMasks` does; no name is taken for
            it, so that a table with masks is read as it always was.

    Example:
        >>> TableColumns(label_column="histology").label_column
        'histology'
    """

    image_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    label_separator: str | None = None
    mask_column: str | None = None

    def given(self) -> dict[str, str]:
        """The columns that were named, by argument."""
        return {name: value for name, value in vars(self).items() if value is not None}


#: Every column by its name.
BY_NAME = TableColumns()


def canonical(name: str) -> str:
    """The name of a column without case, blanks and punctuation.

    Example:
        >>> canonical("Patient ID"), canonical("patient_id ") == canonical("PatientID")
        ('patientid', True)
    """
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def columns_called(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The columns whose canonical name is one of ``names``, in the order of ``names``."""
    place = {name: order for order, name in enumerate(names)}
    called = [column for column in table.columns if canonical(column) in place]
    return sorted(called, key=lambda column: place[canonical(column)])


def named_column(table: pd.DataFrame, argument: str, name: str, where: object) -> str:
    """The column that an argument names, exactly or up to case, blanks and punctuation.

    Raises:
        InputError: There is no such column.
    """
    if name in table:
        return name
    alike = columns_called(table, [canonical(name)])
    if len(alike) != 1:
        raise InputError(
            f"`{argument}` must be a column of {where} ({listing(table.columns, most=20)}), got {name!r}"
            f"{nearest(name, table.columns)}; name one of them"
        )
    return alike[0]


def group_column(table: pd.DataFrame, image: str | None) -> str | None:
    """The column of groups, by its name; None if there is none."""
    usable = [
        column
        for column in columns_called(table, GROUP_NAMES)
        if column != image and _holds_groups(table, column)
    ]
    return usable[0] if usable else None


def _holds_groups(table: pd.DataFrame, column: str) -> bool:
    name, distinct = canonical(column), _distinct(table, column)
    if name == "id" and distinct == len(table):
        return False
    # A bare "case" or "study" may also be a kind of case, or a cohort.
    if name in _GROUP_WORDS and name not in ("patient", "subject"):
        return distinct >= 3 and len(table) <= _MOST_IMAGES_PER_GROUP * distinct
    return distinct > 0


def split_column(table: pd.DataFrame) -> str | None:
    """The column of splits, by its name; any but ``split`` must also hold nothing but names of splits."""
    usable = [
        column
        for column in columns_called(table, SPLIT_NAMES)
        if canonical(column) == "split" or _holds_splits(table, column)
    ]
    return usable[0] if usable else None


def _holds_splits(table: pd.DataFrame, column: str) -> bool:
    values = set(texts(table[column]))
    return all(split_name(value) is not None for value in values)


def _distinct(table: pd.DataFrame, column: str) -> int:
    return len(set(texts(table[column])) - {""})


def label_column(table: pd.DataFrame, candidates: list[str]) -> str:
    """Of several columns of labels the one to use: names win over numbers, and earlier ones over later ones.

    A warning names those that are not used and say something else about some images.
    """
    values = {column: texts(table[column]) for column in candidates}
    # False sorts before True, and min keeps the first of equals.
    chosen = min(candidates, key=lambda column: _all_numbers(values[column]))
    own = values[chosen]
    # A column that merges classes of the chosen one, or numbers them, contradicts nothing.
    others = [
        column
        for column in candidates
        if column != chosen and len(set(zip(own, values[column], strict=True))) > len(set(own))
    ]
    if others:
        warnings.warn(
            f"labels are read from column {chosen}, but {listing(others)} may hold labels too and differ; choose with "
            f"`label_column`",
            DataWarning,
            stacklevel=2,
        )
    return chosen


def _all_numbers(values: Iterable[str]) -> bool:
    def is_number(value: str) -> bool:
        try:
            float(value)
        except ValueError:
            return False
        return True

    return all(is_number(value) for value in values if value)


def warn_about_unused(
    table: pd.DataFrame, unused: Sequence[str], groups: Sequence[str] | None, split: str | None
) -> None:
    """Name columns that are not used although they look like groups or splits.

    Args:
        table: The table.
        unused: Its columns that are not used.
        groups: The group of each row, if known.
        split: The column of splits, if there is one.
    """
    looks: list[tuple[Callable[[str], bool], str]] = [
        (
            lambda column: _looks_like_split(table, column),
            "like splits, but are not used, so that test images may be trained on; name the one to use with "
            "`split_column`, or remove them"
            if split is None
            else f"like splits, but {split} is used; name another with `split_column`",
        ),
        (
            lambda column: _looks_like_groups(table, column, groups),
            "like groups, but are not used, so that images of one of them may cross splits; name the one to use with "
            "`group_column`, or remove them",
        ),
    ]
    for look, words in looks:
        found = [column for column in unused if look(column)]
        if found:
            warnings.warn(f"columns look {words}: {listing(found)}", DataWarning, stacklevel=3)


def _looks_like_split(table: pd.DataFrame, column: str) -> bool:
    values = set(texts(table[column])) - {""}
    if not 2 <= len(values) <= 12:
        return False
    return canonical(column) in (*SPLIT_NAMES, *SPLIT_FLAGS) or all(
        split_name(value) is not None for value in values
    )


def speaks_of_groups(name: str) -> bool:
    """Whether the name of a column or key speaks of patients, lesions and the like, and not of their age.

    Example:
        >>> speaks_of_groups("train_patient"), speaks_of_groups("Patient Age")
        (True, False)
    """
    word = canonical(name)
    return any(group in word for group in _GROUP_WORDS) and not any(other in word for other in _OTHER_WORDS)


def speaks_of_acquisition(name: str) -> bool:
    """Whether the name of a column speaks of where, when or with what an image was made.

    Example:
        >>> speaks_of_acquisition("Scanner model"), speaks_of_acquisition("anatom_site_general")
        (True, False)
    """
    word = canonical(name)
    return any(made in word for made in _ACQUISITION_WORDS) and not any(part in word for part in _BODY_WORDS)


def _are_ids(values: Set[str], rows: int) -> bool:
    """Whether values are names with numbers, such as ``smear_017``, of at most this many rows each."""
    return len(values) >= max(10, rows / 50) and all(_NUMBERED.fullmatch(value) for value in values)


def _looks_like_groups(table: pd.DataFrame, column: str, groups: Sequence[str] | None) -> bool:
    values = texts(table[column])
    distinct = set(values) - {""}
    if not speaks_of_groups(column) and not _are_ids(distinct, len(values)):
        return False
    repeated = 3 <= len(distinct) < len([value for value in values if value])
    if groups is None:
        return repeated
    # Lesions of one patient each are kept together with their patient.
    pairs = {pair for pair in zip(values, groups, strict=True) if pair[0]}
    return repeated and len(pairs) > len(distinct)
