"""Several runs and views on labelled images, none of which a run has seen."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medtail.data import BY_NAME
from medtail.errors import InputError
from medtail.inference.combination import MeanLogProbability, MeanProbability
from medtail.inference.judging import judge_other, judge_own, judge_saved
from medtail.inference.loading import assemble
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run


def saved(runs: tuple[Run, Run]) -> np.ndarray:
    return np.stack([Predictions.read(run.predictions("test")).probabilities for run in runs])


def test_saved_predictions_are_combined(two_runs: tuple[Run, Run]) -> None:
    each = saved(two_runs)
    judged = judge_saved(two_runs, "test", MeanProbability())
    first = Predictions.read(two_runs[0].predictions("test"))
    assert_array_equal(judged.predictions.ids, first.ids)
    assert_array_equal(judged.predictions.targets, first.targets)
    assert_allclose(judged.predictions.probabilities, each.mean(axis=0), atol=1e-12)
    products = np.sqrt(each.prod(axis=0))
    geometric = judge_saved(two_runs, "test", MeanLogProbability()).predictions
    assert_allclose(geometric.probabilities, products / products.sum(axis=1, keepdims=True), atol=1e-12)


def test_the_order_of_a_table_does_not_matter(two_run_copies: tuple[Run, Run]) -> None:
    expected = judge_saved(two_run_copies, "test", MeanProbability()).predictions
    table = Predictions.read(two_run_copies[1].predictions("test"))
    table.rows(np.arange(len(table.ids))[::-1]).write(two_run_copies[1].predictions("test"))
    turned = judge_saved(two_run_copies, "test", MeanProbability()).predictions
    assert_array_equal(turned.probabilities, expected.probabilities)


def test_networks_say_what_was_saved(two_runs: tuple[Run, Run]) -> None:
    classifier = assemble(two_runs)
    again = judge_own(classifier, two_runs, "test").predictions
    other = judge_other(classifier, two_runs, "digits-lt", "test", columns=BY_NAME)
    expected = judge_saved(two_runs, "test", MeanProbability()).predictions
    for predictions in (again, other.predictions):
        assert_array_equal(predictions.ids, expected.ids)
        assert_array_equal(predictions.targets, expected.targets)
        assert_allclose(predictions.probabilities, expected.probabilities, atol=1e-5)
    assert other.split == "test" and other.atypicality is not None


def test_images_that_a_run_has_seen_are_refused(two_run_copies: tuple[Run, Run]) -> None:
    first, second = two_run_copies
    table = pd.read_csv(second.splits, dtype=str)
    tested = table.index[table["split"] == "test"]
    for split in ("train", "validation"):
        table.loc[tested[:3], "split"] = split
        table.to_csv(second.splits, index=False)
        with pytest.raises(InputError, match="must be new to every run") as error:
            judge_saved(two_run_copies, "test", MeanProbability())
        assert (
            f"but 3 of 400, such as {table['id'][tested[0]]}, are in the train or validation split of "
            in str(error.value)
        )
        assert str(second.folder) in str(error.value)
    with pytest.raises(InputError, match="must be new to every run"):
        judge_other(assemble(two_run_copies), two_run_copies, "digits-lt", "test", columns=BY_NAME)
    assert judge_saved(two_run_copies, "validation", MeanProbability()).predictions.ids.size
    assert judge_saved([first], "test", MeanProbability()).predictions.ids.size == 400


def test_other_splits_and_labels_are_refused(two_run_copies: tuple[Run, Run]) -> None:
    path = two_run_copies[1].predictions("test")
    table = Predictions.read(path)
    changed = table.rows(np.arange(len(table.ids)))
    changed.targets[0] = (changed.targets[0] + 1) % 10
    changed.write(path)
    with pytest.raises(InputError, match="must have the same labels"):
        judge_saved(two_run_copies, "test", MeanProbability())
    table.rows(np.arange(390)).write(path)
    with pytest.raises(InputError, match="must have the same test images, but 10 images are in only one of"):
        judge_saved(two_run_copies, "test", MeanProbability())
