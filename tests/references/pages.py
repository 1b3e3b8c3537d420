"""Reading a written page as a browser would: what it loads, its headings, tables, figures and images."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "input", "hr"}


@dataclass
class Page:
    """The parts of a page that tests ask for."""

    text: str = ""
    loaded: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    drawings: list[dict[str, str]] = field(default_factory=list)
    header_cells: list[dict[str, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    scripts: int = 0
    unclosed: list[str] = field(default_factory=list)

    def row(self, first: str) -> list[str]:
        """The first table row that begins with a cell."""
        return next(row for row in self.rows if row and row[0] == first)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        page = self.page
        if "id" in attributes:
            page.ids.append(attributes["id"])
        for name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster"):
            if name in attributes:
                target = page.links if tag == "a" else page.loaded
                target.append(attributes[name])
        for value in (attributes.get("style", ""), attributes.get("clip-path", "")):
            page.loaded += re.findall(r"url\(([^)]*)\)", value)
        if tag == "script" or any(name.startswith("on") for name in attributes):
            page.scripts += 1
        if tag == "img":
            page.images.append(attributes)
        if tag == "svg":
            page.drawings.append(attributes)
        if tag == "th":
            page.header_cells.append(attributes)
        if tag == "tr":
            page.rows.append([])
        if tag in ("td", "th"):
            page.rows[-1].append("")
        if tag in ("h1", "h2", "h3"):
            page.headings.append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.page.unclosed.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        page = self.page
        if "style" in self.open:
            page.loaded += re.findall(r"url\(([^)]*)\)", data) + re.findall(r"@import\s+(\S+)", data)
            return
        page.text += data
        if {"td", "th"} & set(self.open):
            page.rows[-1][-1] += data.strip()
        if {"h1", "h2", "h3"} & set(self.open):
            page.headings[-1] += data.strip()


def read_page(html: str) -> Page:
    """Parse a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.unclosed += reader.open
    reader.page.text = re.sub(r"\s+", " ", reader.page.text)
    return reader.page


def what_a_page_needs_from_elsewhere(page: Page) -> list[str]:
    """Addresses a browser would load that are neither in the page nor in its own data."""
    return [address for address in page.loaded if not address.startswith(("#", "data:"))]
