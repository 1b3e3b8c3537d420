"""A set of pictures that a few epochs can learn, and a small recipe for it."""

import numpy as np

from medtail.cli.options import parse_assignments
from medtail.data import ImageArray, ImageCollection
from medtail.recipes.compose import compose
from medtail.recipes.schema import Recipe

SIZES = {"train": (60, 20, 8), "validation": (10, 10, 10), "test": (10, 10, 10)}


def stripes(images_a_patient: int | None = None) -> ImageCollection:
    """Three classes of noise with a bright stripe at a different height; patients unknown unless told."""
    generator = np.random.default_rng(0)
    images, labels, splits = [], [], []
    for split, counts in SIZES.items():
        for target, count in enumerate(counts):
            noise = generator.integers(0, 120, size=(count, 12, 12, 1), dtype=np.uint8)
            noise[:, 4 * target : 4 * target + 3] += 120
            images.append(noise)
            labels += [f"class {target}"] * count
            splits += [split] * count
    return ImageCollection.build(
        name="stripes",
        data="stripes",
        ids=[f"image {row}" for row in range(len(labels))],
        labels=labels,
        source=ImageArray(np.concatenate(images)),
        splits=splits,
        groups=None
        if images_a_patient is None
        else [f"patient {row // images_a_patient}" for row in range(len(labels))],
    )


def recipe(method: str = "ce", *assignments: str) -> Recipe:
    """A method on images of 12 pixels with a network of eight layers, for three epochs."""
    small = ["data.image_size=12", "data.channels=1", "backbone.name=resnet8", "training.epochs=3"]
    small += ["training.batch_size=16", "augmentation.horizontal_flip=0.5"]
    optimizer = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
    return compose(
        "small_images", method, {"optimizer": optimizer}, parse_assignments([*small, *assignments])
    )
