"""Self-contained HTML pages, and how numbers are written on them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, final

import jinja2
from markupsafe import Markup


@final
@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        anchor: Its name in links.
        title: Its heading.
        template: File in ``templates/`` with its explanation and layout.
        content: What the template shows.
    """

    anchor: str
    title: str
    template: str
    content: Mapping[str, Any] = field(default_factory=dict)


def render_page(title: str, subtitle: str, sections: Iterable[Section], **shared: object) -> str:
    """Return a self-contained HTML page with a table of contents; every template sees what is ``shared``."""
    environment = _environment()
    bodies = [
        (section, Markup(environment.get_template(section.template).render({**shared, **section.content})))
        for section in sections
    ]
    return environment.get_template("page.html").render(title=title, subtitle=subtitle, sections=bodies)


def render_markdown(template: str, content: Mapping[str, Any]) -> str:
    """Return a text that is no HTML: whoever gives the content escapes it for Markdown."""
    return _environment().overlay(autoescape=False).get_template(template).render(content) + "\n"


def number(value: float | None, digits: int = 3) -> str:
    """Return a value with fixed digits, or a dash where it is undefined."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share in percent, or a dash where it is undefined."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f}\u00a0%"


def interval(bounds: Iterable[float] | None, digits: int = 3) -> str:
    """Return ``low – high``, or a dash where it is undefined."""
    return "–" if bounds is None else " – ".join(f"{bound:.{digits}f}" for bound in bounds)


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Return ``mean ± deviation``, or the mean alone where there is no deviation."""
    return number(mean) if math.isnan(deviation) else f"{number(mean)} ± {number(deviation)}"


def signed(value: float) -> str:
    """Return a difference with its sign, or a dash where it is undefined."""
    return "–" if math.isnan(value) else f"{value:+.3f}"


def thousands(value: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def sentence(text: str) -> str:
    """Return a text as the beginning of a sentence.

    Example:
        >>> sentence("the DICOM files")
        'The DICOM files'
    """
    return text[:1].upper() + text[1:]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("medtail.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for formatter in (number, percent, interval, thousands, sentence):
        environment.filters[formatter.__name__] = formatter
    return environment
