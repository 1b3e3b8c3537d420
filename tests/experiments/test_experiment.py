"""An experiment: its folders, what is checked before the first training, and what is never trained again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtail.errors import InputError
from medtail.experiments.experiment import Experiment
from medtail.experiments.variants import Variant, product_of, variants_of
from medtail.recipes.compose import compose

SHORT = {"training": {"epochs": 1}, "backbone": {"name": "resnet8"}}


def _experiment(folder: Path, variants=None, **changes) -> Experiment:
    arguments = {"seeds": 1, "changes": [SHORT], **changes}
    return Experiment(variants or variants_of(["ce"]), ["digits-lt"], folder, **arguments)


def test_every_variant_and_seed_has_its_folder_and_recipe(tmp_path: Path) -> None:
    variants = product_of(variants_of(["dal"]), {"loss.scale": [4, 8]})
    prepared = _experiment(tmp_path, variants, seeds=2).prepared()
    assert [one.run.folder.name for one in prepared] == [
        f"dal_loss.scale={scale}-seed{seed}" for scale in (4, 8) for seed in (0, 1)
    ]
    assert [one.job.recipe.loss.settings["scale"] for one in prepared] == [4, 4, 8, 8]
    assert [one.job.recipe.training.seed for one in prepared] == [0, 1, 0, 1]
    assert {one.data_set for one in prepared} == {"digits-lt"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (Variant("b", "dal", {"loss": {"scael": 4}}), "did you mean scale"),
        (Variant("b", "dal", {"head": {"name": "linear"}}), "cosines"),
        (Variant("b", "ce", {"optimizer": {"learning_rat": 1}}), "did you mean learning_rate"),
        (Variant("b", "gml"), "needs a trained model to learn from"),
        (Variant("b", "crt"), "backbone.from_run"),
        (Variant("b", "ce", {"backbone": {"from_run": "nowhere"}}), "run folder nowhere does not exist"),
        (Variant("b", "ce", {"training": {"seed": 4}}), "training.seed must be left to the comparison"),
    ],
)
def test_nothing_starts_if_a_later_variant_cannot_be_built(
    variant: Variant, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        _experiment(tmp_path / "out", [Variant("a", "ce"), variant]).run()
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_recipe_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    first = _experiment(tmp_path).run()[0].run
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for changes, message in (
        ({"changes": [SHORT, {"loss": {"name": "focal"}}]}, "can only continue with its own settings"),
        ({"folds": 2}, "holds one training, not a cross-validation of 2 folds"),
    ):
        with pytest.raises(InputError, match=message):
            _experiment(tmp_path, [Variant("new", "ce"), Variant("ce", "ce")], **changes).run()
    assert _experiment(tmp_path).run()[0].run == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_finished_run_on_other_data_is_not_passed_off(tmp_path: Path) -> None:
    """The recipe is the same, and so are the ids of the images."""
    for name, classes in (("first", [0, 1, 2]), ("second", [2, 1, 0])):
        images = np.arange(30 * 64, dtype=np.uint8).reshape(30, 8, 8)
        splits = {"train": slice(0, 18), "val": slice(18, 24), "test": slice(24, 30)}
        arrays = {f"{split}_images": images[rows] for split, rows in splits.items()}
        arrays |= {f"{split}_labels": np.tile(classes, 10)[rows, None] for split, rows in splits.items()}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    first, second = (
        Experiment(variants_of(["ce"]), [str(tmp_path / f"{name}.npz")], tmp_path / "out", 1, changes=[SHORT])
        for name in ("first", "second")
    )
    (run,) = first.run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert first.run() == [run]
    with pytest.raises(
        InputError, match=r"holds a run on other images, labels or splits than those of .*second\.npz"
    ):
        second.run()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_no_experiment_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="variants must not be empty"):
        Experiment([], ["digits-lt"], tmp_path)
    with pytest.raises(InputError, match="data sets must have different names"):
        Experiment(variants_of(["ce"]), ["digits-lt", "digits-lt"], tmp_path).prepared()


def test_columns_of_a_recipe_and_of_a_variant_are_read(tmp_path: Path) -> None:
    """A saved recipe names the column of labels, and one row another column of images."""
    images = np.zeros((12, 12, 12), dtype=np.uint8)
    names = [f"{number}.png" for number in range(12)]
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(tmp_path / name)
    table = pd.DataFrame({"a": names, "b": names[::-1], "finding": ["x", "y", "z"] * 4})
    table.to_csv(tmp_path / "labels.csv", index=False)
    recipe = tmp_path / "recipe.yaml"
    compose(
        "small_images",
        "ce",
        SHORT,
        {"data": {"columns": {"image_column": "a", "label_column": "finding"}}},
    ).save(recipe)
    other = Variant("other images", "ce", {"data": {"columns": {"image_column": "b"}}})
    experiment = Experiment(
        [Variant("ce", "ce"), other], [str(tmp_path / "labels.csv")], tmp_path / "out", 1, str(recipe)
    )
    assert [one.class_names for one in experiment.prepared()] == [("x", "y", "z")] * 2

    # These images come without splits, which every row must therefore draw alike.
    drawn = Variant("drawn", "ce", {"data": {"validation_fraction": 0.3}})
    with pytest.raises(InputError, match=r"data\.validation_fraction is .* in ce and 0\.3 in drawn"):
        replace(experiment, variants=[Variant("ce", "ce"), drawn]).prepared()


def test_rows_of_other_classes_are_refused_before_the_first_training(tmp_path: Path) -> None:
    few = Variant("few", "ce", {"data": {"classes": ["1", "2"]}})
    with pytest.raises(InputError, match=r"data\.classes is None in ce and \['1', '2'\] in few"):
        _experiment(tmp_path / "out", [Variant("ce", "ce"), few]).run()
    assert not (tmp_path / "out").exists()
