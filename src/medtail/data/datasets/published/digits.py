"""``digits-lt``: real digits made imbalanced, which need neither a file nor a network."""

import numpy as np

from medtail.data.collection import ImageCollection, Split
from medtail.data.formats.sources import ImageArray

NAME = "digits-lt"
IMBALANCE_RATIO = 50
LARGEST_CLASS = 100
VALIDATION_PER_CLASS = 20
TEST_PER_CLASS = 40
SEED = 0


def open_digits() -> ImageCollection:
    """scikit-learn's handwritten digits (8 x 8), training subsampled to imbalance ratio 50; no file needed

    For each digit, 40 images are drawn for test and 20 for validation, so both stay balanced; of the rest, training
    keeps ``int(100 * 50 ** (-c / 9))`` images of digit c (100, 64, 41, 27, 17, 11, 7, 4, 3, 2), the exponential
    profile of long-tailed CIFAR (Cui et al. 2019). They are drawn without replacement with seed 0, so the images are
    always the same.

    Grey values from 0 to 16 are scaled to 0 to 255. Source: the part of UCI Optical Recognition of Handwritten Digits
    that ``sklearn.datasets.load_digits`` contains (1,797 images). It does not record who wrote which digit, so one
    hand may occur in several splits.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    generator = np.random.default_rng(SEED)
    chosen: dict[Split, list[int]] = {"train": [], "validation": [], "test": []}
    for digit in range(10):
        members = generator.permutation(np.flatnonzero(labels == digit))
        held_out = TEST_PER_CLASS + VALIDATION_PER_CLASS
        kept = int(LARGEST_CLASS * IMBALANCE_RATIO ** (-digit / 9))
        chosen["test"] += members[:TEST_PER_CLASS].tolist()
        chosen["validation"] += members[TEST_PER_CLASS:held_out].tolist()
        chosen["train"] += members[held_out : held_out + kept].tolist()
    positions = np.array([position for split in chosen for position in chosen[split]])
    return ImageCollection.build(
        name=NAME,
        data=NAME,
        ids=[f"digit-{position:04d}" for position in positions],
        labels=[str(label) for label in labels[positions]],
        source=ImageArray(images[positions]),
        splits=[split for split in chosen for _ in chosen[split]],
    )
