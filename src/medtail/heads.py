"""Heads: from a backbone's features to the outputs that a loss expects."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtail.errors import InputError
from medtail.modulation import FiLM

__all__ = [
    "DEFAULT_HEADS",
    "HEADS",
    "CosineClassifier",
    "EmbeddingHead",
    "FiLM",
    "Head",
    "LinearHead",
    "OutputKind",
    "RescaledHead",
    "TwoLayerHead",
]

#: What a head emits and a loss expects.
OutputKind = Literal["logits", "cosines"]


class Head(nn.Module, ABC):
    """Map features ``(N, D)`` to outputs ``(N, C)`` and say what these are, abstract.

    Attributes:
        emits: ``"logits"`` or ``"cosines"``.
        keeps_classifier: Whether it keeps the classifier of an earlier training, which it then needs.
    """

    emits: ClassVar[OutputKind]
    keeps_classifier: ClassVar[bool] = False

    if TYPE_CHECKING:
        # nn.Module's call is typed as Any, which strict type checkers of users refuse.
        def __call__(self, features: Tensor) -> Tensor:
            """Return the outputs, as :meth:`forward` does."""

    @abstractmethod
    def embed(self, features: Tensor) -> Tensor:
        """Return the input of the last layer ``(N, E)``."""

    @abstractmethod
    def classify(self, embeddings: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` of the last layer."""

    @property
    @abstractmethod
    def class_centres(self) -> Tensor:
        """The weights of the last layer ``(C, E)``, one direction per class."""

    @property
    def is_linear(self) -> bool:
        """Whether, in training too, the outputs are an affine function of the trained weights, for given features."""
        return False

    def forward(self, features: Tensor) -> Tensor:
        """Return the outputs ``(N, C)``, which autocast does not round: it keeps out of the head."""
        if not torch.is_autocast_enabled(features.device.type):
            return self.classify(self.embed(features))
        with torch.autocast(features.device.type, enabled=False):
            return self.classify(self.embed(features.to(self.class_centres.dtype)))

    def start_from(self, class_centres: Tensor) -> None:
        """Take over the weights of an earlier classifier ``(C, D)``; does nothing unless ``keeps_classifier``."""


@final
class LinearHead(Head):
    """The plain linear classifier, :math:`z = W f + b`.

    Args:
        in_features: D, the size of the backbone's features.
        num_classes: C.
        dropout: The share of features that are set to zero in training; 0 in most papers.

    Example:
        >>> LinearHead(512, 7)(torch.zeros(2, 512)).shape
        torch.Size([2, 7])
    """

    emits: ClassVar[OutputKind] = "logits"

    def __init__(self, in_features: int, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_features, num_classes)

    def embed(self, features: Tensor) -> Tensor:
        """Return the features after dropout ``(N, D)``."""
        embeddings: Tensor = self.dropout(features)
        return embeddings

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return logits ``(N, C)``."""
        logits: Tensor = self.linear(embeddings)
        return logits

    @property
    def class_centres(self) -> Tensor:
        """The weights ``(C, D)``."""
        return self.linear.weight

    @property
    def is_linear(self) -> bool:
        """Whether there is no dropout."""
        return self.dropout.p == 0


@final
class CosineClassifier(Head):
    r"""Cosines of the angles between features and class weights.

    .. math:: \cos\theta_{ic} = \frac{w_c^\top f_i}{\lVert w_c\rVert\,\lVert f_i\rVert}

    There is no bias, and no scale, since the loss has its own. The cosines are computed in float32 or better whatever
    the autocast dtype: near 1, bfloat16 is too coarse for an angular margin. A zero feature has cosine 0 with every
    class.

    Args:
        in_features: D.
        num_classes: C.

    Example:
        >>> cosines = CosineClassifier(64, 7)(torch.randn(2, 64))
        >>> bool((cosines.abs() <= 1 + 1e-6).all())
        True

    Source: DBM §3, LDAM-DRW (Cao et al., 2019), ArcFace (Deng et al., 2019).
    """

    emits: ClassVar[OutputKind] = "cosines"

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(num_classes, in_features)))

    def embed(self, features: Tensor) -> Tensor:
        """Return the unchanged features ``(N, D)``."""
        return features

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return cosines ``(N, C)`` in float32 or better."""
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
            return functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))

    @property
    def class_centres(self) -> Tensor:
        """The weights ``(C, D)``, not normalised."""
        return self.weight


class _EmbeddingThenClassifier(Head):
    """A small network before a plainer head, abstract."""

    embedding: nn.Sequential
    classifier: Head

    def embed(self, features: Tensor) -> Tensor:
        """Return the embedding ``(N, embedding_size)``."""
        embeddings: Tensor = self.embedding(features)
        return embeddings

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return the plainer head's outputs ``(N, C)``."""
        return self.classifier.classify(embeddings)

    @property
    def class_centres(self) -> Tensor:
        """The plainer head's weights ``(C, embedding_size)``."""
        return self.classifier.class_centres


