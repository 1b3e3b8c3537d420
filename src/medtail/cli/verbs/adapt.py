"""``medtail adapt``: an operating point for a finished run, chosen on validation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.adaptation import Goal, RunPredictions


def adapt(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="P,P,…",
            help="Shares of the classes where the model is used: numbers in class order, or CLASS=NUMBER.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Choose λ of a loss-conditional run: auc, average_precision, brier, max_f1, max_balanced_accuracy "
            "or precision_at_recall_0.99.",
        ),
    ] = None,
    recall: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS=RECALL", help="The recall that one class is promised: --recall mel=0.95."
        ),
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(help="CSV file of costs: a row per true class, a column per decision.")
    ] = None,
    balanced_accuracy: Annotated[
        bool, typer.Option("--balanced-accuracy", help="Choose for the highest mean recall of the classes.")
    ] = False,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="temperature|vector|none", help="First fit the probabilities to validation."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Also give sets of classes that contain the true one this often, for each class."),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(help="With --recall: promise it with this confidence, not on average."),
    ] = None,
) -> None:
    """Choose how a trained run decides, without training: for a prior, costs, a recall, balanced accuracy, or λ.

    Give one of --metric, --recall, --costs and --balanced-accuracy, or none of them to choose the most probable
    class; --prior, --calibrate and --coverage go with any. The choice is made on validation and shown on test. Writes
    operating_point.json, which evaluate and predict use with --operating-point, and a section of report.html.
    """
    goals = {
        "--metric": metric,
        "--recall": recall,
        "--costs": costs,
        "--balanced-accuracy": balanced_accuracy or None,
    }
    asked = [name for name, value in goals.items() if value is not None]
    if len(asked) > 1:
        raise InputError(
            f"adapt takes one of {', '.join(goals)}, got {' and '.join(asked)}; choose one (--prior, --calibrate and "
            f"--coverage go with each)"
        )
    if not asked and (prior, calibrate, coverage) == (None, None, None):
        raise InputError(
            f"adapt needs to know what for: give --prior, {', '.join(goals)}, --calibrate or --coverage"
        )
    if confidence is not None and recall is None:
        raise InputError("--confidence goes with --recall, which is missing; give e.g. --recall mel=0.95")

    from medtail import adaptation
    from medtail.cli.adapt_options import parse_prior
    from medtail.runs.run import Run

    # Made before the run is read, so that a wrong value is refused at once.
    request = adaptation.Request(
        adaptation.FewestMistakes(), calibrate=calibrate or "none", coverage=coverage
    )
    outputs = adaptation.RunPredictions(Run(run))
    goal, condition = _goal(outputs, metric, recall, costs, balanced_accuracy, confidence)
    shares = None if prior is None else parse_prior(prior, outputs.class_names)
    request = replace(request, goal=goal, prior=shares, condition=condition)
    point = adaptation.adapt(outputs, request)
    for sentence in point.words:
        typer.echo(sentence)
    if point.validation:
        _print(point.validation)
    for note in point.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"operating point: {outputs.run.operating_point}")
    typer.echo(f"report: {outputs.run.report}")


def _goal(
    outputs: "RunPredictions",
    metric: str | None,
    recall: str | None,
    costs: Path | None,
    balanced_accuracy: bool,
    confidence: float | None,
) -> "tuple[Goal, dict[str, float] | None]":
    """The goal that was asked for, and λ where it chooses one."""
    from medtail import adaptation
    from medtail.cli.adapt_options import parse_recall, read_costs
    from medtail.operating_point.promises import ConfidentShare, ExpectedShare

    if recall is not None:
        class_id, share = parse_recall(recall, outputs.class_names)
        promise = ExpectedShare(share) if confidence is None else ConfidentShare(share, confidence)
        return adaptation.PromisedRecall(class_id, promise), None
    if costs is not None:
        return adaptation.LowestCost(read_costs(costs, outputs.class_names)), None
    if balanced_accuracy:
        return adaptation.HighestBalancedAccuracy(), None
    if metric is not None:
        return adaptation.BestCondition(metric), _condition(outputs, metric)
    return adaptation.FewestMistakes(), None


def _condition(outputs: "RunPredictions", metric: str) -> dict[str, float]:
    """λ by the metric, after printing what each metric would choose."""
    from rich.table import Table

    from medtail.adaptation.best_condition import check_metric, condition_choices
    from medtail.cli.tables import plain_console

    check_metric(metric)
    default = outputs.condition
    if default is None:
        raise InputError(
            f"--metric chooses λ, and {outputs.run.folder} was trained without one (method "
            f"{outputs.recipe.recipe.method}); train one that has it, e.g. --method vs_lct, or give another goal"
        )
    choices = condition_choices(outputs.run, list(default))
    table = Table(
        "metric", *default, "on validation", title="what each metric would choose", title_justify="left"
    )
    for choice in choices:
        mark = " *" if choice.metric == metric else ""
        values = (f"{value:g}" for value in choice.condition.values())
        table.add_row(f"{choice.metric}{mark}", *values, f"{choice.value:.4f}")
    plain_console().print(table)
    return next(choice.condition for choice in choices if choice.metric == metric)


def _print(validation: Mapping[str, Any]) -> None:
    """The metrics before and after."""
    from rich.table import Table

    from medtail.cli.tables import number, plain_console

    title = f"validation split, {validation['n']} images"
    table = Table("metric", "before", "after", title=title, title_justify="left")
    for name, after in validation["after"].items():
        table.add_row(name, number(validation["before"][name]), number(after))
    plain_console().print(table)
    if "thresholds" in validation:
        _print_thresholds(validation["thresholds"])
    if "mean_set_size" in validation:
        typer.echo(f"mean size of sets: {validation['mean_set_size']:.2f} classes")


def _print_thresholds(thresholds: Sequence[Mapping[str, Any]]) -> None:
    """What other thresholds would find, and at what price."""
    from rich.table import Table

    from medtail.cli.tables import number, plain_console

    table = Table(
        *("threshold", "promises recall", "recall", "at least", "false-positive rate", "precision"),
        title="neighbouring thresholds on validation",
        title_justify="left",
    )
    for row in thresholds:
        mark = " *" if row["chosen"] else ""
        names = ("promised", "recall", "recall_lower_bound", "false_positive_rate", "precision")
        table.add_row(f"{row['threshold']:.4g}{mark}", *(number(row[name]) for name in names))
    plain_console().print(table)
    typer.echo("* chosen; each threshold is chosen by --recall with the recall that it promises")
