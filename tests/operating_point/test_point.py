"""``operating_point.json``: what is written is read back, and what is wrong is named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtail.errors import InputError
from medtail.operating_point import (
    ClassConditionalSets,
    ClassThreshold,
    ClassWeights,
    Decision,
    MinimumCost,
    MostProbable,
    OperatingPoint,
    PriorShift,
    TemperatureScaling,
    VectorScaling,
)

NAMES = ("nv", "mel", "bcc")


def a_point(decision: Decision | None = None) -> OperatingPoint:
    return OperatingPoint(
        class_names=NAMES,
        decision=decision or ClassThreshold(1, 1 / 7),
        steps=(
            PriorShift(np.ones(3) / 3, [0.7, 0.2, 0.1]),
            TemperatureScaling(1.7),
            VectorScaling([1.1, 0.9, 1 / 3], [0.0, -0.25, 0.5]),
        ),
        set_rule=ClassConditionalSets([0.3, 0.01, 0.0], 0.9),
        condition={"gamma": 0.1, "tau": 2.0},
        run="run",
        goal={"decide": "recall", "prior": None},
        validation={"n": 3},
        notes=("One.", "Two."),
    )


DECISIONS = [
    MostProbable(),
    MinimumCost(np.arange(9.0).reshape(3, 3)),
    ClassThreshold(2, 0.1),
    ClassWeights([1, 2, 0.3]),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: type(decision).__name__)
def test_what_is_written_is_read_back(tmp_path: Path, decision: Decision) -> None:
    point = a_point(decision)
    point.write(tmp_path / "point.json")
    read = OperatingPoint.read(tmp_path / "point.json", NAMES)
    assert read.plain() == point.plain()
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    np.testing.assert_array_equal(read.apply(probabilities), point.apply(probabilities))
    np.testing.assert_array_equal(read.decide(probabilities), point.decide(probabilities))
    np.testing.assert_array_equal(read.sets(probabilities), point.sets(probabilities))


def test_the_file_has_the_documented_keys_and_class_names_for_ids(tmp_path: Path) -> None:
    a_point(MinimumCost([[0, 1, 1], [20, 0, 5], [3, 1, 0]])).write(tmp_path / "point.json")
    content = json.loads((tmp_path / "point.json").read_text())
    assert list(content) == [
        "format", "medtail", "run", "goal", "chosen_on", "class_names", "condition", "steps", "decision", "sets",
        "validation", "notes",
    ]  # fmt: skip
    assert content["steps"][0]["target"] == {"nv": 0.7, "mel": 0.2, "bcc": 0.1}
    assert content["decision"]["costs"]["mel"] == {"nv": 20, "mel": 0, "bcc": 5}


def test_steps_come_in_order_then_the_decision_then_the_sets() -> None:
    point = a_point()
    probabilities = np.array([[0.2, 0.3, 0.5]])
    expected = probabilities
    for step in point.steps:
        expected = step.apply(expected)
    np.testing.assert_array_equal(point.apply(probabilities), expected)
    np.testing.assert_array_equal(point.decide(probabilities), ClassThreshold(1, 1 / 7).decide(expected))
    np.testing.assert_array_equal(point.sets(probabilities), expected >= [0.3, 0.01, 0.0])
    inside = point.sets(probabilities)[0]
    assert point.set_names(probabilities) == ["|".join(np.array(NAMES)[inside])]


def test_sets_need_a_coverage() -> None:
    with pytest.raises(InputError, match=r"has no sets; choose it again with `adapt\(\)` and `coverage=0.9`"):
        OperatingPoint(class_names=NAMES, decision=MostProbable()).sets(np.ones((1, 3)) / 3)


def test_other_numbers_of_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"a column for each of nv, mel, bcc, got shape \(1, 2\)"):
        a_point().apply(np.ones((1, 2)) / 2)


def drop(*keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key] if isinstance(content, dict) else content[int(key)]
        del content[keys[-1]]

    return change


def put(value: object, *keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key] if isinstance(content, dict) else content[int(key)]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put(2, "format"), "must have format 1, got 2"),
        (drop("format"), "is missing 'format'"),
        (put(["nv", "mel", "akiec"], "class_names"), "for the classes of the run in its order .* got nv, mel, akiec"),
        (put(["mel", "nv", "bcc"], "class_names"), "in its order"),
        (drop("decision"), "is missing 'decision'"),
        (drop("decision", "threshold"), r"decision is missing 'threshold'"),
        (put("median", "decision", "name"), "decision.name must be one of most_probable, .* got 'median'"),
        (put("zebra", "decision", "class"), "decision.class must be one of nv, mel, bcc, got 'zebra'"),
        (put(float("nan"), "decision", "threshold"), "decision.threshold must be a finite number, got nan"),
        (put(True, "decision", "threshold"), "decision.threshold must be a finite number, got True"),
        (drop("steps", "0", "source", "mel"), r"steps\[0\].source must have a value for each of nv, mel, bcc"),
        (put(0.9, "steps", "0", "source", "mel"), r"steps\[0\]: source must sum to 1"),
        (put(float("inf"), "steps", "2", "offsets", "nv"), r"steps\[2\].offsets.nv must be a finite number, got inf"),
        (put("vast", "steps", "1", "temperature"), r"steps\[1\].temperature must be a finite number, got 'vast'"),
        (put({}, "steps"), "steps must be a list"),
        (put(2.0, "sets", "coverage"), "sets: a promised share must lie between 0 and 1, got 2"),
        (put({"gamma": "high"}, "condition"), "condition.gamma must be a finite number, got 'high'"),
        (put("none", "notes"), "notes must be a list of strings"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_the_place(
    tmp_path: Path, change: Callable[[dict], None], sentence: str
) -> None:
    path = tmp_path / "point.json"
    content = a_point().plain()
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence) as caught:
        OperatingPoint.read(path, NAMES)
    assert str(path) in str(caught.value)


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist; choose an operating point with `adapt\(\)`"):
        OperatingPoint.read(tmp_path / "point.json", NAMES)
    (tmp_path / "point.json").write_text("{")
    with pytest.raises(InputError, match="is not readable JSON"):
        OperatingPoint.read(tmp_path / "point.json", NAMES)
    (tmp_path / "point.json").write_text("[]")
    with pytest.raises(InputError, match="is missing 'format'"):
        OperatingPoint.read(tmp_path / "point.json", NAMES)
