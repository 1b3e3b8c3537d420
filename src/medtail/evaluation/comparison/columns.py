"""The columns of a comparison, by name: every metric, recall, precision and F1 of a class, and groups of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from medtail.errors import InputError
from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.summaries.binary import BINARY_PREFIX
from medtail.evaluation.summaries.frequency_groups import GROUP_PREFIX, GROUPS, MANY_CLASSES, frequency_groups
from medtail.metrics import POSITIVE_CLASS_METRICS, Metric
from medtail.metrics.metric import LOWEST_RECALL
from medtail.naming import nearest
from medtail.runs.tasks import Task

#: What a table shows first.
_HEADLINE = (
    "balanced_accuracy",
    "lowest_recall",
    "macro_f1",
    "accuracy",
    "geometric_mean",
    "cov",
    "auc",
    "ece",
)

#: Metrics of one class, and what they tell.
_OF_A_CLASS = {
    "recall": ("Recall", "share of its images that are found"),
    "precision": ("Precision", "share of the decisions for it that are right"),
    "f1": ("F1", "balance between finding it and not claiming others for it"),
}


@final
@dataclass(frozen=True)
class ColumnGroup:
    """Columns that stand in one table.

    Attributes:
        title: Of the table.
        columns: Each with its metric, by its name.
    """

    title: str
    columns: Mapping[str, Metric]


def known_columns(run: JudgedRun) -> dict[str, Metric]:
    """Return every column that runs of these classes have, by its name."""
    names, facts = run.predictions.class_names, run.facts
    titles = {
        name: f"{name} ({count} training images)"
        for name, count in zip(names, facts.training_counts, strict=True)
    }
    return _columns(titles, names[facts.positive_id], facts.task)


def check_columns(names: Sequence[str] | None, class_names: Sequence[str], task: Task) -> None:
    """Refuse columns that no run of these classes will have; None stands for all of them.

    Raises:
        InputError: There is no such column, or one is named twice.
    """
    if names is not None:
        _chosen(names, _columns({name: name for name in class_names}, class_names[1], task))


def _columns(titles: Mapping[str, str], positive: str, task: Task) -> dict[str, Metric]:
    of_two = {
        BINARY_PREFIX + name: replace(metric, title=f"{metric.title} of {positive}")
        for name, metric in POSITIVE_CLASS_METRICS.items()
        if len(titles) == 2 and not task.multi_label
    }
    of_groups = {
        GROUP_PREFIX + name: Metric(
            GROUP_PREFIX + name,
            f"Accuracy on classes of {images} training images",
            "share of the images of these classes decided correctly",
            "no class has that many",
        )
        for name, images in GROUPS.items()
        if len(titles) >= MANY_CLASSES and not task.multi_label
    }
    of_classes = {
        f"{kind}:{name}": Metric(
            f"{kind}:{name}", f"{kind_title} of {title}", tells, "the class does not occur"
        )
        for kind, (kind_title, tells) in _OF_A_CLASS.items()
        for name, title in titles.items()
    }
    return {
        "balanced_accuracy": task.metrics["balanced_accuracy"],
        LOWEST_RECALL.key: LOWEST_RECALL,
        **task.metrics,
        **of_two,
        **of_groups,
        **of_classes,
    }


def _chosen(names: Sequence[str], known: Mapping[str, Metric]) -> dict[str, Metric]:
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) < len(names) or not names:
        got = unknown[0] if unknown else ", ".join(names) or "none"
        raise InputError(
            f"`metrics` must be different names from {', '.join(known)}, got {got}{nearest(got, known)}"
        )
    return {name: known[name] for name in names}


def column_groups(run: JudgedRun, names: Sequence[str] | None) -> list[ColumnGroup]:
    """Return the tables of a comparison.

    Args:
        run: One of the runs, which all have the same classes.
        names: Columns by name, in order, for a single table; None shows all metrics and, below 20 classes, recall and
            F1 of each class, from 20 on accuracy on groups of classes.

    Raises:
        InputError: There is no such column, or one is named twice.
    """
    known, task = known_columns(run), run.facts.task
    if names is not None:
        return [ColumnGroup("Metrics", _chosen(names, known))]
    overall = {name: metric for name, metric in known.items() if ":" not in name}
    groups = [
        ColumnGroup("Overview", {name: overall[name] for name in _HEADLINE if name in overall}),
        ColumnGroup(
            "Further metrics", {name: metric for name, metric in overall.items() if name not in _HEADLINE}
        ),
    ]
    if len(run.predictions.class_names) < MANY_CLASSES:
        groups += [
            ColumnGroup(f"{_OF_A_CLASS[kind][0]} of each {task.noun}", _named(known, f"{kind}:"))
            for kind in ("recall", "f1")
        ]
    elif not task.multi_label:
        held = [GROUP_PREFIX + name for name in frequency_groups(run.facts.training_counts)]
        groups.append(
            ColumnGroup("Accuracy on classes by their training images", {name: known[name] for name in held})
        )
    return groups


def _named(known: Mapping[str, Metric], beginning: str) -> dict[str, Metric]:
    return {name: metric for name, metric in known.items() if name.startswith(beginning)}
