"""The report: what it says is what the files say, and it needs nothing but itself."""

import base64
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from medtail.errors import InputError
from medtail.evaluation.report.class_curves import precision_recall_line, roc_line
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import render_page
from medtail.evaluation.report.report import write_report
from medtail.evaluation.report.sections.performance.confusion import confusion
from medtail.evaluation.summaries.summary import summarize
from medtail.metrics.thresholds import RankedScores
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import Page, read_page, what_a_page_needs_from_elsewhere

SECTIONS = [
    "In short",
    "Data",
    "All metrics",
    "Recall of each class",
    "Confusion matrix",
    "Precision-recall and ROC curves",
    "Reliability of the probabilities",
    "Training",
    "Worst-recognised images of rare classes",
    "Model card and methods",
    "Recipe and versions",
]


def _picture(identifier: str) -> np.ndarray:
    """An image that can be told from every other."""
    return np.full((8, 8, 3), int(identifier.split("_")[1]) % 251, dtype=np.uint8)


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory) -> Run:
    run = make_run(tmp_path_factory.mktemp("runs") / "dal-0")
    assert write_report(run, _picture) == run.report
    return run


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return read_page(run.report.read_text(encoding="utf-8"))


@pytest.fixture(
    scope="module",
    params=[
        "four classes",
        "a hundred classes",
        "two classes",
        "a class without test images",
        "one test class",
    ],
)
def any_page(request, make_run, tmp_path_factory) -> Page:
    cases = {
        "four classes": {},
        "a hundred classes": {
            "class_names": [f"class {index}" for index in range(100)],
            "train": [int(500 * 0.01 ** (index / 99)) for index in range(100)],
            "test": [6] * 100,
        },
        "two classes": {
            "class_names": ("no", "yes"),
            "train": (90, 9),
            "test": (40, 8),
            "images_per_group": None,
        },
        "a class without test images": {"test": (18, 26, 0, 120), "images_per_group": 3},
        "one test class": {"test": (0, 0, 0, 12), "epochs": 1},
    }
    run = make_run(tmp_path_factory.mktemp("runs") / "run", resamples=10, **cases[request.param])
    write_report(run, _picture)
    return read_page(run.report.read_text(encoding="utf-8"))


def test_any_page_needs_nothing_from_elsewhere_and_runs_nothing(any_page: Page) -> None:
    assert what_a_page_needs_from_elsewhere(any_page) == []
    assert any_page.scripts == 0
    assert "http:" not in any_page.text
    assert "https:" not in any_page.text


def test_any_page_is_whole_and_accessible(any_page: Page) -> None:
    assert any_page.unclosed == []
    assert [heading for heading in any_page.headings if heading in SECTIONS] == SECTIONS
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in any_page.drawings)
    assert all(image["alt"] for image in any_page.images)
    assert all(cell["scope"] in ("row", "col") for cell in any_page.header_cells)
    assert len(any_page.ids) == len(set(any_page.ids))
    assert {link.removeprefix("#") for link in any_page.links} <= set(any_page.ids)
    assert {name.removeprefix("#") for name in any_page.loaded if name.startswith("#")} <= set(any_page.ids)


def test_any_page_shows_no_number_that_is_none(any_page: Page) -> None:
    for word in ("None", "nan", "Undefined", "inf ", "mathdefault"):
        assert word not in any_page.text
        assert not any(word in drawing["aria-label"] for drawing in any_page.drawings)


def test_numbers_are_those_of_the_summary(run: Run, page: Page) -> None:
    summary = run.read_summary()
    low, high = summary["intervals"]["balanced_accuracy"]
    row = page.row("Balanced accuracy")
    assert row[1:3] == [f"{summary['balanced_accuracy']:.3f}", f"{low:.3f} – {high:.3f}"]
    entry = summary["classes"][2]
    shown = next(row for row in page.rows if row[0] == "df" and len(row) == 7)
    low, high = entry["recall_interval"]
    figures = [f"{entry[name]:.3f}" for name in ("recall", "precision", "f1")]
    assert shown[1:] == ["12", "8", figures[0], f"{low:.2f} – {high:.2f}", *figures[1:]]
    assert page.row("Brier score ↓")[1] == f"{summary['brier']:.3f}"
    validation = summarize(Predictions.read(run.predictions("validation")), "validation", resamples=1)
    assert page.row("Brier score ↓")[3] == f"{validation['brier']:.3f}"


