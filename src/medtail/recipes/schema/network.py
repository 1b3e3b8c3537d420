"""Settings of a recipe: the backbone and its head."""

from typing import Literal

from pydantic import Field

from medtail.recipes.schema.base import Settings


class LowRankSettings(Settings):
    """Adapters of low rank, which are trained in place of the network: LoRA."""

    rank: int = Field(4, ge=1, le=1024)
    alpha: float = Field(8.0, gt=0.0, description="the adapters' output is multiplied by alpha / rank")
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class Backbone(Settings):
    """The network up to the features."""

    name: str
    variant: Literal["paper", "official"] = Field(
        "paper", description="official starts the CIFAR family as the code of DBM and its baselines does"
    )
    weights: str = Field(
        "none", min_length=1, description="none for random ones, published, or a file of them"
    )
    frozen_epochs: int = Field(0, ge=0, description="epochs at the start that train only the head")
    lora: LowRankSettings | None = Field(None, description="train adapters of low rank and the head alone")
    gradient_checkpointing: bool = Field(
        False,
        description="compute maps inside blocks again for the gradient, which takes time and saves memory",
    )
    from_run: str | None = Field(
        None, description="folder of the run that the network's weights are taken from"
    )
    cached_features: bool = Field(
        False,
        description="train only the head, on features of the images, which are computed once",
    )
    cached_views: int = Field(
        0, ge=0, le=1000, description="augmented views of each image besides itself whose features are cached"
    )


class AutoHead(Settings):
    """The plainest head that emits what the loss expects."""

    name: Literal["auto"] = "auto"


class LinearHeadSettings(Settings):
    """:class:`medtail.heads.LinearHead`."""

    name: Literal["linear"]
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class CosineHeadSettings(Settings):
    """:class:`medtail.heads.CosineClassifier`."""

    name: Literal["cosine"]


class EmbeddingHeadSettings(Settings):
    """:class:`medtail.heads.EmbeddingHead`."""

    name: Literal["embedding"]
    embedding_size: int = Field(128, ge=1, le=65_536)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)


class TwoLayerHeadSettings(Settings):
    """:class:`medtail.heads.TwoLayerHead`."""

    name: Literal["two_layer"]
    embedding_size: int = Field(128, ge=1, le=65_536)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)


class RescaledHeadSettings(Settings):
    """:class:`medtail.heads.RescaledHead`, with the directions of the classifier of ``backbone.from_run``."""

    name: Literal["rescaled"]
