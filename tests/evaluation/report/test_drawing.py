"""Figures of a page: real text, the page's colours, nothing to load."""

import pytest

from medtail.evaluation.report.drawing import SERIES, draw, plain_powers, shortened
from references.pages import read_page, what_a_page_needs_from_elsewhere


def _plot(figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 1000], [0, 1], "o-", color=SERIES[2], label="$x^2$ < 黒子")
    axes.set_xscale("log")
    plain_powers(axes.xaxis)
    axes.legend()


def test_text_is_text_and_never_a_formula() -> None:
    page = read_page(str(draw(_plot, width=4, height=3, description="A line")))
    assert "$x^2$ < 黒子" in page.text
    assert " 10 " in page.text
    assert " 1000 " in page.text
    assert "mathdefault" not in page.text


def test_colours_are_the_pages() -> None:
    drawing = draw(_plot, width=4, height=3, description="A line")
    assert "var(--series-2)" in drawing
    assert "var(--ink)" in drawing
    assert "#0a0" not in drawing
    assert "font-family" not in drawing


def test_figures_of_one_page_do_not_share_ids() -> None:
    drawings = [
        draw(_plot, width=4, height=3, description=description) for description in ("first", "second")
    ]
    page = read_page("".join(drawings))
    assert page.ids
    assert len(page.ids) == len(set(page.ids))
    assert {address.removeprefix("#") for address in page.loaded} <= set(page.ids)
    assert what_a_page_needs_from_elsewhere(page) == []


def test_description_is_escaped_and_size_kept() -> None:
    drawing = read_page(str(draw(_plot, width=4, height=3, description='a "quoted" <b>'))).drawings[0]
    assert drawing["aria-label"] == 'a "quoted" <b>'
    assert "max-width:384px" in drawing["style"]


@pytest.mark.parametrize(
    ("name", "expected"), [("nv", "nv"), ("a" * 22, "a" * 22), ("b" * 23, "b" * 21 + "…")]
)
def test_long_names_are_shortened(name: str, expected: str) -> None:
    assert shortened(name) == expected
