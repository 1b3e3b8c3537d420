"""When a validation split is no good judge, the pages say so."""

from pathlib import Path

import pytest

from medtail.evaluation import tune
from medtail.evaluation.summaries.validation_doubts import validation_doubts
from medtail.evaluation.tuning.page import tuning_page
from medtail.runs.facts import DatasetFacts
from references.facts import make_facts
from references.grids import smooth, write_conditional


def _facts(validation: list[int], test: list[int], names: tuple[str, ...] = ("a", "b")) -> DatasetFacts:
    return make_facts(names, [90, 9, 30][: len(names)], validation, test)


def test_a_split_like_test_raises_no_doubt() -> None:
    assert validation_doubts(_facts([400, 40], [800, 80])) == []
    assert validation_doubts(_facts([90, 40, 30], [200, 80, 60], ("a", "b", "c"))) == []


def test_only_the_positive_class_counts_of_two() -> None:
    few, share = validation_doubts(_facts([400, 4], [400, 400]))
    assert few.startswith("validation holds 4 images of b")
    assert share.startswith("b is 1.0 % of the validation and 50.0 % of the test images")
    assert validation_doubts(_facts([4, 400], [4, 400])) == []


@pytest.mark.parametrize("validation", [[90, 40, 0], [90, 40, 5]])
def test_of_several_classes_the_worst_is_named(validation: list[int]) -> None:
    few, share = validation_doubts(_facts(validation, [90, 40, 40], ("a", "b", "c")))
    assert f"holds {validation[2]} images of c" in few
    assert share.startswith("c is ")


def test_what_test_cannot_judge_is_not_doubted() -> None:
    assert validation_doubts(_facts([90, 0], [90, 0])) == []


def test_tables_and_pages_say_so(tmp_path: Path) -> None:
    classes = {"class_names": ("benign", "melanoma"), "train": (900, 9), "test": (60, 30)}
    tuning = tune([write_conditional(tmp_path, smooth, classes=classes, seeds=1)])
    assert tuning.doubts == [
        "validation holds 15 images of melanoma: what is chosen by so few is partly luck"
    ]
    assert "Note: validation holds 15 images" in tuning.to_markdown()
    assert "Note: validation holds 15 images" in tuning_page(tuning)
    assert tuning.to_dict()["doubts"] == tuning.doubts
