"""Tables for people."""

from typing import TYPE_CHECKING, Any

from medtail.naming import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from medtail.inspection.suggestion import Suggestion


def plain_console() -> "Console":
    """Return a console that prints names as they are: ``[/nv]`` is a class, not markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


def number(value: float | None) -> str:
    """Return four digits, or a dash where the value is undefined."""
    return "–" if value is None else f"{value:.4f}"


def reason_lines(suggestion: "Suggestion") -> list[str]:
    """Why this and no other recipe, and what to do beside, one line each."""
    reasons = [f"  because {reason}" for reason in suggestion.reasons]
    return [*reasons, *(f"  note: {advice}" for advice in suggestion.advice)]


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"[{number(interval[0])}, {number(interval[1])}]"


def _judged(summary: dict[str, Any]) -> str:
    """What was judged, in words."""
    split = "all images" if summary["split"] == "all" else f"{summary['split']} split"
    return f"{split} of {summary['data']}" if "data" in summary else split


def print_summary(summary: dict[str, Any]) -> None:
    """Print the metrics of one split, overall and per class."""
    from rich.table import Table

    from medtail.metrics.intervals import FEW_UNITS

    console = plain_console()
    title = f"{_judged(summary)}, {summary['n']} images"
    folds = summary.get("folds", {}).get("metrics")
    before = summary.get("before")
    columns = (
        "metric",
        *(["before"] if before else []),
        "value",
        _interval_heading(summary),
        *(["mean ± sd of folds"] if folds else []),
    )
    overall = Table(*columns, title=title, title_justify="left")
    intervals = summary.get("intervals", {})
    for name, value in summary.items():
        if isinstance(value, float) or value is None:
            spread = [f"{number(folds[name]['mean'])} ± {number(folds[name]['sd'])}"] if folds else []
            was = [number(before[name])] if before else []
            overall.add_row(name, *was, number(value), _interval(intervals.get(name)), *spread)
    console.print(overall)
    groups = summary.get("groups_resampled")
    if groups is not None and groups < FEW_UNITS:
        console.print(
            f"The intervals rest on {groups} groups; with fewer than {FEW_UNITS} they are often too narrow."
        )
    classes = Table("class", "images", "recall", "precision", "f1")
    for entry in summary["classes"]:
        values = (number(entry[key]) for key in ("recall", "precision", "f1"))
        classes.add_row(one_line(entry["name"]), str(entry["n"]), *values)
    console.print(classes)
    if "groups" in summary:
        groups = Table("training images", "classes", "images", "accuracy", "balanced accuracy")
        for name, group in summary["groups"].items():
            values = (number(group[key]) for key in ("accuracy", "balanced_accuracy"))
            groups.add_row(name, str(group["classes"]), str(group["n"]), *values)
        console.print(groups)
    if "binary" in summary:
        console.print(_binary_table(summary["binary"], _interval_heading(summary)))
    if "protocol" in summary:
        console.print(f"Note: {summary['protocol']['note']}", markup=False, soft_wrap=True)


def _interval_heading(summary: dict[str, Any]) -> str:
    """The heading of bootstrap intervals, with the number of groups that they rest on."""
    groups = summary.get("groups_resampled")
    return "95 % interval" if groups is None else f"95 % interval, {groups} groups"


def _binary_table(binary: dict[str, Any], interval_heading: str) -> Any:
    """The metrics of the positive class of two."""
    from rich.table import Table

    title = f"positive class {one_line(binary['positive'])}"
    table = Table("metric", "value", interval_heading, title=title, title_justify="left")
    intervals = _flat(binary["intervals"])
    for name, value in _flat(binary).items():
        table.add_row(name, number(value), _interval(intervals[name]))
    return table


def _flat(binary: dict[str, Any]) -> dict[str, Any]:
    """Every metric once; the precision at the last of the recalls is among the others too."""
    metrics = {
        name: value
        for name, value in binary.items()
        if name not in ("positive", "intervals", "precisions_at_recalls")
    }
    at_recalls = {
        f"precision_at_recall_{recall}": value for recall, value in binary["precisions_at_recalls"].items()
    }
    return {**metrics, **at_recalls}
