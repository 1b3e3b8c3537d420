"""Groups of images that belong together: from a column, or from the folders of patients."""

import re
import warnings
from collections.abc import Sequence

from medtail.data.collection import DataWarning
from medtail.data.datasets.values import similar
from medtail.naming import listing

#: Part of a path that names a patient, as in CheXpert and MURA: patient00001, Subject-07, p_12 is too short to tell.
_PATIENT = re.compile(r"(?:patient|subject|participant|case)[ _-]?(?:id)?[ _-]?[0-9]+", re.IGNORECASE)


def groups_of(values: Sequence[str], column: str, ids: Sequence[str], where: str) -> list[str]:
    """The group of each image, from a column; an image without a value is a group of its own.

    Args:
        values: The column as text, empty where a value is missing.
        column: Its name.
        ids: Image ids.
        where: The table, for messages.
    """
    missing = values.count("")
    if missing:
        warnings.warn(
            f"column {column} of {where} is empty for {missing} of {len(values)} images, each of which is taken for a "
            f"group of its own",
            DataWarning,
            stacklevel=4,
        )
    if alike := similar(value for value in values if value):
        warnings.warn(
            f"values of {column} in {where} that differ only by case, blanks or zeros are kept as different groups, "
            f"which may be in different splits: {listing(alike, most=5)}; spell them alike if they are one",
            DataWarning,
            stacklevel=4,
        )
    taken = set(values)

    def own(identity: str) -> str:
        name = f"image {identity}"
        while name in taken:
            name += "'"
        return name

    return [value or own(identity) for value, identity in zip(values, ids, strict=True)]


def groups_in_paths(ids: Sequence[str]) -> list[str] | None:
    """The folder of a patient in each path, e.g. ``patient00001``; None unless every path has one and some share it.

    Example:
        >>> groups_in_paths(["train/patient1/a.png", "train/patient1/b.png", "valid/Patient 2/a.png"])
        ['patient1', 'patient1', 'Patient 2']
    """
    found = []
    for identity in ids:
        folders = identity.replace("\\", "/").split("/")[:-1]
        patient = next((folder for folder in folders if _PATIENT.fullmatch(folder)), None)
        if patient is None:
            return None
        found.append(patient)
    return found if len(set(found)) < len(found) else None
