"""Networks of timm by name, at the size of the images, and timm networks of the Hugging Face Hub."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import nn

from medtail.backbones.weights import LoadedWeights
from medtail.errors import InputError

_HUB = ("hf_hub:", "hf-hub:")

#: What is kept of a configuration: how images are normalised, and what sizes the network takes.
_KEPT = ("mean", "std", "input_size", "fixed_input_size")


def is_timm_name(name: str) -> bool:
    """Whether a name is one of timm's networks, perhaps with the tag of its weights, or of the Hub."""
    import timm

    return name.startswith(_HUB) or bool(timm.is_model(name))


@final
@dataclass(frozen=True)
class TimmNetwork:
    """A network of timm, before it is built.

    Attributes:
        name: As the user gave it.
        architecture: The name of timm's constructor.
        config: timm's ``pretrained_cfg`` as a mapping: where the weights are, what images they were trained on.
        arguments: Of the constructor, where a repository of the Hub names some.
    """

    name: str
    architecture: str
    config: Mapping[str, Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str) -> "TimmNetwork":
        """Look a name up, in timm or on the Hub.

        Raises:
            InputError: timm knows no weights of this tag, or the Hub does not answer or does not know the name.

        Example:
            >>> TimmNetwork.of("tf_efficientnet_lite0").statistics(1)
            ([0.5], [0.5])
        """
        import timm

        if name.startswith(_HUB):
            return cls._of_hub(name)
        try:
            config = timm.get_pretrained_cfg(name)
        except RuntimeError as error:
            tags = ", ".join(timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)) or "none"
            raise InputError(
                f"backbone {name} must name weights that timm knows, it knows {tags}; take one of them, or leave out "
                f"the part behind the point"
            ) from error
        return cls(name, name, vars(config) if config else {})

    @classmethod
    def _of_hub(cls, name: str) -> "TimmNetwork":
        from timm.models import load_model_config_from_hf

        try:
            with _hub_or_cache():
                config, architecture, arguments = load_model_config_from_hf(name.partition(":")[2])
        # Every transport has exceptions of its own; a repository without timm's configuration has other ones.
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(
                f"backbone {name} cannot be read from the Hugging Face Hub ({type(error).__name__}): this machine may "
                f"have no network, or the Hub no timm network of this name; check the name, or put it into the Hub's "
                f"cache first"
            ) from error
        return cls(name, architecture, config, dict(arguments or {}))

    @property
    def is_at_hand(self) -> bool:
        """Whether its published weights are in the cache of the Hub's client, so that no network is needed."""
        from huggingface_hub import constants, try_to_load_from_cache

        repository = self.config.get("hf_hub_id")
        files = (constants.SAFETENSORS_SINGLE_FILE, constants.PYTORCH_WEIGHTS_NAME)
        return bool(repository) and any(
            isinstance(try_to_load_from_cache(str(repository), file), str) for file in files
        )

    def saved(self) -> dict[str, Any] | None:
        """Return the arguments that rebuild a network of the Hub without the Hub, as JSON; None for timm's names."""
        if not self.name.startswith(_HUB):
            return None
        config = {key: self.config[key] for key in _KEPT if key in self.config}
        return {
            "name": self.name,
            "architecture": self.architecture,
            "config": config,
            "arguments": dict(self.arguments),
        }

    def statistics(self, channels: int) -> tuple[list[float], list[float]] | None:
        """Return mean and standard deviation of each channel that images are normalised by, values in [0, 1].

        Args:
            channels: Of the images: 3, or 1 for the mean over the three, because timm sums the three filters of the
                first layer for grey images.

        Returns:
            None for other numbers of channels, and for networks that state none.
        """
        mean, deviation = self.config.get("mean"), self.config.get("std")
        if mean is None or deviation is None or channels not in (1, 3) or len(mean) != 3:
            return None
        if channels == 3:
            return [float(value) for value in mean], [float(value) for value in deviation]
        return [sum(mean) / 3], [sum(deviation) / 3]

    def create(self, channels: int, image_size: int | None = None, *, pretrained: bool = False) -> nn.Module:
        """Build the network, which gives features.

        Raises:
            InputError: It cannot be built for images of this size.
        """
        import timm

        sized = image_size is not None and bool(self.config.get("fixed_input_size"))
        settings = {
            **self.arguments,
            **({"img_size": image_size} if sized else {}),
            # The tag of a name chooses its configuration; a repository of the Hub brings its own.
            **({"pretrained_cfg": dict(self.config)} if self.name.startswith(_HUB) else {}),
            "num_classes": 0,
            "in_chans": channels,
        }
        try:
            model: nn.Module = timm.create_model(self.architecture, pretrained=pretrained, **settings)
        except _SIZE_ERRORS as error:
            if pretrained or not sized:
                raise
            raise _refused_size(
                self.config, self.name, int(image_size or 0), "data.image_size", error
            ) from error
        return model

    def with_published_weights(self, channels: int, image_size: int | None = None) -> nn.Module:
        """Build the network with the weights that are published under its name.

        Raises:
            InputError: There are none, they cannot be fetched, or the network cannot be built for images of this size.
        """
        place = self.config.get("hf_hub_id") or self.config.get("url")
        if not place:
            raise InputError(
                f"backbone {self.name} has no published weights; set `backbone.weights=none`, or name a file"
            )
        try:
            with _hub_or_cache():
                model = self.create(channels, image_size, pretrained=True)
        # Every transport has exceptions of its own; all of them mean that the weights are out of reach.
        except (OSError, *_SIZE_ERRORS) as error:
            # Unless it is the size.
            self.create(channels, image_size)
            raise InputError(
                f"published weights of {self.name} cannot be loaded ({type(error).__name__}): this machine may have no "
                f"network; set `backbone.weights=none` or name a file, or put them into the Hugging Face cache first"
            ) from error
        model.loaded_weights = LoadedWeights(f"{place}, published")  # type: ignore[assignment]
        return model


