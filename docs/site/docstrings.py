"""Docstrings as the site shows them: roles become links, and equations MathML, which browsers draw themselves."""

import re
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert

_BLOCK = re.compile(r"^( *)\.\. math::(.*(?:\n(?:\1 +.*| *(?=\n)))*)", flags=re.MULTILINE)
_INLINE = re.compile(r":math:`([^`]+)`")
_ROLE = re.compile(r":(?:class|func|meth|data|attr|mod):`(~?)([^`]+)`")


class Docstrings(griffe.Extension):
    """Translates every docstring before it is divided into sections."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Translate the docstring of a module, class, function or attribute."""
        if obj.docstring is None and isinstance(obj, griffe.Attribute) and (comment := _comment_above(obj)):
            obj.docstring = griffe.Docstring(comment, parent=obj)
        if obj.docstring is not None:
            obj.docstring.value = _translated(obj.docstring.value, obj)


def _comment_above(attribute: griffe.Attribute) -> str:
    """The lines that start with ``#:`` above an attribute."""
    if attribute.lineno is None or not isinstance(attribute.filepath, Path):
        return ""
    above = attribute.lines_collection[attribute.filepath][: attribute.lineno - 1]
    lines: list[str] = []
    while above and above[-1].lstrip().startswith("#:"):
        lines.insert(0, above.pop().strip().removeprefix("#:").strip())
    return "\n".join(lines)


def _translated(text: str, obj: griffe.Object) -> str:
    # What stands under "Example:" is a doctest, which griffe expects under "Examples:".
    text = re.sub(r"^( *)Example:$", r"\1Examples:", text, flags=re.MULTILINE)
    text = _BLOCK.sub(lambda match: match[1] + _equation(match[2], "block"), text)
    text = _INLINE.sub(lambda match: _equation(match[1], "inline"), text)
    return _ROLE.sub(lambda match: _link(match[2], short=bool(match[1]), obj=obj), text)


def _equation(latex: str, display: str) -> str:
    return convert(re.sub(r"\s+", " ", latex).strip(), display=display)


def _link(name: str, *, short: bool, obj: griffe.Object) -> str:
    shown = name.rsplit(".", 1)[-1] if short else name
    try:
        target = name if name.startswith("medtail.") else obj.resolve(name.split(".")[0])
    except griffe.NameResolutionError:
        return f"`{shown}`"
    rest = "" if name.startswith("medtail.") else name.partition(".")[2]
    path = f"{target}.{rest}" if rest else target
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
