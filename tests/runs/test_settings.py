"""Settings of saved runs."""

from pathlib import Path

from medtail.recipes.compose import load_recipe
from medtail.runs import Run, RunSettings
from medtail.runs.settings import migrated
from references.runs import make_run


def test_settings_of_a_run_are_read_by_their_paths(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", method="ldam", seed=3, resamples=2, settings={"loss": {"scale": 30.0}})
    settings = RunSettings.load(Run(run.folder))
    assert (settings.method, settings.seed, settings.get("loss.scale")) == ("ldam", 3, 30.0)
    assert settings.get("loss.scale.of_nothing") is None and settings.get("nothing.at_all") is None
    assert settings.flat["loss.scale"] == 30.0 and settings.flat["recipe.method"] == "ldam"


def test_runs_from_before_monitors_took_balanced_accuracy() -> None:
    assert RunSettings({"training": {"seed": 0}}).monitor == "balanced_accuracy"
    assert RunSettings({"training": {"seed": 0, "monitor": "auc"}}).monitor == "auc"
    assert RunSettings({"training": {"seed": 0}}).monitor_window == 1


def test_settings_of_earlier_versions_have_the_names_of_today() -> None:
    for pretrained, weights in ((True, "published"), (False, "none")):
        before = {"backbone": {"name": "resnet18", "pretrained": pretrained, "frozen_epochs": 5}}
        assert migrated(before) == {"backbone": {"name": "resnet18", "frozen_epochs": 5, "weights": weights}}
    assert migrated({"backbone": {"name": "resnet18", "weights": "a.pth"}})["backbone"]["weights"] == "a.pth"


def test_a_recipe_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=2, settings={"backbone": {"pretrained": True}})
    assert load_recipe(run.recipe).backbone.weights == "published"
    assert load_recipe(run.recipe, {"backbone": {"weights": "a.pth"}}).backbone.weights == "a.pth"
    assert RunSettings.load(run).get("backbone.weights") == "published"


def test_a_shift_in_pixels_of_an_earlier_version_is_read_as_the_share_that_it_was() -> None:
    augmentation = {"shift": 4, "contrast_view": {"shift": 2, "crop": 16}}
    today = migrated({"data": {"image_size": 28}, "augmentation": augmentation})["augmentation"]
    assert today == {"shift": 4 / 28, "contrast_view": {"shift": 0.125, "crop": 16}}
    # As many pixels as before at every size.
    assert all(round(pixels / size * size) == pixels for size in range(8, 300) for pixels in range(1, size))
    same = {"data": {"image_size": 28}, "augmentation": {"shift": 0.125}}
    assert migrated(same) == same
    assert migrated(migrated({"data": {"image_size": 28}, "augmentation": {"shift": 4}})) == migrated(
        {"data": {"image_size": 28}, "augmentation": {"shift": 4}}
    )
