"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import medtail.losses

MODULES = ["medtail.distributed"] + [
    module.name for module in pkgutil.iter_modules(medtail.losses.__path__, "medtail.losses.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_every_loss_has_an_example():
    for name in ("margin_losses", "prior_losses", "weighted_losses", "sigmoid_losses", "metric_losses"):
        module = importlib.import_module(f"medtail.losses.{name}")
        for key, member in vars(module).items():
            if key.endswith("Loss") and member.__module__ == module.__name__ and hasattr(member, "__final__"):
                assert ">>>" in member.__doc__, key
