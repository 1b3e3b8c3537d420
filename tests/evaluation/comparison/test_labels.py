"""Several labels per image: each is a decision of its own, and balanced accuracy is a mean over labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from medtail.errors import InputError
from medtail.evaluation.comparison.comparison import Comparison, compare_runs
from medtail.evaluation.comparison.page import write_comparison
from medtail.runs.label_predictions import MultiLabelPredictions
from medtail.runs.run import Run
from references.pages import read_page

NAMES = ("edema", "effusion", "mass")
IMAGES = 300


@pytest.fixture(scope="module")
def runs(make_run, tmp_path_factory) -> list[Run]:
    """Two seeds of two methods; an eighth of the labels is unknown."""
    folder = tmp_path_factory.mktemp("runs")
    generator = np.random.default_rng(0)
    carried = (generator.random((IMAGES, len(NAMES))) < [0.5, 0.2, 0.05]).astype(float)
    targets = np.where(generator.random(carried.shape) < 0.125, np.nan, carried)
    runs = []
    for number, method in enumerate(("asl", "bce")):
        for seed in range(2):
            run = make_run(
                folder / f"{method}-{seed}",
                method=method,
                class_names=NAMES,
                train=(400, 160, 40),
                test=(150, 60, 15),
                resamples=3,
                settings={"training": {"seed": seed}},
            )
            facts = json.loads(run.dataset.read_text())
            run.dataset.write_text(json.dumps({**facts, "multi_label": True}))
            noise = np.random.default_rng([number, seed]).normal(size=carried.shape)
            logits = (2 - number) * (2 * carried - 1) + noise
            MultiLabelPredictions(
                ids=np.array([f"image {index:03d}" for index in range(IMAGES)]),
                targets=targets,
                probabilities=1 / (1 + np.exp(-logits)),
                class_names=NAMES,
                groups=np.array([f"patient {index // 2:03d}" for index in range(IMAGES)]),
            ).write(run.predictions("test"))
            runs.append(run)
    return runs


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare_runs(runs)


def expected(run: Run, rows: np.ndarray | slice = slice(None)) -> float:
    table = MultiLabelPredictions.read(run.predictions("test")).rows(np.arange(IMAGES)[rows])
    return float(
        np.mean(
            [
                balanced_accuracy_score(truth[known], decided[known])
                for truth, decided, known in zip(
                    table.targets.T, table.decisions.T, table.known.T, strict=True
                )
            ]
        )
    )


def test_balanced_accuracy_is_the_mean_over_labels_and_seeds(runs: list[Run], comparison: Comparison) -> None:
    assert comparison.labels == ["asl", "bce"]
    for row, members in zip(comparison.rows, (runs[:2], runs[2:]), strict=True):
        values = [expected(run) for run in members]
        assert row["balanced_accuracy_mean"] == pytest.approx(np.mean(values))
        assert row["balanced_accuracy_sd"] == pytest.approx(np.std(values, ddof=1))
    assert (comparison.rival, comparison.positive) == (None, None)


def test_the_interval_of_a_difference_is_of_resampled_patients(
    runs: list[Run], comparison: Comparison
) -> None:
    generator = np.random.default_rng(1)
    patients = generator.integers(0, IMAGES // 2, (200, IMAGES // 2))
    draws = [np.concatenate([2 * draw, 2 * draw + 1]) for draw in patients]
    tables = {run: MultiLabelPredictions.read(run.predictions("test")) for run in runs}

    def drawn(run: Run, rows: np.ndarray) -> float:
        table = tables[run]
        right, truth = table.decisions[rows] == table.targets[rows], table.targets[rows]
        recalls = [
            np.mean([right[truth[:, label] == value, label].mean() for value in (1, 0)]) for label in range(3)
        ]
        return float(np.mean(recalls))

    differences = [
        np.mean([drawn(run, rows) for run in runs[2:]]) - np.mean([drawn(run, rows) for run in runs[:2]])
        for rows in draws
    ]
    (difference,) = comparison.against["asl"]
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=0.03)


def test_mcnemar_counts_images_with_every_known_label_right(runs: list[Run], comparison: Comparison) -> None:
    def right(run: Run) -> np.ndarray:
        table = MultiLabelPredictions.read(run.predictions("test"))
        return np.where(table.known, table.decisions == table.targets, True).all(axis=1)

    (difference,) = comparison.against["asl"]
    test = difference.image_tests[0]
    first, second = right(runs[2]), right(runs[0])
    assert (test.only_first, test.only_second) == ((first & ~second).sum(), (second & ~first).sum())


def test_only_metrics_of_labels_are_columns(comparison: Comparison, tmp_path: Path) -> None:
    overall = [name for name in comparison.metrics if ":" not in name]
    assert overall == [
        "balanced_accuracy", "lowest_recall", "macro_f1", "accuracy", "auc", "average_precision", "brier",
    ]  # fmt: skip
    assert {"recall:edema", "f1:mass"} <= set(comparison.metrics)
    write_comparison(comparison, tmp_path)
    page = read_page((tmp_path / "comparison.html").read_text())
    assert page.headings[-1] == "Runs"
    assert "Recall of each label" in page.headings
    assert "Confusion matrices" not in page.headings
    assert "nan" not in (tmp_path / "comparison.md").read_text()
    assert page.unclosed == []


def test_the_two_tasks_stand_in_no_table_together(make_run, runs: list[Run], tmp_path: Path) -> None:
    other = make_run(
        tmp_path / "one", class_names=NAMES, train=(400, 160, 40), test=(150, 60, 15), resamples=3
    )
    with pytest.raises(InputError, match="runs in one table must be of one task"):
        compare_runs([runs[0], other])
