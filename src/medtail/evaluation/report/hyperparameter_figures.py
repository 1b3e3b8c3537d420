"""Figures of what hyper-parameters do to a model: those of LCT, Figs. 1, 2 and 4 to 7."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medtail.evaluation.report.drawing import INK, SERIES, SURFACE, draw
from medtail.metrics import POSITIVE_CLASS_METRICS, Metric
from medtail.metrics.metric import PRECISION_METRICS, RECALLS

#: The metrics that LCT's Fig. 2 sets against the AUC.
AGAINST_AUC = ("brier", "precision_at_recall_0.99", "max_f1")

#: From this opacity on, text on a cell takes the colour of the page.
_STRONG = 0.68

#: Space between large cells, in small cells, where they have several and where they have one.
_GAP, _NARROW_GAP = 0.5, 0.08


@final
@dataclass(frozen=True)
class Model:
    """A model in a figure.

    Attributes:
        metrics: Its metrics by key.
        label: In the legend, which leaves it out when None.
        colour: One of ``drawing.SERIES``.
        opacity: Of its line, or of the fill of its dot.
        ringed: Keys of the metrics that chose it, where a ring shows that.
        cross: Whether it is drawn as a cross instead of a dot.
    """

    metrics: Mapping[str, float]
    label: str | None = None
    colour: str = SERIES[0]
    opacity: float = 1.0
    ringed: Collection[str] = ()
    cross: bool = False


def precision_at_recalls(models: Sequence[Model], title: str, limits: tuple[float, float]) -> Markup:
    """Draw the precision of each model at eight recalls (LCT Fig. 1)."""
    labelled = [model for model in models if model.label]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(RECALLS))
        for model in models:
            values = [model.metrics[name] for name in PRECISION_METRICS]
            axes.plot(
                places,
                values,
                "o-",
                color=model.colour,
                alpha=model.opacity,
                label=model.label,
                markersize=4.5 if model.label else 0,
                linewidth=1.8 if model.label else 1.0,
            )
        axes.set_xticks(places, [f"{recall:g}" for recall in RECALLS])
        axes.set_xlabel("recall at least")
        axes.set_ylabel("precision")
        axes.set_ylim(*limits)
        axes.set_title(title)
        if labelled:
            figure.legend(loc="outside lower left", labelcolor=INK, handlelength=1.4)

    values = "; ".join(
        f"{str(model.label).replace(chr(10), ' ')}: "
        f"{', '.join(f'{model.metrics[name]:.2f}' for name in PRECISION_METRICS)}"
        for model in labelled
    )
    return draw(
        paint,
        width=4.9,
        height=3.1 + 0.18 * sum(1 + str(model.label).count("\n") for model in labelled),
        description=f"{title}. Precision at recalls {', '.join(f'{recall:g}' for recall in RECALLS)}. {values}",
    )


def precision_limits(models: Sequence[Model]) -> tuple[float, float]:
    """Return a range of precisions that holds every model."""
    values = np.array([[model.metrics[name] for name in PRECISION_METRICS] for model in models])
    if np.isnan(values).all():
        return (0.0, 1.0)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (max(0.0, low - 0.03), min(1.02, high + 0.03))


def auc_against_others(models: Sequence[Model], legend_title: str | None, description: str) -> Markup:
    """Draw AUC against Brier score, precision at recall ≥ 0.99 and F1, one dot per model (LCT Fig. 2)."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 3, sharey=True)
        for axes, metric in zip(panels, AGAINST_AUC, strict=True):
            for model in models:
                _dot(axes, model, metric)
            axes.set_xlabel(POSITIVE_CLASS_METRICS[metric].heading)
            axes.margins(0.08)
            axes.locator_params(axis="x", nbins=4)
        panels[0].set_ylabel("AUC")
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(
                handles,
                labels,
                loc="outside lower left",
                ncols=8,
                title=legend_title,
                alignment="left",
                labelcolor=INK,
                handletextpad=0.3,
                columnspacing=1.2,
            )

    return draw(paint, width=9.6, height=4.0, description=description)


def _dot(axes: Axes, model: Model, metric: str) -> None:
    place = (model.metrics[metric], model.metrics["auc"])
    if model.cross:
        axes.plot(
            *place,
            "X",
            color=model.colour,
            markersize=10,
            markeredgewidth=0,
            label=model.label,
            linestyle="none",
        )
        return
    # A disc in the page's colour hides what lies below.
    axes.plot(*place, "o", color=SURFACE, markersize=8, markeredgewidth=0, linestyle="none")
    axes.plot(
        *place, "o", markersize=8, markerfacecolor=to_rgba(model.colour, model.opacity),
        markeredgecolor=model.colour, markeredgewidth=1, label=model.label, linestyle="none",
    )  # fmt: skip
    if metric in model.ringed:
        axes.plot(
            *place, "o", markersize=14, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.4,
            linestyle="none", zorder=5,
        )  # fmt: skip


