"""The page of a search: how good its trials were, which settings mattered, and what each of them did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medtail.errors import InputError
from medtail.evaluation.report.drawing import INK, SERIES, draw, plain_powers
from medtail.evaluation.report.page import Section, number, render_page
from medtail.files import write_text
from medtail.metrics import METRICS

#: Panels beside each other in the figure of slices.
_COLUMNS = 2


@final
@dataclass(frozen=True)
class TrialResult:
    """A trial that has ended.

    Attributes:
        number: From 0, in the order of the proposals.
        settings: By their paths.
        value: On validation; None if it failed.
        failure: Why it failed.
    """

    number: int
    settings: Mapping[str, Any]
    value: float | None
    failure: str | None = None

    @property
    def reached(self) -> float:
        """The value of a trial that has one."""
        assert self.value is not None
        return self.value


@final
@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        dataset: Name of the data set.
        method: Key of the method.
        metric: What judged the trials, on validation.
        sampler: Who proposed settings.
        trials: Every trial that has ended.
        importances: The share of each setting in the differences between trials (functional analysis of variance,
            Hutter et al. 2014); empty where there are too few.
        logarithmic: Settings that were drawn on a logarithmic scale.
    """

    dataset: str
    method: str
    metric: str
    sampler: str
    trials: Sequence[TrialResult]
    importances: Mapping[str, float]
    logarithmic: frozenset[str] = frozenset()

    @property
    def finished(self) -> list[TrialResult]:
        """The trials that have a value."""
        return [trial for trial in self.trials if trial.value is not None]

    @property
    def best(self) -> TrialResult:
        """The trial of the highest value, the first of equals.

        Raises:
            InputError: All trials failed.
        """
        if not self.finished:
            first = self.trials[0].failure if self.trials else "none was started"
            raise InputError(
                f"all {len(self.trials)} trials failed, the first because {first}; change the space or the settings, "
                f"and take another folder with `out`"
            )
        return max(self.finished, key=lambda trial: trial.reached)


def write_search(result: SearchResult, folder: Path) -> None:
    """Write ``tuning.html`` into a folder."""
    write_text(folder / "tuning.html", search_page(result))


def search_page(result: SearchResult) -> str:
    """Return a self-contained page."""
    best = result.best
    title = METRICS[result.metric].title
    ranked = sorted(result.finished, key=lambda trial: -trial.reached)
    paths = list(best.settings)
    history = Section(
        "history",
        "How the search went",
        "search_history.html",
        {
            "best": number(best.reached),
            "best_number": best.number,
            "metric": title,
            "settings": [(path, _shown(value)) for path, value in best.settings.items()],
            "finished": len(ranked),
            "failed": [(trial.number, trial.failure) for trial in result.trials if trial.failure is not None],
            "figure": _history(result, title),
        },
    )
    settings = Section(
        "settings",
        "What the settings did",
        "search_settings.html",
        {
            "importance": _importance(result) if result.importances else None,
            "trials": len(ranked),
            "slices": _slices(result, title),
        },
    )
    table = Section(
        "trials",
        "Every trial",
        "search_trials.html",
        {
            "metric": title,
            "paths": paths,
            "rows": [
                (trial.number, number(trial.value), [_shown(trial.settings[path]) for path in paths])
                for trial in ranked
            ],
        },
    )
    return render_page(
        f"Search for {result.method} on {result.dataset}",
        f"{len(result.trials)} trials, sampler {result.sampler}, judged by {title.lower()} on validation",
        [history, settings, table],
    )


def _shown(value: Any) -> str:
    """A setting with four digits; ``best.yaml`` has all of them."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _history(result: SearchResult, title: str) -> Markup:
    """Values in the order of the trials, and the best so far."""
    numbers = [trial.number for trial in result.finished]
    values = [trial.reached for trial in result.finished]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.step(numbers, np.maximum.accumulate(values), where="post", color=SERIES[1], label="best so far")
        axes.plot(numbers, values, "o", markersize=5, color=SERIES[0], label="trial")
        axes.set_xlabel("trial")
        axes.set_ylabel(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.0)

    return draw(paint, width=7.2, height=3.2, description=f"{title} of each trial, and the best so far")


def _importance(result: SearchResult) -> Markup:
    items = sorted(result.importances.items(), key=lambda item: item[1])

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh(
            [path for path, _ in items], [share for _, share in items], color=SERIES[0], height=0.6
        )
        axes.bar_label(bars, labels=[f"{share:.0%}" for _, share in items], padding=4, color=INK)
        axes.set_xlim(0, 1.1)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("share of the variance between trials")

    return draw(
        paint,
        width=7.2,
        height=0.9 + 0.38 * len(items),
        description="Share of each setting in the variance between trials",
    )


def _slices(result: SearchResult, title: str) -> Markup:
    """Values over each setting; the best trial is ringed."""
    best = result.best
    paths = list(best.settings)
    rows = -(-len(paths) // _COLUMNS)

    def paint(figure: Figure) -> None:
        panels = list(figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).flat)
        for axes in panels[len(paths) :]:
            axes.set_visible(False)
        for axes, path in zip(panels, paths, strict=False):
            _slice(axes, path, result, best)
        for axes in panels[::_COLUMNS]:
            axes.set_ylabel(title)

    return draw(
        paint, width=7.2, height=0.4 + 2.4 * rows, description=f"{title} of each trial over each setting"
    )


def _slice(axes: Axes, path: str, result: SearchResult, best: TrialResult) -> None:
    drawn = [(trial.settings[path], trial.reached) for trial in result.finished]
    named = any(isinstance(value, str | bool) for value, _ in drawn)
    # Names stand in alphabetical order, not in that of the trials.
    places = {value: place for place, value in enumerate(sorted({str(value) for value, _ in drawn}))}

    def place(value: Any) -> Any:
        return places[str(value)] if named else value

    axes.plot([place(value) for value, _ in drawn], [reached for _, reached in drawn], "o", markersize=5)
    axes.plot(
        [place(best.settings[path])],
        [best.reached],
        "o",
        markersize=11,
        markerfacecolor="none",
        color=SERIES[1],
    )
    axes.set_xlabel(path)
    if named:
        axes.set_xticks(list(places.values()), list(places))
    elif path in result.logarithmic:
        axes.set_xscale("log")
        plain_powers(axes.xaxis)