@final
class EmbeddingHead(_EmbeddingThenClassifier):
    """DAL's head: dropout → Linear(D, 128) → BatchNorm → cosine classifier.

    Args:
        in_features: D.
        num_classes: C.
        embedding_size: 128 in DAL §4.
        dropout: 0.5 is our choice; the paper gives no rate.

    Batch normalisation refuses a training batch of a single image. In distributed training its statistics are those of
    the rank, unless the trainer converts it to ``SyncBatchNorm``.

    Example:
        >>> EmbeddingHead(512, 7).eval()(torch.zeros(2, 512)).shape
        torch.Size([2, 7])

    Source: DAL §4, "Network architecture".
    """

    emits: ClassVar[OutputKind] = "cosines"

    def __init__(
        self, in_features: int, num_classes: int, *, embedding_size: int = 128, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.embedding = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(in_features, embedding_size), nn.BatchNorm1d(embedding_size)
        )
        self.classifier = CosineClassifier(embedding_size, num_classes)


@final
class TwoLayerHead(_EmbeddingThenClassifier):
    """The head of DAL's baselines: dropout → Linear(D, 128) → ReLU → Linear(128, C).

    Args:
        in_features: D.
        num_classes: C.
        embedding_size: 128 in DAL §4.
        dropout: 0.5 is our choice; the paper gives no rate.

    Example:
        >>> TwoLayerHead(512, 7).eval()(torch.zeros(2, 512)).shape
        torch.Size([2, 7])

    Source: DAL §4, "Network architecture".
    """

    emits: ClassVar[OutputKind] = "logits"

    def __init__(
        self, in_features: int, num_classes: int, *, embedding_size: int = 128, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.embedding = nn.Sequential(nn.Dropout(dropout), nn.Linear(in_features, embedding_size), nn.ReLU())
        self.classifier = LinearHead(embedding_size, num_classes)


@final
class RescaledHead(Head):
    r"""The directions of an earlier classifier, each with a scale of its own: :math:`z_c = f_c\, W_c^\top x`.

    W stays as it is and only f is trained, which moves the boundaries between classes and nothing else: learnable
    weight scaling (LWS). With :math:`f_c = \lVert W_c\rVert^{-\tau}` it is the τ-normalised classifier. There is no
    bias, as in the paper.

    Args:
        in_features: D.
        num_classes: C.

    W starts at random, for a checkpoint to be loaded into; ``start_from`` takes it over from an earlier classifier.

    Example:
        >>> head = RescaledHead(2, 2)
        >>> head.start_from(torch.eye(2))
        >>> head(torch.tensor([[3.0, 4.0]])).tolist()
        [[3.0, 4.0]]

    Source: Kang et al., "Decoupling representation and classifier for long-tailed recognition", 2020, §4.3 and §4.4.
    """

    emits: ClassVar[OutputKind] = "logits"
    keeps_classifier: ClassVar[bool] = True
    weight: Tensor

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(num_classes, in_features))
        self.scale = nn.Parameter(torch.ones(num_classes))

    def embed(self, features: Tensor) -> Tensor:
        """Return the unchanged features ``(N, D)``."""
        return features

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return logits ``(N, C)``."""
        return functional.linear(embeddings, self.class_centres)

    @property
    def class_centres(self) -> Tensor:
        """The scaled weights ``(C, D)``."""
        return self.scale[:, None] * self.weight

    @property
    def is_linear(self) -> bool:
        """True: only the scales are trained."""
        return True

    def start_from(self, class_centres: Tensor) -> None:
        """Take the directions of an earlier classifier ``(C, D)``, with scale 1.

        Raises:
            InputError: It does not read the features of the backbone directly.
        """
        if class_centres.shape != self.weight.shape:
            raise InputError(
                f"an earlier classifier must have the shape {tuple(self.weight.shape)} (classes, features), got "
                f"{tuple(class_centres.shape)}; train the first stage with head.name=linear"
            )
        with torch.no_grad():
            self.weight.copy_(class_centres)
            self.scale.fill_(1.0)


#: Every head by the name that recipes use.
HEADS: dict[str, type[Head]] = {
    "linear": LinearHead,
    "cosine": CosineClassifier,
    "embedding": EmbeddingHead,
    "two_layer": TwoLayerHead,
    "rescaled": RescaledHead,
}

#: The plainest head for each kind of outputs.
DEFAULT_HEADS: dict[OutputKind, str] = {"logits": "linear", "cosines": "cosine"}
