"""Parity of the losses of BCL, GML and NCL with the authors' own functions, float64, value and gradient to 1e-10."""

import numpy as np
import pytest
import torch

from medtail.losses import (
    BalancedContrastiveLoss,
    BalancedSoftmaxLoss,
    DifficultyAwareMarginLoss,
    DistillationLoss,
    GaussianMixtureLoss,
    NestedCollaborativeLoss,
    PriorAdjustment,
)

SIZES = ("C2", "C7")


@pytest.fixture
def load(oracles):
    def read(file, size):
        arrays = np.load(oracles / f"{file}.npz")
        return {
            name.removeprefix(f"{size}_"): torch.from_numpy(np.asarray(arrays[name]))
            for name in arrays.files
            if name.startswith(size)
        }

    return read


def check(value, expected, *inputs_and_gradients):
    torch.testing.assert_close(value.detach(), expected, rtol=0, atol=1e-10)
    inputs = [pair[0] for pair in inputs_and_gradients]
    for gradient, (_, wanted) in zip(torch.autograd.grad(value, inputs), inputs_and_gradients, strict=True):
        torch.testing.assert_close(gradient.reshape(wanted.shape), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("temperature", [0.1, 0.07])
def test_balanced_contrast(load, size: str, temperature: float) -> None:
    values = load("bcl", size)
    features, prototypes = values["features"].requires_grad_(), values["centers"].requires_grad_()
    value = BalancedContrastiveLoss(temperature=temperature)(features, values["labels"], prototypes)
    tag = f"T{temperature}"
    check(
        value,
        values[f"{tag}_scl_loss"],
        (features, values[f"{tag}_gfeatures"]),
        (prototypes, values[f"{tag}_gcenters"]),
    )


@pytest.mark.parametrize("size", SIZES)
def test_sum_of_difficulty_aware_margin_and_balanced_contrast(load, size: str) -> None:
    values = load("bcl", size)
    cosines, counts = values["dbmbcl_cos"].requires_grad_(), values["counts"]
    classification = DifficultyAwareMarginLoss(counts, adjustment=PriorAdjustment(counts), variant="official")
    contrast = BalancedContrastiveLoss()(values["features"], values["labels"], values["centers"])
    value = 2.0 * classification(cosines, values["dbmbcl_labels"]) + 0.6 * contrast
    check(value, values["dbmbcl_loss"], (cosines, values["dbmbcl_gcos"]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("teacher", ["kd", "nokd"])
def test_gaussian_mixture_likelihood(load, size: str, teacher: str) -> None:
    values = load("gml", size)
    names = ("query", "key", "suplogits")
    queries, keys, cosines = (values[name].requires_grad_() for name in names)
    log_temperature = torch.tensor([0.1], dtype=torch.float64).log().requires_grad_()
    contrast = GaussianMixtureLoss(values["counts"])(
        queries,
        values["labels"],
        keys,
        values["klabels"],
        values["qidx"][:, None] == values["kidx"],
        log_temperature.exp(),
    )
    scores = 30 * cosines
    value = contrast + BalancedSoftmaxLoss(values["counts"])(scores, values["labels"])
    if teacher == "kd":
        value = value + DistillationLoss()(scores, 30 * values["tlogits"])
    gradients = ("gq", "gk", "gsup", "glogT")
    check(
        value,
        values[f"{teacher}_loss"],
        *(
            (tensor, values[f"{teacher}_{name}"])
            for tensor, name in zip((queries, keys, cosines, log_temperature), gradients, strict=True)
        ),
    )


@pytest.mark.parametrize("size", SIZES)
def test_nested_collaboration(load, size: str) -> None:
    values = load("ncl", size)
    logits, targets, counts = values["logits3"].requires_grad_(), values["labels"], values["counts"]
    classification = BalancedSoftmaxLoss(counts)
    scores = torch.stack([classification.training_scores(table, targets) for table in logits])
    loss = NestedCollaborativeLoss(counts, hard_categories=int(values["hcmN"]), variant="official")
    value = loss(scores, targets, logits[0]) + sum(classification(table, targets) for table in logits)
    check(value, values["loss"], (logits, values["grad3"]))
