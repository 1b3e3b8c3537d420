"""Variants: the rows of a comparison, each a recipe with some settings changed, under a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import Field, TypeAdapter, ValidationError

from medtail.errors import InputError
from medtail.losses.descriptions import UNAVAILABLE_LOSSES
from medtail.naming import is_plain, nearest
from medtail.recipes.compose import merge, read_settings, recipe_names
from medtail.recipes.schema import Settings
from medtail.runs.grid import value_name

#: File systems hold names of 255 bytes, and a seed follows.
_LONGEST_LABEL = 120


@final
@dataclass(frozen=True)
class Variant:
    """A recipe with some settings changed.

    Attributes:
        label: Its name in tables; the folders of its runs follow from it.
        method: Key of a method recipe.
        settings: Changes of the recipe, laid over those of all variants.
        recipe: Name of a data-set recipe for this variant alone; None takes the experiment's.

    Raises:
        InputError: The label cannot name a folder, or there is no such method.

    Example:
        >>> Variant("DAL, s = 4", "dal", {"loss": {"scale": 4}}).folder
        'DAL,_s_=_4'
    """

    label: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None

    def __post_init__(self) -> None:
        if not self.label.strip() or not is_plain(self.label) or not self.label.isprintable():
            raise InputError(f"label must be a name on one line, got {self.label!r}; name each variant")
        if len(self.label) > _LONGEST_LABEL or self.label.startswith("."):
            raise InputError(
                f"label must have at most {_LONGEST_LABEL} characters and not begin with a dot, because folders are "
                f"named by it, got {self.label!r}; shorten it"
            )
        known = recipe_names("methods")
        if self.method in UNAVAILABLE_LOSSES:
            raise InputError(
                f"method {self.method} is {UNAVAILABLE_LOSSES[self.method]}; choose one of {', '.join(known)}"
            )
        if self.method not in known:
            raise InputError(
                f"method of {self.label} must be one of {', '.join(known)}, got {self.method!r}"
                f"{nearest(self.method, known)}"
            )

    @property
    def folder(self) -> str:
        """The label as the first part of the name of a run folder."""
        return "".join("-" if letter in '/\\:*?"<>|' else letter for letter in self.label).replace(" ", "_")


def variants_of(methods: Sequence[str]) -> list[Variant]:
    """Return one variant per method, with the settings of its recipe.

    Raises:
        InputError: There is no such method.
    """
    return [Variant(method, method) for method in methods]


def product_of(variants: Sequence[Variant], axes: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """Return every variant with every combination of some settings.

    Args:
        variants: What to change.
        axes: Values of each setting, by its path in a recipe; the last one changes fastest.

    Example:
        >>> [variant.label for variant in product_of([Variant("dal", "dal")], {"loss.scale": [4, 8]})]
        ['dal loss.scale=4', 'dal loss.scale=8']
    """
    combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [
        Variant(
            " ".join([variant.label, *(f"{path}={value_name(value)}" for path, value in chosen.items())]),
            variant.method,
            merge(variant.settings, nested(chosen)),
            variant.recipe,
        )
        for variant in variants
        for chosen in combinations
    ]


class VariantEntry(Settings):
    """One entry of a file of variants."""

    method: str
    label: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    recipe: str | None = None


_ENTRIES: TypeAdapter[list[VariantEntry]] = TypeAdapter(Annotated[list[VariantEntry], Field(min_length=1)])


def read_variants(path: Path) -> list[Variant]:
    """Read a YAML file with a list of variants.

    Each entry holds ``method``, ``label`` (the method if left out), ``set`` (settings, nested or by their paths) and
    ``recipe`` (a data-set recipe)::

        - {label: ce, method: ce}
        - {label: "DAL, s = 8", method: dal, set: {loss.scale: 8}}

    Raises:
        InputError: The file is missing or wrong; the message names the entry.
    """
    content = read_settings(path, "variants", "it holds a list of entries with label, method and set")
    return check_different(variants_from(content, f"variants file {path}"))


def variants_from(content: Any, place: str) -> list[Variant]:
    """Return the variants in the content of a file.

    Args:
        content: A list of entries, as :func:`read_variants` says.
        place: Where it was read, for messages.

    Raises:
        InputError: It is no such list; the message names the entry.
    """
    try:
        entries = _ENTRIES.validate_python(content)
    except ValidationError as error:
        raise InputError(_refusal(place, error)) from error
    variants = []
    for number, entry in enumerate(entries, start=1):
        try:
            variants.append(
                Variant(entry.label or entry.method, entry.method, nested(entry.set), entry.recipe)
            )
        except InputError as error:
            raise InputError(f"{place}, entry {number}: {error}") from error
    return variants


def _refusal(place: str, error: ValidationError) -> str:
    details = error.errors()[0]
    known = list(VariantEntry.model_fields)
    must = f"{place} must hold a list of entries with {', '.join(known)}"
    if not details["loc"]:
        return f"{must}: {details['msg'].lower()}"
    number, *keys = details["loc"]
    key = ".".join(map(str, keys))
    if details["type"] == "extra_forbidden":
        return f"{must}: entry {int(number) + 1} has {key}{nearest(key, known)}"
    return f"{must}: entry {int(number) + 1}{key and f', {key}'}: {details['msg'].lower()}"


def check_different(variants: Sequence[Variant]) -> list[Variant]:
    """Return variants, none of which has the label or the folder of another.

    Raises:
        InputError: Two have one label, or labels that give one folder.
    """
    holders: dict[str, Variant] = {}
    for variant in variants:
        twin = holders.setdefault(variant.folder.casefold(), variant)
        if twin is not variant:
            raise InputError(
                f"labels must differ in more than blanks and case, {twin.label!r} and {variant.label!r} do not; "
                f"rename one"
            )
    return list(variants)


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, of which some are given by their paths, as sections of a recipe.

    Example:
        >>> nested({"loss.scale": 4, "loss": {"min_margin": 0}})
        {'loss': {'scale': 4, 'min_margin': 0}}
    """
    result: dict[str, Any] = {}
    for path, value in settings.items():
        inner: Any = nested(value) if isinstance(value, Mapping) else value
        for key in reversed(path.split(".")):
            inner = {key: inner}
        result = merge(result, inner)
    return result
