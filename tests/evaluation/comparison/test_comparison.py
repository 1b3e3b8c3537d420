"""Comparisons of runs: their numbers, their tests, what may not be compared."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from medtail.errors import InputError
from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.evaluation.comparison.page import comparison_page, write_comparison
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import read_page, what_a_page_needs_from_elsewhere

SKILLS = {"dal": 3.0, "ce": 1.5, "focal": 1.6}


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    """Three seeds of two methods, two of a third; seeds differ in their noise."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        _run(make_run, folder, method, seed)
        for method in SKILLS
        for seed in range(2 if method == "focal" else 3)
    ]


def _run(make_run, folder: Path, method: str, seed: int, **changes) -> Run:
    noise = 10 * list(SKILLS).index(method) + seed
    settings = {"training": {"seed": seed}} | changes.pop("settings", {})
    return make_run(
        folder / f"{method}-seed{seed}",
        method=method,
        seed=noise,
        skill=SKILLS[method],
        resamples=3,
        settings=settings,
        **changes,
    )


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare_runs(runs)


def _balanced_accuracies(runs: list[Run], method: str) -> list[float]:
    tables = [Predictions.read(run.predictions("test")) for run in runs if run.folder.name.startswith(method)]
    return [balanced_accuracy_score(table.targets, table.decisions) for table in tables]


def _row(comparison: Comparison, method: str) -> dict:
    return next(row for row in comparison.rows if row["method"] == method)


def test_means_and_deviations_are_over_seeds(runs: list[Run], comparison: Comparison) -> None:
    for method in SKILLS:
        values = _balanced_accuracies(runs, method)
        row = _row(comparison, method)
        assert row["seeds"] == list(range(len(values)))
        assert row["balanced_accuracy_mean"] == pytest.approx(np.mean(values))
        assert row["balanced_accuracy_sd"] == pytest.approx(np.std(values, ddof=1))


