"""Modulations: FiLM against the authors' block, and how it starts."""

import numpy as np
import pytest
import torch

from medtail.errors import InputError
from medtail.modulation import FiLM, NoModulation


def film_of_the_oracle(arrays) -> FiLM:
    """The sibling code's block with its parameters; its scale is the network's plain output, ours adds 1."""
    film = FiLM(5, 2, hidden=4).double()
    for ours, theirs in [(film.scale, "sigma"), (film.shift, "mu")]:
        state = {
            f"{index}.{kind}": torch.from_numpy(arrays[f"film_linear_{theirs}_linear{layer}.{kind}"])
            for index, layer in [(0, 1), (2, 2)]
            for kind in ("weight", "bias")
        }
        ours.load_state_dict(state)
    with torch.no_grad():
        film.scale[2].bias -= 1
    return film


def test_film_is_the_authors_block(oracles) -> None:
    with np.load(oracles / "lct.npz") as arrays:
        film = film_of_the_oracle(arrays)
        names = ("feat", "lambda", "out", "v", "gfeat", "glambda")
        features, condition, *expected = (torch.from_numpy(arrays[f"film_linear_{name}"]) for name in names)
    features.requires_grad_()
    condition.requires_grad_()
    modulated = film(features, condition)
    modulated.backward(expected[1])
    for own, theirs in zip(
        (modulated, features.grad, condition.grad), (expected[0], *expected[2:]), strict=True
    ):
        torch.testing.assert_close(own, theirs, rtol=1e-10, atol=1e-10)


def test_film_has_the_documented_number_of_parameters(oracles) -> None:
    with np.load(oracles / "lct.npz") as arrays:
        with_biases, _ = arrays["film_params_ref(n_lambda=2,C=64,hidden=128,bias)"]
    assert sum(parameter.numel() for parameter in FiLM(64, 2).parameters()) == with_biases == 17_280


def test_one_condition_for_all_is_one_for_each() -> None:
    film = FiLM(8, 2, initialization="plain")
    features, condition = torch.randn(6, 8), torch.tensor([0.2, 2.0])
    torch.testing.assert_close(film(features, condition), film(features, condition.expand(6, 2)))


def test_film_begins_as_identity_or_as_the_network_itself() -> None:
    features, condition = torch.randn(6, 64), torch.tensor([0.3, 3.0])
    assert torch.equal(FiLM(64, 2)(features, condition), features)
    torch.manual_seed(0)
    film = FiLM(64, 2, initialization="plain")
    scale = 1 + film.scale(condition)
    assert scale.abs().mean() < 0.5  # around 0, as PyTorch leaves a linear layer
    assert film.shift(condition).abs().sum() > 0


def test_film_stays_in_float32_under_autocast() -> None:
    film = FiLM(8, 2, initialization="plain")
    features, condition = torch.randn(6, 8), torch.tensor([0.1003, 2.003])
    with torch.autocast("cpu", torch.bfloat16):
        modulated = film(features.bfloat16(), condition)
    assert modulated.dtype == torch.float32
    torch.testing.assert_close(modulated, film(features.bfloat16().float(), condition))


def test_no_modulation_changes_nothing() -> None:
    features = torch.randn(3, 8)
    assert NoModulation()(features, torch.tensor([5.0])) is features


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": 0}, "hidden must be a whole number of at least 1, got 0"),
        (
            {"initialization": "identiy"},
            "initialization must be one of identity, plain.*did you mean identity",
        ),
    ],
)
def test_film_refuses_wrong_settings(arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FiLM(64, 2, **arguments)
