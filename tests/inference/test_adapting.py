"""An operating point of several runs: chosen on the validation images that all share, and used for these runs alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medtail.adaptation import FewestMistakes, HighestBalancedAccuracy, Request
from medtail.errors import InputError
from medtail.inference import load
from medtail.inference.adapting import CombinedPredictions, choose_together
from medtail.inference.combination import MeanLogProbability, MeanProbability
from medtail.operating_point import OperatingPoint
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.gaussians import TWO
from references.runs import make_run

NAMES = ("nv", "mel")


def posterior_run(folder: Path, method: str, scores_stand_for: tuple[float, float]) -> Run:
    """A run whose probabilities are the true posterior of two Gaussians, at the prior its loss should name."""
    run = make_run(folder, class_names=NAMES, train=(900, 100), test=(36, 4), method=method)
    ids = [*(f"validation{index}" for index in range(2000)), *(f"test{index}" for index in range(2000))]
    pd.DataFrame({"id": ids, "split": np.repeat(["validation", "test"], 2000)}).to_csv(
        run.splits, index=False
    )
    for seed, split in enumerate(("validation", "test")):
        targets, points = TWO.draw((1800, 200), np.random.default_rng(seed))
        Predictions(
            ids=np.array([f"{split}{index}" for index in range(len(targets))]),
            targets=targets,
            probabilities=TWO.posterior(points, np.array(scores_stand_for)),
            class_names=NAMES,
            groups=None,
        ).write(run.predictions(split))
    return run


@pytest.fixture
def posteriors(tmp_path: Path) -> list[Run]:
    """One that stands for the shares of training, and one for equal ones."""
    return [
        posterior_run(tmp_path / "ce", "ce", (0.9, 0.1)),
        posterior_run(tmp_path / "balanced", "balanced_softmax", (0.5, 0.5)),
    ]


def test_the_geometric_mean_of_posteriors_is_a_posterior(posteriors: list[Run]) -> None:
    outputs = CombinedPredictions.of(posteriors, combine="log-probabilities")
    prior = np.array([0.3, 0.7])
    point = choose_together(outputs, Request(FewestMistakes(), prior=prior))
    _, points = TWO.draw((1800, 200), np.random.default_rng(1))
    adapted = point.apply(outputs.predictions("test").probabilities)
    assert_allclose(adapted, TWO.posterior(points, prior), rtol=1e-6)
    assert point.run == "ce, balanced"


def test_the_mean_of_posteriors_under_different_priors_is_none(posteriors: list[Run]) -> None:
    with pytest.raises(InputError, match="stand for the same class shares"):
        choose_together(
            CombinedPredictions.of(posteriors), Request(FewestMistakes(), calibrate="temperature")
        )
    priors = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert_allclose(MeanProbability().prior(priors), [0.9, 0.1])
    assert_allclose(MeanLogProbability().prior(priors), [0.9, 0.1])


def test_it_is_chosen_on_the_combined_validation_images(two_runs: tuple[Run, Run]) -> None:
    outputs = CombinedPredictions.of(two_runs)
    point = choose_together(outputs, Request(HighestBalancedAccuracy()))
    validation = outputs.predictions("validation")
    each = [Predictions.read(run.predictions("validation")).probabilities for run in two_runs]
    assert_allclose(validation.probabilities, np.mean(each, axis=0), atol=1e-12)
    before, after = (point.validation[which]["balanced_accuracy"] for which in ("before", "after"))
    assert before == pytest.approx(float(validation.measure()["balanced_accuracy"][0]))
    assert after == pytest.approx(float(point.applied_to(validation).measure()["balanced_accuracy"][0]))
    assert after >= before


def test_it_decides_for_the_same_runs_alone(two_runs: tuple[Run, Run], tmp_path: Path) -> None:
    chosen = choose_together(CombinedPredictions.of(two_runs), Request(HighestBalancedAccuracy()))
    chosen.write(tmp_path / "point.json")
    point = OperatingPoint.read(tmp_path / "point.json", chosen.class_names)
    classifier = load(two_runs[::-1])
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    plain = classifier.predict(images).filter(like="probability_").to_numpy()
    decisions = classifier.deciding_by(point).predict(images)["decision"]
    assert decisions.tolist() == [point.class_names[index] for index in point.decide(plain)]
    for other in (
        load(two_runs[0]),
        load(two_runs, combine="log-probabilities"),
        load(two_runs, test_time_augmentation="flips"),
    ):
        with pytest.raises(InputError, match="must be chosen for the probabilities that it decides on"):
            other.deciding_by(point)
    with pytest.raises(InputError, match="must be chosen for the probabilities that it decides on"):
        classifier.deciding_by(replace(point, goal={}))


def test_views_have_an_operating_point_too(two_runs: tuple[Run, Run]) -> None:
    outputs = CombinedPredictions.of(two_runs[:1], test_time_augmentation="flips")
    point = choose_together(outputs, Request(FewestMistakes(), calibrate="temperature"))
    assert load(two_runs[0], test_time_augmentation="flips").deciding_by(point).operating_point == point
    with pytest.raises(InputError, match="must be chosen for the probabilities that it decides on"):
        load(two_runs[0], test_time_augmentation="rotations").deciding_by(point)


def test_runs_with_other_validation_images_have_none(two_run_copies: tuple[Run, Run]) -> None:
    path = two_run_copies[1].predictions("validation")
    table = Predictions.read(path)
    table.rows(np.arange(len(table.ids) - 7)).write(path)
    with pytest.raises(
        InputError, match="must have the same validation images, but 7 images are in only one of"
    ):
        choose_together(
            CombinedPredictions.of(two_run_copies), Request(FewestMistakes(), calibrate="temperature")
        )


def test_images_that_trained_a_member_choose_nothing(two_run_copies: tuple[Run, Run]) -> None:
    splits = pd.read_csv(two_run_copies[1].splits, dtype=str)
    splits.loc[splits["split"] == "validation", "split"] = "train"
    splits.to_csv(two_run_copies[1].splits, index=False)
    with pytest.raises(InputError, match="are in the train split of"):
        choose_together(
            CombinedPredictions.of(two_run_copies), Request(FewestMistakes(), calibrate="temperature")
        )
