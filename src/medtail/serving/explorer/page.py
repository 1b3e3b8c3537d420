"""The page as one file: its contents, its scripts and its looks, and no request to anywhere."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from medtail.errors import InputError
from medtail.files import write_text
from medtail.runs.run import Run
from medtail.serving.explorer.contents import run_contents

#: In the order they are read; each may use those before it.
_SCRIPTS = (
    "data.js",
    "intervals.js",
    "rule.js",
    "measures.js",
    "charts.js",
    "controls.js",
    "tables.js",
    "page.js",
)


def explorer_page(runs: Sequence[Run]) -> str:
    """Return a self-contained HTML page on the saved predictions of finished runs.

    Moving a threshold, class weights, a prior, costs, a promised recall or λ on it changes every number at once.
    "Take this operating point" saves the ``operating_point.json`` that :func:`medtail.adaptation.adapt` would write.

    Args:
        runs: One or more finished single-label runs.

    Raises:
        InputError: There is none, two folders have the same name, or a run is not finished, is multi-label, or has no
            validation split.
    """
    if not runs:
        raise InputError("`runs` must name at least one run, got none; give the folder of a finished run")
    names = [run.folder.resolve().name for run in runs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"`runs` must have folders of different names, {', '.join(repeated)} occurs twice; rename one of them"
        )
    assets = resources.files("medtail.serving.explorer") / "assets"

    def asset(name: str) -> str:
        return (assets / name).read_text(encoding="utf-8")

    looks = (resources.files("medtail.evaluation") / "templates" / "style.css").read_text(encoding="utf-8")
    parts = {
        "{{ style }}": looks + asset("explorer.css"),
        "{{ script }}": "\n".join(asset(name) for name in _SCRIPTS),
        "{{ contents }}": _in_page([run_contents(run) for run in runs]),
    }
    page = asset("explorer.html")
    for place, text in parts.items():
        before, after = page.split(place)
        page = before + text + after
    return page


def write_explorer(runs: Sequence[Run], out: Path) -> Path:
    """Write :func:`explorer_page` to a file, in one step, and return its path."""
    write_text(out, explorer_page(runs))
    return out


def _in_page(contents: Any) -> str:
    """JSON in which no text ends the element that holds it."""
    return json.dumps(contents, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
