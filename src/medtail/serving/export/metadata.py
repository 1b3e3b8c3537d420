"""What an exported file says about itself, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from medtail import __version__
from medtail.operating_point import OperatingPoint
from medtail.training.inference import TrainedModel

#: The version of this description, and the key under which a file holds it as JSON.
FORMAT = 1
KEY = "medtail"

#: The order of channels by their number, where they are not sequences.
_CHANNELS = {1: ["grey"], 3: ["red", "green", "blue"]}

_FITS = {
    "resize": "The whole image, resized to the shape of the input: pictures by Pillow's antialiased bicubic filter, "
    "volumes by the antialiased linear filter along each axis.",
    "crop": "The central part of the shape of the input, not resampled.",
}


def metadata(
    models: Sequence[TrainedModel],
    point: OperatingPoint | None,
    outputs: Sequence[str],
    condition: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Return the description of a file, without any path.

    Args:
        models: Those in the file.
        point: What decides; None for several labels per image.
        outputs: The names of what the file returns.
        condition: λ that the file is best used at, in the order of its input; None if there is no such input.
    """
    first = models[0]
    facts, recipe = first.facts, first.recipe
    return {
        "format": FORMAT,
        "medtail": __version__,
        "runs": [_run(model) for model in models],
        "task": "multi-label" if facts.multi_label else "single-label",
        "class_names": facts.class_names,
        "inputs": {
            "pixels": {
                "dtype": "uint8",
                "shape": ["N", facts.channels, *(facts.image_size,) * facts.dimensions],
                "axes": ["image", "channel", *("depth", "height", "width")[-facts.dimensions :]],
                "channels": facts.sequences or _CHANNELS.get(facts.channels),
                "from_image": _FITS[recipe.data.fit],
                "window": recipe.data.window,
            },
            **({} if condition is None else {"condition": _condition(first, condition)}),
        },
        "outputs": list(outputs),
        "operating_point": None if point is None else point.plain(),
        "words": ["Decide each label by itself, yes from probability 0.5 on."]
        if point is None
        else point.words,
    }


def _run(model: TrainedModel) -> dict[str, Any]:
    return {
        "name": "" if model.run is None else model.run.folder.resolve().name,
        "data": model.facts.name,
        "method": model.recipe.method.name,
        "loss": model.recipe.loss.name,
        "backbone": model.recipe.backbone.name,
        "fingerprint": model.facts.fingerprint,
        "identity": model.facts.identity,
    }


def _condition(model: TrainedModel, default: Mapping[str, float]) -> dict[str, Any]:
    conditional = model.method.conditional
    assert conditional is not None
    return {
        "dtype": "float32",
        "names": list(conditional.distributions),
        "default": [float(default[name]) for name in conditional.distributions],
        "trained_from": [density.low for density in conditional.distributions.values()],
        "trained_to": [density.high for density in conditional.distributions.values()],
    }
