"""Training, validation and test splits: given ones are used, missing ones are drawn."""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medtail.checks import number
from medtail.data.collection import SPLITS, DataWarning, ImageCollection, Split
from medtail.data.splitting.stratification import Stratification, group_members, groups_of_classes
from medtail.errors import InputError
from medtail.files import from_cell, replacing, with_cells
from medtail.naming import listing

#: The order in which splits get a class that has too few groups for all three.
_FIRST_SERVED: tuple[Split, ...] = ("train", "test", "validation")


def assign_splits(
    collection: ImageCollection,
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    seed: int = 0,
    parts: Sequence[Split] = SPLITS,
    together: np.ndarray | None = None,
) -> ImageCollection:
    """Give every image a split, stratified by class, with no group in two splits.

    Given splits are used as they are, but for the images of one that is not among ``parts``, which are trained on. If
    validation or test is missing, it is drawn from the training images (its fraction is then a fraction of these); if
    no split is given, all are drawn. The draw depends only on ids, groups, labels and the seed, not on the order of
    rows.

    Classes are dealt from the rarest to the most frequent, and each group goes to the split that lacks most of its
    class (iterative stratification, Sechidis et al. 2011, of whole groups). Every class with at least three groups is
    in all three splits. A class with two groups is in train and test, and one with a single group in train only;
    validation, by which checkpoints are chosen, then has none of it, and a warning names the class. Images with
    several labels count for each of them, and images without any label form one more class.

    Args:
        collection: Images; an image without a group is a group of its own.
        validation_fraction: Share of the images, in (0, 1).
        test_fraction: Share of the images, in (0, 1); the sum of both must be below 1.
        seed: Seed of the draw.
        parts: The splits of the result; ``("train", "test")`` for a training without validation.
        together: Group of each image ``(N,)`` in the draw, in place of those of the table: e.g. those that
            :func:`medtail.data.splitting.joined_groups.joined` has joined because their images show the same.

    Raises:
        InputError: A fraction is out of range, given splits share a group, there is only one class, or a class has no
            training image or no image at all.

    Example:
        >>> from medtail.data import open_collection
        >>> assign_splits(open_collection("digits-lt")).table["split"].value_counts().to_dict()
        {'test': 400, 'train': 276, 'validation': 200}
    """
    _check_fractions(validation_fraction, test_fraction)
    _check_classes(collection)
    fractions: dict[Split, float] = {"validation": validation_fraction, "test": test_fraction}
    if "split" in collection.table:
        check_no_shared_groups(collection)
        collection = _without_other_parts(collection, parts)
    _warn_about_small_classes(collection, parts)
    pool, splits_to_draw = _to_draw(collection, parts)
    drawn = {split: fractions[split] for split in splits_to_draw}
    if drawn and len(pool):
        splits = (
            collection.table["split"].to_numpy(dtype=object).copy()
            if "split" in collection.table
            else np.empty(len(collection), dtype=object)
        )
        splits[pool] = _draw(collection.with_groups(together), pool, drawn, seed)
        collection = collection.with_splits(pd.Series(splits))
    _check_training_classes(collection)
    return collection


def _without_other_parts(collection: ImageCollection, parts: Sequence[Split]) -> ImageCollection:
    """Move the images of splits that are not wanted to train."""
    splits = collection.table["split"]
    return collection.with_splits(splits.where(splits.isin(parts), "train"))


def _check_fractions(validation_fraction: float, test_fraction: float) -> None:
    for name, value in (("validation_fraction", validation_fraction), ("test_fraction", test_fraction)):
        number(name, value, low=0, high=1, open_low=True, open_high=True, remedy="e.g. 0.15")
    if validation_fraction + test_fraction >= 1.0:
        raise InputError(
            f"validation_fraction and test_fraction must leave images for training, got {validation_fraction} and "
            f"{test_fraction}; lower one"
        )


