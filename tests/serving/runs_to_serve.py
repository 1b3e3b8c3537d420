"""Small trained runs whose data can be opened again."""

from pathlib import Path

import numpy as np
from training.stripes import recipe, stripes

from medtail.data import open_collection
from medtail.runs.run import Run
from medtail.training.fit import train

_KEYS = {"train": "train", "val": "validation", "test": "test"}


def write_stripes(path: Path, *, multi_label: bool = False) -> Path:
    """Write the stripes as an archive; with several labels, an image also tells whether its stripe is not the top."""
    collection = stripes()
    arrays: dict[str, np.ndarray] = {}
    for key, split in _KEYS.items():
        rows = collection.rows(split)
        targets = collection.table["target"].to_numpy()[rows]
        arrays[f"{key}_images"] = np.stack([collection.source.read(row)[..., 0] for row in rows])
        arrays[f"{key}_labels"] = (
            np.stack([targets == 0, targets > 0, targets == 2], axis=1).astype(np.uint8)
            if multi_label
            else targets[:, None].astype(np.uint8)
        )
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def trained(folder: Path, data: Path | str, method: str, *assignments: str) -> Run:
    """Train for one epoch."""
    run = Run(folder)
    train(open_collection(str(data)), recipe(method, "training.epochs=1", *assignments), run)
    return run
