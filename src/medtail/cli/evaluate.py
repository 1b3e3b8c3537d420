"""``medtail evaluate``: metrics of a finished run."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Split(StrEnum):
    """The splits a run has predictions of."""

    validation = "validation"
    test = "test"


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        str | None, typer.Option(help="Other data with the same classes; its own when left out.")
    ] = None,
    split: Annotated[
        Split, typer.Option(help="Which split; of other data without splits, everything.")
    ] = Split.test,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also save the predictions, as Parquet.")] = None,
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable", help="Leave bad images out.")] = False,
) -> None:
    """Print the metrics of a saved run, on its own data (from its predictions) or on other data."""
    import numpy as np

    from medtail.cli.progress import progress_bar
    from medtail.cli.tables import print_summary
    from medtail.evaluation.binary import positive_of
    from medtail.evaluation.label_predictions import read_predictions
    from medtail.evaluation.summary import summarize
    from medtail.run import Run

    folder = Run(run)
    own = data is None or Path(data).resolve() == Path(folder.read_dataset()["data"]).resolve()
    if own:
        predictions = read_predictions(folder.require(folder.predictions(split.value)))
    else:
        from medtail.training.other_data import predict_other_data

        with progress_bar() as progress:
            predictions = predict_other_data(
                folder, str(data), split.value, skip_unreadable=skip_unreadable, progress=progress
            )
    if out is not None:
        predictions.write(out)
    facts = folder.read_dataset()
    summary = summarize(
        predictions,
        split.value,
        training_counts=np.asarray(facts["class_counts"]["train"]),
        positive=positive_of(facts),
    )
    if as_json:
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        print_summary(summary)
