"""Figures that live in a page: SVG with the page's fonts and colours, light or dark, and nothing to load."""

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib as mpl
from cycler import cycler
from markupsafe import Markup
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

# Matplotlib wants colours while drawing; the page decides them when shown. Each stands for a variable of style.css.
INK, MUTED, GRID, SURFACE = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
SERIES = tuple(f"#0a0c{index:02x}" for index in range(8))
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", SURFACE: "surface"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES)
}

_STYLE: dict[Any, Any] = {  # Matplotlib 3.11 types the keys, earlier ones do not
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called "$x$"
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.7,
}


def draw(paint: Callable[[Figure], None], *, width: float, height: float, description: str) -> Markup:
    """Return what ``paint`` puts on a figure, as inline SVG.

    Args:
        paint: Draws on an empty figure with constrained layout.
        width: Inches; the page shows at most 96 pixels an inch and shrinks to its width.
        height: Inches.
        description: What the figure shows, for those who do not see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": description}), warnings.catch_warnings():
        # The browser has the glyphs that Matplotlib's own font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        # savefig would draw every figure twice, the first time to lay it out, which drawing does anyway.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return _inline(buffer.getvalue(), width, description)


def _inline(document: str, width: float, description: str) -> Markup:
    view_box = re.search(r'viewBox="[^"]*"', document)
    if view_box is None:
        raise AssertionError("Matplotlib wrote an SVG without a viewBox")
    body = document[document.index(">", document.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"font(-family)?: [^;\"]*?(\d[\d.]*px)[^;\"]*", r"font-size: \2", body)
    body = re.sub(r"font-family: [^;\"]*;?", "", body)
    referenced = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(
        r' id="([^"]*)"', lambda match: match[0] if match[1] in referenced else "", body
    )  # of several figures on a page
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    # Matplotlib escapes its text, and the description is escaped here.
    return Markup(
        f'<svg {view_box[0]} role="img" aria-label="{escape(description)}" '
        f'style="max-width:{width * 96:.0f}px;min-width:{width * 58:.0f}px">{body}'
    )


def shortened(name: str, length: int = 22) -> str:
    """Return a name that leaves room for the figure; tables show it whole."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def plain_powers(axis: Axis) -> None:
    """Label a logarithmic axis 10, 100, 1000."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
