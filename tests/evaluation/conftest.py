"""Finished runs as training leaves them, without the training."""

from collections.abc import Callable

import pytest

from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.runs import make_predictions, make_run


@pytest.fixture(name="make_run", scope="session")
def _make_run() -> Callable[..., Run]:
    return make_run


@pytest.fixture(name="make_predictions", scope="session")
def _make_predictions() -> Callable[..., Predictions]:
    return make_predictions