def models_of_conditions(
    conditions: Sequence[Mapping[str, float]],
    reached: Sequence[Mapping[str, float]],
    chosen: Mapping[str, int | None],
) -> list[Model]:
    """Return one model per λ, stronger the larger its last parameter, whose values label their first models.

    Args:
        conditions: L values of λ, each of one parameter or more.
        reached: The metrics at each.
        chosen: From the key of each metric to the λ it chooses, which is ringed.
    """
    shown = [list(condition.values())[-1] for condition in conditions]
    ordered = sorted(set(shown))
    opacities = dict(zip(ordered, np.linspace(0.08, 1.0, len(ordered)).tolist(), strict=True))
    return [
        Model(
            reached[index],
            f"{shown[index]:g}" if shown.index(shown[index]) == index else None,
            opacity=opacities[shown[index]],
            ringed=[metric for metric, place in chosen.items() if place == index],
        )
        for index in np.argsort(shown, kind="stable")
    ]


def heat_map(
    values: np.ndarray,
    metric: Metric,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_title: str,
    column_title: str,
    outlined: tuple[int, int, int, int] | None,
    width: float,
) -> Markup:
    """Draw a metric over two settings, and within each cell over λ (LCT Figs. 4 to 7); the better, the stronger.

    Args:
        values: ``(R, K, r, k)``: R × K large cells with r × k small ones each; NaN is left blank.
        metric: The metric that the values are of.
        rows: Labels of the large rows, or of the small ones if there is one large cell.
        columns: The same for columns.
        row_title: What the rows are.
        column_title: What the columns are.
        outlined: The cell to outline.
        width: The largest width, in inches.
    """
    large_rows, large_columns, small_rows, small_columns = values.shape
    opacities = _opacities(values, metric)
    alone = large_rows == large_columns == 1
    single = small_rows == small_columns == 1
    text = alone or single
    gap = _NARROW_GAP if single else _GAP
    # A small cell is one unit high, and wide enough for text if it has some.
    unit = 1.6 if text else 1.0
    pitch = (small_columns * unit + gap, small_rows + gap)

    def corner(row: int, column: int, small_row: int, small_column: int) -> tuple[float, float]:
        return (column * pitch[0] + small_column * unit, row * pitch[1] + small_row)

    def paint(figure: Figure) -> None:
        # Leave room above the title: letters in the browser may be taller than Matplotlib's.
        figure.set_layout_engine("constrained", h_pad=0.12)
        axes = figure.subplots()
        for place in np.ndindex(values.shape):
            if np.isnan(values[place]):
                continue
            x, y = corner(*place)
            axes.add_patch(
                Rectangle((x, y), unit, 1, facecolor=SERIES[0], alpha=float(opacities[place]), linewidth=0)
            )
            if text:
                axes.annotate(
                    f"{values[place]:.3f}", (x + unit / 2, y + 0.5), ha="center", va="center", fontsize=9,
                    color=SURFACE if opacities[place] > _STRONG else INK,
                )  # fmt: skip
        if outlined is not None:
            axes.add_patch(
                Rectangle(corner(*outlined), unit, 1, facecolor="none", edgecolor=SERIES[1], linewidth=2.2)
            )
        size = (large_columns * pitch[0] - gap, large_rows * pitch[1] - gap)
        axes.set_xlim(-0.1, size[0] + 0.1)
        axes.set_ylim(size[1] + 0.1, -0.1)
        axes.set_aspect("equal")
        if alone:
            axes.set_xticks([(index + 0.5) * unit for index in range(small_columns)], columns)
            axes.set_yticks([index + 0.5 for index in range(small_rows)], rows)
        else:
            middle = ((pitch[0] - gap) / 2, (pitch[1] - gap) / 2)
            axes.set_xticks([index * pitch[0] + middle[0] for index in range(large_columns)], columns)
            axes.set_yticks([index * pitch[1] + middle[1] for index in range(large_rows)], rows)
        axes.set_xlabel(column_title)
        axes.set_ylabel(row_title)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_title(f"{metric.title}\n{_range(values, metric)}")

    across, down = large_columns * pitch[0], large_rows * pitch[1]
    inches = min(width, 1.6 + 0.42 * across)
    return draw(
        paint,
        width=inches,
        height=1.2 + (inches - 1.6) / across * down,
        description=f"{metric.title} over {' and '.join(filter(None, (row_title, column_title)))}: "
        f"{_range(values, metric)}",
    )


def _opacities(values: np.ndarray, metric: Metric) -> np.ndarray:
    """From 0.06 for the worst to 0.95 for the best."""
    if np.isnan(values).all():
        return np.zeros_like(values)
    worst, best = float(np.nanmin(values)), float(np.nanmax(values))
    if metric.better == "lower":
        worst, best = best, worst
    if best == worst:
        return np.full_like(values, 0.5)
    share: np.ndarray = (values - worst) / (best - worst)
    return 0.06 + 0.89 * share


def _range(values: np.ndarray, metric: Metric) -> str:
    if np.isnan(values).all():
        return "undefined"
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    faint, strong = (high, low) if metric.better == "lower" else (low, high)
    return f"faint {faint:.3f}, strong {strong:.3f}"
