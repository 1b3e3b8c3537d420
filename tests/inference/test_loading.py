"""From folders of runs to predictions."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from medtail.adaptation import FewestMistakes, Request, RunPredictions, choose
from medtail.data import open_collection
from medtail.errors import InputError
from medtail.files import write_json
from medtail.inference import load
from medtail.inference.members import check_alike
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.runs.stored_files import read_json
from medtail.training.inference import TrainedModel


@pytest.fixture(scope="module")
def digits() -> list[np.ndarray]:
    """Test images ``(8, 8)``."""
    collection = open_collection("digits-lt")
    return [collection.source.read(int(row))[..., 0] for row in collection.rows("test")[:12]]


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table.filter(like="probability_").to_numpy()


def test_a_run_predicts_what_it_saved_of_its_test_images(
    two_runs: tuple[Run, Run], digits: list[np.ndarray]
) -> None:
    saved = Predictions.read(two_runs[0].predictions("test"))
    classifier = load(two_runs[0].folder)
    table = classifier.predict(digits)
    assert classifier.class_names == saved.class_names
    assert table["image"].tolist() == [str(number) for number in range(12)]
    # Batches of other sizes are not rounded alike.
    assert_allclose(probabilities(table), saved.probabilities[:12], atol=1e-5)
    assert table["decision"].tolist() == [saved.class_names[index] for index in saved.decisions[:12]]


def test_one_run_alone_gives_its_own_probabilities_bit_for_bit(
    two_runs: tuple[Run, Run], digits: list[np.ndarray]
) -> None:
    model = TrainedModel.load(two_runs[0])
    classifier = load(two_runs[0])
    collection = open_collection("digits-lt")
    collection = collection.select(collection.rows("test")[:12])
    own = model.probabilities(model.read_pixels(collection), np.arange(12))
    table = classifier.predict(digits)
    assert_array_equal(probabilities(table), own)
    assert list(table.columns) == [
        *("image", "decision"),
        *(f"probability_{name}" for name in classifier.class_names),
        "atypicality",
    ]
    assert classifier.words is None


def test_files_arrays_and_pictures_are_the_same(
    two_runs: tuple[Run, Run], digits: list[np.ndarray], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number:02d}.png" for number in range(len(digits))]
    pictures = [Image.fromarray(digit) for digit in digits]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    classifier = load(str(two_runs[0].folder))
    from_files = classifier.predict_files([tmp_path])
    assert from_files["image"].tolist() == [str(path) for path in paths]
    for images in (digits, np.stack(digits), np.stack(digits)[..., None].repeat(3, axis=-1), pictures):
        table = classifier.predict(images)
        pd.testing.assert_frame_equal(table.drop(columns="image"), from_files.drop(columns="image"))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((8, 8)), "image 0 is float64 of shape (8, 8)"),
        (np.zeros((3, 8, 8), dtype=np.uint8), "image 0 is uint8 of shape (3, 8, 8)"),
        (np.zeros((2, 2, 8, 8), dtype=np.uint8), "image 0 is uint8 of shape (2, 2, 8, 8)"),
        (np.zeros((0, 8), dtype=np.uint8), "image 0 is uint8 of shape (0, 8)"),
    ],
)
def test_what_is_no_image_is_refused(two_runs: tuple[Run, Run], image: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match="images must be uint8 arrays") as error:
        load(two_runs[0]).predict([image])
    assert said in str(error.value)
    with pytest.raises(InputError, match="images must be at least one"):
        load(two_runs[0]).predict([])


def test_several_runs_give_their_mean_each_at_its_own_size(
    two_runs: tuple[Run, Run], digits: list[np.ndarray]
) -> None:
    singles = [load(run).predict(digits) for run in two_runs]
    together = load(two_runs)
    assert [model.form.image_size for model in together.members] == [12, 16]
    table = together.predict(digits)
    each = np.stack([probabilities(single) for single in singles])
    assert_allclose(probabilities(table), each.mean(axis=0), atol=1e-12)
    assert_allclose(table.filter(like="standard_deviation_").to_numpy(), each.std(axis=0, ddof=1), atol=1e-12)
    assert (table["mutual_information"] >= 0).all()
    atypicality = np.mean([single["atypicality"] for single in singles], axis=0)
    assert_allclose(table["atypicality"], atypicality)
    names = ", ".join(str(run.folder) for run in two_runs)
    assert together.words == f"Probabilities are the mean over 2 runs ({names})."

    geometric = probabilities(load(two_runs, combine="log-probabilities").predict(digits))
    expected = np.sqrt(each.prod(axis=0))
    assert_allclose(geometric, expected / expected.sum(axis=1, keepdims=True), atol=1e-12)


def test_the_folds_of_a_cross_validation_predict_together(
    two_runs: tuple[Run, Run], digits: list[np.ndarray], tmp_path: Path
) -> None:
    run = Run(tmp_path / "crossed")
    for number, fold in enumerate(two_runs, start=1):
        shutil.copytree(fold.folder, run.fold(number).folder)
    write_json(run.folds_facts, {"folds": 2, "sha256": ""})
    assert_array_equal(
        probabilities(load(run.folder).predict(digits)), probabilities(load(two_runs).predict(digits))
    )
    shutil.rmtree(run.fold(2).folder)
    with pytest.raises(InputError, match=r"fold-2 does not exist"):
        load(run.folder)


def test_a_run_decides_by_its_operating_point(
    two_runs: tuple[Run, Run], digits: list[np.ndarray], tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(two_runs[0].folder, run.folder)
    assert load(run).operating_point is None
    prior = np.r_[np.full(9, 0.001), 0.991]
    point = choose(RunPredictions(run), Request(FewestMistakes(), prior=prior))
    point.write(run.operating_point)
    classifier = load(run)
    assert classifier.operating_point is not None
    plain = classifier.deciding_by(None).predict(digits)
    table = classifier.predict(digits)
    assert_allclose(probabilities(table), point.apply(probabilities(plain)))
    assert (probabilities(table)[:, 9] > probabilities(plain)[:, 9]).all()
    # It was chosen for the probabilities of one run, seen once.
    assert load([run, two_runs[1]]).operating_point is None
    assert load(run, test_time_augmentation="flips").operating_point is None
    with pytest.raises(InputError, match="must be chosen for the probabilities that it decides on"):
        load(two_runs).deciding_by(point)


def test_runs_that_cannot_predict_together_are_refused(two_runs: tuple[Run, Run], tmp_path: Path) -> None:
    first = two_runs[0]
    with pytest.raises(InputError, match="is given twice"):
        load([first, first.folder])
    with pytest.raises(InputError, match="at least one finished run"):
        load([])
    with pytest.raises(InputError, match="does not exist"):
        load([first, tmp_path / "nowhere"])
    with pytest.raises(InputError, match="must be one of probabilities, log-probabilities, got 'votes'"):
        load(two_runs, combine="votes")
    with pytest.raises(InputError, match="must be one of flips, rotations, got 'crops'"):
        load(first, test_time_augmentation="crops")
    with pytest.raises(InputError, match="says how several runs or views are combined, got one run"):
        load(first, combine="log-probabilities")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("class_names", list("1023456789"), "must have the same classes in the same order"),
        ("class_names", list("abcdefghij"), "must have the same classes in the same order"),
        ("channels", 3, "must have the same number of channels"),
        ("dimensions", 3, "must have the same number of dimensions"),
    ],
)
def test_runs_must_be_alike(
    two_runs: tuple[Run, Run], tmp_path: Path, key: str, value: object, said: str
) -> None:
    other = Run(tmp_path / "other")
    shutil.copytree(two_runs[1].folder, other.folder)
    facts = read_json(other.dataset)
    del facts["digest"]
    changed = {**facts, key: value}
    if key == "channels":
        changed |= {"mean": [0.5] * 3, "standard_deviation": [0.5] * 3}
    write_json(other.dataset, changed)
    with pytest.raises(InputError, match=said):
        load([two_runs[0], other])


def test_runs_that_share_pixels_must_prepare_them_alike(two_runs: tuple[Run, Run]) -> None:
    assert check_alike(two_runs).image_size == 12
    with pytest.raises(InputError, match=r"must have the same data\.image_size, but .* has 12 and .* has 16"):
        check_alike(two_runs, prepared_by=("image_size", "fit", "window"))
