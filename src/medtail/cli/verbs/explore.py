"""``medtail explore``: a page on which an operating point is moved."""

from pathlib import Path
from typing import Annotated

import typer


def explore(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of finished runs.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="The page; by default explorer.html in the first run."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out.")] = False,
) -> None:
    """Write a page to explore operating points: thresholds, priors, costs, λ, and what follows for every class.

    The page is one file that needs no network. What it saves as operating_point.json is what adapt would write.
    """
    from medtail.cli.options import check_output
    from medtail.runs.facts import DatasetFacts
    from medtail.runs.run import Run
    from medtail.serving.explorer import write_explorer

    folders = [Run(run) for run in runs]
    if out is not None:
        check_output(out, overwrite=overwrite, data=[DatasetFacts.load(run).data for run in folders])
    page = write_explorer(folders, out or runs[0] / "explorer.html")
    typer.echo(f"explorer: {page} ({page.stat().st_size / 1e6:.1f} MB)")
