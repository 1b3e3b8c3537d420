"""What MkDocs cannot know: pages made from other files, and names that must be on them."""

import importlib
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]

#: The packages whose names are public, with a page each.
PUBLIC = (
    "adaptation",
    "backbones",
    "data",
    "evaluation",
    "heads",
    "inference",
    "losses",
    "losses.functional",
    "methods",
    "metrics",
    "operating_point",
    "runs",
    "sam",
    "training",
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page of a folder where the navigation names the folder."""
    config.nav = [_filled(item, Path(config.docs_dir)) for item in config.nav or []]
    return config


def _filled(item: Any, docs: Path) -> Any:
    if not isinstance(item, dict):
        return item
    (title, content) = next(iter(item.items()))
    if isinstance(content, list):
        return {title: [_filled(one, docs) for one in content]}
    if content == "api/":
        return {title: [{f"medtail.{name}": f"api/{name}.md"} for name in PUBLIC]}
    if content.endswith("/"):
        pages = sorted((docs / content).rglob("*.md"), key=lambda page: (page.name != "README.md", page))
        return {title: [page.relative_to(docs).as_posix() for page in pages]}
    return item


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made from README, CHANGELOG and docstrings, and the tables of results that pages link to."""
    pages = {
        "index.md" if page.name == "README.md" else page.name: page.read_text(encoding="utf-8").replace(
            "](docs/", "]("
        )
        for page in ROOT.glob("*.md")
    }
    pages |= {
        "CITATION.cff": (ROOT / "CITATION.cff").read_text(encoding="utf-8"),
        **{f"api/{name}.md": f"# medtail.{name}\n\n::: medtail.{name}\n" for name in PUBLIC},
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    for table in (ROOT / "benchmarks" / "results").glob("*.csv"):
        files.append(File.generated(config, f"benchmarks/results/{table.name}", abs_src_path=str(table)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to the tables of results stay on the site."""
    return re.sub(r"\]\((?:\.\./)+benchmarks/results/", "](benchmarks/results/", markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a public name has no entry on its page: it lacks a docstring, or its room is not listed."""
    missing = []
    for room in PUBLIC:
        page = (Path(config.site_dir) / "api" / f"{room}.html").read_text(encoding="utf-8")
        module = importlib.import_module(f"medtail.{room}")
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__
        ]
        missing += [
            f"medtail.{room}.{name}"
            for name in names
            if not name.startswith("_")
            and f"{room}.{name}" not in PUBLIC
            and not re.search(rf'id="[\w.]*\.{re.escape(name)}"', page)
        ]
    if missing:
        raise PluginError(f"public names without a documented entry: {', '.join(missing)}")
