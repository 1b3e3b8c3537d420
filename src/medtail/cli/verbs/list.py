"""``medtail list``: everything that has a name, one line each."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medtail.errors import InputError
from medtail.naming import nearest


class Kind(StrEnum):
    """What can be listed."""

    losses = "losses"
    methods = "methods"
    backbones = "backbones"
    datasets = "datasets"
    recipes = "recipes"
    grids = "grids"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    plot: Annotated[
        Path | None,
        typer.Option(help="With losses: also draw how the gradient of each depends on the score."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="With losses: list only these, e.g. ce,focal,alpa.")
    ] = None,
) -> None:
    """List losses, methods, backbones, data sets, recipes or grids of trainings, with the paper of each."""
    if kind is not Kind.losses and (plot is not None or only is not None):
        raise InputError(f"--plot and --only belong to medtail list losses, got {kind.value}; leave them out")
    lines = {
        Kind.losses: lambda: _losses(only, plot),
        Kind.methods: _methods,
        Kind.backbones: _backbones,
        Kind.datasets: _datasets,
        Kind.recipes: _recipes,
        Kind.grids: _grids,
    }[kind]()
    for name, description in lines:
        typer.echo(f"{name:<24} {description}")


def _losses(only: str | None, plot: Path | None) -> Iterable[tuple[str, str]]:
    from medtail.losses import DESCRIPTIONS, PAPERS, UNAVAILABLE_LOSSES

    names = list(DESCRIPTIONS) if only is None else only.split(",")
    for name in names:
        if name not in DESCRIPTIONS:
            raise InputError(
                f"--only takes keys of losses, got {name!r}{nearest(name, DESCRIPTIONS)}; see medtail list losses"
            )
    if plot is not None:
        from medtail.losses import plot_gradients

        plot_gradients(names, plot)
    for name in names:
        yield name, f"{DESCRIPTIONS[name]} [{PAPERS[name]}]"
    if only is None:
        yield from UNAVAILABLE_LOSSES.items()


def _methods() -> Iterable[tuple[str, str]]:
    from medtail.recipes.compose import describe_axis, recipe_names

    return ((name, describe_axis("methods", name)) for name in recipe_names("methods"))


def _backbones() -> Iterable[tuple[str, str]]:
    import timm

    from medtail.backbones import CIFAR_RESNETS, VOLUME_RESNETS

    for name, blocks in CIFAR_RESNETS.items():
        yield name, f"CIFAR ResNet of {6 * blocks + 2} layers (He et al., 2016, §4.2)"
    for name in VOLUME_RESNETS:
        yield name, "MONAI, for volumes"
    for name in timm.list_models():
        yield name, "timm"


def _datasets() -> Iterable[tuple[str, str]]:
    from medtail.data.datasets.descriptions import BUILT_IN_DESCRIPTIONS

    return BUILT_IN_DESCRIPTIONS.items()


def _grids() -> Iterable[tuple[str, str]]:
    from medtail.recipes.compose import describe_axis, recipe_names

    return ((name, describe_axis("grids", name)) for name in recipe_names("grids"))


def _recipes() -> Iterable[tuple[str, str]]:
    from medtail.recipes.compose import Axis, describe_axis, recipe_names

    axes: tuple[Axis, ...] = ("datasets", "methods", "grids")
    for axis in axes:
        for name in recipe_names(axis):
            yield f"{axis}/{name}", describe_axis(axis, name)