def test_methods_are_ranked_and_tested_against_cross_entropy(runs: list[Run], comparison: Comparison) -> None:
    means = comparison.table["balanced_accuracy_mean"].tolist()
    assert means == sorted(means, reverse=True)
    assert comparison.reference == "ce"
    assert _row(comparison, "ce")["note"] == "reference"
    expected = stats.ttest_rel(_balanced_accuracies(runs, "dal"), _balanced_accuracies(runs, "ce"))
    row = _row(comparison, "dal")
    assert (row["t"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert row["shared_seeds"] == 3
    others = comparison.table[comparison.table["method"] != "ce"]
    # Adapted rows are tested, too, and count.
    assert set(others["method"]) == {"dal", "focal", "ce, adapted", "focal, adapted"}
    expected = sm.stats.multipletests(others["p"], method="holm")[1]
    assert others["p_holm"].tolist() == pytest.approx(expected.tolist())


def test_only_shared_seeds_enter_a_difference(runs: list[Run], comparison: Comparison) -> None:
    focal, ce = _balanced_accuracies(runs, "focal"), _balanced_accuracies(runs, "ce")
    row = _row(comparison, "focal")
    assert row["shared_seeds"] == 2
    assert row["difference"] == pytest.approx(np.mean(focal) - np.mean(ce[:2]))


def test_interval_of_a_difference_is_paired(runs: list[Run], comparison: Comparison) -> None:
    """Against resampling by hand, and narrower than the difference of two unrelated test sets would be."""
    tables = {
        method: [
            Predictions.read(run.predictions("test")) for run in runs if run.folder.name.startswith(method)
        ]
        for method in ("dal", "ce")
    }
    size = len(tables["ce"][0].ids)
    generator = np.random.default_rng(1)

    def mean(method: str, rows: np.ndarray) -> float:
        scores = [
            balanced_accuracy_score(table.targets[rows], table.decisions[rows]) for table in tables[method]
        ]
        return float(np.mean(scores))

    draws = [generator.integers(0, size, size) for _ in range(250)]
    paired = [mean("dal", rows) - mean("ce", rows) for rows in draws]
    row = _row(comparison, "dal")
    low, high = np.quantile(paired, [0.025, 0.975])
    assert row["difference_low"] == pytest.approx(low, abs=0.03)
    assert row["difference_high"] == pytest.approx(high, abs=0.03)
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_another_reference(runs: list[Run]) -> None:
    against_dal = compare_runs(runs, reference="dal")
    assert against_dal.reference == "dal"
    assert _row(against_dal, "ce")["difference"] < 0
    with pytest.raises(
        InputError,
        match=r"a row of the table \(dal; ce; focal; ce, adapted; focal, adapted\), got focall; did you mean focal",
    ):
        compare_runs(runs, reference="focall")
    without_ce = compare_runs([run for run in runs if not run.folder.name.startswith("ce")])
    assert without_ce.reference == "dal"


def test_one_seed_says_that_no_test_is_possible(runs: list[Run]) -> None:
    comparison = compare_runs([runs[0], runs[3]])
    row = _row(comparison, "dal")
    assert math.isnan(row["p"])
    assert math.isnan(row["balanced_accuracy_sd"])
    assert row["note"] == "one shared seed: no test is possible"
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert "one shared seed: no test is possible" in comparison.to_markdown()
    assert "nan" not in comparison.to_markdown()
    assert "one shared seed: no test is possible" in read_page(comparison_page(comparison)).text


def test_methods_without_a_shared_seed(runs: list[Run]) -> None:
    row = _row(compare_runs([runs[0], runs[4]]), "dal")
    assert row["shared_seeds"] == 0
    assert row["note"] == "no shared seed: no test is possible"
    assert row["difference"] > 0


def test_equal_predictions_have_no_difference(make_run, tmp_path: Path) -> None:
    same = [
        make_run(
            tmp_path / f"{method}{seed}",
            method=method,
            resamples=3,
            seed=0,
            settings={"training": {"seed": seed}},
        )
        for method in ("ce", "copy")
        for seed in range(2)
    ]
    row = _row(compare_runs(same), "copy")
    assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, 0, 0)
    assert row["note"] == "no difference in every seed: without spread no test is possible"


def test_one_method_alone(runs: list[Run]) -> None:
    comparison = compare_runs(runs[:3])
    assert len(comparison.table) == 1
    assert "against" not in comparison.to_markdown()
    assert "nothing to test it against" in read_page(comparison_page(comparison)).text


def test_written_files_agree(comparison: Comparison, tmp_path: Path) -> None:
    write_comparison(comparison, tmp_path / "comparison")
    content = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert content == comparison.to_dict()
    first = content["methods"][0]
    assert first["method"] == "dal"
    assert set(first) == {
        "method", "seeds", "metrics", "balanced_accuracy_interval", "recalls", "against_reference",
    }  # fmt: skip
    assert set(first["recalls"]) == {"akiec", "bcc", "df", "nv"}
    assert {entry["method"]: entry["against_reference"] is None for entry in content["methods"]}["ce"]
    with (tmp_path / "comparison" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["balanced_accuracy_mean"]) == pytest.approx(
        first["metrics"]["balanced_accuracy"]["mean"]
    )
    assert rows[0]["seeds"] == "0 1 2"
    assert (
        set(rows[0])
        >= {f"{name}_mean" for name in content["columns"]}
        == {f"{name}_mean" for name in first["metrics"]}
    )
    markdown = (tmp_path / "comparison" / "comparison.md").read_text()
    mean, deviation = (first["metrics"]["balanced_accuracy"][name] for name in ("mean", "sd"))
    assert f"| dal | 3 | {mean:.3f} ± {deviation:.3f} |" in markdown
    page = read_page((tmp_path / "comparison" / "comparison.html").read_text())
    latex = (tmp_path / "comparison" / "comparison.tex").read_text()
    assert latex.count("\\begin{tabular}") == len(comparison.tables)
    for title in content["columns"].values():
        assert title in markdown
        assert title.split(",")[0].split(" (")[0] in latex
        assert any(row[0].startswith(title) for row in page.rows if row)
    assert page.row("Balanced accuracy")[1] == f"{mean:.3f} ± {deviation:.3f}"
    assert page.row("df")[1] == f"{first['recalls']['df']:.3f}"
    assert what_a_page_needs_from_elsewhere(page) == []
    assert page.unclosed == []
    assert page.scripts == 0
    assert all(cell["scope"] in ("row", "col") for cell in page.header_cells)


def test_lowest_recall_is_that_of_the_worst_class(runs: list[Run], comparison: Comparison) -> None:
    summary = runs[0].read_summary()
    expected = min(entry["recall"] for entry in summary["classes"])
    assert comparison.runs.loc[0, "lowest_recall"] == pytest.approx(expected)


def test_settings_that_differ_are_said(make_run, tmp_path: Path, runs: list[Run]) -> None:
    assert compare_runs(runs).warnings == []
    longer = _run(make_run, tmp_path, "ce", 4, settings={"optimizer": {"learning_rate": 0.01}})
    scaled = _run(make_run, tmp_path, "dal", 4, settings={"loss": {"scale": 8.0}})
    everything = [*runs, longer, scaled]
    named = [run.folder.name.partition("-")[0] for run in everything]
    comparison = compare_runs(everything, labels=named)
    assert comparison.warnings == [
        "loss.scale differs within dal: 8.0 (dal seed 4); not set (all others)",
        "optimizer.learning_rate differs: 0.01 (ce seed 4); 0.1 (all others)",
    ]
    assert comparison.warnings[0] in comparison.to_markdown()
    assert comparison.warnings[0] in read_page(comparison_page(comparison)).text


def test_two_settings_of_one_method_are_two_rows(make_run, tmp_path: Path, runs: list[Run]) -> None:
    """Runs that nobody named are told apart by the setting that differs; their seeds and machines make no rows."""
    scaled = [
        _run(
            make_run,
            tmp_path / str(scale),
            "dal",
            seed,
            settings={
                "loss": {"scale": scale},
                "training": {"seed": seed, "precision": ("32-true", "bf16-mixed")[seed]},
            },
        )
        for scale in (4, 8)
        for seed in (0, 1)
    ]
    comparison = compare_runs([*runs[3:6], *scaled])
    assert {row["method"]: row["seeds"] for row in comparison.rows} == {
        "ce": [0, 1, 2],
        "ce, adapted": [0, 1, 2],
        "dal loss.scale=4": [0, 1],
        "dal loss.scale=8": [0, 1],
    }
    assert [warning.partition(" ")[0] for warning in comparison.warnings] == ["training.precision"]


def test_order_of_images_in_a_file_does_not_matter(make_run, tmp_path: Path, runs: list[Run]) -> None:
    copy = _run(make_run, tmp_path, "focal", 5)
    table = Predictions.read(copy.predictions("test"))
    before = compare_runs([*runs[3:6], copy]).to_dict()
    turned = Predictions(
        table.ids[::-1], table.targets[::-1], table.probabilities[::-1], table.class_names, table.groups[::-1]
    )
    turned.write(copy.predictions("test"))
    assert compare_runs([*runs[3:6], copy]).to_dict() == before


def test_seeds_with_splits_of_their_own_are_compared_seed_by_seed(make_run, tmp_path: Path) -> None:
    """Seed k of every method was split with seed k, as DAL does."""
    follows = {"data": {"split_seed": "run"}}

    def train(method: str, seed: int, data_seed: int) -> Run:
        return _run(make_run, tmp_path / "paired", method, seed, data_seed=data_seed, settings=follows)

    ce, dal = ([train(method, seed, data_seed=seed) for seed in range(2)] for method in ("ce", "dal"))
    comparison = compare_runs([*ce, *dal])
    row = next(row for row in comparison.rows if row["method"] == "dal")
    own, base = (
        np.array([run.read_summary()["balanced_accuracy"] for run in members]) for members in (dal, ce)
    )
    assert row["difference"] == pytest.approx((own - base).mean())
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["t"] == pytest.approx(stats.ttest_rel(own, base).statistic)
    assert any(warning.startswith("splits differ between seeds") for warning in comparison.warnings)

    with pytest.raises(
        InputError, match=r"seed 0 \(split 0\), seed 1 \(split 1\) of ce are not seed 0 \(split 0\)"
    ):
        compare_runs([*ce, dal[0]])
    other = _run(make_run, tmp_path / "other", "dal", 1, data_seed=0, settings=follows)
    with pytest.raises(InputError, match="runs must be of the same images, labels and splits"):
        compare_runs([*ce, dal[0], other])


def test_what_may_not_be_compared(make_run, tmp_path: Path, runs: list[Run]) -> None:
    with pytest.raises(InputError, match="runs must hold at least one finished run, got none"):
        compare_runs([])
    with pytest.raises(
        InputError, match=r"each method and seed may occur once.* both dal with seed 0; leave one out"
    ):
        compare_runs([runs[0], runs[0]])
    with pytest.raises(InputError, match=r"run folder .*nowhere does not exist"):
        compare_runs([Run(tmp_path / "nowhere")])

    other_data = _run(make_run, tmp_path / "a", "ce", 7, data_seed=1)
    with pytest.raises(
        InputError,
        match=r"runs must be of the same images, labels and splits.*same data.split_seed, data.positive and",
    ):
        compare_runs([runs[0], other_data])

    other_classes = _run(make_run, tmp_path / "b", "ce", 7, class_names=("a", "b", "c", "d"))
    with pytest.raises(InputError, match="runs in one table must be of the same classes"):
        compare_runs([runs[0], other_classes])

    fewer = _run(make_run, tmp_path / "c", "ce", 7)
    table = Predictions.read(fewer.predictions("test"))
    kept = Predictions(
        table.ids[1:], table.targets[1:], table.probabilities[1:], table.class_names, table.groups[1:]
    )
    kept.write(fewer.predictions("test"))
    with pytest.raises(
        InputError, match=r"the same images.*: only one has ISIC_0000000; evaluate them again"
    ):
        compare_runs([runs[0], fewer])

    unfinished = _run(make_run, tmp_path / "d", "ce", 7)
    unfinished.summary.unlink()
    with pytest.raises(InputError, match=r"is not a finished run: summary.json is missing"):
        compare_runs([runs[0], unfinished])
