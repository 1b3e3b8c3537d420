"""``medtail serve``: a trained model behind HTTP."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="MEDTAIL_API_KEY", help="Key that requests must send; better in the variable."),
    ] = None,
    max_upload: Annotated[int, typer.Option(metavar="MB", help="Refuse larger requests.")] = 64,
    max_images: Annotated[int, typer.Option(metavar="N", help="Refuse requests with more files.")] = 64,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            metavar="N", envvar="MEDTAIL_MAX_PIXELS", help="Refuse larger images; as in training if left out."
        ),
    ] = None,
    max_waiting: Annotated[
        int, typer.Option(metavar="N", help="Answer 503 where more images would wait.")
    ] = 256,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="To send a request, and to answer it.")
    ] = 30.0,
    batch_size: Annotated[int, typer.Option(metavar="N", help="Images that the network takes at once.")] = 32,
) -> None:
    """Answer POST /predict with probabilities and decisions; also /health, /metadata, /openapi.json and /docs.

    It decides at the run's operating point if there is one.
    """
    from medtail.errors import TerminatedError
    from medtail.runs.run import Run
    from medtail.serving.server import Limits
    from medtail.serving.server import serve as serve_run

    limits = Limits(
        upload_bytes=max_upload * 2**20,
        images=max_images,
        pixels=max_pixels,
        waiting=max_waiting,
        seconds=timeout,
        batch=batch_size,
    )
    try:
        serve_run(Run(run), host=host, port=port, key=api_key, limits=limits)
    except (KeyboardInterrupt, TerminatedError):
        typer.echo("stopped; every request that was admitted is answered", err=True)
