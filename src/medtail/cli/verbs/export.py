"""``medtail export``: a trained model as one file that needs no medtail."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FileFormat(StrEnum):
    """The forms of the file."""

    onnx = "onnx"
    torch = "torch"


def export(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Folder of a finished run; several give their mean.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        FileFormat, typer.Option("--format", help="ONNX, or an exported program of PyTorch (.pt2).")
    ] = FileFormat.onnx,
    data: Annotated[
        str | None, typer.Option(help="The run's own data, if they moved: the file is checked on them.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out.")] = False,
) -> None:
    """Write one file from uint8 pixels to probabilities and decisions, checked against the run on its own images.

    It decides at the run's operating point if there is one.
    """
    from medtail.cli.options import check_output
    from medtail.cli.progress import progress_bar
    from medtail.runs.facts import DatasetFacts
    from medtail.runs.run import Run
    from medtail.serving.export import export as export_runs

    folders = [Run(run) for run in runs]
    check_output(out, overwrite=overwrite, data=[DatasetFacts.load(folder).data for folder in folders])
    with progress_bar() as progress:
        written = export_runs(folders, out, format=format.value, data=data, progress=progress)
    agreement = written.agreement
    for sentence in written.words:
        typer.echo(sentence)
    typer.echo(
        f"checked on {agreement.images} {agreement.split} images: probabilities differ by at most "
        f"{agreement.difference:.1e} from the run's, {agreement.decisions} decisions differ"
    )
    if agreement.saved_difference is not None:
        typer.echo(f"the saved predictions differ by at most {agreement.saved_difference:.1e}")
    typer.echo(f"{written.path}: {written.size / 1e6:.2f} MB")
