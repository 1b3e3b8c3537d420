"""A small multi-label data set that can be learned: each label is a stripe of its own colour and place."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

#: Label, the share of images that carry it, the rows of its stripe, its colour.
STRIPES = {
    "red": (0.5, slice(0, 5), (220, 30, 30)),
    "green": (0.3, slice(5, 10), (30, 220, 30)),
    "blue": (0.2, slice(10, 16), (30, 30, 220)),
}


def write_stripes(folder: Path, count: int = 240, seed: int = 0) -> pd.DataFrame:
    """Write ``count`` pictures of 16 pixels, two a patient, and labels.csv; return the table."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    columns = {name: (generator.random(count) < share).astype(int) for name, (share, *_) in STRIPES.items()}
    for number in range(count):
        pixels = generator.integers(0, 90, (16, 16, 3)).astype(np.uint8)
        for name, (_, rows, colour) in STRIPES.items():
            if columns[name][number]:
                pixels[rows] = np.clip(np.array(colour) + generator.integers(-25, 26, (16, 3)), 0, 255)
        Image.fromarray(pixels).save(folder / "images" / f"{number:04d}.png")
    table = pd.DataFrame(
        {
            "image": [f"{number:04d}" for number in range(count)],
            **{f"label_{name}": column for name, column in columns.items()},
            "patient": [f"p{number // 2:03d}" for number in range(count)],
        }
    )
    table.to_csv(folder / "labels.csv", index=False)
    return table
