"""Rows side by side over seeds: means, deviations, and whether a difference is more than luck."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pandas as pd

from medtail.evaluation.comparison.columns import ColumnGroup, column_groups, known_columns
from medtail.evaluation.comparison.comparable import JudgedRun, differing_settings, read_comparable
from medtail.evaluation.comparison.factors import FactorTable, check_factors, factor_table
from medtail.evaluation.comparison.free_rival import check_reference, with_adapted
from medtail.evaluation.comparison.significance.differences import Difference, differences_from
from medtail.evaluation.comparison.significance.resampling import resampled_balanced_accuracy
from medtail.evaluation.comparison.significance.sentences import sentences_of
from medtail.evaluation.comparison.tables import TextTable, comparison_tables
from medtail.evaluation.report.page import mean_and_deviation
from medtail.metrics import Metric, percentile_interval
from medtail.runs.run import EvaluatedSplit, Run

#: The method whose row the others are tested against unless one is named.
USUAL_REFERENCE = "ce"


@final
@dataclass(frozen=True)
class Comparison:
    """Finished runs of one data set, compared.

    Attributes:
        dataset: Name of the data.
        split: The split that the runs were judged on.
        test_images: How many images it has.
        resampled: What the bootstrap drew: "group" or "image".
        num_resampled: How many of them there are.
        reference: The row that the others are tested against.
        rival: The free rival: the reference adapted to equal class shares; if it cannot be, the first row of the
            method ``ce``, or else another that can; None if no row can.
        column_groups: The tables of metrics, and the columns of each.
        table: One row per label, best balanced accuracy first: ``method`` (the label), ``seeds``, ``<metric>_mean`` and
            ``<metric>_sd`` for each of ``metrics``, ``balanced_accuracy_low`` and ``_high`` (95 %, bootstrap), then, of
            balanced accuracy minus the reference's, ``difference``, ``difference_low`` and ``difference_high``,
            ``shared_seeds``, ``t``, ``p`` (paired t-test), ``p_holm``, ``verdict`` and ``note``. Undefined values are
            NaN.
        recalls: Mean recall over seeds, one row per label and one column per class.
        positive: The positive class, of two; None with more classes.
        runs: One row per run: ``run``, ``method``, ``seed`` and each metric.
        warnings: Settings that differ for other reasons than label and seed.
        against: From the label of a row (the reference, the best and the free rival) to the differences from it.
        crossed: Tables of two settings, where these were asked for.
        judged: The runs, in the order of ``runs``; adapted ones last.
    """

    dataset: str
    split: EvaluatedSplit
    test_images: int
    resampled: str
    num_resampled: int
    reference: str
    rival: str | None
    column_groups: list[ColumnGroup]
    table: pd.DataFrame
    recalls: pd.DataFrame
    positive: str | None
    runs: pd.DataFrame
    warnings: list[str]
    against: Mapping[str, list[Difference]]
    crossed: list[FactorTable]
    judged: tuple[JudgedRun, ...] = field(repr=False)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that are compared, by their columns."""
        return {name: metric for group in self.column_groups for name, metric in group.columns.items()}

    @staticmethod
    def reached(row: dict[str, Any], name: str) -> str:
        """Return ``mean ± sd`` of a metric in a row of the table, for people."""
        return mean_and_deviation(row[f"{name}_mean"], row[f"{name}_sd"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return [{str(name): value for name, value in row.items()} for row in self.table.to_dict("records")]

    @property
    def labels(self) -> list[str]:
        """The label of each row, best first."""
        return [str(label) for label in self.table["method"]]

    @property
    def adapted(self) -> dict[str, str]:
        """From the label of each row that is another row adapted to equal class shares to the label of that row."""
        return {run.label: run.adapted_from for run in self.judged if run.adapted_from is not None}

    @property
    def best(self) -> str:
        """The row with the highest mean balanced accuracy."""
        return self.labels[0]

    @property
    def sentences(self) -> list[str]:
        """What the tests say, in words."""
        return sentences_of(self.best, self.rival, self.against, self.adapted)

    @property
    def tables(self) -> list[TextTable]:
        """The tables of metrics and of tests, as text."""
        return [*(table.text for table in self.crossed), *comparison_tables(self)]

    @property
    def cells(self) -> pd.DataFrame:
        """The cells of the tables of two settings, one row each; empty where there are none."""
        return pd.DataFrame([record for table in self.crossed for record in table.records])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; undefined values are None."""
        methods = []
        against_reference = {one.method: one for one in self.against[self.reference]}
        for row in self.rows:
            label = row["method"]
            difference = against_reference.get(label)
            methods.append(
                {
                    "method": label,
                    "seeds": row["seeds"],
                    "metrics": {
                        name: {"mean": row[f"{name}_mean"], "sd": row[f"{name}_sd"]} for name in self.metrics
                    },
                    "balanced_accuracy_interval": [
                        row["balanced_accuracy_low"],
                        row["balanced_accuracy_high"],
                    ],
                    "recalls": self.recalls.loc[label].to_dict(),
                    "against_reference": None if difference is None else _test(difference),
                }
            )
        content = {
            "dataset": self.dataset,
            "split": self.split,
            "test_images": self.test_images,
            "resampled": self.resampled,
            "num_resampled": self.num_resampled,
            "reference": self.reference,
            "best": self.best,
            "free_rival": self.rival,
            "positive": self.positive,
            "columns": {name: metric.title for name, metric in self.metrics.items()},
            "warnings": self.warnings,
            "conclusions": self.sentences,
            "methods": methods,
            "tests": {
                other: [{"method": one.method, **_test(one)} for one in differences]
                for other, differences in self.against.items()
            },
            "crossed": self.cells.to_dict("records"),
            "runs": self.runs.to_dict("records"),
        }
        plain: dict[str, Any] = _plain(content)
        return plain

    def to_markdown(self) -> str:
        """Return what the tests say, the tables of means, and the tables of tests."""
        positive = "" if self.positive is None else f" Positive class: **{self.positive}**."
        lines = [
            f"**{self.dataset}**, {self.test_images} {self.split} images; mean ± standard deviation over seeds."
            f"{positive}"
        ]
        for table in self.tables:
            lines += ["", f"{table.title}:", "", *table.markdown()]
        lines += ["", *(f"- {sentence}" for sentence in self.sentences)]
        if self.warnings:
            lines += [
                "",
                "Not only methods and seeds differ:",
                "",
                *(f"- {warning}" for warning in self.warnings),
            ]
        return "\n".join(lines) + "\n"

    def to_latex(self) -> str:
        """Return the same tables for LaTeX with the package ``booktabs``."""
        return "\n".join(table.latex() for table in self.tables)


def compare_runs(
    runs: Sequence[Run],
    *,
    labels: Sequence[str] | None = None,
    reference: str | None = None,
    metrics: Sequence[str] | None = None,
    split: EvaluatedSplit = "test",
    rows: str | None = None,
    columns: str | None = None,
) -> Comparison:
    """Compare finished runs of one data set, grouped by their labels.

    Each run whose scores stand for unequal class shares has a second row: the same run adapted to equal shares, the
    rival that costs no training. Balanced accuracy is tested, and it alone, so that no metric can be picked for its
    p-value: a paired t-test over the seeds that two rows share (would other seeds say the same?), corrected by Holm
    for the number of rows, and a paired bootstrap over the test groups or images of the difference between the means
    over those seeds (would other patients say the same?). McNemar's test, per shared seed, is of accuracy.

    Args:
        runs: Folders of finished runs or cross-validations; each label with one or more seeds.
        labels: The row of each run; None takes its method, and the settings in which runs of this method differ.
        reference: Label the others are tested against; that of the first run trained with the method ``ce``, or else
            of the first run.
        metrics: Metrics to show, by name, e.g. ``["balanced_accuracy", "iba_0.1", "f1:mel"]``; all of them if None.
        split: The split that runs are judged on.
        rows: With ``columns``, a setting such as ``loss.name`` whose values are the rows of a further table for each of
            ``metrics`` (balanced accuracy if these are None).
        columns: The setting whose values are its columns, such as ``sampling.name``.

    Raises:
        InputError: A run is not finished, the runs are not of the same images and splits, a label and seed occur
            twice, the reference is none of the labels, or there is no such metric or setting.
    """
    check_factors(rows, columns)
    trained = read_comparable(runs, labels, split)
    judged = with_adapted(trained)
    members: dict[str, list[int]] = {}
    for number, run in enumerate(judged):
        members.setdefault(run.label, []).append(number)
    check_reference(reference, list(members))
    usual = next((run.label for run in trained if run.method == USUAL_REFERENCE), trained[0].label)
    reference = reference or usual
    groups = column_groups(trained[0], metrics)
    values = pd.DataFrame(
        [{"run": run.run.folder.name, "method": run.label, "seed": run.seed, **run.metrics} for run in judged]
    )
    resampled = resampled_balanced_accuracy(judged)
    ordered = dict(
        sorted(members.items(), key=lambda row: -float(values["balanced_accuracy"].iloc[row[1]].mean()))
    )
    rival = _rival([reference, usual], judged)
    balanced = values["balanced_accuracy"].to_numpy(dtype=np.float64)
    against = {
        other: differences_from(other, ordered, judged, balanced, resampled)
        for other in dict.fromkeys([reference, next(iter(ordered)), *([] if rival is None else [rival])])
    }
    names = dict.fromkeys(["balanced_accuracy", *(name for group in groups for name in group.columns)])
    from_reference = {one.method: one for one in against[reference]}
    known = known_columns(trained[0])
    crossed = [
        # Adapted rows are of the same settings as the rows that they come from.
        factor_table(trained, values[name].tolist()[: len(trained)], name, known[name], rows, columns)
        for name in metrics or ["balanced_accuracy"]
        if rows is not None and columns is not None
    ]
    predictions = trained[0].predictions
    return Comparison(
        dataset=trained[0].facts.name,
        split=split,
        test_images=len(predictions.ids),
        resampled="image" if predictions.groups is None else "group",
        num_resampled=predictions.num_groups or len(predictions.ids),
        reference=reference,
        rival=rival,
        column_groups=groups,
        table=pd.DataFrame(
            [
                _row(
                    label, values.iloc[numbers], resampled[:, numbers], list(names), from_reference.get(label)
                )
                for label, numbers in ordered.items()
            ]
        ),
        recalls=_mean_recalls(judged),
        positive=predictions.class_names[trained[0].facts.positive_id] if predictions.binary else None,
        runs=values[["run", "method", "seed", *known]],
        crossed=crossed,
        warnings=differing_settings(trained),
        against=against,
        judged=tuple(judged),
    )


def _rival(preferred: Sequence[str], judged: Sequence[JudgedRun]) -> str | None:
    """The adapted row of the first preferred label that has one, else of any."""
    adapted = {run.adapted_from: run.label for run in judged if run.adapted_from is not None}
    return next((adapted[label] for label in [*preferred, *adapted] if label in adapted), None)


def _mean_recalls(judged: Sequence[JudgedRun]) -> pd.DataFrame:
    labels = pd.Series([run.label for run in judged])
    recalls = pd.DataFrame([run.recalls for run in judged], columns=list(judged[0].predictions.class_names))
    mean: pd.DataFrame = recalls.groupby(labels, sort=False).mean()
    return mean


def _row(
    label: str, own: pd.DataFrame, resampled: np.ndarray, names: Sequence[str], difference: Difference | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"method": label, "seeds": sorted(int(seed) for seed in own["seed"])}
    for name in names:
        row[f"{name}_mean"] = float(own[name].mean())
        row[f"{name}_sd"] = float(own[name].std(ddof=1))
    low, high = percentile_interval(resampled.mean(axis=1))
    row |= {"balanced_accuracy_low": low, "balanced_accuracy_high": high}
    nan = float("nan")
    if difference is None:
        empty = dict.fromkeys(("difference", "difference_low", "difference_high"), nan)
        tests = {"t": nan, "p": nan, "p_holm": nan, "verdict": "", "note": "reference"}
        return {**row, **empty, "shared_seeds": 0, **tests}
    return {
        **row,
        "difference": difference.difference,
        "difference_low": difference.low,
        "difference_high": difference.high,
        **{
            name: getattr(difference, name)
            for name in ("shared_seeds", "t", "p", "p_holm", "verdict", "note")
        },
    }


def _test(difference: Difference) -> dict[str, Any]:
    content = difference.to_dict()
    interval = [content.pop("low"), content.pop("high")]
    del content["method"]
    return {"difference": content.pop("difference"), "interval": interval, **content}


def _plain(value: Any) -> Any:
    """Return a value for JSON: NumPy's numbers as Python's, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
