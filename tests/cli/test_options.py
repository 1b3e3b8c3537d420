"""What ``--set`` takes."""

from pathlib import Path

import pytest

from medtail.cli.options import parse_assignments
from medtail.errors import InputError


def test_numbers_in_scientific_notation_are_numbers() -> None:
    assert parse_assignments(["optimizer.learning_rate=1e-4"]) == {"optimizer": {"learning_rate": 1e-4}}


@pytest.mark.parametrize("assignment", ["epochs", "=3", "training.=3", ".epochs=3"])
def test_an_assignment_needs_key_and_value(assignment: str) -> None:
    with pytest.raises(InputError, match=r"--set takes section\.key=value, got"):
        parse_assignments([assignment])


def test_an_assignment_below_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="training was set to a value before"):
        parse_assignments(["training=3", "training.epochs=4"])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("inspect", ""), "what follows inspect"),
        (("predict", "run", ""), "what follows run"),
        (("train", "digits-lt", "--method", "ce", "--out="), "--out"),
        (("",), "the first argument"),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(
    refuses, arguments: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refuses(*arguments).startswith(f"error: {what} must not be empty; give a value, or leave it out")
    assert not list(tmp_path.iterdir())
