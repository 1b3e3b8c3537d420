"""Columns by name, other splits, and tables of two settings."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from medtail.errors import InputError
from medtail.evaluation.comparison.columns import check_columns
from medtail.evaluation.comparison.comparison import compare_runs
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.runs.tasks import task_of


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    """Two losses, each with two samplers, one of them with two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(
            folder / f"{method}-{sampler}-{seed}",
            method=method,
            seed=10 * number + seed,
            resamples=3,
            settings={"sampling": {"name": sampler}, "training": {"seed": seed}},
        )
        for number, (method, sampler, seed) in enumerate(
            [("ce", "uniform", 0), ("ce", "uniform", 1), ("ce", "class_balanced", 0), ("dal", "uniform", 0)]
        )
    ]


def test_columns_are_shown_in_the_order_that_was_asked_for(runs: list[Run]) -> None:
    comparison = compare_runs(runs[:2], metrics=["f1:df", "iba_0.5", "recall:nv", "cov"])
    (group,) = comparison.column_groups
    assert [metric.heading for metric in group.columns.values()] == [
        "F1 of df (12 training images)",
        "Index of balanced accuracy, α = 0.5",
        "Recall of nv (700 training images)",
        "Variation of recall (σ/μ) ↓",
    ]
    tables = [Predictions.read(run.predictions("test")) for run in runs[:2]]
    expected = np.mean([f1_score(table.targets, table.decisions, average=None)[2] for table in tables])
    row = next(row for row in comparison.rows if row["method"] == "ce")
    assert row["f1:df_mean"] == pytest.approx(expected)
    assert list(comparison.to_dict()["columns"]) == ["f1:df", "iba_0.5", "recall:nv", "cov"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["recall:mal"],
            "`metrics` must be different names from .*, got recall:mal; did you mean recall:mel",
        ),
        (["balanced_acuracy"], "did you mean balanced_accuracy"),
        (["cov", "cov"], "must be different names from .*, got cov, cov"),
        ([], "got none"),
    ],
)
def test_unknown_columns_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_columns(names, ["mel", "nv", "df"], task_of(multi_label=False))


def test_the_validation_split_is_judged_by_its_own_predictions(runs: list[Run]) -> None:
    comparison = compare_runs(runs[:2], split="validation")
    table = Predictions.read(runs[0].predictions("validation"))
    assert comparison.test_images == len(table.ids)
    accuracy = (table.targets == table.decisions).mean()
    assert comparison.runs.loc[0, "accuracy"] == pytest.approx(accuracy)
    assert "validation images" in comparison.to_markdown()


def test_two_settings_make_rows_and_columns(runs: list[Run]) -> None:
    comparison = compare_runs(runs, rows="loss.name", columns="sampling.name")
    table = comparison.crossed[0].text
    assert table.header == ["loss.name ↓ sampling.name →", "uniform", "class_balanced"]
    values = comparison.runs["balanced_accuracy"].to_numpy()
    mean, deviation = values[:2].mean(), values[:2].std(ddof=1)
    assert table.rows == [
        ["ce", f"{mean:.3f} ± {deviation:.3f}", f"{values[2]:.3f}"],
        ["dal", f"{values[3]:.3f}", "–"],
    ]
    assert table.markdown()[2] in comparison.to_markdown()
    assert table.title in comparison.to_latex()


def test_settings_that_make_no_table_are_refused(runs: list[Run]) -> None:
    with pytest.raises(InputError, match=r"both have loss\.name=ce and method=ce; name another setting"):
        compare_runs(runs, rows="loss.name", columns="method")
    with pytest.raises(InputError, match=r"got sampling\.nam; did you mean sampling\.name"):
        compare_runs(runs, rows="loss.name", columns="sampling.nam")
    with pytest.raises(InputError, match=r"must be two settings, got loss\.name twice"):
        compare_runs(runs, rows="loss.name", columns="loss.name")
    with pytest.raises(InputError, match="give both, or neither"):
        compare_runs(runs, rows="loss.name")
