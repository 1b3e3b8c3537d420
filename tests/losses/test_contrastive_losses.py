"""The losses of features at their limits: absent keys, one image, half precision, shared ranks."""

import pytest
import torch
from torch.nn.functional import normalize

from medtail.errors import InputError
from medtail.losses import (
    BalancedContrastiveLoss,
    BalancedSoftmaxLoss,
    DistillationLoss,
    GaussianMixtureLoss,
    MomentumContrastLoss,
    NestedCollaborativeLoss,
    SoftF1Loss,
)


def unit(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


def test_every_class_weighs_the_same_in_balanced_contrast() -> None:
    # Where class 0 lies in one place, an anchor of class 1 sees it alike, however many images it has.
    place, anchor, prototypes = unit(1, 1, 4), unit(1, 1, 4, seed=1), unit(2, 4, seed=2).requires_grad_()
    gradients = []
    for images in (1, 10):
        features = torch.cat([anchor, place.expand(images, 1, 4)])
        targets = torch.tensor([1] + [0] * images)
        with torch.no_grad():
            prototypes[0] = place[0, 0]
        value = (images + 1) * BalancedContrastiveLoss()(features, targets, prototypes)
        # The sum over anchors of class 0 grows with their number, and that of the one anchor does not.
        alone = images * _value_of_one(features, targets, prototypes)
        gradients.append((value - alone).item())
    assert gradients[0] == pytest.approx(gradients[1], abs=1e-12)


def _value_of_one(features: torch.Tensor, targets: torch.Tensor, prototypes: torch.Tensor) -> float:
    """The value of the last anchor, from the equation."""
    keys = torch.cat([features[:-1, 0], prototypes.detach()])
    classes = torch.cat([targets[:-1], torch.arange(2)])
    similarities = keys @ features[-1, 0] / 0.1
    denominator = sum(similarities[classes == label].exp().mean() for label in (0, 1)).log()
    return (denominator - similarities[classes == targets[-1]].mean()).item()


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2])
def test_balanced_contrast_of_few_images_is_finite(images: int, views: int) -> None:
    features = unit(images, views, 4).requires_grad_()
    value = BalancedContrastiveLoss()(features, torch.zeros(images, dtype=torch.long), unit(3, 4, seed=1))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(features.grad).all()


def test_balanced_contrast_refuses_features_without_views() -> None:
    with pytest.raises(InputError, match=r"torch\.stack\(views, dim=1\)"):
        BalancedContrastiveLoss()(unit(4, 8), torch.zeros(4, dtype=torch.long), unit(3, 8))


@pytest.mark.parametrize("hidden", ["a class", "its own keys", "everything"])
def test_classes_without_a_key_leave_the_mixture_finite(hidden: str) -> None:
    queries = unit(4, 8).requires_grad_()
    targets, key_classes = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 1, 1, 2])
    if hidden == "a class":
        key_classes = torch.tensor([0, 0, 1, 1, 1])
    is_same = torch.zeros(4, 5, dtype=torch.bool)
    if hidden == "its own keys":
        is_same[2, 4] = True
    if hidden == "everything":
        is_same[:] = True
    temperature = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    value = GaussianMixtureLoss([5, 3, 2])(
        queries, targets, unit(5, 8, seed=1), key_classes, is_same, temperature
    )
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(queries.grad).all() and torch.isfinite(temperature.grad)


def test_no_class_of_the_mixture_underflows_beside_another() -> None:
    queries, keys = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    temperature = torch.tensor(0.004)
    value = GaussianMixtureLoss([1, 1])(
        queries,
        torch.tensor([1]),
        keys,
        torch.tensor([0, 1]),
        torch.zeros(1, 2, dtype=torch.bool),
        temperature,
    )
    assert value.item() == pytest.approx(2 * 2 / 0.004, rel=1e-5)


def test_neither_part_of_the_mixture_teaches_the_other() -> None:
    queries, temperature = (
        unit(3, 8).requires_grad_(),
        torch.tensor(0.2, dtype=torch.float64).requires_grad_(),
    )
    targets, keys = torch.tensor([0, 1, 0]), unit(4, 8, seed=1)
    classes, is_same = torch.tensor([0, 1, 0, 1]), torch.zeros(3, 4, dtype=torch.bool)
    is_same[0, 0] = True
    GaussianMixtureLoss([3, 1])(queries, targets, keys, classes, is_same, temperature).backward()
    with_all_keys, by_itself = queries.grad.clone(), temperature.grad.clone()
    queries.grad = temperature.grad = None
    GaussianMixtureLoss([3, 1])(
        queries, targets, keys, classes, torch.zeros_like(is_same), temperature
    ).backward()
    # Hiding an image's own key changes what the temperature learns, and nothing else.
    torch.testing.assert_close(queries.grad, with_all_keys, rtol=0, atol=1e-12)
    assert not torch.allclose(temperature.grad, by_itself)


def test_half_precision_is_computed_in_float32() -> None:
    features, prototypes = unit(4, 2, 8, dtype=torch.float32), unit(3, 8, seed=1, dtype=torch.float32)
    targets = torch.tensor([0, 1, 2, 0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = BalancedContrastiveLoss()(features, targets, prototypes)
        contrast = MomentumContrastLoss()(features[:, 0], features[:, 1], prototypes)
        distilled = DistillationLoss()(prototypes, -prototypes)
    assert value.dtype == contrast.dtype == distilled.dtype == torch.float32
    torch.testing.assert_close(value, BalancedContrastiveLoss()(features, targets, prototypes))


def test_no_gradient_flows_into_keys_and_teachers() -> None:
    keys, teacher = unit(3, 4).requires_grad_(), unit(3, 4).requires_grad_()
    queries = unit(3, 4, seed=1).requires_grad_()
    (MomentumContrastLoss()(queries, keys, unit(5, 4)) + DistillationLoss()(queries, teacher)).backward()
    assert keys.grad is None and teacher.grad is None and queries.grad is not None


def test_all_categories_are_hard_where_there_are_few() -> None:
    scores, targets = torch.randn(3, 5, 4, dtype=torch.float64), torch.arange(5) % 4
    loss = NestedCollaborativeLoss(hard_categories=30, distillation=0)
    expected = sum(torch.nn.functional.cross_entropy(table, targets) for table in scores)
    torch.testing.assert_close(loss(scores, targets, scores[0]), expected)


def test_one_expert_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 experts"):
        NestedCollaborativeLoss()(torch.zeros(1, 2, 3), torch.tensor([0, 1]), torch.zeros(2, 3))


def test_experts_need_a_loss_of_one_score_per_class() -> None:
    with pytest.raises(InputError, match="SoftF1Loss is not"):
        SoftF1Loss().training_scores(torch.zeros(2, 3), torch.tensor([0, 1]))
    scores = BalancedSoftmaxLoss([3, 1]).training_scores(torch.zeros(1, 2), torch.tensor([0]))
    torch.testing.assert_close(scores.exp(), torch.tensor([[0.75, 0.25]]))
