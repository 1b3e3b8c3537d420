"""Sections that appear when a run holds angles or features."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.report.report import write_report
from medtail.runs.run import Run
from references.pages import Page, read_page, what_a_page_needs_from_elsewhere

QUANTILES = ("q05", "q25", "q50", "q75", "q95")


def write_angles(run: Run, epochs: int = 30, scale: float = 4.0) -> None:
    """Negative angles that spread to 65° … 125°, target angles that shrink to 35°."""
    rows = []
    for epoch in range(1, epochs + 1):
        spread = 30 * epoch / epochs
        negative = dict(zip(QUANTILES, (95 - spread, 93, 95, 97, 95 + spread), strict=True))
        target = dict(
            zip(QUANTILES, (70 - spread, 75 - spread, 80 - 1.5 * spread, 85 - spread, 95), strict=True)
        )
        target = dict(zip(QUANTILES, sorted(target.values()), strict=True))
        angles = {f"negative_{name}": math.radians(value) for name, value in negative.items()}
        angles |= {f"target_{name}": math.radians(value) for name, value in target.items()}
        rows.append({"epoch": epoch, "scale": scale, **angles})
    pd.DataFrame(rows).to_csv(run.angles, index=False)


def write_features(run: Run) -> None:
    """Clouds about orthogonal centres."""
    run.features.parent.mkdir()
    generator = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(TEST)), TEST)
    centres = np.eye(len(NAMES), 16)
    features = 3 * centres[targets] + generator.normal(size=(len(targets), 16))
    np.savez(run.features, features=features, targets=targets, centres=centres)


NAMES = tuple(f"c{index}" for index in range(7))
TRAIN, TEST = (9, 20, 30, 40, 50, 90, 900), (1, 9, 9, 9, 9, 30, 90)


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    run = make_run(folder, resamples=3, epochs=30, class_names=NAMES, train=TRAIN, test=TEST)
    write_angles(run)
    write_features(run)
    write_report(run)
    return run


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return read_page(run.report.read_text(encoding="utf-8"))


def test_sections_appear_with_their_files_only(make_run, tmp_path: Path, page: Page) -> None:
    assert {"Angles to the class centres", "Compactness and separability"} <= set(page.headings)
    bare = make_run(tmp_path / "run", resamples=3)
    write_report(bare)
    headings = read_page(bare.report.read_text(encoding="utf-8")).headings
    assert not {"Angles to the class centres", "Compactness and separability"} & set(headings)


def test_the_page_stays_whole(page: Page) -> None:
    assert what_a_page_needs_from_elsewhere(page) == []
    assert page.unclosed == []
    assert all(drawing["aria-label"] for drawing in page.drawings)
    assert "nan" not in page.text


def test_angles_give_the_published_scale_range(page: Page) -> None:
    # DAL: seven classes and angles from 65° to 125° give 1.40 to 6.30.
    assert "lie between 65° and 125°" in page.text
    assert "a scale between 1.40 and 6.30; this run used 4.00" in page.text


def test_probability_at_an_angle_is_the_softmax(page: Page) -> None:
    wrong = np.cos(np.radians(np.linspace(65, 125, 6)))
    logits = 4 * np.append(wrong, np.cos(np.radians(30)))
    expected = np.exp(logits[-1]) / np.exp(logits).sum()
    described = next(
        d["aria-label"] for d in page.drawings if "Probability of the own class" in d["aria-label"]
    )
    assert described.endswith(f"with scale 4 it is {expected:.2f} at 30°")


def test_table_of_separability(run: Run, page: Page) -> None:
    arrays = np.load(run.features)
    with pytest.warns(metrics.UndefinedMetricWarning):
        separability = metrics.fisher_separability(arrays["features"], arrays["targets"], 7)
    own = np.degrees(
        metrics.angles_to_centres(arrays["features"], arrays["centres"])[arrays["targets"] == 5, 5]
    )
    row = next(row for row in page.rows if row[0] == "c5" and len(row) == 5 and "°" in row[2])
    assert row[1:3] == ["30", f"{np.median(own):.1f}°"]
    assert row[4] == f"{separability[5]:.2f}"
    single = next(row for row in page.rows if row[0] == "c0" and len(row) == 5 and "°" in row[2])
    assert (single[1], single[4]) == ("1", "– †")


def test_few_images_among_many_features_are_marked(page: Page) -> None:
    marked = [row[0] for row in page.rows if len(row) == 5 and row[4].endswith("†")]
    assert marked == ["c4", "c3", "c2", "c1", "c0", "all"]  # nine images and fewer, sixteen features


def test_two_classes_have_no_scale_range(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=3, class_names=("no", "yes"), train=(90, 9), test=(20, 5))
    write_angles(run, epochs=2)
    write_report(run)
    assert (
        "eq. 7 has no scale for them; this run used 4.00"
        in read_page(run.report.read_text(encoding="utf-8")).text
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="target_q50"), r"angles.csv must have rows .* lacks target_q50"),
        (lambda table: table.iloc[:0], r"angles.csv must have rows .* lacks rows"),
        (lambda table: table.assign(negative_q95=125.0), r"must be radians in \[0, π\], got 125"),
    ],
)
def test_angles_that_cannot_be_read_are_refused(make_run, tmp_path: Path, change, message: str) -> None:
    run = make_run(tmp_path / "run", resamples=3)
    write_angles(run)
    change(pd.read_csv(run.angles)).to_csv(run.angles, index=False)
    with pytest.raises(InputError, match=message):
        write_report(run)


def test_features_that_do_not_fit_are_refused(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=3)
    run.features.parent.mkdir()
    path = run.features
    np.savez(path, features=np.ones((3, 2)))
    with pytest.raises(InputError, match=r"must hold the arrays features, targets, lacks targets"):
        write_report(run)
    np.savez(path, features=np.ones((3, 2)), targets=np.array([0, 1, 2]), centres=np.ones((3, 2)))
    with pytest.raises(InputError, match="a centre for each of 4 classes, got 3"):
        write_report(run)
