"""The page in a browser: nothing is cut, neither on paper nor in a window of 1,100 pixels."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medtail.evaluation.report.report import write_report

#: What reaches beyond the page, or scrolls inside it.
CUT = """() => {
  const width = document.documentElement.clientWidth;
  const parts = [...document.querySelectorAll('main .scroll, main figure, main pre, main table, main svg')];
  return parts
    .filter(part => part.getBoundingClientRect().right > width + 1
      || (part.tagName !== 'svg' && part.scrollWidth > part.clientWidth + 1))
    .map(part => part.getAttribute('aria-label') || part.textContent.trim().slice(0, 60));
}"""

#: The width of an A4 page between its margins, in pixels.
PAPER = 695


@pytest.fixture(scope="module")
def report(make_run, tmp_path_factory) -> Path:
    names = ("actinic keratosis", "basal cell carcinoma", "dermatofibroma", "melanocytic naevus", "melanoma")
    run = make_run(
        tmp_path_factory.mktemp("runs") / "run", resamples=5, class_names=names,
        train=(60, 90, 12, 1700, 80), test=(18, 26, 8, 1120, 20),
    )  # fmt: skip
    return write_report(run)


@pytest.fixture(scope="module")
def window(report: Path) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, from the extra dev")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs a browser: Chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser)
        page = opened.new_page()
        page.goto(report.as_uri())
        yield page
        opened.close()


def test_nothing_is_cut_in_a_window(window) -> None:
    window.emulate_media(media="screen")
    window.set_viewport_size({"width": 1100, "height": 900})
    assert window.evaluate("document.querySelectorAll('main table').length") > 3
    assert window.evaluate(CUT) == []


def test_nothing_is_cut_on_paper(window) -> None:
    window.emulate_media(media="print")
    window.set_viewport_size({"width": PAPER, "height": 900})
    assert window.evaluate(CUT) == []
    assert window.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_paper_is_light_whatever_the_reader_prefers(window) -> None:
    window.emulate_media(media="print", color_scheme="dark")
    assert window.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 252, 250)"
