"""Intervals over few groups: the simulation behind the table in the documentation."""

from pathlib import Path

import numpy as np
import pytest

from medtail import metrics
from references.coverage import (
    CLASSES,
    GROUPS,
    coverage,
    draw,
    groups_per_class,
    percentile,
    table,
    true_balanced_accuracy,
)


@pytest.mark.parametrize("groups", GROUPS)
def test_the_simulated_interval_is_that_of_the_package(groups: int) -> None:
    sample = draw(groups, np.random.default_rng(0))
    drawn = metrics.bootstrap(sample.balanced_accuracy_of_columns, np.arange(groups), resamples=4000, seed=1)
    expected = metrics.percentile_interval(drawn)
    simulated = [percentile(sample, np.random.default_rng(seed)) for seed in range(8)]
    assert np.mean(simulated, axis=0) == pytest.approx(expected, abs=0.02)
    assert groups_per_class(groups).shape == (CLASSES,)
    assert 0.5 < true_balanced_accuracy() < 0.8


def test_few_groups_are_covered_nearly_as_often_as_promised() -> None:
    shares = coverage(30, repetitions=60)
    assert shares["percentile"][0] >= 0.85
    assert shares["Bayesian"][1] < shares["percentile"][1] < shares["studentised"][1]


@pytest.mark.slow
def test_the_table_in_the_documentation_is_this_one() -> None:
    document = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert table() in document.read_text(encoding="utf-8"), (
        "run PYTHONPATH=tests python tests/references/coverage.py and copy the table"
    )
