"""Heads: shapes, what they emit, and cosines that stay cosines."""

import numpy as np
import pytest
import torch

from medtail.heads import DEFAULT_HEADS, HEADS, CosineClassifier, EmbeddingHead, LinearHead


@pytest.mark.parametrize("name", HEADS)
def test_every_head_maps_features_to_one_output_a_class_and_trains_every_parameter(name: str) -> None:
    head = HEADS[name](16, 5)
    outputs = head(torch.randn(6, 16))
    outputs.square().sum().backward()
    assert outputs.shape == (6, 5)
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if head.emits == "cosines"])
def test_cosine_heads_emit_cosines_in_float32_under_autocast(name: str) -> None:
    head = HEADS[name](16, 5)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(100 * torch.randn(32, 16))
    assert outputs.dtype == torch.float32
    assert outputs.abs().max() <= 1 + 1e-6


def test_cosines_equal_the_definition() -> None:
    head = CosineClassifier(8, 3).double()
    features = torch.randn(4, 8, dtype=torch.float64)
    weight = head.weight.detach().numpy()
    for row, feature in enumerate(features.numpy()):
        for column in range(3):
            expected = weight[column] @ feature / np.linalg.norm(weight[column]) / np.linalg.norm(feature)
            assert head(features)[row, column].item() == pytest.approx(expected, abs=1e-12)


def test_a_zero_feature_has_cosine_zero_and_a_finite_gradient() -> None:
    head = CosineClassifier(8, 3)
    features = torch.zeros(2, 8, requires_grad=True)
    outputs = head(features)
    outputs.sum().backward()
    assert torch.equal(outputs, torch.zeros(2, 3))
    assert features.grad is not None and features.grad.isfinite().all()


def test_the_embedding_head_is_the_one_of_the_dal_paper() -> None:
    head = EmbeddingHead(512, 7)
    assert head.classifier.weight.shape == (7, 128)
    assert [type(layer).__name__ for layer in head.embedding] == ["Dropout", "Linear", "BatchNorm1d"]


def test_default_heads_emit_what_they_are_the_default_for() -> None:
    assert {emits: HEADS[name].emits for emits, name in DEFAULT_HEADS.items()} == {
        "logits": "logits",
        "cosines": "cosines",
    }
    assert HEADS[DEFAULT_HEADS["logits"]] is LinearHead


@pytest.mark.parametrize("name", HEADS)
def test_outputs_are_those_of_the_last_layer(name: str) -> None:
    head = HEADS[name](16, 5).eval()
    features = torch.randn(6, 16)
    embeddings = head.embed(features)
    assert torch.equal(head.classify(embeddings), head(features))
    assert head.class_centres.shape == (5, embeddings.shape[1])
