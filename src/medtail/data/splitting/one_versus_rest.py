"""Two classes out of many: some against the rest, or against others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.errors import InputError
from medtail.naming import listing, nearest

#: Stands between the names of classes that are taken together.
_AND = "+"


def positive_versus_rest(
    collection: ImageCollection, positive: str, negative: str | None = None
) -> ImageCollection:
    """Relabel a collection to two classes: 0 is the negative one, 1 is ``positive``.

    This is the binary protocol of medical imaging, e.g. melanoma against all other lesions, and that of LCT on CIFAR,
    e.g. automobile against truck. With two classes it chooses which one is 1; calling it again with the same class
    changes nothing. Groups and splits stay, and so do images unless ``negative`` leaves some out.

    Args:
        collection: Single-label images.
        positive: Name of the positive class, or names with ``+`` between, taken together.
        negative: As ``positive``, the classes it is against; images of other classes are left out. All other classes
            together, named ``not_<positive>``, if None.

    Raises:
        InputError: No class has such a name (the message suggests the nearest), no class is left to be negative, a
            class is on both sides, or images carry several labels.

    Example:
        >>> from medtail.data import open_collection
        >>> nines = positive_versus_rest(open_collection("digits-lt"), "9")
        >>> nines.class_names, nines.class_counts("train").tolist()
        (('not_9', '9'), [274, 2])
        >>> pair = positive_versus_rest(open_collection("digits-lt"), "8+9", negative="0")
        >>> pair.class_names, pair.class_counts("train").tolist()
        (('0', '8+9'), [100, 5])
    """
    names = collection.class_names
    if collection.multi_label:
        raise InputError(
            f"`positive` needs one label per image, got {positive!r} for the label_ columns of {collection.data}, each "
            f"of which is already binary; leave it out, or give a column label"
        )
    chosen = _classes("positive", positive, collection)
    if len(names) < 2:
        raise InputError(
            f"`positive` needs images of other classes too, but {collection.data} holds only {positive!r}; add some"
        )
    if set(chosen) >= set(names):
        raise InputError(
            f"`positive` must leave a class to be negative, but {positive!r} names every class of {collection.data}; "
            f"name fewer"
        )
    if negative is None:
        return _relabelled(collection, chosen, (f"not_{positive}", positive))
    against = _classes("negative", negative, collection)
    shared = [name for name in against if name in chosen]
    if shared:
        raise InputError(
            f"`negative` must name other classes than `positive`, got {listing(shared)} in both; leave it out of one"
        )
    involved = np.isin(collection.table["label"].to_numpy(dtype=str), [*chosen, *against])
    return _relabelled(collection.select(np.flatnonzero(involved)), chosen, (negative, positive))


def _classes(argument: str, text: str, collection: ImageCollection) -> list[str]:
    """Return the classes that a text names; a class that has a plus in its name is taken first."""
    names = collection.class_names
    parts = [text] if text in names else text.split(_AND)
    for part in parts:
        if part not in names:
            raise InputError(
                f"`{argument}` must be a class of {collection.data} ({listing(names, most=20)}), got {part!r}"
                f"{nearest(part, names)}; name one of them"
            )
    return parts


def _relabelled(
    collection: ImageCollection, positive: Sequence[str], class_names: tuple[str, str]
) -> ImageCollection:
    is_positive = collection.table["label"].isin(positive).to_numpy()
    table = collection.table.assign(
        label=np.where(is_positive, class_names[1], class_names[0]), target=is_positive.astype(np.int64)
    )
    return replace(collection, table=table, class_names=class_names)
