"""Tuning of grids: validation chooses, test is read, and the paper's protocol never passes for it."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medtail.errors import InputError
from medtail.evaluation import Predictions, Tuning, tune
from medtail.evaluation.tuning.page import tuning_page, write_tuning
from medtail.metrics import POSITIVE_CLASS_METRICS
from medtail.runs.grid import Grid, GridRuns, Point
from references.grids import (
    CLASSES,
    VALUES,
    VS,
    VS_LCT,
    smooth,
    write_conditional,
    write_plain,
)
from references.pages import read_page, what_a_page_needs_from_elsewhere

ONE = {"gamma": [0.0, 0.3]}


def disagreeing(point: Point, seed: int, condition: Mapping[str, float], split: str) -> dict[str, float]:
    """Validation favours point 1 at γ = 0.3, test point 2 at γ = 0; Brier the other way round."""
    favoured = (1, 0.3) if split == "validation" else (2, 0.0)
    best = (point.number, condition["gamma"]) == favoured
    second = split == "test" and (point.number, condition["gamma"]) == (1, 0.3)
    auc = 0.9 if best else 0.8 if second else 0.7
    noise = 0.01 * (seed - 0.5)
    return {"auc": auc + noise, "brier": 1 - auc + noise}


@pytest.fixture(scope="module")
def conditional(tmp_path_factory) -> Path:
    return write_conditional(tmp_path_factory.mktemp("grids"), disagreeing, values=ONE)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Point 3 ranks best on validation and worst on test."""

    def skill(point: Point, seed: int, split: str) -> float:
        return 0.6 + 0.6 * (point.number if split == "validation" else 3 - point.number)

    return write_plain(tmp_path_factory.mktemp("grids"), skill, seeds=3)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Tuning:
    """A plain grid and the conditional one that names it as its baseline."""
    folder = tmp_path_factory.mktemp("pair")
    return tune(
        [
            write_plain(folder, lambda point, seed, split: 1.0 + 0.2 * point.number),
            write_conditional(folder, smooth),
        ]
    )


def chosen(tuning: Tuning, metric: str, protocol: str = "chosen_on_validation", grid: int = 0) -> dict:
    return tuning.to_dict()["grids"][grid]["choices"][metric][protocol]


@pytest.mark.parametrize(("metric", "on_validation", "on_test"), [("auc", 0.9, 0.8), ("brier", 0.1, 0.2)])
def test_validation_chooses_and_test_is_what_it_is_there(
    conditional: Path, metric: str, on_validation: float, on_test: float
) -> None:
    choice = chosen(tune([conditional]), metric)
    assert (choice["point"], choice["condition"]) == (1, {"gamma": 0.3})
    assert choice["training"]["method.distributions.tau"] == [1, 4, 0.0]
    sd = np.std([-0.005, 0.005], ddof=1)
    assert choice["validation"][metric] == pytest.approx({"mean": on_validation, "sd": sd})
    assert choice["test"][metric] == pytest.approx({"mean": on_test, "sd": sd})


def test_the_papers_protocol_is_kept_apart(conditional: Path) -> None:
    tuning = tune([conditional])
    choice = chosen(tuning, "auc", "best_on_test")
    assert (choice["point"], choice["condition"], choice["test"]["auc"]["mean"]) == (2, {"gamma": 0.0}, 0.9)
    honest, dishonest = tuning.to_markdown().split("Not honest")
    assert "| Area under ROC | 0.800 ± 0.007 |" in honest
    assert "| Area under ROC | 0.900 ± 0.007 |" in dishonest


def test_nothing_of_test_reaches_a_choice(conditional: Path, tmp_path: Path) -> None:
    def other(point: Point, seed: int, condition: Mapping[str, float], split: str) -> dict[str, float]:
        if split == "validation":
            return disagreeing(point, seed, condition, split)
        return dict.fromkeys(POSITIVE_CLASS_METRICS, 1.0 - 0.1 * point.number - condition["gamma"])

    again = write_conditional(tmp_path, other, values=ONE)
    for metric in POSITIVE_CLASS_METRICS:
        first, second = (chosen(tune([folder]), metric) for folder in (conditional, again))
        assert {**first, "test": None} == {**second, "test": None}


def test_models_without_conditions_are_judged_by_their_predictions(plain: Path) -> None:
    runs = GridRuns.read(plain)
    best = runs.grid.points[3]
    areas = {
        split: [
            roc_auc_score(table.targets, table.probabilities[:, 1])
            for table in (Predictions.read(runs.run(best, seed).predictions(split)) for seed in range(3))
        ]
        for split in ("validation", "test")
    }
    choice = chosen(tune([plain]), "auc")
    assert choice["point"] == 3 and choice["condition"] is None
    for split, values in areas.items():
        assert choice[split]["auc"] == pytest.approx({"mean": np.mean(values), "sd": np.std(values, ddof=1)})
    assert chosen(tune([plain]), "auc", "best_on_test")["point"] == 0


