"""``medtail evaluate``: metrics of a finished run."""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medtail.cli.data_options import GroupColumn, ImageColumn, LabelColumn, LabelSeparator, SplitColumn
from medtail.cli.options import Combine, HeatMap, OperatingPointFile, Split, TestTimeAugmentation
from medtail.errors import InputError


class Checkpoint(StrEnum):
    """Checkpoints that a run keeps."""

    best = "best"
    last = "last"


if TYPE_CHECKING:
    from medtail.data import TableColumns
    from medtail.inference.judging import JudgedTogether
    from medtail.operating_point import OperatingPoint
    from medtail.runs.predictions import SavedPredictions
    from medtail.runs.run import EvaluatedSplit, Run
    from medtail.training.inference.other_data import BackbonePass

    ReadPredictions: TypeAlias = Callable[[Mapping[str, float] | None], SavedPredictions]


def evaluate(
    run: Annotated[
        list[Path],
        typer.Argument(
            help="Folder of a finished run; of several, or of a cross-validation, they judge together."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="Other data with the same classes; the run's own when left out.")
    ] = None,
    split: Annotated[
        Split, typer.Option(help="The split to judge; for other data without splits, all images.")
    ] = Split.test,
    checkpoint: Annotated[
        Checkpoint, typer.Option(help="The chosen epoch, or the last one, on the run's own data.")
    ] = Checkpoint.best,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    split_column: SplitColumn = None,
    label_separator: LabelSeparator = None,
    combine: Combine = None,
    test_time_augmentation: TestTimeAugmentation = None,
    operating_point_file: OperatingPointFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also save the predictions, as Parquet.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out.")] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out unreadable images.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Add heat maps of right and wrong test images of rare classes to the report."
        ),
    ] = False,
    heat_map: HeatMap = None,
    operating_point: Annotated[
        bool,
        typer.Option(
            "--operating-point", help="Decide as medtail adapt chose; also show the metrics before."
        ),
    ] = False,
) -> None:
    """Print the metrics of a saved run, on its own data (from its predictions) or on other data.

    Other data also get a report in a new folder in RUN/evaluations, and so do several runs (in that of the first) and
    several views of each image, on any data: the mean of their probabilities is judged.
    """
    from medtail.cli.ensembles import asked_point, judged_together
    from medtail.cli.options import check_heat_map, check_output
    from medtail.data import TableColumns
    from medtail.inference.combination import chosen_combination
    from medtail.inference.members import check_chosen_for, members_of
    from medtail.runs.facts import DatasetFacts

    members = members_of(run)
    folder = members[0]
    if out is not None:
        taken = [DatasetFacts.load(member).data for member in members]
        check_output(out, overwrite=overwrite, data=[*taken, *([data] if data else [])])
    if checkpoint is Checkpoint.last:
        _refuse_with_last_epoch(
            {
                "a second RUN": len(members) > 1,
                "--data": data is not None,
                "--test-time-augmentation": test_time_augmentation is not None,
                "--explain": explain,
                "--operating-point": operating_point,
            }
        )
    columns = TableColumns(image_column, label_column, group_column, split_column, label_separator)
    point = asked_point(members, operating_point, operating_point_file, test_time_augmentation)
    if len(members) > 1 or test_time_augmentation is not None:
        if explain:
            raise InputError("--explain is for one run without --test-time-augmentation; leave it out")
        judged = judged_together(
            members,
            data,
            split.value,
            combine=combine,
            test_time_augmentation=test_time_augmentation,
            columns=columns,
            skip_unreadable=skip_unreadable,
        )
        _show_together(run[0], members, judged, point, as_json, out)
        return
    chosen_combination(combine, several=False)
    if point is not None:
        check_chosen_for(point, None)
    check_heat_map(heat_map, explains=explain)
    if explain and data is not None:
        raise InputError(
            "--explain adds to the report of the run and so takes its own test images, got --data; explain other "
            "images with medtail predict --explain"
        )
    own = data is None or Path(data).resolve() == Path(DatasetFacts.load(folder).data).resolve()
    if own and columns.given():
        raise InputError(
            f"`{next(iter(columns.given()))}` names a column of other data, but the run is judged on its own; name "
            f"other data with `data`, or leave it out"
        )
    passed = None if own else _passed(folder, str(data), split.value, columns, skip_unreadable)
    read = _own_predictions(folder, split.value) if passed is None else passed.predictions
    if checkpoint is Checkpoint.last:
        read = _last_epoch(folder, split.value)
    _show_one(folder, read, passed, point, split, checkpoint, as_json, out)
    if explain:
        _explain(folder, heat_map)


def _refuse_with_last_epoch(others: Mapping[str, bool]) -> None:
    """Refuse what the last epoch, of which no predictions are saved, is not judged with.

    Raises:
        InputError: One of the others is asked for.
    """
    for option, asked in others.items():
        if asked:
            raise InputError(
                f"--checkpoint last judges one run on its own data as it is, got {option}; leave it out"
            )


