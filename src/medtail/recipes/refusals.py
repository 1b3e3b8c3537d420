"""How an invalid recipe is refused: with one sentence per wrong setting."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from medtail.errors import InputError
from medtail.naming import nearest
from medtail.recipes.schema import Recipe


def refusal(error: ValidationError) -> InputError:
    """Return the error that names every wrong setting, its value and what is allowed."""
    return InputError("; ".join(_sentence(details) for details in error.errors()))


def _sentence(details: Any) -> str:
    location, _ = _walk(details["loc"])
    key = ".".join(location)
    value = details["input"]
    match details["type"]:
        case "extra_forbidden":
            _, model = _walk(details["loc"][:-1])
            known = list(model.model_fields)
            return f"recipe has no key {key} (got {value!r}); allowed: {', '.join(known)}{nearest(location[-1], known)}"
        case "missing":
            also = f" or set `{key}=VALUE`" if "." in key else ""
            return f"{key} is required; add it to the recipe{also}"
        case "union_tag_invalid":
            allowed = details["ctx"]["expected_tags"].replace("'", "")
            got = value.get("name") if isinstance(value, Mapping) else value
            return f"{key}.name must be one of {allowed}, got {got!r}{nearest(str(got), allowed.split(', '))}"
        case "union_tag_not_found":
            return f"{key}.name is required; name the {key} to use"
        case "literal_error":
            allowed = details["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
            return f"{key} must be one of {allowed}, got {value!r}{nearest(str(value), allowed.split(', '))}"
        case "value_error":
            return str(details["ctx"]["error"])
        case _:
            rule = details["msg"][0].lower() + details["msg"][1:]
            return f"{key}: {rule}, got {value!r}"


def _walk(location: Sequence[Any]) -> tuple[list[str], Any]:
    """Return the user's path to a place, and the settings there: pydantic's own path also holds tags of unions."""
    model: Any = Recipe
    keys: list[str] = []
    parts = [str(part) for part in location]
    while parts:
        keys.append(parts.pop(0))
        field = getattr(model, "model_fields", {}).get(keys[-1])
        model = None if field is None else _without_none(field.annotation)
        if field is not None and field.discriminator and parts:
            tag = parts.pop(0)
            model = next(member for member in map(_tagged, get_args(field.annotation)) if tag in member[0])[1]
    return keys, model


def _tagged(member: Any) -> tuple[Sequence[str], Any]:
    """Return the tags of a member of a union, and the settings that they stand for."""
    if get_origin(member) is Annotated:
        settings, tag = get_args(member)
        return (tag.tag,), settings
    return get_args(member.model_fields["name"].annotation), member


def _without_none(annotation: Any) -> Any:
    """Return the type of a part that may be left out."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else ()
    return next((part for part in parts if part is not NoneType), annotation)
