"""``medtail inspect``: look at the data before training on it."""

import json
from typing import Annotated

import typer


def inspect(
    data: Annotated[
        str,
        typer.Argument(help="Folder of class folders, table with images, .npz, MedMNIST or built-in name."),
    ],
    positive: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Look at this class against the rest.")
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(metavar="N", help="Call larger images unreadable, before they are decoded.")
    ] = 80_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with code 1 when something is wrong, saying what on stderr."),
    ] = False,
) -> None:
    """Count classes, sizes and unreadable files; find shared patients and repeated images; suggest a recipe."""
    from medtail.cli.progress import progress_bar
    from medtail.data import open_collection, positive_versus_rest
    from medtail.inspection.audit import audit

    collection = open_collection(data, max_pixels=max_pixels)
    if positive is not None:
        collection = positive_versus_rest(collection, positive)
    with progress_bar() as progress:
        findings = audit(collection, progress=progress)
    if as_json:
        typer.echo(json.dumps(findings.to_dict(), indent=2, ensure_ascii=False))
    else:
        for line in findings.lines():
            typer.echo(line)
    if strict and findings.problems:
        for problem in findings.problems:
            typer.echo(f"wrong: {problem}", err=True)
        raise typer.Exit(1)