@pytest.mark.parametrize("seed", range(3))
def test_curves_have_the_areas_beside_them(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive = generator.random(300) < 0.2
    scores = (generator.normal(size=300) + positive).round(1)  # with ties
    grid = np.linspace(0, 1, 20_001)
    counts = RankedScores.of(positive, scores).counts(np.ones((len(scores), 1)))
    precision = precision_recall_line(counts, grid)
    assert precision.mean() == pytest.approx(average_precision_score(positive, scores), abs=1e-3)
    rate = roc_line(counts, grid)
    assert rate.mean() == pytest.approx(roc_auc_score(positive, scores), abs=1e-3)


def test_a_confusion_matrix_of_too_many_classes_is_not_drawn(make_run, tmp_path) -> None:
    sections = {}
    for size in (300, 301):
        names = [f"class {index}" for index in range(size)]
        run = make_run(
            tmp_path / str(size), class_names=names, train=[50] * size, test=[2] * size, epochs=1, resamples=1
        )
        sections[size] = confusion(Evidence.read(run))
    assert sections[300].content["figure"] and len(sections[300].content["mistakes"]) == 10
    assert sections[301].content["figure"] is None and len(sections[301].content["mistakes"]) == 50
    page = render_page("", "", [sections[301]])
    assert "A matrix of 301 classes has too many cells to see" in page


def test_mistakes_are_ranked_by_share_then_number(run: Run, page: Page) -> None:
    predictions = Predictions.read(run.predictions("test"))
    names = predictions.class_names
    sizes = np.bincount(predictions.targets)
    mistakes = Counter(
        (names[target], names[decision])
        for target, decision in zip(predictions.targets, predictions.decisions, strict=True)
        if target != decision
    )
    shares = {pair: count / sizes[names.index(pair[0])] for pair, count in mistakes.items()}
    expected = sorted(((round(shares[pair], 9), count) for pair, count in mistakes.items()), reverse=True)[
        :10
    ]
    shown = [row for row in page.rows if len(row) == 4 and row[1] in names]
    assert [(row[3], row[2]) for row in shown] == [
        (f"{share:.0%}".replace("%", "\u00a0%"), str(count)) for share, count in expected
    ]
    for truth, decision, count, _ in shown:
        assert mistakes[truth, decision] == int(count)


def test_confidence_is_compared_with_accuracy(run: Run, page: Page) -> None:
    predictions = Predictions.read(run.predictions("test"))
    confidence = predictions.probabilities.max(axis=1).mean()
    accuracy = (predictions.decisions == predictions.targets).mean()
    assert accuracy - confidence > 0.01
    assert f"{100 * (accuracy - confidence):.1f} percentage points below the share" in page.text


def test_classes_go_from_frequent_to_rare(page: Page) -> None:
    shown = [row[0] for row in page.rows if len(row) == 7 and row[0] in ("akiec", "bcc", "df", "nv")]
    assert shown == ["nv", "bcc", "akiec", "df"]


def test_confusion_cells_are_counts(run: Run, page: Page) -> None:
    predictions = Predictions.read(run.predictions("test"))
    wrong = ((predictions.targets == 2) & (predictions.decisions == 3)).sum()
    right = ((predictions.targets == 2) & (predictions.decisions == 2)).sum()
    cells = next(row for row in page.rows if row[0] == "df" and len(row) == 5)
    assert cells[1] == f"{wrong}{100 * wrong / 8:.0f}\u00a0%"  # column nv
    assert cells[4] == f"{right}{100 * right / 8:.0f}\u00a0%"  # column df


def test_settings_and_versions_are_shown(page: Page) -> None:
    for text in ("learning_rate: 0.1", "torch 2.15.0", "9eeba830a3f0", "name: dal", "Trained in 83 s"):
        assert text in page.text


def test_gallery_holds_the_images_with_the_lowest_probability(run: Run, page: Page) -> None:
    predictions = Predictions.read(run.predictions("test"))
    expected = []
    for index in (2, 0, 1):  # from rare to frequent; nv has more than an equal share
        rows = np.flatnonzero(predictions.targets == index)
        worst = rows[np.argsort(predictions.probabilities[rows, index])][:6]
        expected += [str(predictions.ids[row]) for row in worst]
    assert [image["alt"].split()[2] for image in page.images] == expected
    data = page.images[0]["src"].removeprefix("data:image/png;base64,")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(pixels, _picture(expected[0]))


def test_large_images_are_shrunk(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5)
    generator = np.random.default_rng(0)
    write_report(run, lambda identifier: generator.integers(0, 255, (450, 600, 3)).astype(np.uint8))
    image = read_page(run.report.read_text(encoding="utf-8")).images[0]["src"]
    assert image.startswith("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(base64.b64decode(image.split(",")[1]))).size == (256, 192)


def test_what_is_absent_is_named(make_run, tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", resamples=5, test=(18, 26, 0, 120), images_per_group=None,
        unreadable=[{"id": "ISIC_7.jpg", "reason": "image file is truncated"}],
    )  # fmt: skip
    write_report(run)
    page = read_page(run.report.read_text(encoding="utf-8"))
    text = page.text
    assert page.images == []
    assert "The images were not at hand" in text
    assert "The test split holds no image of df." in text
    assert "No column names the patient or lesion" in text
    assert "1 image was left out because it could not be read." in text
    assert "ISIC_7.jpg: image file is truncated" in text


@pytest.mark.parametrize(("images_per_group", "groups", "few"), [(1, 172, False), (8, 22, True)])
def test_intervals_say_how_many_groups_they_rest_on(
    make_run, tmp_path: Path, images_per_group: int, groups: int, few: bool
) -> None:
    run = make_run(tmp_path / "run", resamples=5, images_per_group=images_per_group)
    write_report(run)
    text = run.report.read_text(encoding="utf-8")
    assert text.count(f"95 % interval, {groups} groups</th>") == 3  # all metrics, AUC and AP of classes
    assert f"<code>lesion_id</code>, {groups} in the test split" in text
    assert "leaves that class out of the mean" in text
    assert (f"The ranges rest on {groups} groups. With fewer than 30" in text) == few


def test_intervals_over_images_name_no_groups(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5, images_per_group=None)
    write_report(run)
    text = run.report.read_text(encoding="utf-8")
    assert "95 % interval</th>" in text
    assert "The ranges rest on" not in text


def test_names_are_text_and_never_markup(make_run, tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", "a & b", "$x^2$", '"quoted" ünïcode 黒子')
    run = make_run(tmp_path / "run", resamples=5, class_names=names)
    write_report(run, _picture)
    page = read_page(run.report.read_text(encoding="utf-8"))
    assert page.scripts == 0
    assert page.unclosed == []
    for name in names:
        assert page.row(name)[1] == str(dict(zip(names, (60, 90, 12, 700), strict=True))[name])


def test_the_chosen_epoch_is_the_first_of_the_best(run: Run, page: Page) -> None:
    lines = run.metrics.read_text().splitlines()
    column = lines[0].split(",").index("validation_balanced_accuracy")
    values = [float(line.split(",")[column]) for line in lines[1:]]
    assert f"Of 12 epochs, number {values.index(max(values)) + 1} had the best" in page.text


def test_many_classes_fold_their_tables_and_keep_their_groups(make_run, tmp_path: Path) -> None:
    names = [f"class {index}" for index in range(30)]
    run = make_run(
        tmp_path / "run",
        resamples=5,
        class_names=names,
        train=[300] * 10 + [50] * 12 + [8] * 8,
        test=[5] * 30,
    )
    write_report(run)
    page = read_page(run.report.read_text(encoding="utf-8"))
    recalls = [entry["recall"] for entry in run.read_summary()["classes"]]
    assert page.row("many (over 100)")[1:] == [
        "10", *(f"{statistic(recalls[:10]):.3f}" for statistic in (np.mean, min, max)),
    ]  # fmt: skip
    assert page.row("medium (20–100)")[1:3] == ["12", f"{np.mean(recalls[10:22]):.3f}"]
    assert page.row("few (under 20)")[1:3] == ["8", f"{np.mean(recalls[22:]):.3f}"]
    assert run.report.read_text(encoding="utf-8").count("<details>") == 3  # counts, recalls, reporting items
    assert max(len(row) for row in page.rows) < 10  # no confusion table of 30 columns
    assert any("Confusion matrix of 30 classes" in drawing["aria-label"] for drawing in page.drawings)


def test_the_same_files_give_the_same_page(run: Run) -> None:
    before = run.report.read_bytes()
    write_report(run, _picture)
    assert run.report.read_bytes() == before


def test_a_missing_file_is_named(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5)
    run.metrics.unlink()
    with pytest.raises(InputError, match=r"is not a finished run: metrics.csv is missing"):
        write_report(run)
    assert not run.report.exists()


def test_files_of_two_runs_are_refused(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5)
    facts = run.read_dataset()
    run.dataset.write_text(json.dumps({**facts, "class_names": facts["class_names"][::-1]}))
    with pytest.raises(
        InputError, match=r"must be of the classes in .*dataset.json, got akiec, bcc, df, nv; restore"
    ):
        write_report(run)
