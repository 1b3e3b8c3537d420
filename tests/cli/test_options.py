"""What ``--set`` takes."""

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
