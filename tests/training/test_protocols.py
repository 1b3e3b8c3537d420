"""Protocols of papers: without validation, with the test split in its place, subsampled first, split by seed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from training.stripes import recipe, stripes

from medtail.adaptation import FewestMistakes, Request, RunPredictions
from medtail.adaptation.best_condition import condition_choices
from medtail.adaptation.choosing import choose
from medtail.cli.options import parse_assignments
from medtail.data import ImageArray, ImageCollection, open_collection
from medtail.errors import InputError
from medtail.evaluation import compare_runs
from medtail.recipes.compose import compose
from medtail.runs.run import Run
from medtail.training.fit import train
from medtail.training.fold_training import cross_validate
from medtail.training.inference import TrainedModel
from medtail.training.prepare import prepare


@pytest.fixture(scope="module")
def without_validation(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "none")
    train(stripes(), recipe("dal", "data.validation=none", "training.epochs=2"), run)
    return run


@pytest.fixture(scope="module")
def best_on_test(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "test")
    settings = ("data.validation=test", "training.monitor=best_test", "training.epochs=2")
    train(stripes(), recipe("ce", *settings), run)
    return run


def test_without_validation_its_images_are_trained_on_and_the_last_epoch_is_kept(
    without_validation: Run,
) -> None:
    facts = without_validation.read_dataset()
    assert facts["class_counts"] == {"train": [70, 30, 18], "validation": [0, 0, 0], "test": [10, 10, 10]}
    assert without_validation.read_recipe()["training"]["monitor"] == "last_epoch"
    columns = pd.read_csv(without_validation.metrics).columns
    assert columns.tolist() == ["epoch", "learning_rate", "train_loss"]
    assert not without_validation.predictions("validation").exists()
    angles = pd.read_csv(without_validation.angles).columns
    assert "train_negative_q50" in angles and "negative_q50" not in angles
    best, last = without_validation.best_checkpoint, without_validation.last_checkpoint
    assert TrainedModel.load(without_validation).method.training is False
    assert best.stat().st_size == pytest.approx(last.stat().st_size, rel=0.05)


def test_summary_and_report_say_that_there_was_no_validation(without_validation: Run) -> None:
    note = "There was no validation split, so the last epoch was kept."
    assert without_validation.read_summary()["protocol"] == {
        "validation": "none",
        "monitor": "last_epoch",
        "note": note,
    }
    page = without_validation.report.read_text()
    assert note in page
    assert "no validation and" in page
    assert "validation column" not in page


def test_nothing_is_chosen_on_a_validation_split_that_there_is_not(without_validation: Run) -> None:
    with pytest.raises(
        InputError, match=r"no validation split .* data\.validation=none; train it with"
    ) as failure:
        choose(RunPredictions(without_validation), Request(FewestMistakes()))
    assert "\n" not in str(failure.value)


def test_summary_and_report_say_that_the_epoch_was_chosen_on_test(best_on_test: Run) -> None:
    protocol = best_on_test.read_summary()["protocol"]
    assert protocol["validation"] == "test"
    assert protocol["monitor"] == "best_test"
    assert protocol["note"] in best_on_test.report.read_text()
    assert "chosen on the test split" in protocol["note"]
    assert "optimistic" in protocol["note"]
    assert best_on_test.read_dataset()["class_counts"]["train"] == [70, 30, 18]


def test_the_epoch_with_the_best_test_accuracy_is_the_one_that_is_judged(best_on_test: Run) -> None:
    watched = pd.read_csv(best_on_test.metrics)["validation_accuracy"]
    assert best_on_test.read_summary()["accuracy"] == pytest.approx(watched.max())
    with pytest.raises(InputError, match=r"data\.validation=test"):
        choose(RunPredictions(best_on_test), Request(FewestMistakes()))


def test_a_prior_alone_is_applied_without_validation(best_on_test: Run) -> None:
    outputs = RunPredictions(best_on_test)
    point = choose(outputs, Request(FewestMistakes(), prior=np.full(3, 1 / 3)))
    assert point.plain()["chosen_on"] is None
    assert "applied and not chosen" in point.notes[0]
    test = outputs.predictions("test")
    adjusted = test.probabilities / np.array([70, 30, 18])
    expected = adjusted / adjusted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(point.applied_to(test).probabilities, expected, rtol=1e-9)
    with pytest.raises(InputError, match="no validation split"):
        choose(outputs, Request(FewestMistakes(), prior=np.full(3, 1 / 3), coverage=0.9))


def test_runs_of_these_protocols_are_compared(without_validation: Run, best_on_test: Run) -> None:
    comparison = compare_runs([without_validation, best_on_test])
    assert any("data.validation differs" in warning for warning in comparison.warnings)


def test_a_model_at_every_condition_needs_no_validation(tmp_path: Path) -> None:
    run = Run(tmp_path / "lct")
    train(stripes(), recipe("vs_lct", "data.validation=none", "training.epochs=1"), run)
    assert set(pd.read_csv(run.conditions)["split"]) == {"test"}
    assert "no validation split that could choose" in run.report.read_text()
    with pytest.raises(InputError, match="no validation split"):
        condition_choices(run, ["gamma", "tau"])


def test_folds_need_no_validation(tmp_path: Path) -> None:
    run = Run(tmp_path / "folds")
    images = stripes()
    unsplit = replace(images, table=images.table.drop(columns="split"))
    settings = recipe("ce", "data.validation=none", "training.epochs=1")
    summary = cross_validate(unsplit, settings, run, folds=2)
    assert summary["protocol"]["validation"] == "none"
    assert summary["n"] == len(images)
    assert run.report.is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["data.validation=none", "training.monitor=auc"],
            r"training\.monitor must be last_epoch with data\.val",
        ),
        (
            ["training.monitor=best_test"],
            r"training\.monitor=best_test needs data\.validation=test, got drawn",
        ),
        (
            ["data.validation=none", "training.early_stopping_patience=2"],
            r"early_stopping_patience must be null",
        ),
        (["data.validation=some"], r"data\.validation must be one of drawn, none, test"),
        (["data.negative=a"], r"data\.negative needs data\.positive, got a alone"),
        (["data.split_seed=-1"], r"data\.split_seed"),
    ],
)
def test_protocols_that_contradict_themselves_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe("ce", *settings)


def _unsplit(*counts: int) -> ImageCollection:
    labels = np.repeat([f"grade {grade}" for grade in range(len(counts))], counts)
    return ImageCollection.build(
        name="grades",
        data="grades",
        ids=[f"{row:05d}" for row in range(len(labels))],
        labels=labels.tolist(),
        source=ImageArray(np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8, 1), dtype=np.uint8)),
    )


def _small(*assignments: str):
    return compose(
        "small_images", "ce", parse_assignments(["data.image_size=8", "data.channels=1", *assignments])
    )


def test_validation_may_be_drawn_from_the_images_that_subsampling_keeps() -> None:
    tail = ("data.subsample={name: exponential, imbalance_factor: 10}", "data.test_fraction=0.2")
    usual = prepare(_unsplit(100, 100), _small(*tail)).facts.class_counts
    assert usual == {"train": [65, 6], "validation": [15, 15], "test": [20, 20]}
    first = prepare(_unsplit(100, 100), _small(*tail, "data.drawn_first=subsample")).facts
    # The profile is that of the 80 images that are no test images, 8 of them of the rare class.
    assert first.counts_before_subsample == [80, 80]
    assert first.class_counts == {"train": [68, 7], "validation": [12, 1], "test": [20, 20]}


def test_splits_follow_the_seed_of_the_run_where_asked() -> None:
    def fingerprint(*assignments: str) -> str:
        return prepare(_unsplit(30, 30), _small(*assignments)).facts.fingerprint

    follows = "data.split_seed=run"
    assert fingerprint(follows, "training.seed=3") == fingerprint("data.split_seed=3")
    assert fingerprint(follows, "training.seed=3") != fingerprint(follows, "training.seed=4")
    assert fingerprint("training.seed=3") == fingerprint("training.seed=4")


def test_beta_cuts_the_positive_class_of_aptos() -> None:
    """APTOS 2019 has 1,805 healthy eyes and 1,857 diseased ones, in four grades."""
    settings = (
        "data.test_fraction=0.2",
        "data.validation=none",
        "data.positive=grade 1+grade 2+grade 3+grade 4",
    )
    beta = "data.subsample={name: binary, beta: 100}"
    facts = prepare(_unsplit(1805, 370, 999, 193, 295), _small(*settings, beta)).facts
    assert facts.counts_before_subsample == [1444, 1486]
    assert facts.class_counts["train"] == [1444, 14]


def test_one_pair_of_classes_is_taken_out_of_many() -> None:
    pair = ("data.positive=grade 1", "data.negative=grade 2+grade 0", "data.validation=none")
    facts = prepare(_unsplit(20, 10, 20, 40), _small(*pair)).facts
    assert facts.class_names == ["grade 2+grade 0", "grade 1"]
    assert sum(sum(counts) for counts in facts.class_counts.values()) == 50
    assert (facts.positive, facts.negative) == ("grade 1", "grade 2+grade 0")


@pytest.mark.parametrize("validation", ["none", "test"])
def test_long_tailed_cifar_100_is_trained_on_as_published(shared_data: Path, validation: str) -> None:
    collection = open_collection(str(shared_data / "cifar" / "cifar100_lt_if100.npz"))
    facts = prepare(collection, compose("cifar", "ce", {"data": {"validation": validation}})).facts
    counts = facts.training_counts
    assert (counts.sum(), counts.max(), counts.min()) == (10_847, 500, 5)
    many, few = (counts > 100).sum(), (counts < 20).sum()
    assert (many, len(counts) - many - few, few) == (35, 35, 30)
    assert facts.num_images == {"train": 10_847, "validation": 0, "test": 10_000}


def test_a_recipe_from_before_these_settings_reads_as_it_was(tmp_path: Path) -> None:
    saved = json.loads(_small().model_dump_json())
    for key in ("validation", "negative", "drawn_first"):
        del saved["data"][key]
    assert compose("small_images", "ce", saved) == _small()
