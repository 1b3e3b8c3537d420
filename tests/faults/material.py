"""Sound material that faults are made from: small images, a data set in several forms, and a finished run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from faults.running import run
from PIL import Image

CLASSES = ("bkl", "mel", "nv")


def pixels(seed: int, size: int = 12) -> np.ndarray:
    """A picture of noise over a stripe that tells the class, uint8 ``(size, size, 3)``."""
    noise = np.random.default_rng(seed).integers(0, 90, (size, size, 3), dtype=np.uint8)
    noise[:, (seed % 3) * 4 : (seed % 3) * 4 + 4] += 120
    return noise


class Material:
    """A folder with everything; made once, copied from then on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = 0
        self.folders = root / "folders"
        for seed in range(24):
            place = self.folders / CLASSES[seed % 3]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(seed)).save(place / f"{seed:02d}.png")
        self.images = root / "new"
        self.images.mkdir()
        for seed in range(3):
            Image.fromarray(pixels(100 + seed)).save(self.images / f"{seed}.png")
        self.run = self.trained("run", "--method", "ldam", "--set", "head.name=cosine")
        self.other = self.trained("other", "--method", "ldam", "--set", "head.name=cosine", "--seed", 1)
        self.said = {verb: run(arguments).output for verb, arguments in self.verbs(self.run).items()}

    def trained(self, name: str, *arguments: object) -> Path:
        """A finished run."""
        folder = self.root / name
        done = run(self.training(folder, *arguments), patience=300)
        assert done.code == 0, done
        return folder

    def training(self, out: Path, *arguments: object) -> tuple[object, ...]:
        """The command of a tiny training."""
        small = ("--image-size", 8, "--epochs", 1, "--batch-size", 8, "--backbone", "resnet8")
        return ("train", self.folders, "--out", out, *small, *arguments)

    def verbs(self, folder: Path) -> dict[str, tuple[object, ...]]:
        """The commands that read a run."""
        return {
            "evaluate": ("evaluate", folder, "--json"),
            "evaluate validation": ("evaluate", folder, "--json", "--split", "validation"),
            "predict": ("predict", folder, self.images),
            "compare": ("compare", folder, "--json"),
            "adapt": ("adapt", folder, "--balanced-accuracy"),
        }

    def fresh(self) -> Path:
        """A path that does not exist."""
        self.number += 1
        return self.root / "work" / f"{self.number:04d}"

    def copy(self, change: Callable[[Path], object]) -> tuple[Path, Callable[[], object]]:
        """The place of a changed copy of the run, and what makes it."""
        place = self.fresh()

        def prepare() -> None:
            shutil.copytree(self.run, place)
            change(place)

        return place, prepare

    def table(self, text: str | bytes, name: str = "labels.csv") -> tuple[Path, Callable[[], object]]:
        """A folder with a table and three images, and what makes it."""
        place = self.fresh()

        def prepare() -> None:
            shutil.copytree(self.images, place)
            content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            (place / name).write_bytes(content)

        return place, prepare

    def file(self, name: str, content: str | bytes) -> tuple[Path, Callable[[], object]]:
        """A file in a new folder, and what makes it."""
        place = self.fresh() / name

        def prepare() -> None:
            place.parent.mkdir(parents=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

        return place, prepare


def edited_json(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Change values of a JSON file of a run."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edit


def edited_table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    """Change a table of a run."""

    def edit(folder: Path) -> None:
        path = folder / name
        if path.suffix == ".csv":
            change(pd.read_csv(path)).to_csv(path, index=False)
        else:
            change(pd.read_parquet(path)).to_parquet(path, index=False)

    return edit
