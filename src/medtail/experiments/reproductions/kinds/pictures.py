"""Pictures of what a run saw and learned: t-SNE of features (metric losses Fig. 2), augmented images (Fig. 4)."""

import base64
from typing import Literal, final

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, SERIES, draw
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, OfVariants, Reached
from medtail.experiments.reproductions.measures import JudgedSplit, measure
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.runs.features import SavedFeatures

#: t-SNE of more points takes minutes.
_MOST_POINTS = 2000


@final
class Embeddings(OfVariants):
    """t-SNE of the test features of each variant's first run."""

    name: Literal["embeddings"]

    def columns_of(self, part: str) -> list[str]:
        return ["macro F1 of the drawn run"]

    def findings(self, part: PlannedPart) -> Findings:
        cells, figures = {}, []
        for row in part.trained_rows:
            judged = JudgedSplit(part.runs(row)[0])
            cells[row.label, "macro F1 of the drawn run"] = Reached((measure(judged, "macro_f1"),))
            figures.append(DrawnFigure(f"{row.label}, seed 0, test images.", _embedding(judged)))
        return Findings(cells, figures)


def _embedding(judged: JudgedSplit) -> Markup:
    # scikit-learn takes a second to import, which the list of reproductions need not wait for.
    from sklearn.manifold import TSNE

    saved = SavedFeatures.read(judged.run)
    rows = np.random.default_rng(0).permutation(len(saved.targets))[:_MOST_POINTS]
    features, targets = saved.features[rows], saved.targets[rows]
    places = TSNE(perplexity=min(30, (len(rows) - 1) / 3), init="pca", random_state=0).fit_transform(
        features.astype(np.float64)
    )
    names = judged.predictions.class_names

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for index, name in enumerate(names):
            own = places[targets == index]
            axes.plot(*own.T, "o", color=SERIES[index % len(SERIES)], markersize=3, label=name, alpha=0.7)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.legend(loc="outside lower left", ncols=4, labelcolor=INK)

    return draw(paint, width=4.9, height=4.6, description=f"t-SNE of {len(rows)} test images by class")


@final
class AugmentedImages(OfVariants):
    """The first training batch of the first run, as it was augmented."""

    name: Literal["augmented"]

    def findings(self, part: PlannedPart) -> Findings:
        figures = []
        for row in part.trained_rows:
            run = part.runs(row)[0]
            encoded = base64.b64encode(run.require(run.augmented).read_bytes()).decode()
            image = Markup('<img src="data:image/png;base64,{}" alt="{}" style="max-width:100%">').format(
                encoded, escape(f"Augmented training images of {part.title}")
            )
            figures.append(DrawnFigure(f"{part.title}: the first training batch of {row.label}.", image))
        return Findings(figures=figures)
