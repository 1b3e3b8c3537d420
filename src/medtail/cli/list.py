"""``medtail list``: what there is, one line each."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    """What can be listed."""

    losses = "losses"
    methods = "methods"
    backbones = "backbones"
    datasets = "datasets"
    recipes = "recipes"


def list_names(kind: Annotated[Kind, typer.Argument(help="What to list.")]) -> None:
    """List losses, methods, backbones, data sets or recipes, with the paper each is from."""
    lines = {
        Kind.losses: _losses,
        Kind.methods: _methods,
        Kind.backbones: _backbones,
        Kind.datasets: _datasets,
        Kind.recipes: _recipes,
    }[kind]()
    for name, description in lines:
        typer.echo(f"{name:<22} {description}")


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


def _losses() -> Iterable[tuple[str, str]]:
    from medtail.losses import LOSSES

    return ((name, _first_line(loss)) for name, loss in LOSSES.items())


def _methods() -> Iterable[tuple[str, str]]:
    from medtail.training.recipe import describe_axis, recipe_names

    return ((name, describe_axis("methods", name)) for name in recipe_names("methods"))


def _backbones() -> Iterable[tuple[str, str]]:
    import timm

    from medtail.backbones import CIFAR_RESNETS

    for name, blocks in CIFAR_RESNETS.items():
        yield name, f"CIFAR ResNet of {6 * blocks + 2} layers (He et al., 2016, §4.2)"
    for name in timm.list_models():
        yield name, "timm"


def _datasets() -> Iterable[tuple[str, str]]:
    from medtail.data import BUILT_IN

    return ((name, _first_line(opener)) for name, opener in BUILT_IN.items())


def _recipes() -> Iterable[tuple[str, str]]:
    from medtail.training.recipe import describe_axis, recipe_names

    for axis in ("datasets", "methods"):
        for name in recipe_names(axis):
            yield f"{axis}/{name}", describe_axis(axis, name)
