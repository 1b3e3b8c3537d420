"""``medtail tune``: a search for good settings of a method, judged on validation."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from medtail.cli.data_options import (
    Classes,
    GroupColumn,
    ImageColumn,
    LabelColumn,
    LabelSeparator,
    Merge,
    SplitColumn,
    data_settings,
)
from medtail.cli.job_options import Cluster, Jobs, chosen_workers
from medtail.cli.options import given, parse_assignments


class Sampler(StrEnum):
    """Who proposes settings."""

    random = "random"
    tpe = "tpe"


def tune(
    data: Annotated[str, typer.Argument(help="DATA as for train.")],
    method: Annotated[str, typer.Option(help="Key of a method recipe, e.g. alpa; see medtail list methods.")],
    out: Annotated[Path, typer.Option(help="Folder of the search; give it again to continue.")],
    trials: Annotated[
        int, typer.Option(min=1, help="Trainings in all, those of an earlier call included.")
    ] = 25,
    sampler: Annotated[
        Sampler, typer.Option(help="random, or tpe, which learns from the trials so far.")
    ] = Sampler.random,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the proposals and of every training.")] = 0,
    space: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="What to search; that of the method if left out."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="A database for the trials; OUT/study.db if left out.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, for every trial.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="For every trial.")] = None,
    epochs: Annotated[int | None, typer.Option(help="For every trial.")] = None,
    classes: Classes = None,
    merge: Merge = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    split_column: SplitColumn = None,
    label_separator: LabelSeparator = None,
    recipe: Annotated[
        str | None, typer.Option(help="A data-set recipe by name; chosen by the data if left out.")
    ] = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Search for good settings of a method, judged on validation; test images reach no model.

    Writes best.yaml, which train --recipe takes, tuning.html, the trials and their database into --out.
    """
    # Trainings take Lightning, which --help need not wait for.
    from medtail.cli.progress import progress_bar
    from medtail.data import TableColumns
    from medtail.experiments.search import Search
    from medtail.experiments.search.space import read_space, space_of

    columns = TableColumns(image_column, label_column, group_column, split_column, label_separator)
    options: dict[str, dict[str, Any]] = {
        "backbone": {"name": backbone},
        "data": data_settings(columns, classes, merge),
        "training": {"epochs": epochs},
    }
    search = Search(
        data,
        method,
        out,
        space_of(method) if space is None else read_space(space),
        recipe,
        [given(options), parse_assignments(settings or [])],
        sampler.value,
        seed,
        storage,
    )
    with progress_bar() as progress:
        result = search.run(trials, chosen_workers(jobs, cluster), progress)
    best = result.best
    typer.echo(
        f"best of {len(result.finished)} trials, number {best.number}: {result.metric} {best.reached:.4f}"
    )
    for path, value in best.settings.items():
        typer.echo(f"  {path}: {value:.4g}" if isinstance(value, float) else f"  {path}: {value}")
    typer.echo(f"page: {out / 'tuning.html'}")
    typer.echo(f"train it: medtail train {data} --recipe {out / 'best.yaml'} --out RUN")
