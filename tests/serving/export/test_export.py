"""Exported files give what their runs give, without medtail, and say what they are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from serving.runs_to_serve import trained

from medtail.data import open_collection
from medtail.operating_point import OperatingPoint
from medtail.runs.run import Run
from medtail.serving.export import export, exporting
from medtail.serving.export.formats import FORMATS
from medtail.training.inference import TrainedModel

pytest.importorskip("onnxruntime", reason="the extra export is not installed")

FILES = {"onnx": "model.onnx", "torch": "model.pt2"}
FORMS = list(FILES)

#: Uses a file as somebody without medtail does; prints the outputs for one image and for three, and the description.
WITHOUT_MEDTAIL = """
import json, sys
sys.modules["medtail"] = None
import numpy as np
file, form, *condition = sys.argv[1:]
pixels = np.load("pixels.npy")
more = [np.array(json.loads(condition[0]), dtype=np.float32)] if condition else []
if form == "onnx":
    import onnxruntime
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    run = lambda batch: session.run(None, dict(zip(names, [batch, *more])))
    about = session.get_modelmeta().custom_metadata_map["medtail"]
else:
    import torch
    extra = {"medtail": ""}
    module = torch.export.load(file, extra_files=extra).module()
    run = lambda batch: [out.numpy() for out in module(*map(torch.from_numpy, [batch, *more]))]
    about = extra["medtail"]
print(json.dumps([[out.tolist() for out in run(pixels[:count])] for count in (1, 3)] + [json.loads(about)]))
"""


def used_without_medtail(file: Path, form: str, pixels: np.ndarray, *condition: object) -> list:
    np.save(file.with_name("pixels.npy"), pixels)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEDTAIL, file.name, form, *map(json.dumps, condition)],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def some_images(run: Run, condition: dict[str, float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of three test images, and what the run gives for them in float32."""
    model = TrainedModel.load(run).at(condition)
    collection = open_collection(model.facts.data)
    pixels = model.read_pixels(collection.select(collection.rows("test")[[0, 12, 25]]))
    return pixels.read(np.arange(3)).numpy(), model.probabilities(pixels, np.arange(3))


@pytest.mark.parametrize("form", FORMS)
def test_a_file_decides_at_the_operating_point_without_medtail(
    single_run: Run, tmp_path: Path, form: str
) -> None:
    written = export([single_run], tmp_path / FILES[form], format=form)
    assert written.agreement.images == 30 and written.agreement.split == "validation"
    assert written.agreement.difference < 1e-5 and written.agreement.decisions == 0
    pixels, probabilities = some_images(single_run)
    one, three, about = used_without_medtail(written.path, form, pixels)
    point = OperatingPoint.of(single_run)
    np.testing.assert_allclose(three[0], point.apply(probabilities), atol=1e-5)
    np.testing.assert_allclose(one[0], point.apply(probabilities)[:1], atol=1e-5)
    assert three[1] == point.decide(probabilities).tolist()
    assert three[2] == point.sets(probabilities).tolist()
    assert about["outputs"] == ["probabilities", "decision", "set"]
    assert about["class_names"] == ["0", "1", "2"] and about["task"] == "single-label"
    assert about["inputs"]["pixels"]["shape"] == ["N", 1, 12, 12]
    assert about["operating_point"]["decision"] == {"name": "class_threshold", "class": "2", "threshold": 0.4}


@pytest.mark.parametrize("form", FORMS)
def test_several_labels_are_decided_each_by_itself(label_run: Run, tmp_path: Path, form: str) -> None:
    written = export([label_run], tmp_path / FILES[form], format=form)
    pixels, probabilities = some_images(label_run)
    _, three, about = used_without_medtail(written.path, form, pixels)
    np.testing.assert_allclose(three[0], probabilities, atol=1e-5)
    assert three[1] == (probabilities >= 0.5).astype(int).tolist()
    assert about["task"] == "multi-label" and about["operating_point"] is None


