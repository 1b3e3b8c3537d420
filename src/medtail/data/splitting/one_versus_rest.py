"""One class against the rest."""

from dataclasses import replace

import numpy as np

from medtail.data.collection import ImageCollection
from medtail.errors import InputError
from medtail.naming import listing, nearest


def positive_versus_rest(collection: ImageCollection, positive: str) -> ImageCollection:
    """Relabel a collection to two classes: 0 is ``not_<positive>``, 1 is ``positive``.

    This is the binary protocol of medical imaging, e.g. melanoma against all other lesions. With two classes it chooses
    which one is 1; calling it again with the same class changes nothing. Images, groups and splits stay.

    Args:
        collection: Single-label images.
        positive: Name of the positive class.

    Raises:
        InputError: No class has this name (the message suggests the nearest), it is the only class, or images carry
            several labels.

    Example:
        >>> from medtail.data import open_collection
        >>> nines = positive_versus_rest(open_collection("digits-lt"), "9")
        >>> nines.class_names, nines.class_counts("train").tolist()
        (('not_9', '9'), [274, 2])
    """
    names = collection.class_names
    if collection.multi_label:
        raise InputError(
            f"`positive` needs one label per image, got {positive!r} for the label_ columns of {collection.data}, each "
            f"of which is already binary; leave it out, or give a column label"
        )
    if positive not in names:
        raise InputError(
            f"`positive` must be a class of {collection.data} ({listing(names, most=20)}), got {positive!r}"
            f"{nearest(positive, names)}; name one of them"
        )
    if len(names) < 2:
        raise InputError(
            f"`positive` needs images of other classes too, but {collection.data} holds only {positive!r}; add some"
        )
    rest = f"not_{positive}"
    is_positive = collection.table["label"].to_numpy() == positive
    table = collection.table.assign(
        label=np.where(is_positive, positive, rest), target=is_positive.astype(np.int64)
    )
    return replace(collection, table=table, class_names=(rest, positive))
