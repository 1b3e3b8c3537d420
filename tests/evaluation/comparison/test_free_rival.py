"""The free rival: a run adapted to equal class shares, by hand, and what the page says of those it beats."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from medtail.errors import InputError
from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.evaluation.comparison.page import comparison_page
from medtail.evaluation.comparison.significance.differences import Difference
from medtail.evaluation.comparison.significance.sentences import sentences_of
from medtail.files import write_json
from medtail.recipes.recorded_prior import prior_summary, saved_score_prior
from medtail.runs.facts import DatasetFacts
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import read_page

COUNTS = np.array([60, 90, 12, 700])


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    balanced = {"sampling": {"name": "class_balanced"}}
    return [
        make_run(folder / "ce", method="ce", resamples=3),
        make_run(folder / "bs", method="balanced_softmax", seed=1, resamples=3),
        make_run(folder / "crt", method="focal", seed=2, settings=balanced, resamples=3),
    ]


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare_runs(runs)


def test_only_scores_that_stand_for_unequal_shares_are_adapted(comparison: Comparison) -> None:
    """Balanced softmax has the prior in its loss, and balanced batches have it in their draws."""
    assert set(comparison.labels) == {"ce", "balanced_softmax", "focal", "ce, adapted"}
    assert comparison.rival == "ce, adapted"
    assert comparison.adapted == {"ce, adapted": "ce"}


def test_the_adapted_row_is_post_hoc_logit_adjustment(runs: list[Run], comparison: Comparison) -> None:
    saved = Predictions.read(runs[0].predictions("test"))
    shifted = saved.probabilities / COUNTS
    shifted /= shifted.sum(axis=1, keepdims=True)
    row = next(row for row in comparison.rows if row["method"] == "ce, adapted")
    expected = balanced_accuracy_score(saved.targets, shifted.argmax(axis=1))
    assert row["balanced_accuracy_mean"] == pytest.approx(expected)
    area = roc_auc_score(saved.targets, shifted, multi_class="ovr", average="macro")
    assert row["auc_mean"] == pytest.approx(area)
    assert row["seeds"] == [0]


def test_a_recorded_prior_is_that_of_the_loss(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "vs", method="vector_scaling", resamples=3)
    facts, summary = DatasetFacts.load(run), run.read_summary()
    recorded = prior_summary(run, facts)
    from_loss = saved_score_prior(run, facts)
    assert list(recorded["score_prior"]) == facts.class_names and abs(from_loss.sum() - 1) < 1e-9
    write_json(run.summary, summary | recorded)
    np.testing.assert_array_equal(saved_score_prior(run, facts), from_loss)
    write_json(run.summary, summary | {"score_prior": {"akiec": 1.0}})
    with pytest.raises(InputError, match="must hold a share for each class under score_prior"):
        saved_score_prior(run, facts)


def test_a_run_whose_loss_is_unknown_has_no_adapted_row(make_run, tmp_path: Path, caplog) -> None:
    comparison = compare_runs([make_run(tmp_path / "copy", method="copy", resamples=3)])
    assert (comparison.labels, comparison.rival) == (["copy"], None)
    assert "has no row, adapted, because its prior is unknown" in caplog.text


def test_cross_entropy_is_found_by_its_method_whatever_its_row_is_called(
    runs: list[Run], make_run, tmp_path
) -> None:
    focal = make_run(tmp_path / "focal", method="focal", resamples=3)
    labels = ["small focal", "small ce", "small bs"]
    usual = compare_runs([focal, *runs[:2]], labels=labels)
    assert (usual.reference, usual.rival) == ("small ce", "small ce, adapted")
    # The reference has no adapted row of its own.
    named = compare_runs([focal, *runs[:2]], labels=labels, reference="small bs")
    assert (named.reference, named.rival) == ("small bs", "small ce, adapted")
    without = compare_runs([focal, runs[1]], labels=["small focal", "small bs"], reference="small bs")
    assert without.rival == "small focal, adapted"


def test_the_page_says_what_does_not_beat_it(comparison: Comparison) -> None:
    said = " ".join(comparison.sentences)
    assert "the free rival ce, adapted: " in said
    for text in (comparison.to_markdown(), read_page(comparison_page(comparison)).text):
        assert all(sentence in text for sentence in comparison.sentences)


def _difference(method: str, low: float, high: float, p_holm: float, note: str = "") -> Difference:
    return Difference(method, (low + high) / 2, low, high, 3, 1.0, p_holm, p_holm, note, ())


def test_a_row_beats_another_only_by_both_tests() -> None:
    nan = float("nan")
    cases = {
        "better": _difference("a", 0.01, 0.05, 0.01),
        "worse": _difference("a", -0.05, -0.01, 0.01),
        "no evidence of a difference": _difference("a", 0.01, 0.05, 0.20),
        "better on these images; the seeds were not tested": _difference(
            "a", 0.01, 0.05, nan, "one shared seed"
        ),
    }
    assert {one.verdict: one for one in cases.values()} == cases
    assert _difference("a", -0.01, 0.05, 0.001).verdict == "no evidence of a difference"


def test_sentences_name_the_best_and_those_that_the_rival_beats() -> None:
    rival = "ce, adapted"
    against = {
        "x": [_difference("y", -0.05, -0.01, 0.01), _difference(rival, -0.05, 0.01, 0.3)],
        rival: [
            _difference("x", -0.01, 0.05, 0.3),
            _difference("y", 0.01, 0.02, 0.01),
            _difference("ce", -1, 0, 1),
        ],
    }
    assert sentences_of("x", rival, against, {rival: "ce"}) == [
        "x has the highest mean balanced accuracy.",
        "It is better than y.",
        "There is no evidence of a difference from ce, adapted.",
        "These rows do not beat the free rival ce, adapted: x (+0.020, no evidence of a difference).",
        "These rows beat the free rival ce, adapted: y.",
    ]
    untested = {"x": [_difference("y", -0.05, -0.01, float("nan"), "one shared seed")]}
    assert sentences_of("x", None, untested, {})[1:] == [
        "It is better than y (on these images; the seeds were not tested)."
    ]