def test_the_mean_over_seeds_chooses_not_the_luckiest_seed(tmp_path: Path) -> None:
    def figures(point: Point, seed: int, condition: Mapping[str, float], split: str) -> dict[str, float]:
        lucky = point.number == 0 and condition["gamma"] == 0.0
        return {"auc": (0.99 if seed == 0 else 0.5) if lucky else 0.8}

    assert chosen(tune([write_conditional(tmp_path, figures, values=ONE)]), "auc")["validation"]["auc"] == {
        "mean": 0.8,
        "sd": 0.0,
    }


def test_what_one_seed_cannot_judge_is_not_chosen(tmp_path: Path) -> None:
    def figures(point: Point, seed: int, condition: Mapping[str, float], split: str) -> dict[str, float]:
        undefined = point.number == 0 and seed == 1
        return {
            "auc": float("nan") if undefined else 0.9 if point.number == 0 else 0.6,
            "max_f1": float("nan"),
        }

    tuning = tune([write_conditional(tmp_path, figures, values=ONE)])
    assert chosen(tuning, "auc")["point"] == 1
    assert chosen(tuning, "max_f1") is None
    assert "| Highest F1 of any threshold | – |" in tuning.to_markdown()
    write_tuning(tuning, tmp_path)
    assert "NaN" not in (tmp_path / "tuning.json").read_text()


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    tuning = tune([write_conditional(tmp_path, disagreeing, values=ONE, seeds=1)])
    assert chosen(tuning, "auc")["test"]["auc"] == {"mean": pytest.approx(0.795), "sd": None}
    assert "±" not in tuning.to_markdown().split("\n", 1)[1]


def test_the_positive_class_is_the_one_with_fewer_training_images(tmp_path: Path) -> None:
    rare_first = {"class_names": ("melanoma", "benign"), "train": (9, 900), "test": (30, 60)}
    folder = write_plain(tmp_path, lambda point, seed, split: 1.0, seeds=1, classes=rare_first)
    tuning = tune([folder])
    assert tuning.positive == "melanoma"
    figures = tuning.to_dict()["grids"][0]["candidates"][0]["test"]
    runs = GridRuns.read(folder)
    table = Predictions.read(runs.run(runs.grid.points[0], 0).predictions("test"))
    expected = average_precision_score(table.targets == 0, table.probabilities[:, 0])
    assert figures["average_precision"]["mean"] == pytest.approx(expected)


def test_several_classes_are_judged_one_against_the_rest(tmp_path: Path) -> None:
    classes = {"class_names": ("a", "b", "c"), "train": (90, 30, 10), "test": (30, 20, 10)}
    folder = write_plain(tmp_path, lambda point, seed, split: 1.0, seeds=1, classes=classes)
    tuning = tune([folder])
    assert tuning.positive is None
    runs = GridRuns.read(folder)
    table = Predictions.read(runs.run(runs.grid.points[0], 0).predictions("test"))
    expected = roc_auc_score(table.targets, table.probabilities, multi_class="ovr")
    assert tuning.to_dict()["grids"][0]["candidates"][0]["test"]["auc"]["mean"] == pytest.approx(expected)
    assert "one against the rest" in tuning_page(tuning)


def test_files_say_the_same(pair: Tuning, tmp_path: Path) -> None:
    write_tuning(pair, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"tuning.{suffix}" for suffix in ("json", "csv", "md", "html")
    }
    saved = json.loads((tmp_path / "tuning.json").read_text())
    table = pd.read_csv(tmp_path / "tuning.csv")
    assert len(table) == 2 * len(POSITIVE_CLASS_METRICS) * 2
    for row in table.to_dict("records"):
        grid = next(grid for grid in saved["grids"] if grid["name"] == row["grid"])
        choice = grid["choices"][row["metric"]][row["protocol"]]
        assert row["test_mean"] == pytest.approx(choice["test"][row["metric"]]["mean"])
        assert row["point"] == choice["point"]
    assert [len(grid["candidates"]) for grid in saved["grids"]] == [4, 80]


