"""Methods side by side over seeds: means, deviations, and whether a difference is more than luck."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from medtail import metrics
from medtail.errors import InputError
from medtail.evaluation.comparison.comparable import JudgedRun, differing_settings, read_comparable
from medtail.evaluation.comparison.paired import holm, paired_t_test
from medtail.evaluation.report.page import mean_and_deviation, number, signed
from medtail.evaluation.summaries.binary import BINARY_PREFIX
from medtail.metrics import METRICS, POSITIVE_CLASS_METRICS, Metric
from medtail.metrics.metric import LOWEST_RECALL
from medtail.naming import nearest
from medtail.runs.run import Run

#: The method others are tested against unless another is named.
USUAL_REFERENCE = "ce"

#: The metrics to compare, by their columns and in order: those of a summary and the lowest recall of a class.
COMPARED = {"balanced_accuracy": METRICS["balanced_accuracy"], LOWEST_RECALL.key: LOWEST_RECALL, **METRICS}

#: With two classes, those of the positive class as well.
COMPARED_OF_TWO = {
    **COMPARED,
    **{BINARY_PREFIX + name: metric for name, metric in POSITIVE_CLASS_METRICS.items()},
}

#: The columns of the short table on a terminal.
_SHOWN = ("balanced_accuracy", "lowest_recall", "macro_f1", "accuracy", "geometric_mean", "cov", "auc", "ece")
_SHOWN_OF_TWO = (
    "balanced_accuracy",
    "lowest_recall",
    "accuracy",
    "ece",
    *map(BINARY_PREFIX.__add__, POSITIVE_CLASS_METRICS),
)

_RESAMPLES = 1000


@final
@dataclass(frozen=True)
class Comparison:
    """Finished runs of one data set, compared.

    Attributes:
        dataset: Name of the data.
        test_images: How many test images the runs were judged on.
        resampled: What the bootstrap drew: "group" or "image".
        num_resampled: How many of them there are.
        reference: The method the others are tested against.
        table: One row per method, best balanced accuracy first: ``method``, ``seeds``, ``<metric>_mean`` and
            ``<metric>_sd`` for each of ``metrics``, then, of balanced accuracy minus the reference's,
            ``difference``, ``difference_low`` and ``difference_high`` (95 %, bootstrap), ``shared_seeds``, ``t``,
            ``p`` (paired t-test), ``p_holm`` and ``note``. Undefined values are NaN.
        recalls: Mean recall over seeds, one row per method and one column per class.
        groups: Mean accuracy over seeds on the test images of classes with many (over 100), a medium number of, and
            few (under 20) training images, one row per method and one column per group; none below 20 classes.
        positive: The positive class, of two; None with more classes.
        runs: One row per run: ``run``, ``method``, ``seed`` and each metric.
        warnings: Settings that differ for other reasons than method and seed.
    """

    dataset: str
    test_images: int
    resampled: str
    num_resampled: int
    reference: str
    table: pd.DataFrame
    recalls: pd.DataFrame
    groups: pd.DataFrame
    positive: str | None
    runs: pd.DataFrame
    warnings: list[str]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that are compared, by their columns."""
        return COMPARED if self.positive is None else COMPARED_OF_TWO

    @staticmethod
    def reached(row: dict[str, Any], name: str) -> str:
        """Return ``mean ± sd`` of a metric in a row of the table, for people."""
        return mean_and_deviation(row[f"{name}_mean"], row[f"{name}_sd"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return [{str(name): value for name, value in row.items()} for row in self.table.to_dict("records")]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; undefined values are None."""
        methods = []
        for row in self.rows:
            recalls = self.recalls.loc[row["method"]]
            methods.append(
                {
                    "method": row["method"],
                    "seeds": row["seeds"],
                    "metrics": {
                        name: {"mean": _plain(row[f"{name}_mean"]), "sd": _plain(row[f"{name}_sd"])}
                        for name in self.metrics
                    },
                    "recalls": {str(name): _plain(value) for name, value in recalls.items()},
                    "groups": {
                        str(name): _plain(value) for name, value in self.groups.loc[row["method"]].items()
                    },
                    "against_reference": None
                    if row["method"] == self.reference
                    else {
                        "difference": _plain(row["difference"]),
                        "interval": [_plain(row["difference_low"]), _plain(row["difference_high"])],
                        **{name: _plain(row[name]) for name in ("shared_seeds", "t", "p", "p_holm", "note")},
                    },
                }
            )
        return {
            "dataset": self.dataset,
            "test_images": self.test_images,
            "resampled": self.resampled,
            "num_resampled": self.num_resampled,
            "reference": self.reference,
            "positive": self.positive,
            "warnings": self.warnings,
            "methods": methods,
            "runs": [
                {str(name): _plain(value) for name, value in row.items()}
                for row in self.runs.to_dict("records")
            ],
        }

    def to_markdown(self) -> str:
        """Return the table of means and the table of tests."""
        shown = _SHOWN if self.positive is None else _SHOWN_OF_TWO
        positive = "" if self.positive is None else f" Positive class: **{self.positive}**."
        lines = [
            f"**{self.dataset}**, {self.test_images} test images; mean ± standard deviation over seeds.{positive}",
            "",
        ]
        lines += _markdown_table(
            ["Method", "Seeds", *(self.metrics[name].title for name in shown)],
            [
                [row["method"], str(len(row["seeds"])), *(self.reached(row, name) for name in shown)]
                for row in self.rows
            ],
        )
        if len(self.groups.columns):
            lines += ["", "Accuracy on classes by their training images (many: over 100, few: under 20):", ""]
            lines += _markdown_table(
                ["Method", *map(str, self.groups.columns)],
                [
                    [row["method"], *(number(value) for value in self.groups.loc[row["method"]])]
                    for row in self.rows
                ],
            )
        tested = [row for row in self.rows if row["method"] != self.reference]
        if tested:
            lines += ["", f"Balanced accuracy against **{self.reference}**, over shared seeds:", ""]
            lines += _markdown_table(
                [
                    "method",
                    "difference",
                    f"95 % interval over {self.num_resampled} {self.resampled}s",
                    "t",
                    "p",
                    "p (Holm)",
                    "note",
                ],
                [
                    [
                        row["method"],
                        signed(row["difference"]),
                        f"{signed(row['difference_low'])} to {signed(row['difference_high'])}",
                        number(row["t"], 2),
                        number(row["p"], 4),
                        number(row["p_holm"], 4),
                        row["note"],
                    ]
                    for row in tested
                ],
            )
        if self.warnings:
            lines += [
                "",
                "Not only methods and seeds differ:",
                "",
                *(f"- {warning}" for warning in self.warnings),
            ]
        return "\n".join(lines) + "\n"


def compare_runs(
    runs: Sequence[Run], *, labels: Sequence[str] | None = None, reference: str | None = None
) -> Comparison:
    """Compare finished runs of one data set, grouped by their labels.

    Balanced accuracy is tested, and it alone, so that no metric can be picked for its p-value: a paired t-test over
    the seeds a method shares with the reference (would other seeds say the same?), corrected by Holm for the number
    of methods, and a paired bootstrap over the test groups or images of the difference between the means over those
    seeds (would other patients say the same?).

    Args:
        runs: Folders of finished runs; each label with one or more seeds.
        labels: The row of each run; None takes its method, and the settings in which runs of this method differ.
        reference: Label the others are tested against; ``ce`` if it is among them, else the first run's.

    Raises:
        InputError: A run is not finished, the runs are not of the same images and splits, a method and seed occur
            twice, or the reference is none of the methods.
    """
    judged = read_comparable(runs, labels)
    methods = list(dict.fromkeys(run.label for run in judged))
    if reference is None:
        reference = USUAL_REFERENCE if USUAL_REFERENCE in methods else methods[0]
    if reference not in methods:
        raise InputError(
            f"reference must be a method of the runs ({', '.join(methods)}), "
            f"got {reference}{nearest(reference, methods)}"
        )
    per_run = [
        {"run": run.run.folder.name, "method": run.label, "seed": run.seed, **run.metrics} for run in judged
    ]
    values = pd.DataFrame(per_run)
    resampled = _resampled_balanced_accuracy(judged)
    positive = judged[0].facts.positive_id if judged[0].test.binary else None
    compared = COMPARED if positive is None else COMPARED_OF_TWO
    rows = [_row(method, reference, compared, values, resampled) for method in methods]
    others = [row for row in rows if row["method"] != reference]
    for row, corrected in zip(others, holm([row["p"] for row in others]), strict=True):
        row["p_holm"] = corrected
    table = pd.DataFrame(rows).sort_values("balanced_accuracy_mean", ascending=False, kind="stable")
    recalls = pd.DataFrame([run.recalls for run in judged], columns=list(judged[0].test.class_names))
    return Comparison(
        dataset=judged[0].facts.name,
        test_images=len(judged[0].test.ids),
        resampled="image" if judged[0].test.groups is None else "group",
        num_resampled=judged[0].test.num_groups or len(judged[0].test.ids),
        reference=reference,
        table=table.reset_index(drop=True),
        positive=None if positive is None else judged[0].test.class_names[positive],
        recalls=recalls.groupby(values["method"], sort=False).mean(),
        groups=pd.DataFrame([run.groups for run in judged]).groupby(values["method"], sort=False).mean(),
        runs=values,
        warnings=differing_settings(judged),
    )


def _resampled_balanced_accuracy(judged: Sequence[JudgedRun]) -> np.ndarray:
    """Balanced accuracy of every run on the same resamples ``(resamples, runs)``.

    Where splits differ between seeds, the images of all test splits are resampled together, so that an image counts
    equally often in each of them.
    """
    images = pd.concat([_units(run) for run in judged])
    images = images[~images.index.duplicated()].sort_index(kind="stable")
    places = [images.index.get_indexer(pd.Index(run.test.ids)) for run in judged]
    return metrics.bootstrap(
        lambda weights: np.stack(
            [
                np.asarray(metrics.balanced_accuracy(run.test.outcomes(weights[place])))
                for run, place in zip(judged, places, strict=True)
            ],
            axis=-1,
        ),
        images.to_numpy(),
        resamples=_RESAMPLES,
    )


def _units(run: JudgedRun) -> "pd.Series[str]":
    """What a bootstrap draws, by the image."""
    return pd.Series(
        run.test.ids if run.test.groups is None else run.test.groups, index=run.test.ids, dtype=str
    )


def _row(
    method: str, reference: str, compared: Iterable[str], values: pd.DataFrame, resampled: np.ndarray
) -> dict[str, Any]:
    own, base = values[values["method"] == method], values[values["method"] == reference]
    row: dict[str, Any] = {"method": method, "seeds": sorted(int(seed) for seed in own["seed"])}
    for name in compared:
        row[f"{name}_mean"] = float(own[name].mean())
        row[f"{name}_sd"] = float(own[name].std(ddof=1))
    nan = float("nan")
    against = {
        "difference": nan,
        "difference_low": nan,
        "difference_high": nan,
        "shared_seeds": 0,
        "t": nan,
        "p": nan,
    }
    if method == reference:
        return {**row, **against, "p_holm": nan, "note": "reference"}
    shared = sorted(set(own["seed"]) & set(base["seed"]))
    if shared:
        own, base = (part[part["seed"].isin(shared)].sort_values("seed") for part in (own, base))
    difference = own["balanced_accuracy"].mean() - base["balanced_accuracy"].mean()
    drawn = resampled[:, own.index].mean(axis=1) - resampled[:, base.index].mean(axis=1)
    low, high = metrics.percentile_interval(drawn)
    test = paired_t_test(
        list(own["balanced_accuracy"].to_numpy() - base["balanced_accuracy"].to_numpy()) if shared else []
    )
    return {
        **row,
        "difference": float(difference),
        "difference_low": low,
        "difference_high": high,
        "shared_seeds": len(shared),
        "t": test.t,
        "p": test.p,
        "p_holm": nan,
        "note": test.note,
    }


def _markdown_table(header: list[str], rows: list[list[str]]) -> list[str]:
    cells = [[text.replace("|", "\\|") for text in row] for row in (header, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + " --- |" * len(header), *lines[1:]]


def _plain(value: Any) -> Any:
    """Return a value for JSON: NumPy's numbers as Python's, NaN as None."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
