"""``medtail predict``: probabilities and decisions for new images."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; by default the table is printed.")
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
    operating_point: Annotated[
        bool, typer.Option("--operating-point", help="Decide as medtail adapt chose.")
    ] = False,
) -> None:
    """Print one line per image: its path, the decision (for each label, if multi-label), and the probabilities."""
    from medtail.cli.progress import progress_bar
    from medtail.files import replacing
    from medtail.operating_point import OperatingPoint
    from medtail.runs.run import Run
    from medtail.training.inference.new_images import predict_images

    folder = Run(run)
    point = OperatingPoint.of(folder) if operating_point else None
    with progress_bar() as progress:
        table = predict_images(
            folder, paths, operating_point=point, skip_unreadable=skip_unreadable, progress=progress
        )
    if out is None:
        typer.echo(table.to_csv(index=False, float_format="%.6f"), nl=False)
        return
    with replacing(out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
    typer.echo(f"{len(table)} images: {out}", err=True)
