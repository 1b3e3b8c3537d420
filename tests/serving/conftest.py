"""Runs that are exported and served, each trained once."""

from pathlib import Path

import pytest
from serving.runs_to_serve import trained, write_stripes

from medtail.operating_point import (
    ClassConditionalSets,
    ClassThreshold,
    OperatingPoint,
    PriorShift,
    TemperatureScaling,
)
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run


@pytest.fixture(scope="session")
def stripes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("data") / "stripes.npz")


@pytest.fixture(scope="session")
def single_run(stripes_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """With an operating point of every kind of step but one, and sets."""
    run = trained(tmp_path_factory.mktemp("runs") / "single", stripes_file, "dal")
    point = OperatingPoint(
        class_names=tuple(DatasetFacts.load(run).class_names),
        steps=(TemperatureScaling(1.5), PriorShift([0.7, 0.2, 0.1], [0.2, 0.3, 0.5])),
        decision=ClassThreshold(2, 0.4),
        set_rule=ClassConditionalSets([0.3, 0.2, 0.4], 0.9),
    )
    point.write(run.operating_point)
    return run


@pytest.fixture(scope="session")
def other_run(stripes_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / "other", stripes_file, "ce", "training.seed=1")


@pytest.fixture(scope="session")
def label_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = write_stripes(tmp_path_factory.mktemp("data") / "labels.npz", multi_label=True)
    return trained(tmp_path_factory.mktemp("runs") / "labels", data, "asl")


@pytest.fixture(scope="session")
def conditional_run(stripes_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / "conditional", stripes_file, "dal_lct")
