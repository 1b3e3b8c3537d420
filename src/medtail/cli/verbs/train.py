"""``medtail train``: from images to a tested classifier."""

from collections.abc import Callable
from functools import partial
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
    Negative,
    SplitColumn,
    data_settings,
)
from medtail.cli.options import given, parse_assignments
from medtail.cli.tables import reason_lines


def train(
    data: Annotated[
        str,
        typer.Argument(help="Folder of class folders, table with images, .npz, MedMNIST or built-in name."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; new, unless --resume.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="Key of a method recipe, e.g. dal; see medtail list. Chosen by the data if left out."
        ),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="resnet8 to resnet56, any timm name or hf_hub:OWNER/NAME.")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A finished run of the same data to learn from; gml and dbm_gml."),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels, or voxels, per side.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step, over all devices.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and augmentation.")] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Start from published weights.")] = False,
    classes: Classes = None,
    merge: Merge = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Start from this finished run: its network, data settings and splits."
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="This class (or a+b) against the rest: two classes."),
    ] = None,
    negative: Negative = None,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Of two classes, cut the positive one (the smaller unless named) to 1/BETA of the other in training."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting: --set loss.scale=8.")
    ] = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    split_column: SplitColumn = None,
    label_separator: LabelSeparator = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A data-set recipe by name, or a recipe.yaml that a run saved; chosen by the data if left out."
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Cross-validation with this many folds, a fresh model for each.")
    ] = None,
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable", help="Leave bad images out.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where decoded pixels of large sets and features are kept; the user's cache by default.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last finished epoch.")] = False,
) -> None:
    """Train, choose the best epoch on validation, test it once, and write the report.

    Writes recipe.yaml, metrics.csv, checkpoints, predictions, summary.json and report.html into --out; with --folds,
    such a run for each fold, and the predictions for all images by the models that were trained without them.
    """
    # Recipes and data take pydantic and pandas, which --help need not wait for.
    from medtail.cli.progress import progress_bar
    from medtail.data import TableColumns, choose_classes, open_collection
    from medtail.data.decoded.cache import PixelCache
    from medtail.inspection.suggestion import suggested_recipe
    from medtail.recipes.choose_recipe import choose_recipe, chosen_columns, is_recipe_file
    from medtail.runs.run import Run

    columns = TableColumns(image_column, label_column, group_column, split_column, label_separator)
    options: dict[str, Any] = {
        "backbone": {"name": backbone, "weights": "published" if pretrained else None, "from_run": from_run},
        # A run that is continued elsewhere still finds it.
        "method": {"teacher": None if teacher is None else str(teacher.absolute())},
        "data": {
            "image_size": image_size,
            **data_settings(columns, classes, merge, positive=positive, negative=negative, beta=beta),
        },
        "training": {"epochs": epochs, "batch_size": batch_size, "seed": seed},
    }
    changes = [given(options), parse_assignments(settings or [])]
    with progress_bar() as progress:
        collection = open_collection(data, columns=chosen_columns(recipe, changes))
        if method is None and not is_recipe_file(recipe):
            chosen, suggestion = suggested_recipe(collection, recipe, changes)
            typer.echo(
                f"no --method is given, so it is {suggestion.method}, with recipe {suggestion.recipe}",
                err=True,
            )
            for line in reason_lines(suggestion):
                typer.echo(line, err=True)
        else:
            chosen = choose_recipe(collection, method, recipe, changes)
        collection = choose_classes(collection, chosen.data.classes, chosen.data.merge)
        against = chosen.data.negative or "the rest"
        rest = f", {chosen.data.positive} against {against}" if chosen.data.positive else ""
        typer.echo(
            f"{collection.name}: {len(collection.table)} images, {len(collection.class_names)} classes{rest}; "
            f"recipe {chosen.recipe.dataset} × {chosen.recipe.method}, backbone {chosen.backbone.name}",
            err=True,
        )
        run = Run(out)
        summary = _training(folds)(
            collection,
            chosen,
            run,
            resume=resume,
            skip_unreadable=skip_unreadable,
            progress=progress,
            cache=None if cache is None else PixelCache(cache),
        )
    if summary:
        from medtail.cli.tables import print_summary

        print_summary(summary)
        typer.echo(f"report: {run.report}")


def _training(folds: int | None) -> Callable[..., dict[str, Any]]:
    """Return what trains one run, or one per fold. Imported late: a misspelt setting need not wait for Lightning."""
    if folds is None:
        from medtail.training.fit import train as train_run

        return train_run
    from medtail.training.fold_training import cross_validate

    return partial(cross_validate, folds=folds)
