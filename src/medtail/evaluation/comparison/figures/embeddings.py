"""Test images in the plane, as t-SNE and UMAP place the features of each model."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.report.drawing import INK, SERIES, draw, shortened
from medtail.runs.features import SavedFeatures

#: It takes seconds per model, so that large splits and long tables are cut.
_MOST_IMAGES = 600
_MOST_MODELS = 6

_FEWEST_IMAGES = 10


def _tsne(features: np.ndarray) -> np.ndarray:
    """Places ``(N, 2)`` by t-SNE (van der Maaten and Hinton 2008)."""
    # It imports for a second, which pages without features need not wait for.
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(features) - 1) / 3)
    places: np.ndarray = TSNE(random_state=0, perplexity=perplexity, init="pca").fit_transform(features)
    return places


def _umap(features: np.ndarray) -> np.ndarray:
    """Places ``(N, 2)`` by UMAP (McInnes et al. 2018)."""
    # It compiles for seconds, and is only there if the user has installed it.
    from umap import UMAP

    neighbours = min(15, len(features) - 1)
    places: np.ndarray = UMAP(n_neighbors=neighbours, random_state=0, n_jobs=1).fit_transform(features)
    return places


def _placements() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Every way of placing that is at hand, by its name."""
    return {"t-SNE": _tsne} | ({} if find_spec("umap") is None else {"UMAP": _umap})


def embeddings(runs: Sequence[JudgedRun]) -> Mapping[str, Markup]:
    """Return planes of the runs that saved the features of their test images, one figure per way of placing.

    Neighbours in the plane are neighbours in feature space; distances between groups mean nothing. Classes with the
    fewest training images have colours, all others share one. UMAP is there if the package umap-learn is installed.
    There is no figure if no run saved features.
    """
    kept = [(run, saved) for run in runs if (saved := _features(run)) is not None][:_MOST_MODELS]
    if not kept:
        return {}
    return {
        name: _draw(name, [(run, place(saved.features), saved.targets) for run, saved in kept])
        for name, place in _placements().items()
    }


def _features(run: JudgedRun) -> SavedFeatures | None:
    """Those of the test images that are placed; images are left out of frequent classes first."""
    if run.adapted_from is not None or not run.run.features.is_file():
        return None
    saved = SavedFeatures.read(run.run)
    saved = saved.thinned(_MOST_IMAGES * saved.features.shape[1])
    return None if len(saved.features) < _FEWEST_IMAGES else saved


def _draw(name: str, shown: Sequence[tuple[JudgedRun, np.ndarray, np.ndarray]]) -> Markup:
    first = shown[0][0]
    counts, names = first.facts.training_counts, first.predictions.class_names
    rare = [
        int(index) for index in np.argsort(counts, kind="stable")[: min(len(SERIES) - 1, len(counts) - 1)]
    ]
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)

    def paint(figure: Figure) -> None:
        every = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in every:
            axes.set_axis_off()
        for axes, (run, places, targets) in zip(every, shown, strict=False):
            axes.set_title(f"{shortened(run.label, 26)}, seed {run.seed}")
            others = ~np.isin(targets, rare)
            axes.plot(*places[others].T, "o", color=SERIES[7], markersize=2.5, alpha=0.5, markeredgewidth=0)
            for colour, index in zip(SERIES, rare, strict=False):
                own = places[targets == index]
                axes.plot(*own.T, "o", color=colour, markersize=3.6, markeredgewidth=0, label=names[index])
        handles, texts = every[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower left", ncols=4, labelcolor=INK)

    return draw(
        paint,
        width=3.1 * columns,
        height=3.1 * lines + 0.6,
        description=f"{name} of test features of {', '.join(run.label for run, _, _ in shown)}",
    )
