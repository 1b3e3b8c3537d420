"""``medtail compare``: methods side by side, or grids of trainings tuned, over seeds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtail.cli.job_options import Cluster, Jobs, chosen_workers
from medtail.cli.options import (
    Classes,
    GroupColumn,
    ImageColumn,
    LabelColumn,
    LabelSeparator,
    Merge,
    SplitColumn,
    binary_subsample,
    given,
    parse_assignments,
    parse_axes,
    parse_classes,
    parse_merge,
)
from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.evaluation import Comparison, Tuning
    from medtail.experiments.jobs import Workers
    from medtail.experiments.planned_runs import PlannedRun
    from medtail.experiments.variants import Variant
    from medtail.runs.run import Run

#: Settings laid over every recipe, in order.
Changes = Sequence[Mapping[str, Any]]


def compare(
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN… | DATA",
            help="Finished runs, or folders of finished grids; or DATA with --methods or --grids.",
        ),
    ],
    methods: Annotated[str | None, typer.Option(help="Methods to train on DATA, e.g. ce,focal,dal.")] = None,
    variants: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="A list of {label, method, set, recipe} to train on DATA."),
    ] = None,
    grids: Annotated[
        str | None,
        typer.Option(help="Grids of trainings to tune on DATA, e.g. vs,vs_lct; see medtail list grids."),
    ] = None,
    chosen: Annotated[
        str | None,
        typer.Option(
            "--grid-points",
            metavar="N,N,…",
            help="Only these combinations of each grid, from 0, the last setting changing fastest, e.g. 0,5,10,15.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method or combination, seeds 0, 1, …")] = 3,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables and, with --methods or --grids, for the runs.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Method that the others are tested against; ce if it is among them.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting, for every run; KEY=V1,V2 trains a variant with each.",
        ),
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="For every run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="For every run.")] = None,
    classes: Classes = None,
    merge: Merge = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    split_column: SplitColumn = None,
    label_separator: LabelSeparator = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="This class (or a+b) against the rest, for every run."),
    ] = None,
    negative: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="With --positive: against this class (or a+b) alone."),
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Ratio of two classes in training, for every run; see train --help.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A data-set recipe by name; chosen by the data if left out.")
    ] = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare finished runs, or train what is missing on DATA first: mean ± sd, paired tests, report.

    With --grids: train every combination of a grid, choose hyper-parameters on validation, and show in a table what
    they are worth on test.
    """
    # Runs are read with pandas, which --help need not wait for.
    from medtail.data import TableColumns
    from medtail.runs.grid import GridRuns

    kinds = {"--methods": methods, "--variants": variants, "--grids": grids}
    trained = [option for option, value in kinds.items() if value is not None]
    if len(trained) > 1:
        raise InputError(f"{' and '.join(trained)} are different kinds of comparison; give one of them")
    if chosen is not None and grids is None:
        raise InputError(
            "--grid-points chooses combinations of --grids, which are not given; name some grids"
        )
    finished_grids = not trained and all(GridRuns.in_folder(Path(item)) for item in items)
    if reference is not None and (grids is not None or finished_grids):
        raise InputError("--reference is a method to test others against, which grids are not; leave it out")
    options: dict[str, dict[str, Any]] = {
        "backbone": {"name": backbone},
        "data": {
            "classes": parse_classes(classes),
            "merge": parse_merge(merge),
            "columns": TableColumns(
                image_column, label_column, group_column, split_column, label_separator
            ).given()
            or None,
            "positive": positive,
            "negative": negative,
            "subsample": binary_subsample(beta),
        },
        "training": {"epochs": epochs},
    }
    result: Comparison | Tuning
    fixed, axes = parse_axes(settings or [])
    if axes and (grids is not None or not trained):
        raise InputError(
            f"--set {next(iter(axes))} with several values needs --methods or --variants; give one value"
        )
    if not trained:
        result = _of_finished([Path(item) for item in items], reference, grids=finished_grids)
    else:
        if len(items) != 1 or out is None:
            raise InputError(f"{trained[0]} trains on one DATA and needs --out DIR for the runs; give both")
        changes = [given(options), parse_assignments(fixed)]
        workers = chosen_workers(jobs, cluster)
        if grids is None:
            rows = _variants(methods, variants, axes)
            result = _of_variants(items[0], rows, seeds, out, recipe, changes, reference, workers)
        else:
            numbers = None if chosen is None else _numbers(chosen)
            result = _of_grids(items[0], grids.split(","), numbers, seeds, out, recipe, changes, workers)
    if out is not None:
        _write(result, out)
    typer.echo(
        json.dumps(result.to_dict(), indent=2, ensure_ascii=False) if as_json else result.to_markdown()
    )


def _write(result: "Comparison | Tuning", folder: Path) -> None:
    # Matplotlib takes half a second to import, which a table on a terminal need not wait for.
    from medtail.evaluation import Tuning
    from medtail.evaluation.comparison.page import write_comparison
    from medtail.evaluation.tuning.page import write_tuning

    if isinstance(result, Tuning):
        write_tuning(result, folder)
    else:
        write_comparison(result, folder)


def _of_finished(folders: list[Path], reference: str | None, *, grids: bool) -> "Comparison | Tuning":
    from medtail.evaluation import compare_runs, tune
    from medtail.runs.run import Run

    if grids:
        return tune(folders)
    return compare_runs([Run(folder) for folder in folders], reference=reference)


def _variants(methods: str | None, file: Path | None, axes: Mapping[str, Sequence[Any]]) -> "list[Variant]":
    from medtail.experiments.variants import product_of, read_variants, variants_of

    rows = read_variants(file) if file is not None else variants_of(str(methods).split(","))
    return product_of(rows, axes)


def _of_variants(
    data: str,
    variants: "list[Variant]",
    seeds: int,
    folder: Path,
    recipe: str | None,
    changes: Changes,
    reference: str | None,
    workers: "Workers",
) -> "Comparison":
    from medtail.cli.progress import progress_bar
    from medtail.evaluation import compare_runs
    from medtail.experiments.experiment import Experiment

    experiment = Experiment(variants, [data], folder, seeds, recipe, changes)
    with progress_bar() as progress:
        runs = experiment.run(workers, progress)
    return compare_runs([one.run for one in runs], labels=[one.label for one in runs], reference=reference)


def _of_grids(
    data: str,
    names: list[str],
    points: tuple[int, ...] | None,
    seeds: int,
    folder: Path,
    recipe: str | None,
    changes: Changes,
    workers: "Workers",
) -> "Tuning":
    from medtail.evaluation import tune
    from medtail.experiments.planned_runs import check_free, plan_grid
    from medtail.recipes.grid_files import read_grid
    from medtail.runs.grid import GridRuns

    grids = [read_grid(name, points) for name in names]
    every = [GridRuns(folder / grid.name, grid, seeds) for grid in grids]
    for runs in every:
        check_free(runs, changes)
    _train(data, [plan for runs in every for plan in plan_grid(runs)], recipe, changes, workers)
    for runs in every:
        runs.write()
    return tune([runs.folder for runs in every])


def _train(
    data: str, planned: Sequence["PlannedRun"], recipe: str | None, changes: Changes, workers: "Workers"
) -> "list[Run]":
    from medtail.cli.progress import progress_bar
    from medtail.experiments.planned_runs import train_missing

    with progress_bar() as progress:
        return train_missing(
            data, planned, recipe=recipe, changes=changes, workers=workers, progress=progress
        )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(
            f"--grid-points must be whole numbers with commas between, got {text!r}; e.g. 0,5,10,15"
        ) from error
