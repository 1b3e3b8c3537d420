"""What the page carries of a run is what the run saved, bit by bit."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtail.adaptation import RunPredictions
from medtail.errors import InputError
from medtail.runs.run import Run
from medtail.serving.explorer import contents, explorer_page
from medtail.serving.explorer.packing import packed
from references.runs import make_run

KINDS = {
    "Uint8Array": "<u1",
    "Uint16Array": "<u2",
    "Int32Array": "<i4",
    "Float32Array": "<f4",
    "Float64Array": "<f8",
}


def unpacked(array: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["base64"]), KINDS[array["kind"]]).reshape(array["shape"])


@pytest.mark.parametrize("values", [[0, 255], [0, 256], [0, 70_000], [0.5, 0.25], [0.1, 1e-300], []])
def test_the_smallest_kind_that_loses_nothing_is_taken(values: list[float]) -> None:
    array = np.array(values)
    np.testing.assert_array_equal(unpacked(packed(array)), array)


def test_every_condition_of_the_grid_has_its_probabilities_and_prior(conditional_run: Run) -> None:
    outputs = RunPredictions(conditional_run)
    carried = contents.run_contents(conditional_run)
    assert carried["conditions"][0] == outputs.condition and len(carried["conditions"]) > 2
    for place in (0, 1, len(carried["conditions"]) - 1):
        condition = carried["conditions"][place]
        assert carried["sources"][place] == outputs.score_prior(condition).tolist()
        for split in ("validation", "test"):
            saved = outputs.predictions(split, condition)  # type: ignore[arg-type]
            own = carried["splits"][split]
            np.testing.assert_array_equal(unpacked(own["probabilities"][place]), saved.probabilities.T)
            np.testing.assert_array_equal(unpacked(own["targets"]), saved.targets)
            assert own["ids"] == saved.ids.tolist()


def test_a_grid_that_is_too_large_is_thinned(conditional_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    images = sum(
        len(RunPredictions(conditional_run).predictions(split).ids) for split in ("validation", "test")
    )
    monkeypatch.setattr(contents, "MOST_PROBABILITIES", 3 * images * 3)
    assert len(contents.run_contents(conditional_run)["conditions"]) == 3


def test_names_cannot_end_the_script(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", class_names=("a</script><b>", "b", "c", "d"))
    page = explorer_page([run])
    assert "</script><b>" not in page
    text = page.partition('id="contents">')[2].partition("</script>")[0]
    assert json.loads(text)[0]["classNames"][0] == "a</script><b>"


def test_runs_without_one_decision_per_image_are_refused(label_run: Run) -> None:
    with pytest.raises(InputError, match="is multi-label"):
        explorer_page([label_run])
    with pytest.raises(InputError, match="must name at least one run"):
        explorer_page([])
