"""The rows of a table, where nobody named them: a method, and the settings in which runs of it differ."""

from collections.abc import Iterator, Sequence
from typing import Any

from medtail.runs.settings import RunSettings

#: Settings that make no row: a row is over seeds and their splits, and the path only says where the same images are.
WITHOUT_EFFECT = ("training.seed", "data.path")

#: Settings of the data and of the machine make no row either, but are said where they differ.
_NO_ROW = (*WITHOUT_EFFECT, "data.", "training.precision", "training.devices", "training.logger")


def labels_of(settings: Sequence[RunSettings]) -> list[str]:
    """Return the label of each run: its method, and as many settings as tell its rows from others of that method.

    Example:
        >>> labels_of(
        ...     [
        ...         RunSettings({"recipe": {"method": "dal"}, "loss": {"scale": scale}, "training": {"seed": seed}})
        ...         for scale in (4, 8)
        ...         for seed in (0, 1)
        ...     ]
        ... )
        ['dal loss.scale=4', 'dal loss.scale=4', 'dal loss.scale=8', 'dal loss.scale=8']
    """
    members: dict[str, list[int]] = {}
    for number, one in enumerate(settings):
        members.setdefault(one.method, []).append(number)
    labels = {}
    for method, numbers in members.items():
        flat = [settings[number].flat for number in numbers]
        keys = list(_telling_apart(flat))
        for number, values in zip(numbers, flat, strict=True):
            chosen = [f"{key}={values[key]}" for key in keys if key in values]
            labels[number] = " ".join([method, *chosen])
    return [labels[number] for number in range(len(settings))]


def _telling_apart(flat: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The first settings that part the runs as all their settings do; names come first, and imply the rest."""
    every = {key for values in flat for key in values if not key.startswith(_NO_ROW)}
    order = sorted(every, key=lambda key: (not key.endswith(".name"), key))
    whole = len({_values(values, order) for values in flat})
    chosen: list[str] = []
    parts = 1
    for key in order:
        if parts == whole:
            return
        finer = len({_values(values, [*chosen, key]) for values in flat})
        if finer > parts:
            chosen.append(key)
            parts = finer
            yield key


def _values(values: dict[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(values.get(key)) for key in keys)
