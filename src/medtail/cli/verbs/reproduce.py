"""``medtail reproduce``: a table or figure of a paper, our numbers beside the printed ones."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medtail.cli.job_options import Cluster, Jobs, chosen_workers
from medtail.errors import InputError


class Budget(StrEnum):
    """How much is trained."""

    quick = "quick"
    paper = "paper"


def reproduce(
    name: Annotated[str | None, typer.Argument(help="A table or figure; all are listed if left out.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A data set by its name, e.g. isic2018=FOLDER; repeatable."),
    ] = None,
    budget: Annotated[
        Budget, typer.Option(help="Minutes on two cores, or the paper's protocol.")
    ] = Budget.quick,
    out: Annotated[
        Path | None, typer.Option(help="Folder for reproduction.{json,csv,md,tex,html}; reproductions/NAME.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder for the runs, which tables of one paper may share; OUT/runs if left out."),
    ] = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Reproduce a table or figure of one of the papers, with the printed numbers beside ours."""
    # Definitions read recipes and kinds, which --help need not wait for.
    from medtail.cli.progress import progress_bar
    from medtail.experiments.reproductions.definition import describe, reproduction_names
    from medtail.experiments.reproductions.reproduce import reproduce as run
    from medtail.experiments.reproductions.writing import to_markdown, write_reproduction

    if name is None:
        for known in reproduction_names():
            typer.echo(f"{known:<24} {describe(known)}")
        return
    folder = Path("reproductions") / name if out is None else out
    given = _named_data(data or [])
    workers = chosen_workers(jobs, cluster)
    with progress_bar() as progress:
        done = run(
            name,
            data=given,
            out=folder,
            budget=budget.value,
            runs=runs,
            workers=workers,
            progress=progress,
        )
    write_reproduction(done, folder)
    typer.echo(to_markdown(done))


def _named_data(assignments: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for assignment in assignments:
        name, equals, path = assignment.partition("=")
        if not equals or not name or not path:
            raise InputError(f"--data takes NAME=PATH, got {assignment!r}; e.g. --data ham10000=images/")
        if name in given:
            raise InputError(f"--data must give each name once, got {name} twice; leave one out")
        given[name] = path
    return given
