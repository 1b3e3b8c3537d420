"""Features in the plane: by t-SNE, and by UMAP where the user has installed it."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from medtail.evaluation.comparison.comparison import compare_runs
from medtail.evaluation.comparison.page import comparison_page
from medtail.runs.features import SavedFeatures
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import read_page


@pytest.fixture
def run(make_run, tmp_path: Path) -> Run:
    run = make_run(tmp_path / "run", resamples=3)
    table = Predictions.read(run.predictions("test"))
    features = np.random.default_rng(0).normal(size=(len(table.ids), 5)).astype(np.float32)
    SavedFeatures(table.ids, table.targets, features, None).write(run.features)
    return run


class PlaneOfTwoFeatures:
    """What UMAP is called as."""

    def __init__(self, *, n_neighbors: int, random_state: int, n_jobs: int) -> None:
        assert n_neighbors > 1 and random_state == 0 and n_jobs == 1

    def fit_transform(self, features: np.ndarray) -> np.ndarray:
        return features[:, :2]


def captions(run: Run) -> tuple[str, list[str]]:
    page = read_page(comparison_page(compare_runs([run])))
    return page.text, [label for drawing in page.drawings if "features" in (label := drawing["aria-label"])]


def test_without_umap_the_page_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medtail.evaluation.comparison.figures.embeddings.find_spec", lambda name: None)
    text, drawn = captions(run)
    assert "placed in the plane by t-SNE. " in text and "umap-learn" in text
    assert [label.partition(" ")[0] for label in drawn] == ["t-SNE"]


def test_with_umap_its_plane_stands_beside(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    umap = ModuleType("umap")
    umap.__spec__ = ModuleSpec("umap", None)
    umap.UMAP = PlaneOfTwoFeatures  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", umap)
    text, drawn = captions(run)
    assert "placed in the plane by t-SNE and by UMAP. " in text and "umap-learn" not in text
    assert [label.partition(" ")[0] for label in drawn] == ["t-SNE", "UMAP"]
