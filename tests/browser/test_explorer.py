"""The explorer page in a real browser: its numbers are Python's, and its operating points those of adapt."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medtail import metrics
from medtail.adaptation import (
    FewestMistakes,
    Goal,
    LowestCost,
    PromisedRecall,
    Request,
    RunPredictions,
    choose,
)
from medtail.operating_point import ConfidentShare, ExpectedShare, OperatingPoint
from medtail.runs.images.attributes import write_attributes
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from medtail.serving.explorer import explorer_page, write_explorer
from references.runs import make_run

NAMES = ("akiec", "bcc", "df", "nv")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, from the extra dev")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs the browser chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four classes, and two columns that make subgroups."""
    made = make_run(tmp_path_factory.mktemp("runs") / "skin", class_names=NAMES, images_per_group=2)
    ids = np.unique(np.concatenate([predictions(made, split).ids for split in ("validation", "test")]))
    generator = np.random.default_rng(0)
    sex = generator.choice(["female", "male", ""], len(ids))
    age = generator.integers(20, 90, len(ids)).astype(str)
    write_attributes(made, ids.tolist(), pd.DataFrame({"sex": sex, "age": age}))
    return made


@pytest.fixture(scope="module")
def page(browser: Any, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page of the run and of one of two classes, with every request it makes."""
    other = make_run(tmp_path_factory.mktemp("runs") / "two", class_names=("nv", "mel"), train=(900, 100),
                     test=(400, 150))  # fmt: skip
    opened = browser.new_page()
    opened.requests, opened.errors = [], []
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on(
        "console", lambda message: opened.errors.append(message.text) if message.type == "error" else None
    )
    file = write_explorer([run, other], tmp_path_factory.mktemp("page") / "explorer.html")
    opened.goto(file.as_uri())
    opened.wait_for_selector("#classes td")
    return opened


@pytest.fixture(autouse=True)
def nothing_is_asked_of_the_network(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert page.errors == []


@pytest.fixture
def fresh(page: Any) -> Any:
    page.reload()
    page.wait_for_selector("#classes td")
    return page


def predictions(run: Run, split: str) -> Predictions:
    return Predictions.read(run.predictions(split))  # type: ignore[arg-type]


def settled(page: Any) -> None:
    """Wait until what was changed is shown; a page redraws once per frame."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def shown(page: Any, selector: str) -> float:
    return float(page.get_attribute(selector, "data-value"))


def interval(page: Any, selector: str) -> list[float]:
    return [float(page.get_attribute(selector, name)) for name in ("data-low", "data-high")]


def taken(page: Any) -> dict[str, Any]:
    """What the button saves."""
    with page.expect_download() as download:
        page.click("#take")
    assert download.value.suggested_filename == "operating_point.json"
    return json.loads(Path(download.value.path()).read_text(encoding="utf-8"))


def choose_rule(page: Any, rule: str) -> None:
    page.check(f"input[name=rule][value={rule}]")
    settled(page)


def set_prior(page: Any, shares: np.ndarray) -> np.ndarray:
    page.check("#prior")
    for index, share in enumerate(shares):
        page.fill(f"#share-{index}", repr(float(share)))
    total = sum(map(float, shares))
    return np.array([float(share) / total for share in shares])


def check_against_python(page: Any, run: Run, split: str, point: OperatingPoint) -> None:
    judged = predictions(run, split)
    decisions = point.decide(judged.probabilities)
    confusion = metrics.confusion_matrix(judged.targets, decisions, len(NAMES))
    for truth, row in enumerate(confusion):
        for decision, count in enumerate(row):
            assert shown(page, f"#confusion td[data-truth='{truth}'][data-decision='{decision}']") == count
    for index, name in enumerate(NAMES):
        place = f"#classes tr[data-class={name}]"
        own = [int(confusion[index, index]), int(confusion[index].sum())]
        assert shown(page, f"{place} td[data-key=recall]") == pytest.approx(own[0] / own[1])
        assert interval(page, f"{place} td[data-key=recall]") == pytest.approx(metrics.wilson_interval(*own))
        if "prior" not in point.goal or point.goal["prior"] is None:
            decided = confusion[:, index].sum()
            if decided:
                assert shown(page, f"{place} td[data-key=precision]") == pytest.approx(own[0] / decided)
                assert interval(page, f"{place} td[data-key=precision]") == pytest.approx(
                    metrics.wilson_interval(own[0], int(decided))
                )
            others = len(decisions) - decided
            right = others - (own[1] - own[0])
            assert shown(page, f"{place} td[data-key=npv]") == pytest.approx(right / others)


def test_ten_operating_points_are_those_of_adapt(fresh: Any, run: Run) -> None:
    generator = np.random.default_rng(7)
    outputs = RunPredictions(run)
    for number in range(10):
        fresh.reload()
        fresh.wait_for_selector("#classes td")
        kind = ("recall", "costs", "most_probable")[number % 3]
        goal: Goal = FewestMistakes()
        prior = (
            set_prior(fresh, generator.uniform(0.5, 60, 4).round(3))
            if number % 4 or kind == "most_probable"
            else None
        )
        choose_rule(fresh, kind)
        if kind == "recall":
            index, recall = (1, 3)[number % 2], round(float(generator.uniform(0.6, 0.85)), 4)
            fresh.select_option("#class", str(index))
            fresh.fill("#recall", repr(recall))
            if number >= 6:
                fresh.check("#confident")
            goal = PromisedRecall(
                index, ConfidentShare(recall, 0.95) if number >= 6 else ExpectedShare(recall)
            )
        if kind == "costs":
            costs = generator.uniform(0, 30, (4, 4)).round(2) * (1 - np.eye(4))
            for place, cost in np.ndenumerate(costs):
                fresh.fill(f"#cost-{place[0]}-{place[1]}", repr(float(cost)))
            goal = LowestCost(costs)
        settled(fresh)
        expected = choose(outputs, Request(goal, prior))
        plain, got = json.loads(json.dumps(expected.plain())), taken(fresh)
        for part in ("format", "medtail", "run", "goal", "chosen_on", "class_names", "condition", "steps", "decision",
                     "sets"):  # fmt: skip
            assert got[part] == plain[part], (number, part)
        for part in ("before", "after"):
            for name, value in got["validation"][part].items():
                assert value == pytest.approx(plain["validation"][part][name], abs=1e-9), (number, part, name)
        assert got["validation"]["n"] == plain["validation"]["n"]
        check_against_python(fresh, run, "validation", expected)


def test_what_is_taken_is_an_operating_point_of_the_run(fresh: Any, run: Run, tmp_path: Path) -> None:
    choose_rule(fresh, "threshold")
    fresh.select_option("#class", "2")
    fresh.fill("#threshold", "0.137")
    settled(fresh)
    file = tmp_path / "operating_point.json"
    file.write_text(json.dumps(taken(fresh)))
    point = OperatingPoint.read(file, NAMES)
    assert point.decision.settings(NAMES) == {"class": "df", "threshold": 0.137}
    # The test split is a check: its rule is that of validation, and cannot be moved.
    fresh.check("input[name=split][value=test]")
    settled(fresh)
    assert fresh.is_disabled("#threshold") and fresh.is_disabled("input[name=rule][value=costs]")
    check_against_python(fresh, run, "test", point)


def test_sliders_move_numbers_from_the_keyboard(fresh: Any, run: Run) -> None:
    choose_rule(fresh, "threshold")
    fresh.select_option("#class", "3")
    fresh.focus("#threshold-slider")
    before = shown(fresh, "#classes tr[data-class=nv] td[data-key=recall]")
    spoken = fresh.inner_text("#status")
    for _ in range(40):
        fresh.keyboard.press("PageUp")
    settled(fresh)
    assert fresh.input_value("#threshold") == fresh.input_value("#threshold-slider") == "1"
    after = shown(fresh, "#classes tr[data-class=nv] td[data-key=recall]")
    assert after < before and fresh.inner_text("#status") != spoken
    assert fresh.get_attribute("#status", "aria-live") == "polite"
    judged = predictions(run, "validation")
    decisions = judged.probabilities.argmax(axis=1)
    now = np.where(judged.probabilities[:, 3] >= 1, 3, judged.probabilities[:, :3].argmax(axis=1))
    assert fresh.locator("#changed tbody tr").count() == min(100, (now != decisions).sum())


def test_every_input_has_a_name(fresh: Any) -> None:
    for rule in ("most_probable", "threshold", "recall", "costs", "weights"):
        choose_rule(fresh, rule)
        fresh.check("#prior")
        unnamed = fresh.evaluate(
            """() => [...document.querySelectorAll('input, select, button')]
            .filter((input) => !input.labels?.length && !input.getAttribute('aria-label') && !input.textContent.trim())
            .map((input) => input.id)"""
        )
        assert unnamed == []


def test_a_wrong_number_is_marked_and_changes_nothing(fresh: Any) -> None:
    choose_rule(fresh, "costs")
    before = fresh.inner_text("#classes")
    fresh.fill("#cost-0-1", "-3")
    settled(fresh)
    assert (
        fresh.get_attribute("#cost-0-1", "aria-invalid") == "true" and fresh.inner_text("#classes") == before
    )
    choose_rule(fresh, "recall")
    fresh.fill("#recall", "0.999")
    settled(fresh)
    assert "needs 999 validation cases" in fresh.inner_text("#problem") and fresh.is_disabled("#take")


def test_curve_cost_and_subgroups_are_pythons(fresh: Any, run: Run) -> None:
    choose_rule(fresh, "weights")
    fresh.fill("#weight-1", "3.5")
    fresh.fill("#weight-3", "0.25")
    settled(fresh)
    judged = predictions(run, "validation")
    decisions = (judged.probabilities * [1, 3.5, 1, 0.25]).argmax(axis=1)
    own = 2  # the rarest class, which the page begins with
    fresh.click("#curve summary")
    for threshold in (0.01, 0.25, 0.9):
        place = f"#curve tr[data-threshold='{threshold}']"
        cases = judged.targets == own
        benefit = metrics.net_benefit(cases, judged.probabilities[:, own], [threshold])[0]
        assert shown(fresh, f"{place} td[data-key=model]") == pytest.approx(benefit)
        everybody = metrics.net_benefit(cases, np.ones(len(cases)), [threshold])[0]
        assert shown(fresh, f"{place} td[data-key=all]") == pytest.approx(everybody)
    cost = metrics.expected_cost(judged.targets, decisions, 1 - np.eye(4))
    assert shown(fresh, "#overall td[data-key=expected_cost]") == pytest.approx(cost)
    fresh.select_option("#column", "sex")
    settled(fresh)
    table = pd.read_parquet(run.attributes).set_index("id").loc[judged.ids, "attribute_sex"].to_numpy()
    for value, name in (("female", "female"), ("male", "male"), ("", "(unknown)")):
        rows = (table == value) & (judged.targets == own)
        place = f"#groups tr[data-group='{name}']"
        assert shown(fresh, f"{place} td[data-key=n]") == (table == value).sum()
        assert shown(fresh, f"{place} td[data-key=cases]") == rows.sum()
        if rows.any():
            found = int((decisions[rows] == own).sum())
            assert interval(fresh, f"{place} td[data-key=recall]") == pytest.approx(
                metrics.wilson_interval(found, int(rows.sum()))
            )


def test_a_narrow_window_cuts_nothing(fresh: Any) -> None:
    choose_rule(fresh, "costs")
    fresh.set_viewport_size({"width": 420, "height": 900})
    assert fresh.evaluate("document.documentElement.scrollWidth") <= 420
    fresh.set_viewport_size({"width": 1280, "height": 720})


def test_another_run_is_another_page(fresh: Any) -> None:
    fresh.select_option("#run", label="two")
    settled(fresh)
    assert fresh.locator("#classes tbody tr").count() == 2
    assert "no further columns" in fresh.inner_text("#subgroups")


def test_a_hundred_thousand_predictions_stay_fluent(browser: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", class_names=NAMES)
    for split in ("validation", "test"):
        generator = np.random.default_rng(1)
        probabilities = generator.dirichlet(np.ones(4), 100_000)
        targets = (probabilities.cumsum(axis=1) < generator.uniform(size=(100_000, 1))).sum(axis=1)
        Predictions(
            np.array([f"ISIC_{index}" for index in range(100_000)]), targets, probabilities, NAMES, None
        ).write(
            run.predictions(split)  # type: ignore[arg-type]
        )
    text = explorer_page([run])
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("#classes td", timeout=60_000)
    choose_rule(page, "threshold")
    times = []
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6):
        page.fill("#threshold", str(threshold))
        settled(page)
        times.append(float(page.get_attribute("body", "data-update-ms")))
    page.close()
    print(f"{len(text) / 1e6:.1f} MB, updates of {np.round(times, 1).tolist()} ms")
    assert np.median(times) < 500
    assert len(text) < 14e6
