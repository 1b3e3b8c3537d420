"""Weights from a file: of timm, or of a self-supervised training that wrapped the network."""

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.naming import listing

#: The share of a network's values that a file must have: less is another network.
_LEAST_SHARE = 0.5

#: Counters of batches, which decide nothing and are missing from old files.
_COUNTER = "num_batches_tracked"

#: Of several networks in a file, those that are meant to be used.
_PREFERRED = ("teacher", "ema")


@final
@dataclass(frozen=True)
class LoadedWeights:
    """What became of the weights that a backbone started from.

    Attributes:
        source: The file, or the name under which they are published.
        sha256: Of the file; None for published ones.
        loaded: How many tensors of the network came from there; None for published ones, which are complete.
        missing: Tensors of the network that did not, and are random.
        unexpected: Tensors of the file that the network does not have, such as those of another head.
    """

    source: str
    sha256: str | None = None
    loaded: int | None = None
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What became of them, for the log."""
        if self.loaded is None:
            return f"weights: {self.source}"
        parts = [f"{self.loaded} of {self.loaded + len(self.missing)} tensors loaded"]
        if self.missing:
            parts.append(f"{len(self.missing)} missing and left random: {listing(self.missing, most=3)}")
        if self.unexpected:
            parts.append(
                f"{len(self.unexpected)} unexpected and left out: {listing(self.unexpected, most=3)}"
            )
        return f"weights: {self.source}, {'; '.join(parts)}"


def load_weights(network: nn.Module, path: Path, *, name: str = "this network") -> LoadedWeights:
    """Load the weights in a file into a network; what the file does not have stays as it is.

    Names may have a prefix, as those of a network that was wrapped for training do (``module.``, ``backbone.``,
    ``teacher.``, ``encoder.``), and may be nested (``model``, ``state_dict``, ``teacher``): the prefix is found by the
    names behind it that the network knows. Of several networks that fit, a teacher or an average is taken. Names of
    the code that timm took a network from are translated, position embeddings and patches are resized, and filters of
    the first layer are summed or repeated for other numbers of channels, all as timm does it.

    Args:
        network: Of timm, or any other; it gets the attribute ``loaded_weights``.
        path: ``.safetensors``, or what ``torch.save`` wrote, read with ``weights_only``: nothing in it is executed.
        name: Of the network, for messages.

    Returns:
        What was loaded, what was missing, and what was left out.

    Raises:
        InputError: The file is missing, cannot be read, or has less than half of the network.
    """
    tensors = dict(_tensors(_read(path)))
    own = network.state_dict()
    fitting: dict[str, Tensor] = {}
    unexpected: tuple[str, ...] = tuple(tensors)
    for candidate in _candidates(tensors, network):
        fits = {
            key: value for key, value in candidate.items() if key in own and own[key].shape == value.shape
        }
        if _size(fits) > _size(fitting):
            fitting, unexpected = fits, tuple(key for key in candidate if key not in fits)
    share = _size(fitting) / max(_size(own), 1)
    if share < _LEAST_SHARE:
        raise InputError(
            f"backbone.weights must be a file of {name}, {path} has {share:.0%} of its values (the names in the file "
            f"begin with {listing(list(tensors), most=3) or 'nothing'}); give `backbone.name` the network that they "
            f"were trained with"
        )
    network.load_state_dict({**own, **fitting})
    missing = tuple(key for key in own if key not in fitting and not key.endswith(_COUNTER))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    loaded = sum(not key.endswith(_COUNTER) for key in fitting)
    report = LoadedWeights(path.name, digest, loaded, missing, unexpected)
    network.loaded_weights = report  # type: ignore[assignment]
    return report


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(
            f"backbone.weights must be none, published or a file, got {str(path)!r}, which is no file; check the path"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # Self-supervised trainings save their options beside the weights; a namespace is a bag of plain values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file, or one of another kind, may raise anything.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(" .")
        raise InputError(
            f"backbone.weights must be .safetensors or what torch.save wrote of tensors, {path} cannot be read so "
            f"({first}); save its state_dict() alone"
        ) from error


def _tensors(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of nested mappings, under its keys with points between."""
    if isinstance(content, Tensor):
        yield prefix.removesuffix("."), content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(value, f"{prefix}{key}.")


def _candidates(tensors: Mapping[str, Tensor], network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The weights of one network in a file, read in every way that may be right, the best guess first."""
    for prefix in _prefixes(tensors, set(network.state_dict())):
        plain = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        for translate in (lambda weights: weights, *_translations(network)):
            try:
                translated = translate(dict(plain))
            # A translation that was written for other files fails on these in any way.
            except Exception:
                continue
            yield _with_channels(translated, network)


def _prefixes(tensors: Mapping[str, Tensor], known: set[str]) -> list[str]:
    """What names may begin with: what stands before names that the network knows, or before most names."""
    before: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    for key in tensors:
        parts = key.split(".")
        for position in range(len(parts)):
            prefix = "".join(f"{part}." for part in parts[:position])
            shared[prefix] += 1
            before[prefix] += ".".join(parts[position:]) in known
    most = max(before.values(), default=0)
    likely = [prefix for prefix, count in before.items() if most and count == most]
    common = [prefix for prefix, count in shared.items() if 2 * count > len(tensors)]
    preferred = sorted(likely, key=lambda prefix: not any(word in prefix for word in _PREFERRED))
    return list(dict.fromkeys([*preferred, *common]))


def _translations(network: nn.Module) -> list[Callable[[dict[str, Tensor]], dict[str, Tensor]]]:
    """The translation of published files that timm keeps in the module of a network."""
    function = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    return [] if function is None else [lambda weights: function(weights, network)]


def _with_channels(weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Adapt the filters of a first layer for colour images to the network's number of channels."""
    own = network.state_dict()
    for key, value in weights.items():
        wanted = own[key].shape if key in own else value.shape
        if value.ndim == 4 and value.shape[1] == 3 != wanted[1] and value.shape[2:] == wanted[2:]:
            from timm.models import adapt_input_conv

            weights[key] = adapt_input_conv(wanted[1], value)
    return weights


def _size(weights: Mapping[str, Tensor]) -> int:
    return sum(value.numel() for value in weights.values())
