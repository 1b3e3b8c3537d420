"""Post-hoc logit adjustment is the shift to a uniform prior."""

from pathlib import Path

import numpy as np

from medtail.adaptation import FewestMistakes, Request, RunPredictions, choose
from medtail.cli.adapt_options import parse_prior
from references.runs import make_run


def test_a_uniform_prior_subtracts_the_log_prior_of_training(tmp_path: Path) -> None:
    counts = np.array([60, 90, 12, 700])
    outputs = RunPredictions(
        make_run(
            tmp_path / "run",
            method="ce",
            train=counts.tolist(),
            settings={"head": {"name": "linear", "dropout": 0.0}},
        )
    )
    point = choose(outputs, Request(FewestMistakes(), prior=parse_prior("uniform", outputs.class_names)))
    test = outputs.predictions("test")
    adjusted = np.log(test.probabilities) - np.log(counts / counts.sum())
    shifted = point.applied_to(test)
    np.testing.assert_allclose(
        shifted.probabilities, np.exp(adjusted) / np.exp(adjusted).sum(axis=1, keepdims=True), rtol=1e-9
    )
    assert (shifted.probabilities.argmax(axis=1) == adjusted.argmax(axis=1)).all()
    assert (shifted.probabilities.argmax(axis=1) != test.probabilities.argmax(axis=1)).any()
