"""``medtail explore``: one page, or one sentence."""

from pathlib import Path

import pytest

from references.runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "skin").folder


def test_the_page_lies_in_the_first_run_or_where_out_says(medtail, run: Path, tmp_path: Path) -> None:
    result = medtail("explore", run)
    assert result.returncode == 0, result.stderr
    assert f"explorer: {run / 'explorer.html'} (" in result.stdout
    other = make_run(tmp_path / "other").folder
    out = tmp_path / "page.html"
    assert medtail("explore", run, other, "--out", out).returncode == 0
    page = out.read_text(encoding="utf-8")
    assert '"name": "skin"' in page and '"name": "other"' in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page


def test_what_cannot_be_explored_is_one_sentence(refuses, run: Path, tmp_path: Path) -> None:
    assert "is not a finished run" in refuses("explore", tmp_path)
    (tmp_path / "there.html").write_text("mine")
    assert "--out must be a new file" in refuses("explore", run, "--out", tmp_path / "there.html")
    assert (tmp_path / "there.html").read_text() == "mine"
    assert "must have folders of different names, skin occurs twice" in refuses("explore", run, run)
