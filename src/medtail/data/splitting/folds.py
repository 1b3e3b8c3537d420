"""Stratified group k-fold: every image judged once, by a model that saw nothing of its group."""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.data.collection import DataWarning, ImageCollection, memberships
from medtail.data.splitting.stratification import Stratification, group_members, groups_of_classes
from medtail.errors import InputError
from medtail.files import replacing
from medtail.naming import listing


def assign_folds(collection: ImageCollection, folds: int, seed: int = 0) -> "pd.Series[int]":
    """Give every image a fold, stratified by class, no group in two folds.

    The draw is that of :func:`medtail.data.assign_splits`, with equal shares: it depends on ids, groups, labels and
    the seed only, not on the order of rows. Images of several labels count for each of them, those without any as
    one more class.

    Args:
        collection: Images; an image without a group is a group of its own. Its splits are not looked at.
        folds: Number of folds, 2 or more; usual: 5.
        seed: Of the draw.

    Returns:
        The fold of each row, 1 to ``folds``.

    Raises:
        InputError: ``folds`` is below 2 or above the number of groups; all images of a class come to lie in one fold,
            so that the model judged there would have learned without it.

    Example:
        >>> from medtail.data import open_collection
        >>> assign_folds(open_collection("digits-lt"), 4).value_counts().sort_index().to_dict()
        {1: 219, 2: 219, 3: 219, 4: 219}
    """
    kind = collection.group_column or "image"
    if folds < 2:
        raise InputError(f"folds must be at least 2, got {folds}; 5 is usual")
    keys, members = group_members(collection, np.arange(len(collection)))
    if folds > len(members):
        raise InputError(
            f"folds must be at most the number of {kind}s, got {folds} for {len(members)} of {collection.data}; "
            f"lower it"
        )
    parts = [str(fold) for fold in range(1, folds + 1)]
    part_of = Stratification(members, dict.fromkeys(parts, 1.0 / folds), seed, tiers=[parts]).run()
    assigned = np.array([int(part_of[key]) for key in keys])
    _check_classes(collection, assigned, folds, groups_of_classes(members))
    return pd.Series(assigned, name="fold")


def without_test_split(collection: ImageCollection) -> ImageCollection:
    """The images that folds are drawn from: all but a test split the data brings; other splits are forgotten."""
    if "split" not in collection.table:
        return collection
    rest = collection.without(collection.rows("test"))
    return replace(rest, table=rest.table.drop(columns="split"))


def with_test_fold(collection: ImageCollection, assigned: "pd.Series[int]", fold: int) -> ImageCollection:
    """One fold as the test split, the others for training (and for validation, which is drawn from them)."""
    splits = ["test" if own == fold else "train" for own in assigned]
    return collection.with_splits(pd.Series(splits))


def write_folds(collection: ImageCollection, assigned: "pd.Series[int]", path: Path) -> None:
    """Write which image is in which fold: ``id``, ``group`` when known, ``fold``."""
    columns = [column for column in ("id", "group") if column in collection.table]
    with replacing(path) as temporary:
        collection.table[columns].assign(fold=assigned.to_numpy()).to_csv(temporary, index=False)


def folds_fingerprint(collection: ImageCollection, assigned: "pd.Series[int]") -> str:
    """SHA-256 over ids, labels, groups and folds, sorted by id: equal when the same images are divided alike."""
    table = collection.table
    columns = ["id", *collection.label_columns, *(["group"] if "group" in table else [])]
    rows = table[columns].astype(str).assign(fold=assigned.to_numpy().astype(str)).sort_values("id")
    digest = hashlib.sha256()
    for value in rows.to_numpy().ravel():
        encoded = str(value).encode()
        # The length in front keeps ("ab", "c") apart from ("a", "bc").
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


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
            f"every class must lie in two folds at least, or the model that judges it learned without it; "
            f"{collection.data} has too little of {named(np.flatnonzero(in_folds < 2))}; add images or remove the class"
        )
    if (in_folds < folds).any():
        warnings.warn(
            f"classes that are not in each of {folds} folds, whose metrics then leave them out: "
            f"{named(np.flatnonzero(in_folds < folds))}",
            DataWarning,
            stacklevel=3,
        )
