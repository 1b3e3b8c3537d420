"""``medtail compare``: methods side by side, over seeds."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from medtail.cli.options import binary_subsample, given
from medtail.errors import InputError


def compare(
    items: Annotated[
        list[str], typer.Argument(metavar="RUN… | DATA", help="Finished runs; or DATA with --methods.")
    ],
    methods: Annotated[str | None, typer.Option(help="Methods to train on DATA, e.g. ce,focal,dal.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method, seeds 0, 1, …")] = 3,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the comparison, and with --methods for the runs.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Method the others are tested against; ce when present.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, for every run.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="For every run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="For every run.")] = None,
    positive: Annotated[
        str | None, typer.Option(metavar="CLASS", help="This class against the rest, for every run.")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Ratio of two classes in training, for every run; see train --help.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A data-set recipe by name; chosen when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare finished runs, or train what is missing on DATA first: mean ± sd, paired tests, report."""
    from medtail.evaluation.compare import compare_runs
    from medtail.run import Run

    if methods is None:
        runs = [Run(Path(item)) for item in items]
    else:
        if len(items) != 1 or out is None:
            raise InputError("--methods trains on one DATA and needs --out DIR for the runs; give both")
        from medtail.cli.progress import progress_bar
        from medtail.training.recipe import parse_assignments
        from medtail.training.sweep import train_missing

        options: dict[str, Any] = {
            "backbone": {"name": backbone},
            "data": {"positive": positive, "subsample": binary_subsample(beta)},
            "training": {"epochs": epochs},
        }
        with progress_bar() as progress:
            runs = train_missing(
                items[0],
                methods.split(","),
                seeds,
                out,
                recipe=recipe,
                changes=[given(options), parse_assignments(settings or [])],
                progress=progress,
            )
    comparison = compare_runs(runs, reference=reference)
    if out is not None:
        comparison.write(out)
    typer.echo(
        json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False)
        if as_json
        else comparison.to_markdown()
    )
