"""Choosing on a run's files: no image, no network, and the prior its scores stand for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from medtail.adaptation import (
    BestCondition,
    FewestMistakes,
    HighestBalancedAccuracy,
    LowestCost,
    PromisedRecall,
    Request,
    RunPredictions,
    adapt,
    choose,
)
from medtail.adaptation.best_condition import CONDITION_METRICS, condition_choices
from medtail.errors import InputError
from medtail.operating_point import (
    ClassThreshold,
    ConfidentShare,
    ExpectedShare,
    OperatingPoint,
    PriorShift,
    TemperatureScaling,
)
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.gaussians import TWO
from references.runs import make_run

NAMES = ("nv", "mel")
TRAIN = (900, 100)


def gaussian_run(
    folder: Path,
    *,
    scores_stand_for: np.ndarray,
    validation: tuple[int, int] = (1800, 200),
    method: str = "ce",
    sampling: str = "uniform",
) -> Run:
    """A run whose probabilities are the true posterior of two Gaussians, at the prior its loss should name."""
    counts = {"validation": validation, "test": (1800, 200)}
    run = make_run(folder, class_names=NAMES, train=TRAIN, test=(36, 4), method=method,
                   settings={"sampling": {"name": sampling}})  # fmt: skip
    for seed, (split, numbers) in enumerate(counts.items()):
        targets, points = TWO.draw(numbers, np.random.default_rng(seed))
        Predictions(
            ids=np.array([f"{split}{index}" for index in range(len(targets))]),
            targets=targets,
            probabilities=TWO.posterior(points, scores_stand_for),
            class_names=NAMES,
            groups=None,
        ).write(run.predictions(split))
    return run


@pytest.mark.parametrize(
    ("method", "sampling", "prior"),
    [
        ("ce", "uniform", [0.9, 0.1]),
        ("ce", "class_balanced", [0.5, 0.5]),
        ("ce", "stratified", [0.5, 0.5]),
        ("ce", "progressively_balanced", [0.5, 0.5]),
        ("ce", "square_root", [0.75, 0.25]),
        ("balanced_softmax", "uniform", [0.5, 0.5]),
        # Corrected twice: the adjustment takes out a prior that the sampler took out before.
        ("balanced_softmax", "class_balanced", [0.1, 0.9]),
        ("weighted_ce", "uniform", [0.5, 0.5]),
        ("soft_f1", "class_balanced", [0.5, 0.5]),
        ("asl", "uniform", [0.9, 0.1]),
        # Its weights are counted in batches, so they take out whatever prior is drawn.
        ("dal", "uniform", [0.5, 0.5]),
        ("dal", "square_root", [0.5, 0.5]),
        ("ce+soft_f1", "square_root", [0.75, 0.25]),
    ],
)
def test_the_prior_of_scores_follows_from_loss_and_sampler(
    tmp_path: Path, method: str, sampling: str, prior: list[float]
) -> None:
    run = gaussian_run(
        tmp_path / "run", scores_stand_for=np.array([0.5, 0.5]), method=method, sampling=sampling
    )
    np.testing.assert_allclose(RunPredictions(run).score_prior(), prior, rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "sampling", "scores_stand_for"),
    [("ce", "uniform", [0.9, 0.1]), ("balanced_softmax", "uniform", [0.5, 0.5]), ("ce", "square_root", [0.75, 0.25])],
)  # fmt: skip
def test_whatever_the_loss_a_prior_gives_the_posterior_there(
    tmp_path: Path, method: str, sampling: str, scores_stand_for: list[float]
) -> None:
    run = gaussian_run(
        tmp_path / "run", scores_stand_for=np.array(scores_stand_for), method=method, sampling=sampling
    )
    outputs = RunPredictions(run)
    point = choose(outputs, Request(goal=FewestMistakes(), prior=np.array([0.3, 0.7])))
    _, points = TWO.draw((1800, 200), np.random.default_rng(1))
    adapted = point.apply(outputs.predictions("test").probabilities)
    np.testing.assert_allclose(adapted, TWO.posterior(points, [0.3, 0.7]), rtol=1e-6)
    # Weighted to the prior, validation judges them calibrated.
    before, after = (point.validation[which] for which in ("before", "after"))
    assert after["ece"] < 0.05 and after["brier"] < before["brier"]
    assert point.validation["prior"] == {"nv": 0.3, "mel": 0.7}


def test_costs_without_a_prior_are_for_the_mix_of_validation(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.5, 0.5]), method="balanced_softmax",
                       validation=(1000, 1000))  # fmt: skip
    point = choose(RunPredictions(run), Request(goal=LowestCost(np.array([[0.0, 1.0], [5.0, 0.0]]))))
    assert point.steps == ()  # scores stand for equal classes, and validation has them
    assert any("as frequent as in validation" in note for note in point.notes)
    before, after = (point.validation[which]["expected_cost"] for which in ("before", "after"))
    assert after < before
    run = gaussian_run(tmp_path / "other", scores_stand_for=np.array([0.5, 0.5]), method="balanced_softmax")
    point = choose(RunPredictions(run), Request(goal=LowestCost(np.array([[0.0, 1.0], [5.0, 0.0]]))))
    (shift,) = point.steps
    assert isinstance(shift, PriorShift)
    np.testing.assert_allclose(shift.target, [0.9, 0.1])


def test_steps_go_to_validation_are_calibrated_there_and_go_on(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.5, 0.5]), method="balanced_softmax")
    request = Request(FewestMistakes(), np.array([0.6, 0.4]), "temperature", 0.9)
    point = choose(RunPredictions(run), request)
    first, calibration, second = point.steps
    assert isinstance(first, PriorShift) and isinstance(second, PriorShift)
    assert isinstance(calibration, TemperatureScaling)
    np.testing.assert_allclose(first.target, [0.9, 0.1])
    np.testing.assert_allclose(second.source, [0.9, 0.1])
    assert calibration.temperature == pytest.approx(1.0, abs=0.1)
    assert any("same validation cases" in note for note in point.notes)


@pytest.mark.parametrize(
    "promise", [ExpectedShare(0.95), ConfidentShare(0.9, 0.95)], ids=["average", "confident"]
)
def test_a_recall_is_kept_on_validation_with_its_bound(tmp_path: Path, promise) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]))
    point = choose(RunPredictions(run), Request(goal=PromisedRecall(1, promise)))
    after = point.validation["after"]
    assert isinstance(point.decision, ClassThreshold) and point.decision.class_id == 1
    assert after["recall"] >= promise.share
    assert after["recall_lower_bound"] < after["recall"]
    if isinstance(promise, ConfidentShare):
        assert after["recall_lower_bound"] >= promise.share - 1e-9  # the same law, both of 95 %
    assert point.validation["before"]["recall"] < after["recall"]
    assert point.validation["before"]["false_positive_rate"] < after["false_positive_rate"]


def test_too_few_cases_for_a_recall_say_how_many_there_are(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]), validation=(100, 12))
    outputs = RunPredictions(run)
    sentence = (
        "`recall` mel=0.95 needs 19 validation cases of mel, there are 12; ask for at most 0.923, or validate"
    )
    with pytest.raises(InputError, match=sentence):
        choose(outputs, Request(goal=PromisedRecall(1, ExpectedShare(0.95))))
    with pytest.raises(
        InputError, match=r"needs 59 validation cases of mel, there are 12; ask for at most 0.779"
    ):
        choose(outputs, Request(goal=PromisedRecall(1, ConfidentShare(0.95, 0.95))))


def test_a_class_that_validation_lacks_is_refused_where_it_matters(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]), validation=(100, 0))
    outputs = RunPredictions(run)
    for request in (
        Request(goal=HighestBalancedAccuracy()),
        Request(goal=FewestMistakes(), calibrate="vector"),
        Request(goal=LowestCost(np.ones((2, 2)))),
    ):
        with pytest.raises(InputError, match="needs a validation case of every class, there is none of mel"):
            choose(outputs, request)
    with pytest.raises(InputError, match="there are 0; give it some, or validate on more"):
        choose(outputs, Request(goal=PromisedRecall(1, ExpectedShare(0.9))))
    # A prior says what validation does not.
    point = choose(outputs, Request(goal=LowestCost(np.ones((2, 2))), prior=np.array([0.5, 0.5])))
    assert any("no case of mel" in note for note in point.notes)


def test_balanced_accuracy_of_two_classes_is_a_threshold_on_the_rarer(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]))
    point = choose(RunPredictions(run), Request(goal=HighestBalancedAccuracy()))
    assert isinstance(point.decision, ClassThreshold) and point.decision.class_id == 1
    assert point.validation["after"]["balanced_accuracy"] > point.validation["before"]["balanced_accuracy"]


def test_the_test_split_has_no_part_in_the_choice(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]))
    request = Request(HighestBalancedAccuracy(), np.array([0.6, 0.4]), "vector", 0.9)
    point = choose(RunPredictions(run), request)
    run.predictions("test").unlink()
    assert choose(RunPredictions(run), request).plain() == point.plain()


def test_nothing_is_written_when_the_choice_is_refused(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]), validation=(100, 12))
    outputs = RunPredictions(run)
    adapt(outputs, Request(goal=HighestBalancedAccuracy()))
    files = (run.operating_point, run.operating_point_predictions, run.report)
    before = [path.read_bytes() for path in files]
    with pytest.raises(InputError):
        adapt(outputs, Request(goal=PromisedRecall(1, ExpectedShare(0.99))))
    assert [path.read_bytes() for path in files] == before


def test_the_report_shows_test_before_and_after(tmp_path: Path) -> None:
    run = gaussian_run(tmp_path / "run", scores_stand_for=np.array([0.9, 0.1]))
    request = Request(LowestCost(np.array([[0.0, 1.0], [9.0, 0.0]])), np.array([0.5, 0.5]), coverage=0.9)
    adapt(RunPredictions(run), request)
    page = run.report.read_text(encoding="utf-8")
    assert 'id="operating-point"' in page
    for words in (
        "As the test split is", "With classes as frequent as in the prior", "Cost of a decision ↓",
        "Choose the class with the lowest expected cost.", "Sets that should hold the true class",
    ):  # fmt: skip
        assert words in page
    point = OperatingPoint.of(run)
    after = Predictions.read(run.operating_point_predictions)
    np.testing.assert_array_equal(
        after.decisions, point.decide(Predictions.read(run.predictions("test")).probabilities)
    )
    recall = (after.decisions[after.targets == 1] == 1).mean()
    assert f"{recall:.3f}" in page


def test_a_page_with_a_class_that_test_lacks_has_no_numbers_for_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", test=(18, 26, 0, 120), images_per_group=3)
    prior = np.array([0.2, 0.2, 0.2, 0.4])
    adapt(RunPredictions(run), Request(LowestCost(1 - np.eye(4)), prior, coverage=0.9))
    page = run.report.read_text(encoding="utf-8")
    section = page[page.index('id="operating-point"') :]
    section = section[: section.index("</section>")]
    assert "Validation has no case of df" in section
    assert "Every set contains" in section and "df (0)" in section
    assert "values of lesion_id" in section
    for text in ("nan", "None", "inf"):
        assert f">{text}<" not in section
    row = section[section.index('<th scope="row">df</th>') :]
    assert row[: row.index("</tr>")].count("<td>–</td>") >= 4


def test_groups_make_a_promise_less_certain(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", class_names=NAMES, train=TRAIN, test=(400, 100), images_per_group=4)
    point = choose(RunPredictions(run), Request(goal=PromisedRecall(1, ExpectedShare(0.9))))
    assert any("as if cases were independent; the 50 of mel" in note for note in point.notes)


def test_each_metric_chooses_its_own_condition_on_validation(tmp_path: Path) -> None:
    run = Run(tmp_path)
    columns = [*CONDITION_METRICS, "balanced_accuracy"]
    rows = ["split,gamma,tau," + ",".join(columns)]
    rows += ["validation,0,1," + ",".join(["0.7", "0.5", "0.11", "0.6", "0.8", "0.1", "0.6"])]
    rows += ["validation,0.1,2," + ",".join(["0.8", "", "0.09", "0.6", "0.7", "0.3", "0.6"])]
    rows += ["validation,0.2,3," + ",".join(["", "0.4", "0.10", "0.5", "0.9", "0.2", "0.6"])]
    rows += ["test,9,9," + ",".join(["0.99", "0.99", "0.01", "0.99", "0.99", "0.99", "0.99"])]
    run.conditions.write_text("\n".join(rows) + "\n")
    chosen = {choice.metric: choice for choice in condition_choices(run, ["gamma", "tau"])}
    assert {name: choice.condition["tau"] for name, choice in chosen.items()} == {
        "auc": 2, "average_precision": 1, "brier": 2, "max_f1": 1, "max_balanced_accuracy": 3,
        "precision_at_recall_0.99": 2,
    }  # fmt: skip
    assert chosen["brier"].value == 0.09
    run.conditions.write_text(run.conditions.read_text().replace("max_f1", "f1"))
    with pytest.raises(InputError, match="is missing columns max_f1; train the run again"):
        condition_choices(run, ["gamma", "tau"])


def test_a_metric_of_many_classes_sets_no_threshold(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    point = choose(RunPredictions(run), Request(goal=BestCondition("max_f1")))
    assert any("mean over classes" in note for note in point.notes)


def test_a_multi_label_run_is_refused(tmp_path: Path, make_multi_label: Callable[[Path], Run]) -> None:
    with pytest.raises(InputError, match=r"for single-label runs, .* is multi-label"):
        RunPredictions(make_multi_label(tmp_path / "run"))


@pytest.fixture
def make_multi_label() -> Callable[[Path], Run]:
    def make(folder: Path) -> Run:
        import json

        run = make_run(folder)
        facts = json.loads(run.dataset.read_text())
        run.dataset.write_text(json.dumps({**facts, "num_images": {"train": 9, "validation": 9, "test": 9}}))
        return run

    return make


def test_recipes_are_read_whole(tmp_path: Path) -> None:
    """The files of the fixture are those that training leaves, so that the loss is built from them."""
    run = make_run(tmp_path / "run", method="focal")
    assert yaml.safe_load(run.recipe.read_text())["loss"]["name"] == "focal"
    assert RunPredictions(run).score_prior().sum() == pytest.approx(1)