def check_learnable(collection: ImageCollection, parts: Sequence[Split] = SPLITS) -> None:
    """Refuse labels that nothing can be learned from, and name classes that are too small, before any pixel is read.

    Args:
        collection: Images, before or after they were split.
        parts: The splits that :func:`assign_splits` will give them.

    Raises:
        InputError: There is only one class, or a class has no image, or, if splits are given, no training image, or
            they share a group.
    """
    _check_classes(collection)
    if "split" in collection.table:
        check_no_shared_groups(collection)
        _check_training_classes(_without_other_parts(collection, parts))
    _warn_about_small_classes(collection, parts)


def check_evaluable(collection: ImageCollection, parts: Sequence[Split] = SPLITS) -> None:
    """Refuse splits that leave nothing to choose the epoch by, or nothing to judge it on.

    Args:
        collection: Images with splits.
        parts: The splits that must hold an image.

    Raises:
        InputError: One of them holds none.
    """
    empty = [split for split in parts if not len(collection.rows(split))]
    if not empty:
        return
    grouped = "group" in collection.table
    groups = collection.table["group"].nunique() if grouped else len(collection)
    kind = f"groups (by {collection.group_column or 'group'})" if grouped else "images"
    raise InputError(
        f"{' and '.join(empty)} must hold at least one image each, but {collection.data} leaves none for "
        f"{'them' if len(empty) > 1 else 'it'}: {groups} {kind} in {len(collection.class_names)} classes are too few "
        f"to divide; add {kind.split()[0]} until a class has three, or give each image its split in a column split"
    )


def _check_classes(collection: ImageCollection) -> None:
    names = collection.class_names
    if len(names) < 2:
        raise InputError(
            f"a classifier needs images of at least 2 classes, but {collection.data} holds only {names[0]!r}; "
            f"add images of another class or check the column of labels"
        )
    empty = [name for name, count in zip(names, collection.class_counts(), strict=True) if count == 0]
    if empty:
        raise InputError(
            f"every class needs images, but {collection.data} has none of {listing(empty)}; add images or remove the "
            f"class (keep the others with `classes`)"
        )


def _check_training_classes(collection: ImageCollection) -> None:
    training = collection.class_counts("train")
    if not len(collection.rows("train")):
        raise InputError(
            f"the split of {collection.data} must hold training images, but has none; assign some images to train"
        )
    elsewhere = []
    for target in np.flatnonzero(training == 0):
        counts = {split: int(collection.class_counts(split)[target]) for split in SPLITS[1:]}
        places = " and ".join(f"{split} ({count})" for split, count in counts.items() if count)
        elsewhere.append(f"{collection.class_names[target]} is only in {places}")
    if elsewhere:
        raise InputError(
            f"every class needs a training image, because a label never seen in training cannot be learned: "
            f"{listing(elsewhere)}; move images to train, or remove the class (keep the others with `classes`)"
        )


def shared_groups(collection: ImageCollection) -> dict[str, list[str]]:
    """Groups that lie in more than one split, each with its splits; empty if there are none or groups are unknown."""
    table = collection.table
    if "group" not in table or "split" not in table:
        return {}
    splits_of: dict[str, set[str]] = defaultdict(set)
    for group, split in table[["group", "split"]].drop_duplicates().itertuples(index=False):
        splits_of[str(group)].add(split)
    return {
        group: [split for split in SPLITS if split in splits]
        for group, splits in splits_of.items()
        if len(splits) > 1
    }


def check_no_shared_groups(collection: ImageCollection) -> None:
    """Refuse splits that share a patient or lesion.

    Raises:
        InputError: A group lies in more than one split; the message names the groups.
    """
    shared = shared_groups(collection)
    if shared:
        named = [f"{group} ({' and '.join(splits)})" for group, splits in shared.items()]
        raise InputError(
            f"no {collection.group_column} may be in two splits, but {len(shared)} of {collection.data} are: "
            f"{listing(named)}; keep each in one split, or remove the column split to have splits drawn"
        )


