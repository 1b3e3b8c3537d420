"""Which classes are kept, and which are one."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medtail.data.collection import ImageCollection, sort_labels
from medtail.errors import InputError
from medtail.naming import listing, nearest
from medtail.runs.tasks import LABEL_PREFIX

_log = logging.getLogger(__name__)


def choose_classes(
    collection: ImageCollection,
    classes: Sequence[str] | None = None,
    merge: Mapping[str, Sequence[str]] | None = None,
) -> ImageCollection:
    """Merge classes, then keep some of them.

    Images of other classes are left out; of multi-label data, images stay and only their other labels are left out.
    A merged label is carried by an image that carries one of its parts, and unknown if none is carried and one is
    unknown. Asking for the same choice again changes nothing.

    Args:
        collection: Labelled images.
        classes: Names of the classes to keep, merged ones by their new name; all of them if None.
        merge: From each new name to the classes that it stands for.

    Raises:
        InputError: There is no class of a name, a class is in two merged ones, or a new name is that of another class.

    Example:
        >>> from medtail.data import open_collection
        >>> digits = open_collection("digits-lt")
        >>> chosen = choose_classes(digits, ["0", "1", "round"], {"round": ["6", "9"]})
        >>> chosen.class_names, chosen.class_counts("train").tolist()
        (('0', '1', 'round'), [100, 64, 9])
    """
    merge = merge or {}
    choice = (None if classes is None else tuple(classes), tuple((new, *old) for new, old in merge.items()))
    if choice in ((None, ()), collection.class_choice):
        return collection
    names = collection.class_names
    _check_merge(collection, merge)
    new_of = {old: new for new, parts in merge.items() for old in parts}
    merged = list(dict.fromkeys(new_of.get(name, name) for name in names))
    # Names that came in the order of class ids stay in it.
    merged = sort_labels(merged) if list(names) == sort_labels(names) else merged
    for name in classes or ():
        if name not in merged:
            raise InputError(
                f"`classes` must be classes of {collection.data} ({listing(merged, most=20)}), got {name!r}"
                f"{nearest(name, merged)}; name some of them"
            )
    kept = tuple(name for name in merged if classes is None or name in classes)
    chosen = (
        _multi_label(collection, new_of, kept)
        if collection.multi_label
        else _single_label(collection, new_of, kept)
    )
    chosen = replace(chosen, class_names=kept, class_choice=choice)
    _log.info(
        f"{collection.data}: {len(kept)} classes made of {len(names)}, with {len(chosen)} of {len(collection)} images"
    )
    return chosen


def choose_classes_present(
    collection: ImageCollection, classes: Sequence[str] | None, merge: Mapping[str, Sequence[str]] | None
) -> ImageCollection:
    """As :func:`choose_classes`, for data that need not have all of the classes, or has the merged ones already."""
    present = set(collection.class_names)
    merge = {
        new: [old for old in parts if old in present or old == new]
        for new, parts in (merge or {}).items()
        if present.intersection(parts)
    }
    merge = {new: [*parts, *({new} & present - set(parts))] for new, parts in merge.items()}
    present = (present - {old for parts in merge.values() for old in parts}) | set(merge)
    kept = None if classes is None else [name for name in classes if name in present]
    return choose_classes(collection, kept, merge)


def _check_merge(collection: ImageCollection, merge: Mapping[str, Sequence[str]]) -> None:
    names = collection.class_names
    parts = [old for own in merge.values() for old in own]
    for name in parts:
        if name not in names:
            raise InputError(
                f"`merge` must name classes of {collection.data} ({listing(names, most=20)}), got {name!r}"
                f"{nearest(name, names)}; name some of them"
            )
    repeated = [name for name, count in Counter(parts).items() if count > 1]
    if repeated:
        raise InputError(
            f"`merge` must name each class once, got {listing(repeated)} more than once; remove one"
        )
    taken = [new for new in merge if new in names and new not in parts]
    if taken:
        raise InputError(
            f"`merge` must give new names, but {listing(taken)} is a class already; name it among the classes that are "
            f"merged, or take another name"
        )


def _single_label(
    collection: ImageCollection, new_of: Mapping[str, str], kept: Sequence[str]
) -> ImageCollection:
    labels = [new_of.get(label, label) for label in collection.table["label"]]
    target_of = {name: target for target, name in enumerate(kept)}
    rows = np.flatnonzero([label in target_of for label in labels])
    chosen = collection if len(rows) == len(labels) else collection.select(rows)
    own = [labels[row] for row in rows]
    targets = np.array([target_of[label] for label in own], dtype=np.int64)
    return replace(chosen, table=chosen.table.assign(label=own, target=targets))


def _multi_label(
    collection: ImageCollection, new_of: Mapping[str, str], kept: Sequence[str]
) -> ImageCollection:
    table = collection.table.drop(columns=collection.label_columns)
    for name in kept:
        parts = [LABEL_PREFIX + old for old in collection.class_names if new_of.get(old, old) == name]
        # The largest of 0, 1 and NaN: a label that is carried is known to be.
        values = collection.table[parts].to_numpy()
        carried = (values == 1).any(axis=1)
        table[LABEL_PREFIX + name] = carried.astype(np.int64)
        if np.isnan(values).any():
            table[LABEL_PREFIX + name] = np.where(np.isnan(values).any(axis=1) & ~carried, np.nan, carried)
    return replace(collection, table=table)
