"""Many classes: accuracy on those with many, a medium number of, and few training images."""

import numpy as np
import pytest

from medtail.errors import InputError
from medtail.evaluation.comparison.columns import check_columns
from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.runs.tasks import task_of

NAMES = tuple(f"class {number:02d}" for number in range(22))
TRAIN = np.array([300] * 4 + [60] * 18)


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(
            folder / f"{method}-{seed}",
            method=method,
            class_names=NAMES,
            train=TRAIN.tolist(),
            test=[6] * len(NAMES),
            seed=seed,
            resamples=3,
            settings={"training": {"seed": seed}},
        )
        for method in ("ce", "dal")
        for seed in range(2)
    ]


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare_runs(runs)


def test_groups_are_columns_like_others(runs: list[Run], comparison: Comparison) -> None:
    tables = [Predictions.read(run.predictions("test")) for run in runs[:2]]
    values = [
        np.mean((table.targets == table.decisions)[np.isin(table.targets, np.flatnonzero(TRAIN > 100))])
        for table in tables
    ]
    row = next(row for row in comparison.rows if row["method"] == "ce")
    assert row["group:many_mean"] == pytest.approx(np.mean(values))
    assert row["group:many_sd"] == pytest.approx(np.std(values, ddof=1))
    assert "Accuracy on classes of over 100 training images" in comparison.to_markdown()
    assert not [name for name in comparison.metrics if name.startswith("recall:")]


def test_groups_without_a_class_are_shown_only_where_they_are_asked_for(
    runs: list[Run], comparison: Comparison
) -> None:
    assert "group:few" not in comparison.metrics
    asked = compare_runs(runs, metrics=["group:few", "group:medium"])
    assert np.isnan(asked.rows[0]["group:few_mean"])
    assert "| dal | 2 | – | 0." in asked.to_markdown()


def test_few_classes_have_no_groups() -> None:
    check_columns(["group:few"], NAMES, task_of(multi_label=False))
    with pytest.raises(InputError, match="got group:few"):
        check_columns(["group:few"], NAMES[:19], task_of(multi_label=False))
    with pytest.raises(InputError, match="got group:few"):
        check_columns(["group:few"], NAMES, task_of(multi_label=True))
