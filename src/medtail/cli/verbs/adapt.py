"""``medtail adapt``: an operating point for a finished run, chosen on validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtail.cli.options import Combine, TestTimeAugmentation
from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.adaptation import Adaptable, Goal, Request, RunPredictions
    from medtail.operating_point import OperatingPoint
    from medtail.runs.run import Run


def adapt(
    run: Annotated[
        list[Path], typer.Argument(help="Folder of a finished run; of several, their mean is adapted.")
    ],
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
    combine: Combine = None,
    test_time_augmentation: TestTimeAugmentation = None,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file to write, for several runs or views; one run keeps it in its folder."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out.")] = False,
) -> None:
    """Choose how a trained run decides, without training: for a prior, costs, a recall, balanced accuracy, or λ.

    Give one of --metric, --recall, --costs and --balanced-accuracy, or none of them to choose the most probable
    class; --prior, --calibrate and --coverage go with any. The choice is made on validation and shown on test. Writes
    operating_point.json, which evaluate and predict use with --operating-point, and a section of report.html. For
    several runs that share their validation split, or several views of each image, writes the file of --out alone,
    which they use with --operating-point-file.
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
    from medtail.inference.combination import chosen_combination
    from medtail.inference.members import members_of
    from medtail.runs.run import Run

    # Made before the run is read, so that a wrong value is refused at once.
    request = adaptation.Request(
        adaptation.FewestMistakes(), calibrate=calibrate or "none", coverage=coverage
    )
    runs = members_of(run) if len(run) > 1 else [Run(run[0])]
    goal_of = partial(
        _goal, recall=recall, costs=costs, balanced_accuracy=balanced_accuracy, confidence=confidence
    )
    if len(runs) > 1 or test_time_augmentation is not None:
        if metric is not None:
            raise InputError(
                "--metric chooses λ of one run without --test-time-augmentation; give another goal"
            )
        point = _adapt_together(
            runs, request, goal_of, prior, combine, test_time_augmentation, out, overwrite
        )
        places = [f"operating point: {out}"]
    else:
        chosen_combination(combine, several=False)
        if out is not None:
            raise InputError(
                "--out is for several runs or views: one run keeps its operating point; leave it out"
            )
        outputs = adaptation.RunPredictions(runs[0])
        shares = None if prior is None else parse_prior(prior, outputs.class_names)
        request = replace(request, prior=shares, goal=goal_of(outputs))
        if metric is not None:
            goal = adaptation.BestCondition(metric)
            request = replace(request, goal=goal, condition=_condition(outputs, metric))
        point = adaptation.adapt(outputs, request)
        places = [f"operating point: {outputs.run.operating_point}", f"report: {outputs.run.report}"]
    for sentence in point.words:
        typer.echo(sentence)
    if point.validation:
        _print(point.validation)
    for note in point.notes:
        typer.echo(f"note: {note}")
    for place in places:
        typer.echo(place)


def _adapt_together(
    runs: "Sequence[Run]",
    request: "Request",
    goal_of: "Callable[[Adaptable], Goal]",
    prior: str | None,
    combine: str | None,
    test_time_augmentation: str | None,
    out: Path | None,
    overwrite: bool,
) -> "OperatingPoint":
    """Choose an operating point of several runs or views, and write it to a file."""
    from medtail.cli.adapt_options import parse_prior
    from medtail.cli.options import check_output
    from medtail.cli.progress import progress_bar
    from medtail.inference.adapting import CombinedPredictions, choose_together
    from medtail.runs.facts import DatasetFacts

    if out is None:
        raise InputError(
            "--out is needed for several runs or views, which have no folder of their own; name a file"
        )
    check_output(out, overwrite=overwrite, data=[DatasetFacts.load(run).data for run in runs])
    with progress_bar() as progress:
        outputs = CombinedPredictions.of(
            runs, combine=combine, test_time_augmentation=test_time_augmentation, progress=progress
        )
        shares = None if prior is None else parse_prior(prior, outputs.class_names)
        point = choose_together(outputs, replace(request, goal=goal_of(outputs), prior=shares))
    point.write(out)
    return point


def _goal(
    outputs: "Adaptable",
    *,
    recall: str | None,
    costs: Path | None,
    balanced_accuracy: bool,
    confidence: float | None,
) -> "Goal":
    """The goal that was asked for; the fewest mistakes if none was."""
    from medtail import adaptation
    from medtail.cli.adapt_options import parse_recall, read_costs
    from medtail.operating_point.promises import ConfidentShare, ExpectedShare

    if recall is not None:
        class_id, share = parse_recall(recall, outputs.class_names)
        promise = ExpectedShare(share) if confidence is None else ConfidentShare(share, confidence)
        return adaptation.PromisedRecall(class_id, promise)
    if costs is not None:
        return adaptation.LowestCost(read_costs(costs, outputs.class_names))
    return adaptation.HighestBalancedAccuracy() if balanced_accuracy else adaptation.FewestMistakes()


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
