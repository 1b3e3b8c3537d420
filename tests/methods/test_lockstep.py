"""Ten optimizer steps of BCL, GML and NCL end where a naive second implementation ends."""

import pytest
import torch
from methods.branches import (
    COUNTS,
    balanced_contrastive,
    batch,
    gaussian_mixture,
    nested_collaborative,
    teacher,
)

from references import methods as naive


def bcl(kind):
    method = balanced_contrastive(kind)
    return method, naive.BalancedContrastive(method.state_dict(), kind, COUNTS)


def gml(kind):
    method = gaussian_mixture(kind)
    reference = naive.GaussianMixture(method.state_dict(), kind, COUNTS, teacher=teacher(), size=17)
    return method, reference


def ncl(kind):
    method = nested_collaborative(kind)
    settings = {"experts": 3, "hard": 2, "momentum_of_copies": 0.9}
    return method, naive.NestedCollaborative(method.state_dict(), kind, COUNTS, **settings)


def official_ncl(kind):
    method = nested_collaborative(kind, "official")
    settings = {"experts": 3, "hard": 2, "momentum_of_copies": 0.9, "official": True}
    return method, naive.NestedCollaborative(method.state_dict(), kind, COUNTS, **settings)


CASES = {
    "bcl": (bcl, "balanced_softmax"),
    "dbm_bcl": (bcl, "dbm_bs"),
    "gml": (gml, "balanced_cosines"),
    "dbm_gml": (gml, "dbm_bs"),
    "ncl": (ncl, "balanced_softmax"),
    "dbm_ncl": (ncl, "dbm_bs"),
    "ncl, official": (official_ncl, "balanced_softmax"),
}


@pytest.mark.parametrize("key", CASES)
def test_ten_steps_are_those_of_a_naive_implementation(key: str) -> None:
    torch.manual_seed(0)
    build, kind = CASES[key]
    method, reference = build(kind)
    method.train()
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.05, momentum=0.9, weight_decay=0.01)
    for step in range(10):
        drawn = batch(step)
        method.set_step(step)
        output = method(drawn)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        method.after_step()
        torch.testing.assert_close(output.loss.detach(), reference.step(drawn), rtol=1e-10, atol=1e-10)
    for name, value in method.state_dict().items():
        if name.endswith(("weight", "bias", "log_temperature")):
            expected = reference.weights[name].detach()
            torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