@pytest.mark.parametrize("form", FORMS)
def test_the_condition_is_an_input_of_a_loss_conditional_run(
    conditional_run: Run, tmp_path: Path, form: str
) -> None:
    written = export([conditional_run], tmp_path / FILES[form], format=form)
    condition = {"max_margin": 0.1, "scale": 7.0}
    pixels, probabilities = some_images(conditional_run, condition)
    _, default = some_images(conditional_run)
    _, three, about = used_without_medtail(written.path, form, pixels, list(condition.values()))
    np.testing.assert_allclose(three[0], probabilities, atol=1e-5)
    # λ matters, or nothing was tested.
    assert np.abs(probabilities - default).max() > 0.01
    described = about["inputs"]["condition"]
    assert described["names"] == ["max_margin", "scale"] and described["default"] == [0.3, 4.0]
    assert (described["trained_from"], described["trained_to"]) == ([0.0, 2.0], [0.6, 8.0])


def test_several_runs_give_their_mean_probability(single_run: Run, other_run: Run, tmp_path: Path) -> None:
    written = export([single_run, other_run], tmp_path / "model.onnx")
    pixels, first = some_images(single_run)
    _, second = some_images(other_run)
    outputs = FORMATS["onnx"].load(written.path)([pixels])
    np.testing.assert_allclose(outputs[0], (first + second) / 2, atol=1e-5)
    assert outputs[1].tolist() == ((first + second) / 2).argmax(1).tolist()
    assert written.agreement.saved_difference is None


def test_a_file_names_no_place_on_this_machine(single_run: Run, tmp_path: Path) -> None:
    written = export([single_run], tmp_path / "model.onnx")
    content = written.path.read_bytes()
    for place in (single_run.folder.parent, tmp_path, Path.home() if Path.home() != Path("/") else tmp_path):
        assert str(place).encode() not in content


def test_a_file_that_differs_is_not_written(single_run: Run, tmp_path: Path, monkeypatch, refuses) -> None:
    monkeypatch.setattr(
        exporting.RunProgram, "forward", lambda self, pixels: pixels[:, 0, 0, :3].float().softmax(1)
    )
    out = tmp_path / "model.onnx"
    out.write_text("before")
    sentence = refuses(export, [single_run], out)
    assert "must be within 0.0001" in sentence and "was not written" in sentence
    assert out.read_text() == "before" and list(tmp_path.iterdir()) == [out]


def test_data_that_moved_are_named(
    other_run: Run, tmp_path: Path, stripes_file: Path, monkeypatch, refuses
) -> None:
    content = json.loads(other_run.dataset.read_text())
    copied = Run(tmp_path / "run")
    copied.folder.mkdir()
    for path in other_run.folder.iterdir():
        (copied.folder / path.name).symlink_to(path)
    copied.dataset.unlink()
    copied.dataset.write_text(json.dumps({**content, "data": str(tmp_path / "gone.npz")}))
    assert "say where they are now" in refuses(export, [copied], tmp_path / "model.onnx")
    assert export([copied], tmp_path / "model.onnx", data=str(stripes_file)).agreement.images == 30


def test_runs_of_other_classes_are_refused(single_run: Run, label_run: Run, tmp_path: Path, refuses) -> None:
    sentence = refuses(export, [single_run, label_run], tmp_path / "model.onnx")
    assert "must have the same task" in sentence


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(
    single_run: Run, tmp_path: Path, monkeypatch, refuses, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    sentence = refuses(export, [single_run], tmp_path / "model.onnx")
    assert package in sentence and "medtail[export]" in sentence


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_volumes_are_exported(tmp_path: Path, form: str) -> None:
    generator = np.random.default_rng(0)
    sizes = {"train": 12, "val": 8, "test": 6}
    arrays = {
        f"{split}_images": generator.integers(0, 256, (count, 8, 8, 8), np.uint8)
        for split, count in sizes.items()
    }
    arrays |= {
        f"{split}_labels": (np.arange(count, dtype=np.uint8) % 2)[:, None] for split, count in sizes.items()
    }
    np.savez(tmp_path / "volumes.npz", **arrays)
    run = trained(
        tmp_path / "run", tmp_path / "volumes.npz", "ce", "data.image_size=8", "backbone.name=resnet18_3d"
    )
    written = export([run], tmp_path / FILES[form], format=form)
    assert written.agreement.difference < 1e-5
