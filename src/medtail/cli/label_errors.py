"""``medtail inspect RUN``: labels that a run doubts."""

import json
from typing import TYPE_CHECKING

import typer

from medtail.errors import InputError
from medtail.naming import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medtail.runs.run import Run

_MOST = 10


def inspect_run(run: "Run", given: "Iterable[str]", *, as_json: bool, strict: bool) -> None:
    """Print the labels in doubt, and write them as a table and a page into the run.

    Args:
        run: A finished run or cross-validation.
        given: Options that only go with data.
        as_json: Print JSON.
        strict: Exit with code 1 if a label is in doubt.

    Raises:
        InputError: An option goes with data only, or as ``doubted_labels``.
    """
    for option in given:
        raise InputError(
            f"{option} goes with data, but {run.folder} is a run; leave it out, or inspect the data that the run was "
            f"trained on"
        )
    from medtail.data.collection_images import own_images
    from medtail.evaluation.label_errors.doubts import doubted_labels
    from medtail.evaluation.label_errors.page import write_label_errors

    found = doubted_labels(run)
    # All folds split the same images.
    page = write_label_errors(run, found, own_images(run.fold(1) if found.out_of_fold else run))
    if as_json:
        content = {
            "run": str(run.folder),
            "judged": len(found.predictions.ids),
            "out_of_fold": found.out_of_fold,
            "doubts": [vars(doubt) for doubt in found.doubts],
        }
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        source = "out of fold" if found.out_of_fold else "validation and test; --folds judges all images"
        typer.echo(f"{run.folder.name}: {len(found.predictions.ids)} images judged ({source})")
        typer.echo(f"labels in doubt: {len(found.doubts)}")
        for doubt in found.doubts[:_MOST]:
            typer.echo(
                one_line(
                    f"  {doubt.image}: {doubt.label} ({doubt.label_probability:.3f}), rather {doubt.suggestion} "
                    f"({doubt.suggestion_probability:.3f})"
                )
            )
        if len(found.doubts) > _MOST:
            typer.echo(f"  and {len(found.doubts) - _MOST} more")
        typer.echo(f"table: {run.label_errors}")
        typer.echo(f"page: {page}")
    if strict and found.doubts:
        typer.echo(f"wrong: {len(found.doubts)} labels in doubt", err=True)
        raise typer.Exit(1)
