"""The documentation as a site: every page and public name is on it, and it asks nothing of other hosts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the documentation needs the extra `docs`")

ROOT = Path(__file__).resolve().parents[1]

#: Attributes that a browser loads at once.
_LOADED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(https?://[^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / _html(page)).is_file()] == []


def _html(page: Path) -> Path:
    return page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html")


def test_equations_are_mathml_and_roles_are_links(site: Path) -> None:
    page = (site / "api" / "losses.html").read_text(encoding="utf-8")
    assert page.count("<math") > 20
    assert ":class:" not in page
    assert ".. math::" not in page


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    loaded = [
        address
        for page in site.rglob("*.html")
        for address in _LOADED.findall(page.read_text(encoding="utf-8"))
    ]
    assert loaded == []
