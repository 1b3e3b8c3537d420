"""Which precision `auto` stands for: timed once for a machine and a network, then the same for all runs."""

import json
import logging
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from training.stripes import recipe, stripes

from medtail.recipes.schema import Recipe
from medtail.runs.run import Run
from medtail.training.fit import train
from medtail.training.optimization import precision as precisions
from medtail.training.optimization.precision import choose_precision, with_precision

FASTER_IN_BFLOAT16 = {"32-true": 1.0, "bf16-mixed": 0.5}
HARDLY_FASTER = {"32-true": 1.0, "bf16-mixed": 0.9}


class Clock:
    """Stands in for the timing of steps."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.asked = seconds, 0

    def __call__(self, recipe: Recipe) -> dict[str, float]:
        self.asked += 1
        return self.seconds


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decisions, on a CPU that computes in bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    capabilities = MappingProxyType({"avx512_bf16": True})
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "medtail" / "precision"


def timing(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> Clock:
    clock = Clock(seconds)
    monkeypatch.setattr(precisions, "seconds_of_steps", clock)
    return clock


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("seconds", "chosen"), [(FASTER_IN_BFLOAT16, "bf16-mixed"), (HARDLY_FASTER, "32-true")]
)
def test_bfloat16_has_to_be_clearly_faster(
    seconds: dict[str, float], chosen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    timing(monkeypatch, seconds)
    with caplog.at_level(logging.INFO, "medtail"):
        assert choose_precision(recipe("ce")) == chosen
    assert "1e+03 ms in float32" in caplog.text


@pytest.mark.usefixtures("cache")
def test_the_first_timing_decides_for_all_runs_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    first = timing(monkeypatch, FASTER_IN_BFLOAT16)
    assert choose_precision(recipe("ce")) == "bf16-mixed"
    second = timing(monkeypatch, HARDLY_FASTER)
    assert choose_precision(recipe("dal", "training.epochs=7")) == "bf16-mixed"
    assert choose_precision(recipe("ce", "backbone.name=resnet20")) == "32-true"
    assert (first.asked, second.asked) == (1, 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"seconds": {"32-true": 0, "bf16-mixed": 1}}'])
def test_a_damaged_timing_is_made_again(
    content: str, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = timing(monkeypatch, FASTER_IN_BFLOAT16)
    choose_precision(recipe("ce"))
    (path,) = cache.glob("*.json")
    path.write_text(content)
    assert choose_precision(recipe("ce")) == "bf16-mixed"
    assert clock.asked == 2
    assert json.loads(path.read_text())["seconds"] == FASTER_IN_BFLOAT16
    assert "is damaged" in caplog.text


def test_where_no_timing_can_be_kept_training_is_in_float32(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    timing(monkeypatch, FASTER_IN_BFLOAT16)
    cache.parent.parent.write_text("a file in place of the folder")
    assert choose_precision(recipe("ce")) == "32-true"
    assert "cannot be kept" in caplog.text


@pytest.mark.usefixtures("cache")
def test_nothing_is_timed_without_bfloat16_or_on_cached_features(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = timing(monkeypatch, FASTER_IN_BFLOAT16)
    assert choose_precision(recipe("ce", "backbone.cached_features=true")) == "32-true"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert choose_precision(recipe("ce")) == "32-true"
    assert clock.asked == 0


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("changes", [(), ("backbone.name=resnet18_3d",)])
def test_a_timing_leaves_the_random_state_alone(changes: tuple[str, ...]) -> None:
    state = torch.get_rng_state()
    seconds = precisions.seconds_of_steps(recipe("ce", *changes))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert all(0 < taken < 60 for taken in seconds.values())


@pytest.mark.usefixtures("cache")
def test_a_run_that_was_timed_is_the_run_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first run times, the second reads what it kept; what they train must not tell.
    monkeypatch.setattr(precisions, "_CLEARLY", 0.0)
    first, second = (
        train(stripes(), recipe("ce", "training.precision=auto"), Run(tmp_path / name)) for name in ("a", "b")
    )
    assert first == second


@pytest.mark.usefixtures("cache")
def test_a_run_goes_on_in_the_precision_it_was_begun_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timing(monkeypatch, FASTER_IN_BFLOAT16)
    auto = recipe("ce", "training.precision=auto")
    run = Run(tmp_path / "run")
    train(stripes(), recipe("ce", "training.precision=32-true"), run)
    assert with_precision(auto, run).training.precision == "32-true"
    assert with_precision(auto, Run(tmp_path / "new")).training.precision == "bf16-mixed"
