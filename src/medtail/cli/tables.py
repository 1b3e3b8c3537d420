"""Tables for people."""

from typing import Any


def number(value: float | None) -> str:
    """Four digits, or a dash where the figure is undefined."""
    return "–" if value is None else f"{value:.4f}"


def print_summary(summary: dict[str, Any]) -> None:
    """Print the metrics of one split, overall and per class."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    title = f"{summary['split']} split, {summary['n']} images"
    folds = summary.get("folds", {}).get("metrics")
    before = summary.get("before")
    columns = (
        "metric",
        *(["before"] if before else []),
        "value",
        "95 % interval",
        *(["mean ± sd of folds"] if folds else []),
    )
    overall = Table(*columns, title=title, title_justify="left")
    intervals = summary.get("intervals", {})
    for name, value in summary.items():
        if isinstance(value, float) or value is None:
            low, high = intervals.get(name) or (None, None)
            interval = "" if low is None else f"[{number(low)}, {number(high)}]"
            spread = [f"{number(folds[name]['mean'])} ± {number(folds[name]['sd'])}"] if folds else []
            was = [number(before[name])] if before else []
            overall.add_row(name, *was, number(value), interval, *spread)
    console.print(overall)
    classes = Table("class", "images", "recall", "precision", "f1")
    for entry in summary["classes"]:
        figures = (number(entry[key]) for key in ("recall", "precision", "f1"))
        classes.add_row(entry["name"], str(entry["n"]), *figures)
    console.print(classes)
    if "groups" in summary:
        groups = Table("training images", "classes", "images", "accuracy", "balanced accuracy")
        for name, group in summary["groups"].items():
            figures = (number(group[key]) for key in ("accuracy", "balanced_accuracy"))
            groups.add_row(name, str(group["classes"]), str(group["n"]), *figures)
        console.print(groups)
