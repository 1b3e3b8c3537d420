"""Losses that compare the features of images with each other, with prototypes of the classes, or with a queue of keys.

They take features rather than outputs, so that they are no entries of :data:`medtail.losses.LOSSES`; the methods that
use them are :class:`medtail.methods.BalancedContrastive`, :class:`medtail.methods.GaussianMixtureLikelihood` and
:class:`medtail.methods.NestedCollaborative`. All compute in float32 or better whatever the autocast dtype. The mean
over ranks of a value, and of its gradients, is that of one process with the joined batch.
"""

from typing import final

import torch
from torch import Tensor, nn

from medtail import checks, tensor_checks
from medtail.distributed import gather_over_ranks, rank_number
from medtail.errors import InputError
from medtail.losses.parts.reductions import mean_over_batch
from medtail.tensor_checks import ClassCounts


def _precise(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@final
class BalancedContrastiveLoss(nn.Module):
    r"""Supervised contrast in which every class weighs the same, however many of its images are in the batch.

    .. math:: -\frac{1}{|P_i|} \sum_{p \in P_i} \log
              \frac{e^{s_{ip}/T}}{\sum_c \frac{1}{|B_c \setminus \{i\}|} \sum_{k \in B_c \setminus \{i\}} e^{s_{ik}/T}}

    The keys are all views of the batch and one prototype per class; B_c are those of class c. Every view i is an
    anchor, P_i are the other keys of its class, and s are inner products. The value is the mean over anchors. Each
    class has its prototype in the batch, so that no class is ever absent.

    Args:
        temperature: T; 0.1 on CIFAR and 0.07 on ImageNet-LT.

    Raises:
        InputError: The temperature is not positive.

    Distributed: anchors are those of the rank, keys those of all ranks.

    Example:
        >>> features = torch.nn.functional.normalize(torch.ones(2, 2, 4), dim=2)
        >>> prototypes = torch.eye(3, 4)
        >>> round(BalancedContrastiveLoss()(features, torch.tensor([0, 1]), prototypes).item(), 3)
        2.665

    Source: Zhu et al., "Balanced Contrastive Learning for Long-Tailed Visual Recognition", 2022, eqs. 5–8.
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = checks.positive("temperature", temperature)

    def forward(self, features: Tensor, targets: Tensor, prototypes: Tensor) -> Tensor:
        """Return the loss ``()``.

        Args:
            features: ``(N, V, D)``, unit vectors of V views of each image.
            targets: Class ids ``(N,)``.
            prototypes: ``(C, D)``, a unit vector per class.

        Raises:
            InputError: The shapes do not match.
        """
        if features.ndim != 3 or prototypes.ndim != 2 or features.shape[2] != prototypes.shape[1]:
            raise InputError(
                f"features must have shape (N, views, D) and prototypes (C, D), got {tuple(features.shape)} and "
                f"{tuple(prototypes.shape)}; stack the views with torch.stack(views, dim=1)"
            )
        with torch.autocast(features.device.type, enabled=False):
            features, prototypes = _precise(features), _precise(prototypes)
            return self._compute(features, targets, prototypes)

    def _compute(self, features: Tensor, targets: Tensor, prototypes: Tensor) -> Tensor:
        own, own_classes = features.flatten(0, 1), targets.repeat_interleave(features.shape[1])
        views, view_classes = gather_over_ranks(own), gather_over_ranks(own_classes)
        # Each anchor's own place among the keys, wherever its rank lies in the joined batch.
        numbers = torch.arange(len(own), device=own.device)
        places = numbers + _offset_of_rank(own_classes)
        keys = torch.cat([views, prototypes])
        classes = torch.arange(len(prototypes), device=own.device)
        key_classes = torch.cat([view_classes, classes])

        is_itself = torch.zeros(len(own), len(keys), dtype=torch.bool, device=own.device)
        is_itself = is_itself.scatter(1, places[:, None], True)
        is_positive = (own_classes[:, None] == key_classes) & ~is_itself
        sizes = own.new_zeros(len(prototypes)).scatter_add(0, key_classes, torch.ones_like(keys[:, 0]))
        # A class has one key fewer for its own anchors.
        weights = sizes[key_classes] - is_positive.to(sizes)

        similarities = own @ keys.T / self.temperature
        denominators = (similarities - weights.log()).masked_fill(is_itself, -torch.inf).logsumexp(1)
        positives = (similarities * is_positive).sum(1) / is_positive.sum(1)
        return mean_over_batch(denominators - positives)


def _offset_of_rank(values: Tensor) -> Tensor:
    """Return how many rows the ranks before this one hold, without waiting for the device."""
    rank = rank_number()
    sizes = gather_over_ranks(torch.full((1,), len(values), device=values.device))
    return sizes[:rank].sum()


def class_log_means(similarities: Tensor, key_classes: Tensor, num_classes: int, counted: Tensor) -> Tensor:
    r"""Return :math:`\log \frac{1}{|K_c|} \sum_{k \in K_c} e^{s_{nk}}` for each class ``(N, C)``.

    Args:
        similarities: s ``(N, K)``.
        key_classes: The class id of each key ``(K,)``.
        num_classes: C.
        counted: A mask ``(N, K)`` of the keys that count.

    The value is -∞ where no key of a class counts, and its gradient is 0 there.
    """
    membership = similarities.new_zeros(len(key_classes), num_classes).scatter(1, key_classes[:, None], 1.0)
    # Of each class, so that no class underflows beside another.
    lowest = torch.finfo(similarities.dtype).min
    hidden = similarities.detach().masked_fill(~counted, lowest)
    greatest = hidden.new_full((len(hidden), num_classes), lowest).scatter_reduce(
        1, key_classes.expand_as(hidden), hidden, "amax"
    )
    sizes = counted.to(similarities) @ membership
    is_present = sizes > 0
    greatest = torch.where(is_present, greatest, 0.0)
    powers = torch.where(counted, similarities - greatest[:, key_classes], -torch.inf).exp()
    means = torch.where(is_present, powers @ membership, 1.0) / sizes.clamp_min(1)
    return torch.where(is_present, means.log() + greatest, -torch.inf)


@final
class GaussianMixtureLoss(nn.Module):
    r"""The likelihood of the classes under mixtures of kernels about keys, once per detached part.

    .. math:: S_c = \log \frac{1}{|K_c|} \sum_{k \in K_c} e^{q \cdot k / T},\qquad
              L = -\log \text{softmax}(S + \log\pi)_y

    The loss is the sum of two such terms: in one the similarities learn at a fixed temperature, and in the other the
    temperature learns at fixed similarities. Only in the latter, the keys of an image are hidden from its own query,
    because a temperature could fit them at will.

    Args:
        class_counts: ``(C,)``, training counts in class-id order.

    Raises:
        InputError: A count is not positive.

    An image of a class without a key contributes 0, and a class without a key is left out of the denominator.

    Distributed: the queries are those of the rank, the keys must be the same on every rank.

    Example:
        >>> loss = GaussianMixtureLoss([75, 25])
        >>> queries, keys = torch.eye(2), torch.eye(2)
        >>> is_same = torch.zeros(2, 2, dtype=torch.bool)
        >>> value = loss(queries, torch.tensor([0, 1]), keys, torch.tensor([0, 1]), is_same, torch.tensor(0.1))
        >>> round(value.item(), 4)
        0.0002

    Source: Suh and Seo, "Long-Tailed Recognition by Mutual Information Maximization between Latent Features and
    Ground-Truth Labels", 2023, with the terms as the released code separates them.
    """

    log_prior: Tensor

    def __init__(self, class_counts: ClassCounts) -> None:
        super().__init__()
        counts = tensor_checks.class_counts(class_counts)
        self.register_buffer("log_prior", (counts / counts.sum()).log(), persistent=False)

    def forward(
        self,
        queries: Tensor,
        targets: Tensor,
        keys: Tensor,
        key_classes: Tensor,
        is_same_image: Tensor,
        temperature: Tensor,
    ) -> Tensor:
        """Return the loss ``()``.

        Args:
            queries: ``(N, D)``, a unit vector per image.
            targets: Class ids ``(N,)``.
            keys: ``(K, D)``, unit vectors.
            key_classes: Their class ids ``(K,)``.
            is_same_image: A mask ``(N, K)``, true where query and key are of the same image.
            temperature: T ``()``, positive.
        """
        with torch.autocast(queries.device.type, enabled=False):
            similarities = _precise(queries) @ _precise(keys).T
            everything = torch.ones_like(is_same_image)
            of_features = self._likelihood(
                similarities / temperature.detach(), targets, key_classes, everything
            )
            of_temperature = self._likelihood(
                similarities.detach() / temperature, targets, key_classes, ~is_same_image
            )
            return of_features + of_temperature

    def _likelihood(self, scaled: Tensor, targets: Tensor, key_classes: Tensor, counted: Tensor) -> Tensor:
        scores = class_log_means(scaled, key_classes, len(self.log_prior), counted) + self.log_prior.to(
            scaled
        )
        own = scores.gather(1, targets[:, None])
        # Cross-entropy with an infinite target would be infinite, and the gradient of ∞ - ∞ is NaN.
        has_key = own.isfinite()
        losses = scores.masked_fill(~has_key, 0.0).log_softmax(1).gather(1, targets[:, None])
        return mean_over_batch(torch.where(has_key, -losses, 0.0).squeeze(1))


@final
class MomentumContrastLoss(nn.Module):
    r"""Tell the other view of an image from a queue of other images.

    .. math:: -\log \frac{e^{q \cdot k^+ / T}}{e^{q \cdot k^+ / T} + \sum_{k^-} e^{q \cdot k^- / T}}

    Args:
        temperature: T; 0.2 in NCL.

    Raises:
        InputError: The temperature is not positive.

    Distributed: queries and keys are those of the rank, the queue must be the same on every rank.

    Example:
        >>> queries = torch.eye(2)
        >>> round(MomentumContrastLoss()(queries, queries, -queries).item(), 4)
        0.0068

    Source: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", 2020, eq. 1.
    """

    def __init__(self, *, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = checks.positive("temperature", temperature)

    def forward(self, queries: Tensor, keys: Tensor, queue: Tensor) -> Tensor:
        """Return the loss ``()``.

        Args:
            queries: ``(N, D)``, a unit vector per image.
            keys: ``(N, D)``, of the other view of each; no gradient flows into them.
            queue: ``(K, D)``, keys of earlier images.
        """
        with torch.autocast(queries.device.type, enabled=False):
            queries, keys, queue = _precise(queries), _precise(keys.detach()), _precise(queue)
            positives = (queries * keys).sum(1, keepdim=True)
            scores = torch.cat([positives, queries @ queue.T], dim=1) / self.temperature
            return mean_over_batch(-scores.log_softmax(1)[:, 0])
