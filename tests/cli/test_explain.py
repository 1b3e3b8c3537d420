"""Heat maps from the command line: beside predictions, and in the report of a run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Command
from PIL import Image
from sklearn.datasets import load_digits

pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed: pip install 'medtail[explain]'")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three digits in two folders, two of them of one name."""
    folder = tmp_path_factory.mktemp("digits")
    for name, pixels in zip(("left/a", "right/a", "right/b"), load_digits().images, strict=False):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray((pixels * 15).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def explained(medtail: Command, digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run with heat maps in its report."""
    run = tmp_path_factory.mktemp("explained") / "run"
    shutil.copytree(digits_run, run)
    result = medtail("evaluate", run, "--explain")
    assert result.returncode == 0, result.stderr
    assert result.stderr.strip() == f"report: {run / 'report.html'}"
    return run


def test_predict_writes_a_picture_of_every_image(
    medtail: Command, digits_run: Path, digits: Path, tmp_path: Path
) -> None:
    result = medtail("predict", digits_run, digits, "--explain", tmp_path / "maps")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 4
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert len(names) == 3 and names[2] == "b.png"
    # A hash of the path follows where two images share a name.
    assert all(name.startswith("a_") and name.endswith(".png") for name in names[:2])
    for name in names:
        with Image.open(tmp_path / "maps" / name) as picture:
            width, height = picture.size
            # The image, and one class: a digit and its map are neither grey alone nor of one colour.
            assert 1.5 < width / height < 2.5
            colours = np.asarray(picture.convert("RGB")).astype(int)
            assert (colours.max(axis=2) - colours.min(axis=2) > 60)[:, width // 2 :].any()


def test_pictures_continue_and_are_replaced_only_on_request(
    medtail: Command, refuses: Callable[..., str], digits_run: Path, digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "b.png").write_text("mine")
    sentence = refuses("predict", digits_run, digits / "right" / "b.png", "--explain", tmp_path / "maps")
    assert "--explain must be a new or empty folder" in sentence and "--overwrite" in sentence
    assert (tmp_path / "maps" / "b.png").read_text() == "mine"
    result = medtail(
        "predict", digits_run, digits / "right" / "b.png", "--explain", tmp_path / "maps", "--overwrite"
    )
    assert result.returncode == 0, result.stderr
    Image.open(tmp_path / "maps" / "b.png").verify()


def test_wrong_places_and_kinds_are_refused(
    refuses: Callable[..., str], digits_run: Path, digits: Path, tmp_path: Path
) -> None:
    assert "--explain must lie outside of every run" in refuses(
        "predict", digits_run, digits, "--explain", digits_run / "maps"
    )
    assert "--explain must lie outside of the data" in refuses(
        "predict", digits_run, digits, "--explain", digits / "maps"
    )
    assert "--heat-map must be one of grad-cam" in refuses(
        "predict", digits_run, digits, "--explain", tmp_path / "maps", "--heat-map", "gradcam"
    )
    assert not (tmp_path / "maps").exists()
    assert "medtail predict --explain" in refuses("evaluate", digits_run, "--explain", "--data", digits)


def test_the_report_shows_right_and_wrong_examples_of_rare_classes(explained: Path) -> None:
    found = json.loads((explained / "heat_maps" / "examples.json").read_text())
    dataset = json.loads((explained / "dataset.json").read_text())
    counts = dict(zip(dataset["class_names"], dataset["class_counts"]["train"], strict=True))
    mean = sum(counts.values()) / len(counts)
    examples = found["examples"]
    assert {example["recognised"] for example in examples} == {True, False}
    assert all(counts[example["class_name"]] < mean for example in examples)
    for example in examples:
        # Of a missed image, the decision and the true class.
        assert len(example["explained"]) == (1 if example["recognised"] else 2)
        assert example["explained"][-1] == example["class_name"]
    page = (explained / "report.html").read_text()
    section = page[page.index('id="heat-maps"') :].split("</section>")[0]
    assert section.count("<img") == len(examples)
    assert section.count("data:image/") == len(examples)


def test_a_missing_picture_is_named(explained: Path, refuses: Callable[..., str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(explained, run)
    (run / "heat_maps" / "001.png").unlink()
    assert "names the picture '001.png', which is missing" in refuses(
        "adapt", run, "--calibrate", "temperature"
    )


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_kind_of_heat_map_without_heat_maps_is_refused(
    medtail: Command, digits_run: Path, digits: Path, verb: str
) -> None:
    paths = [digits] if verb == "predict" else []
    result = medtail(verb, digits_run, *paths, "--heat-map", "layer-cam")
    assert result.returncode == 2
    assert "--heat-map chooses how --explain draws" in result.stderr
