"""Figures that are painted but not rendered: rendering takes most of a page's time, and has tests of its own."""

from collections.abc import Iterator
from typing import TextIO

import pytest

from medtail.evaluation.report import drawing


class _Unrendered:
    """Stands for Matplotlib's canvas."""

    def __init__(self, figure: object) -> None:
        pass

    def print_svg(self, file: TextIO, metadata: object) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')


@pytest.fixture(scope="module", autouse=True)
def unrendered_figures() -> Iterator[None]:
    """Pages have all their sections, numbers and descriptions of figures, and empty figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "FigureCanvasSVG", _Unrendered)
        yield


@pytest.fixture
def rendered_figures(unrendered_figures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test from start to report: figures as a user gets them."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    monkeypatch.setattr(drawing, "FigureCanvasSVG", FigureCanvasSVG)