#: What networks of timm raise while they are built for, or given, images of a size they cannot take.
_SIZE_ERRORS = (RuntimeError, AssertionError, ValueError, ArithmeticError, IndexError)


def check_image_size(
    model: nn.Module, name: str, channels: int, image_size: int, setting: str = "data.image_size"
) -> None:
    """Refuse images of a size that a network cannot take, or would cut off at the edges.

    Args:
        model: The network, for images.
        name: Of the network, for the message.
        channels: Of the images.
        image_size: Pixels per side.
        setting: The setting that holds it, for the message.

    Raises:
        InputError: One image of zeros does not pass, or patches do not cover the image.
    """
    embedding = getattr(model, "patch_embed", None)
    patch = getattr(embedding, "patch_size", None)
    if patch is not None and not getattr(embedding, "dynamic_img_pad", False):
        side = int(patch[0] if isinstance(patch, tuple | list) else patch)
        if image_size % side:
            below = image_size // side * side
            near = f"{below} or {below + side}" if below else str(side)
            raise InputError(
                f"{setting} must be a multiple of {side} for {name}, which cuts images into patches of {side} × {side} "
                f"pixels, got {image_size}; use {near}"
            )
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, channels, image_size, image_size))
    except _SIZE_ERRORS as error:
        config = getattr(model, "pretrained_cfg", {})
        raise _refused_size(config, name, image_size, setting, error) from error
    finally:
        model.train(training)


def _refused_size(
    config: Mapping[str, Any], name: str, image_size: int, setting: str, error: Exception
) -> InputError:
    published = config.get("input_size", (3, 224, 224))[-1]
    why = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(" .")
    return InputError(
        f"{setting} must be a size that {name} takes, got {image_size} ({why}); use {published}, the size its weights "
        f"are published for, or another one that it takes"
    )


@contextmanager
def _hub_or_cache() -> Iterator[None]:
    """Read from the Hub's cache alone where the Hub does not answer: its client would try for a minute."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    before = constants.HF_HUB_OFFLINE
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    # The client's library, and with it its exceptions, depends on its version.
    except Exception:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
