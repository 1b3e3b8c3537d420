"""``medtail compare``: methods side by side, or grids of trainings tuned, over seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from medtail.cli.data_options import (
    Classes,
    GroupColumn,
    ImageColumn,
    LabelColumn,
    LabelSeparator,
    Merge,
    Negative,
    SplitColumn,
    data_settings,
)
from medtail.cli.job_options import Cluster, Jobs, chosen_workers
from medtail.cli.options import Split, given, parse_assignments, parse_axes
from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.evaluation import Comparison, RankedComparisons, Tuning
    from medtail.experiments.experiment import Experiment, ExperimentRun
    from medtail.experiments.jobs import Workers
    from medtail.experiments.planned_runs import PlannedRun
    from medtail.experiments.variants import Variant
    from medtail.runs.run import EvaluatedSplit, Run

#: Settings laid over every recipe, in order.
Changes = Sequence[Mapping[str, Any]]


@final
@dataclass(frozen=True)
class Shown:
    """What a comparison shows, as :func:`medtail.evaluation.compare_runs` takes it."""

    reference: str | None = None
    metrics: list[str] | None = None
    split: "EvaluatedSplit" = "test"
    rows: str | None = None
    columns: str | None = None

    def check(self, runs: "Sequence[ExperimentRun]") -> None:
        """Refuse names that no trained run could answer to, before any is trained."""
        from medtail.evaluation.comparison.columns import check_columns
        from medtail.evaluation.comparison.factors import check_factors
        from medtail.evaluation.comparison.free_rival import ADAPTED, check_reference

        check_factors(self.rows, self.columns)
        for run in runs:
            check_columns(self.metrics, run.class_names, run.task)
        labels = list(dict.fromkeys(run.label for run in runs))
        check_reference(self.reference, [*labels, *(label + ADAPTED for label in labels)])

    def compare(self, runs: "Sequence[Run]", labels: Sequence[str] | None = None) -> "Comparison":
        """Compare finished runs."""
        from medtail.evaluation import compare_runs

        return compare_runs(
            runs,
            labels=labels,
            reference=self.reference,
            metrics=self.metrics,
            split=self.split,
            rows=self.rows,
            columns=self.columns,
        )


def compare(
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN… | DATA…",
            help="Finished runs, or folders of finished grids; or DATA with --methods, --variants or --grids.",
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
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Cross-validate every training, and judge images out of their fold."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables and, if something is trained, for the runs.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Row that the others are tested against; the first trained with ce if left out."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…", help="Columns by name, e.g. balanced_accuracy,cov,iba_0.1,recall:mel,f1:mel."
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="The split that runs are judged on.")] = Split.test,
    rows: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="With --columns: a table of two settings, e.g. loss.name."),
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="KEY", help="E.g. sampling.name.")] = None,
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
    negative: Negative = None,
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
    shown = Shown(reference, None if metrics is None else metrics.split(","), split.value, rows, columns)
    if (shown != Shown() or folds is not None) and (grids is not None or finished_grids):
        raise InputError(
            "--reference, --metrics, --split, --rows, --columns and --folds are for rows of methods, which grids are "
            "not; leave them out"
        )
    if folds is not None and not trained:
        raise InputError("--folds is for trainings on DATA, finished runs have theirs; leave it out")
    named = TableColumns(image_column, label_column, group_column, split_column, label_separator)
    options: dict[str, dict[str, Any]] = {
        "backbone": {"name": backbone},
        "data": data_settings(named, classes, merge, positive=positive, negative=negative, beta=beta),
        "training": {"epochs": epochs},
    }
    result: Comparison | RankedComparisons | Tuning
    fixed, axes = parse_axes(settings or [])
    if axes and (grids is not None or not trained):
        raise InputError(
            f"--set {next(iter(axes))} with several values needs --methods or --variants; give one value"
        )
    if not trained:
        result = _of_finished([Path(item) for item in items], shown, grids=finished_grids)
    else:
        if out is None or (grids is not None and len(items) != 1):
            raise InputError(f"{trained[0]} trains on one DATA and needs --out DIR for the runs; give both")
        changes = [given(options), parse_assignments(fixed)]
        workers = chosen_workers(jobs, cluster)
        if grids is None:
            # Imported late: trainings take Lightning, which finished runs need not wait for.
            from medtail.experiments.experiment import Experiment

            labelled = _variants(methods, variants, axes)
            experiment = Experiment(labelled, items, out, seeds, recipe, changes, folds)
            result = _of_experiment(experiment, workers, shown)
        else:
            numbers = None if chosen is None else _numbers(chosen)
            result = _of_grids(items[0], grids.split(","), numbers, seeds, out, recipe, changes, workers)
    if out is not None:
        _write(result, out)
    typer.echo(
        json.dumps(result.to_dict(), indent=2, ensure_ascii=False) if as_json else result.to_markdown()
    )


def _write(result: "Comparison | RankedComparisons | Tuning", folder: Path) -> None:
    # Matplotlib takes half a second to import, which a table on a terminal need not wait for.
    from medtail.evaluation import Tuning
    from medtail.evaluation.comparison.page import write_comparison
    from medtail.evaluation.tuning.page import write_tuning

    if isinstance(result, Tuning):
        write_tuning(result, folder)
    else:
        write_comparison(result, folder)


def _of_finished(folders: list[Path], shown: Shown, *, grids: bool) -> "Comparison | Tuning":
    from medtail.evaluation import tune
    from medtail.runs.run import Run

    return tune(folders) if grids else shown.compare([Run(folder) for folder in folders])


def _variants(methods: str | None, file: Path | None, axes: Mapping[str, Sequence[Any]]) -> "list[Variant]":
    from medtail.experiments.variants import product_of, read_variants, variants_of

    rows = read_variants(file) if file is not None else variants_of(str(methods).split(","))
    return product_of(rows, axes)


def _of_experiment(
    experiment: "Experiment", workers: "Workers", shown: Shown
) -> "Comparison | RankedComparisons":
    from medtail.cli.progress import progress_bar
    from medtail.evaluation import rank_comparisons
    from medtail.experiments.experiment import train_prepared

    runs = experiment.prepared()
    shown.check(runs)
    with progress_bar() as progress:
        train_prepared(runs, workers, progress)
    comparisons = [
        shown.compare([one.run for one in members], [one.label for one in members])
        for data_set in dict.fromkeys(one.data_set for one in runs)
        if (members := [one for one in runs if one.data_set == data_set])
    ]
    return comparisons[0] if len(comparisons) == 1 else rank_comparisons(comparisons)


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