def test_the_page_has_the_figures_of_the_paper(pair: Tuning) -> None:
    page = read_page(tuning_page(pair))
    assert not what_a_page_needs_from_elsewhere(page) and not page.scripts and not page.unclosed
    assert {
        "What tuning is worth",
        "Precision at eight recalls",
        "One model, many λ",
        "Over the grid",
    } <= set(page.headings)
    assert "vs_lct against vs" in page.headings and "not to be reported" in page.text
    # Fig. 1 twice, Fig. 2 once, six heat maps of each grid.
    assert len(page.drawings) == 2 + 1 + 2 * len(POSITIVE_CLASS_METRICS)
    descriptions = " ".join(drawing["aria-label"] for drawing in page.drawings)
    assert "AUC against three metrics for 20 λ" in descriptions
    assert "Area under ROC over gamma and tau" in descriptions
    means = [chosen(pair, "auc", grid=grid)["test"]["auc"]["mean"] for grid in (0, 1)]
    assert [cell.split(" ± ")[0] for cell in page.row("Area under ROC")[1:]] == [
        f"{mean:.3f}" for mean in means
    ]


def test_a_conditional_grid_alone_and_part_of_a_grid(tmp_path: Path) -> None:
    part = Grid(VS_LCT.name, "", VS_LCT.method, VS_LCT.axes, VS_LCT.baseline, chosen=(0, 3))
    tuning = tune([write_conditional(tmp_path, smooth, grid=part)])
    page = read_page(tuning_page(tuning))
    assert len(page.drawings) == 2 + 1 + len(POSITIVE_CLASS_METRICS)
    assert any(row[:4] == ["vs_lct", "vs_lct", "2 of 4", "2"] for row in page.rows)


@pytest.mark.parametrize("parameters", [1, 3])
def test_other_numbers_of_parameters_have_a_page_too(tmp_path: Path, parameters: int) -> None:
    values = dict(list({**VALUES, "scale": [1.0, 2.0]}.items())[:parameters])
    tuning = tune([write_conditional(tmp_path, smooth, values=values)])
    page = read_page(tuning_page(tuning))
    maps = [drawing for drawing in page.drawings if "over gamma" in drawing["aria-label"]]
    assert len(maps) == (len(POSITIVE_CLASS_METRICS) if parameters == 1 else 0)
    assert ("cannot be drawn" in page.text) == (parameters == 3)


def test_a_missing_run_is_named(conditional: Path, tmp_path: Path) -> None:
    folder = _copy(conditional, tmp_path)
    for run in sorted(folder.glob("*seed1"))[:2]:
        (run / "summary.json").unlink()
    with pytest.raises(
        InputError, match=r"must hold all 8 finished runs of grid vs_lct, 2 are missing, the first is"
    ):
        tune([folder])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            lambda run: _replace(run.recipe, "seed: 0", "seed: 5"),
            "training with training.seed=0, as grid vs_lct says",
        ),
        (
            lambda run: _replace(run.recipe, "- 3\n", "- 4\n"),
            r"training with method.distributions.tau=\[0, 3, 0.0\], as grid vs_lct says, its recipe has \[0, 4, 0.0\]",
        ),
        (
            lambda run: _replace(run.dataset, '"fingerprint": "', '"fingerprint": "other'),
            "grids must be of the same images, labels and splits",
        ),
        (lambda run: _replace(run.conditions, "0.3,", "0.4,"), "must have the same λ"),
        (
            lambda run: _replace(run.conditions, "max_f1", "f1"),
            "must have the columns split, those of λ, then auc",
        ),
        (lambda run: run.conditions.unlink(), "conditions.csv is missing"),
    ],
)
def test_a_run_that_is_not_what_the_grid_says_is_refused(
    conditional: Path, tmp_path: Path, damage: Callable, sentence: str
) -> None:
    folder = _copy(conditional, tmp_path)
    runs = GridRuns.read(folder)
    damage(runs.run(runs.grid.points[0], 0))
    with pytest.raises(InputError, match=sentence):
        tune([folder])


def test_folders_that_are_no_grids_are_refused(conditional: Path, plain: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one grid"):
        tune([])
    with pytest.raises(InputError, match=r"is not a grid of runs: grid\.json is missing"):
        tune([tmp_path])
    with pytest.raises(InputError, match="different names, got vs, vs"):
        tune([plain, _copy(plain, tmp_path)])
    folder = _copy(conditional, tmp_path)
    _replace(folder / "grid.json", '"axes"', '"axis"')
    with pytest.raises(InputError, match=r"grid\.json is damaged"):
        tune([folder])


def test_grids_of_other_images_are_refused(plain: Path, tmp_path: Path) -> None:
    fewer = {**CLASSES, "test": (50, 20)}
    other = write_conditional(tmp_path, smooth, classes=fewer)
    with pytest.raises(InputError, match="grids must be of the same images"):
        tune([plain, other])


def test_the_grid_file_says_what_was_trained(plain: Path) -> None:
    runs = GridRuns.read(plain)
    assert (runs.grid, runs.seeds) == (VS, 3)


def _copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