def _draw(
    collection: ImageCollection, rows: np.ndarray, drawn: Mapping[Split, float], seed: int
) -> np.ndarray:
    """The split of each of ``rows``: train, or one of ``drawn``, each with about its share of every class."""
    keys, members = group_members(collection, rows)
    shares: dict[str, float] = {"train": 1.0 - sum(drawn.values())}
    shares.update({str(split): share for split, share in drawn.items()})
    tiers = [(split,) for split in _FIRST_SERVED if split in shares]
    split_of = Stratification(members, shares, seed, tiers=tiers, essential="train").run()
    return np.array([split_of[key] for key in keys], dtype=object)


def small_classes(collection: ImageCollection, parts: Sequence[Split] = SPLITS) -> list[str]:
    """Classes with too few groups to be in every split, if splits are to be drawn, as text; empty if there are none.

    Example:
        >>> from medtail.data import open_collection
        >>> small_classes(open_collection("digits-lt"))
        []
    """
    pool, drawn = _to_draw(collection, parts)
    splits = [split for split in _FIRST_SERVED if split == "train" or split in drawn]
    if not drawn or not len(pool):
        return []
    _, members = group_members(collection, pool)
    kind = collection.group_column or "image"
    names = [*collection.class_names, "no label"]
    return [
        f"{names[target]} ({count} {kind}{'' if count == 1 else 's'}: {' and '.join(splits[:count])} only)"
        for target, count in sorted(groups_of_classes(members).items())
        if count < len(splits)
    ]


def _to_draw(collection: ImageCollection, parts: Sequence[Split]) -> tuple[np.ndarray, list[Split]]:
    """The rows that are divided, and the splits that are drawn from them beside train."""
    if "split" not in collection.table:
        return np.arange(len(collection)), [split for split in SPLITS[1:] if split in parts]
    present = set(collection.table["split"])
    # The given splits stay apart; only training images are divided further.
    return collection.rows("train"), [
        split for split in SPLITS[1:] if split in parts and split not in present
    ]


def _warn_about_small_classes(collection: ImageCollection, parts: Sequence[Split]) -> None:
    small = small_classes(collection, parts)
    if small:
        _, drawn = _to_draw(collection, parts)
        # Said before images are decoded and again when splits are drawn; one line of source shows it once.
        warnings.warn(
            f"classes with fewer than {1 + len(drawn)} {collection.group_column or 'image'}s cannot be in "
            f"{' and '.join(['train', *drawn])}: {listing(small)}; leave them out with `classes`, or make one class of "
            f"several with `merge`",
            DataWarning,
            stacklevel=1,
        )


def write_splits(collection: ImageCollection, path: Path) -> None:
    """Write a table of the split of each image: ``id``, ``split`` and, if known, ``group``."""
    columns = [column for column in ("id", "split", "group") if column in collection.table]
    with replacing(path) as temporary:
        with_cells(collection.table[columns]).to_csv(temporary, index=False)


def read_splits(collection: ImageCollection, path: Path) -> ImageCollection:
    """Give a collection the splits that :func:`write_splits` wrote.

    Raises:
        InputError: The file is missing, is not such a table, or names other images.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"splits file {path} cannot be read ({error}); give one that `train()` wrote"
        ) from error
    if not {"id", "split"} <= set(table.columns):
        raise InputError(
            f"splits file {path} must have the columns id and split, but has {', '.join(table.columns)}; "
            f"give one that `train()` wrote"
        )
    unknown = sorted(set(table["split"]) - set(SPLITS))
    if unknown:
        raise InputError(
            f"splits in {path} must be one of {', '.join(SPLITS)}, got {listing(unknown)}; rename them"
        )
    saved = dict(zip(map(from_cell, table["id"]), table["split"], strict=True))
    ids = [str(identity) for identity in collection.table["id"]]
    differing = sorted(set(ids) ^ set(saved))
    if differing:
        raise InputError(
            f"splits file {path} must name the images of {collection.data}, but {len(differing)} are in only one of "
            f"them: {listing(differing)}; give the data that the splits were drawn for"
        )
    return collection.with_splits(pd.Series([saved[identity] for identity in ids]))