def _show_one(
    folder: "Run",
    read: "ReadPredictions",
    passed: "BackbonePass | None",
    point: "OperatingPoint | None",
    split: Split,
    checkpoint: Checkpoint,
    as_json: bool,
    out: Path | None,
) -> None:
    """Print what a run says of its own data, or of other data that were passed, and write the report of the latter."""
    from medtail.cli.tables import print_summary
    from medtail.evaluation.summaries.summary import protocol_summary, summarize
    from medtail.recipes.recorded_prior import recorded_prior
    from medtail.runs.facts import DatasetFacts
    from medtail.runs.settings import RunSettings

    plain, adapted = read(None), None
    if point is not None:
        adapted = point.applied_to(read(point.condition))
    predictions = plain if adapted is None else adapted
    if out is not None:
        predictions.write(out)
    facts = DatasetFacts.load(folder)
    judge = partial(
        summarize,
        split=split.value if passed is None else passed.split or "all",
        training_counts=facts.training_counts,
        positive=facts.positive_id,
    )
    prior = recorded_prior(folder)
    # What adapted probabilities stand for is in the operating point.
    summary = judge(predictions) | (prior if adapted is None else {})
    if passed is None and split is Split.test:
        summary |= protocol_summary(RunSettings.load(folder))
    if passed is not None:
        summary = {"data": passed.collection.name, **summary}
    if checkpoint is Checkpoint.last:
        summary = {"checkpoint": checkpoint.value, **summary}
    if adapted is not None:
        summary["before"] = judge(plain) | prior
    if as_json:
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        print_summary(summary)
    if passed is not None:
        from medtail.training.inference.external_validation import write_external_validation

        judged = summary.get("before", summary)
        page = write_external_validation(folder, passed, plain, judged, adapted)
        typer.echo(f"report: {page}", err=True)


def _show_together(
    folder: Path,
    members: Sequence["Run"],
    judged: "JudgedTogether",
    point: "OperatingPoint | None",
    as_json: bool,
    out: Path | None,
) -> None:
    """Print what several runs or views say together, and write the report."""
    from medtail.cli.tables import print_summary
    from medtail.evaluation.summaries.summary import protocol_summary, summarize
    from medtail.inference.judged_report import write_judged_together
    from medtail.inference.members import check_chosen_for
    from medtail.runs.facts import DatasetFacts
    from medtail.runs.run import Run
    from medtail.runs.settings import RunSettings

    adapted = None
    if point is not None:
        check_chosen_for(point, judged.combined)
        adapted = point.applied_to(judged.predictions)
    if out is not None:
        (adapted or judged.predictions).write(out)
    facts = DatasetFacts.load(members[0])
    judge = partial(
        summarize,
        split=judged.split or "all",
        training_counts=facts.training_counts,
        positive=facts.positive_id,
    )
    heading = {
        **({} if judged.collection is None else {"data": judged.collection.name}),
        "combined": judged.words,
    }
    plain = heading | judge(judged.predictions)
    if judged.collection is None and judged.split == "test":
        protocols = [protocol_summary(RunSettings.load(member)) for member in members]
        plain |= next((protocol for protocol in protocols if protocol), {})
    summary = plain if adapted is None else heading | judge(adapted) | {"before": plain}
    if as_json:
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        typer.echo(judged.words)
        print_summary(summary)
    page = write_judged_together(Run(folder).evaluations, members, judged, plain)
    typer.echo(f"report: {page}", err=True)


def _explain(run: "Run", heat_map: str | None) -> None:
    """Write heat maps, and the report with them."""
    from medtail.cli.progress import progress_bar
    from medtail.training.explanation.examples import explain_examples
    from medtail.training.explanation.heat_maps import GRAD_CAM

    with progress_bar() as progress:
        report = explain_examples(run, heat_map=heat_map or GRAD_CAM, progress=progress)
    typer.echo(f"report: {report}", err=True)


def _own_predictions(run: "Run", split: "EvaluatedSplit") -> "ReadPredictions":
    """Return a reader of the run's own data at λ, or at the default for None, which needs no network."""
    from medtail.adaptation.run_predictions import require_validation
    from medtail.runs.facts import DatasetFacts
    from medtail.runs.label_predictions import read_predictions

    def read(condition: Mapping[str, float] | None) -> "SavedPredictions":
        if split == "validation":
            require_validation(run)
        if condition is None:
            path = run.require(run.predictions(split))
            predictions = read_predictions(path)
            DatasetFacts.load(run).check_classes(path, predictions.class_names)
            return predictions
        from medtail.adaptation.run_predictions import RunPredictions

        return RunPredictions(run).predictions(split, condition)

    return read


def _last_epoch(run: "Run", split: "EvaluatedSplit") -> "ReadPredictions":
    """Return a reader of the run's own data by the weights of its last epoch."""
    from medtail.cli.progress import progress_bar
    from medtail.inference.judging import judge_last_epoch

    def read(condition: Mapping[str, float] | None) -> "SavedPredictions":
        with progress_bar() as progress:
            return judge_last_epoch(run, split, progress)

    return read


def _passed(
    run: "Run", data: str, split: "EvaluatedSplit", columns: "TableColumns", skip_unreadable: bool
) -> "BackbonePass":
    """Return other data after one pass of the backbone, which can be read at any λ."""
    from medtail.cli.progress import progress_bar
    from medtail.training.inference.other_data import pass_other_data

    with progress_bar() as progress:
        return pass_other_data(
            run, data, split, columns=columns, skip_unreadable=skip_unreadable, progress=progress
        )
