"""A run on images that are centred on their masks: other data is centred too, and new images are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from training.stripes import recipe

from medtail.data import TableColumns, open_collection
from medtail.errors import InputError
from medtail.experiments.experiment import Experiment
from medtail.experiments.variants import variants_of
from medtail.inference import load
from medtail.runs.run import Run
from medtail.serving.export import export
from medtail.serving.server.predictor import Predictor
from medtail.training.fit import train
from medtail.training.inference.other_data import pass_other_data


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spots anywhere, white in one class and grey in the other."""
    folder = tmp_path_factory.mktemp("clinic")
    generator, rows = np.random.default_rng(0), []
    for number in range(60):
        pixels = generator.integers(0, 40, (24, 24), dtype=np.uint8)
        mask = np.zeros_like(pixels)
        top, left = generator.integers(0, 20, 2)
        mask[top : top + 4, left : left + 4] = 255
        pixels[mask > 0] = 255 if number % 2 else 120
        for name, image in (("images", pixels), ("tumours", mask)):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / name / f"{number}.png")
        rows.append(
            {"image": f"images/{number}.png", "label": "ab"[number % 2], "tumour": f"tumours/{number}.png"}
        )
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "run")
    settings = ("training.epochs=1", "data.fit=crop", "data.columns.mask_column=tumour")
    collection = open_collection(str(clinic), columns=TableColumns(mask_column="tumour"))
    train(collection, recipe("ce", *settings), run)
    return run


def test_other_data_is_centred_as_in_training(run: Run, clinic: Path) -> None:
    passed = pass_other_data(run, str(clinic), "test")
    assert [path.parent.name for path in passed.collection.source.files(0)] == ["images", "tumours"]


def test_new_images_have_no_masks(run: Run, clinic: Path) -> None:
    with pytest.raises(InputError, match="on the masks of column tumour, and new images come without masks"):
        load(run).predict_files([clinic / "images"])


def test_what_decides_on_new_images_has_no_masks_either(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="on the masks of column tumour, and new images come without masks"):
        Predictor.load(run)
    with pytest.raises(InputError, match="on the masks of column tumour, and new images come without masks"):
        export([run], tmp_path / "run.pt2", format="torch")
    assert not list(tmp_path.iterdir())


def test_a_comparison_opens_the_data_with_the_masks_of_its_recipe(clinic: Path, tmp_path: Path) -> None:
    change = {"data": {"columns": {"mask_column": "tumor"}, "fit": "crop"}}
    with pytest.raises(
        InputError, match=r"`mask_column` must be a column of .*got 'tumor'; did you mean tumour"
    ):
        Experiment(variants_of(["ce"]), [str(clinic)], tmp_path / "out", changes=[change]).prepared()
