"""Stratified group k-fold: every image is judged once, by a model that saw nothing of its group."""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.checks import whole_number
from medtail.data.collection import DataWarning, ImageCollection, memberships
from medtail.data.fingerprint import length_prefixed
from medtail.data.splitting.stratification import Stratification, group_members, groups_of_classes
from medtail.errors import InputError
from medtail.files import replacing, with_cells
from medtail.naming import listing


def assign_folds(
    collection: ImageCollection, folds: int, seed: int = 0, *, together: np.ndarray | None = None
) -> "pd.Series[int]":
    """Give every image a fold, stratified by class, with no group in two folds.

    The draw is that of :func:`medtail.data.assign_splits`, with equal shares: it depends only on ids, groups, labels
    and the seed, not on the order of rows. Images with several labels count for each of them, and images without any
    label form one more class.

    Args:
        collection: Images; an image without a group is a group of its own. Splits are ignored.
        folds: Number of folds, at least 2; 5 is usual.
        seed: Seed of the draw.
        together: Group of each image ``(N,)`` in the draw, in place of those of the table.

    Returns:
        The fold of each row, from 1 to ``folds``.

    Raises:
        InputError: ``folds`` is below 2 or above the number of groups, or all images of a class end up in one fold, so
            that the model judged there has never seen the class.

    Example:
        >>> from medtail.data import open_collection
        >>> assign_folds(open_collection("digits-lt"), 4).value_counts().sort_index().to_dict()
        {1: 219, 2: 219, 3: 219, 4: 219}
    """
    kind = collection.group_column or "image"
    whole_number("folds", folds, low=2, remedy="5 is usual")
    keys, members = group_members(collection.with_groups(together), np.arange(len(collection)))
    if folds > len(members):
        once = "" if together is None else ", where copies count once"
        raise InputError(
            f"folds must be at most the number of {kind}s, got {folds} for {len(members)} of "
            f"{collection.data}{once}; lower it"
        )
    parts = [str(fold) for fold in range(1, folds + 1)]
    part_of = Stratification(members, dict.fromkeys(parts, 1.0 / folds), seed, tiers=[parts]).run()
    assigned = np.array([int(part_of[key]) for key in keys])
    _check_classes(collection, assigned, folds, groups_of_classes(members))
    return pd.Series(assigned, name="fold")


def without_test_split(collection: ImageCollection) -> ImageCollection:
    """The images that folds are drawn from: all but a given test split; other given splits are dropped."""
    if "split" not in collection.table:
        return collection
    rest = collection.without(collection.rows("test"))
    return replace(rest, table=rest.table.drop(columns="split"))


def with_test_fold(collection: ImageCollection, assigned: "pd.Series[int]", fold: int) -> ImageCollection:
    """One fold as the test split, the others for training (and for validation, which is drawn from them)."""
    splits = ["test" if own == fold else "train" for own in assigned]
    return collection.with_splits(pd.Series(splits))


def write_folds(collection: ImageCollection, assigned: "pd.Series[int]", path: Path) -> None:
    """Write a table of the fold of each image: ``id``, ``group`` if known, ``fold``."""
    columns = [column for column in ("id", "group") if column in collection.table]
    with replacing(path) as temporary:
        with_cells(collection.table[columns]).assign(fold=assigned.to_numpy()).to_csv(temporary, index=False)


def folds_fingerprint(collection: ImageCollection, assigned: "pd.Series[int]") -> str:
    """SHA-256 of ids, labels, groups and folds, sorted by id: equal if the same images are divided alike."""
    table = collection.table
    columns = ["id", *collection.label_columns, *(["group"] if "group" in table else [])]
    rows = table[columns].astype(str).assign(fold=assigned.to_numpy().astype(str)).sort_values("id")
    return hashlib.sha256(length_prefixed(map(str, rows.to_numpy().ravel()))).hexdigest()


def _check_classes(
    collection: ImageCollection, assigned: np.ndarray, folds: int, groups: dict[int, int]
) -> None:
    positions, classes = memberships(collection.targets)
    held = np.zeros((folds, len(collection.class_names)), dtype=bool)
    held[assigned[positions] - 1, classes] = True
    kind = collection.group_column or "image"

    def named(targets: np.ndarray) -> str:
        return listing(
            f"{collection.class_names[target]} ({groups.get(int(target), 0)} {kind}"
            f"{'' if groups.get(int(target), 0) == 1 else 's'})"
            for target in targets
        )

    in_folds = held.sum(axis=0)
    if (in_folds < 2).any():
        raise InputError(
            f"every class must lie in at least two folds, or else the model that judges it has never seen it, but "
            f"{collection.data} has too few images of {named(np.flatnonzero(in_folds < 2))}; add images, keep "
            f"the other classes with `classes`, or make one class of several with `merge`"
        )
    if (in_folds < folds).any():
        warnings.warn(
            f"classes that are not in each of {folds} folds are left out of the metrics of the other folds: "
            f"{named(np.flatnonzero(in_folds < folds))}",
            DataWarning,
            stacklevel=3,
        )
