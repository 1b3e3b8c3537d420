"""Test images in the plane, as t-SNE places the features of each model (van der Maaten and Hinton 2008)."""

from collections.abc import Sequence

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


def embeddings(runs: Sequence[JudgedRun]) -> Markup | None:
    """Return a plane for each run that saved the features of its test images; None if none did.

    Neighbours in the plane are neighbours in feature space; distances between groups mean nothing. Classes with the
    fewest training images have colours, all others share one.
    """
    shown = [(run, *placed) for run in runs if (placed := _placed(run)) is not None][:_MOST_MODELS]
    if not shown:
        return None
    counts, names = runs[0].facts.training_counts, runs[0].predictions.class_names
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
        description=f"t-SNE of test features of {', '.join(run.label for run, _, _ in shown)}",
    )


def _placed(run: JudgedRun) -> tuple[np.ndarray, np.ndarray] | None:
    """Places of test images in the plane, and their classes."""
    if run.adapted_from is not None or not run.run.features.is_file():
        return None
    # It imports for a second, which pages without features need not wait for.
    from sklearn.manifold import TSNE

    saved = SavedFeatures.read(run.run)
    # Images are left out of frequent classes first.
    saved = saved.thinned(_MOST_IMAGES * saved.features.shape[1])
    if len(saved.features) < _FEWEST_IMAGES:
        return None
    perplexity = min(30, (len(saved.features) - 1) / 3)
    places = TSNE(random_state=0, perplexity=perplexity, init="pca").fit_transform(saved.features)
    return places, saved.targets
