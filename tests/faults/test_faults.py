"""Nothing wrong in silence, nothing lost, no traceback: each kind of fault, and a campaign of all of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from faults.kinds import KINDS, dicom
from faults.material import Material, pixels
from faults.running import Fault, campaign, run
from PIL import Image


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material(tmp_path_factory.mktemp("material"))


@pytest.fixture
def damaged_run(material: Material) -> Path:
    place = material.fresh()
    shutil.copytree(material.run, place)
    return place


def refusal(*arguments: object) -> str:
    outcome = run(arguments)
    assert outcome.kind == "refused", outcome
    return next(line for line in outcome.errors.splitlines() if line.startswith("error: "))


def resumed(material: Material, folder: Path, *more: object) -> tuple[object, ...]:
    return material.training(folder, "--method", "ldam", "--set", "head.name=cosine", "--resume", *more)


def test_a_checkpoint_with_overwritten_bytes_decides_nothing(material: Material, damaged_run: Path) -> None:
    path = damaged_run / "checkpoints" / "best.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    sentence = refusal("predict", damaged_run, material.images)
    assert f"{path} is damaged: it was changed after it was written" in sentence


def test_outputs_that_are_not_finite_are_refused_with_image_and_run(
    material: Material, damaged_run: Path
) -> None:
    path = damaged_run / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    for value in content["state_dict"].values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    torch.save(content, path)
    sentence = refusal("predict", damaged_run, material.images)
    assert str(damaged_run) in sentence and "0.png" in sentence and "finite" in sentence


def test_a_checkpoint_of_another_run_is_refused(material: Material, damaged_run: Path) -> None:
    shutil.copy(material.other / "checkpoints" / "best.ckpt", damaged_run / "checkpoints" / "best.ckpt")
    assert "belongs to another run" in refusal("predict", damaged_run, material.images)


def test_changed_facts_and_predictions_fail_their_digest(material: Material, damaged_run: Path) -> None:
    path = damaged_run / "predictions" / "test.parquet"
    content = path.read_bytes()
    table = pd.read_parquet(path)
    number = table["probability_nv"].to_numpy()[:1].tobytes()
    assert content.count(number) >= 1
    path.write_bytes(content.replace(number, np.float64(0.25).tobytes()))
    assert str(path) in refusal("evaluate", damaged_run)
    facts = json.loads((damaged_run / "dataset.json").read_text())
    (damaged_run / "dataset.json").write_text(json.dumps({**facts, "mean": [0.1, 0.1, 0.1]}))
    assert "dataset.json is damaged: it was changed after it was written" in refusal(
        "predict", damaged_run, material.images
    )
    (damaged_run / "dataset.json").write_text(json.dumps({**facts, "data": "moved"}))
    assert run(("predict", damaged_run, material.images)).code == 0


def test_resuming_on_other_pixels_is_refused(material: Material, damaged_run: Path) -> None:
    image = material.folders / "nv" / "02.png"
    before = image.read_bytes()
    Image.fromarray(pixels(999)).save(image)
    try:
        assert "the pixels of" in refusal(*resumed(material, damaged_run))
    finally:
        image.write_bytes(before)


def test_a_compressed_dicom_is_refused_by_the_size_of_its_codestream(
    material: Material, tmp_path: Path
) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    Image.new("L", (3000, 3000)).save(tmp_path / "large.jpg")
    content = dicom(
        TransferSyntaxUID=JPEGBaseline8Bit,
        PixelData=encapsulate([(tmp_path / "large.jpg").read_bytes()]),
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )
    (tmp_path / "bomb.dcm").write_bytes(content)
    assert "its compressed pixels say 3000 x 3000 x 1" in refusal(
        "predict", material.run, tmp_path / "bomb.dcm"
    )


@pytest.mark.parametrize("element", ["RescaleSlope", "RescaleIntercept", "WindowCenter"])
def test_a_dicom_number_that_is_none_is_refused(material: Material, tmp_path: Path, element: str) -> None:
    numbers = {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "9", "WindowWidth": "9"}
    (tmp_path / "x.dcm").write_bytes(dicom(**{**numbers, element: "NaN"}))
    assert element in refusal("predict", material.run, tmp_path / "x.dcm")


def test_limits_come_from_options_and_environment(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDTAIL_MAX_PIXELS", "10")
    out = material.fresh()
    assert "more than the limit of 10 (max_pixels)" in refusal(*material.training(out, "--method", "ce"))
    monkeypatch.setenv("MEDTAIL_MAX_PIXELS", "ten")
    assert run(("inspect", material.folders)).code == 2


def test_without_a_validation_image_nothing_is_decoded(tmp_path: Path) -> None:
    for seed in range(3):
        (tmp_path / "data" / "abc"[seed]).mkdir(parents=True)
        (tmp_path / "data" / "abc"[seed] / "broken.png").write_bytes(b"no image")
    sentence = refusal(
        "train", tmp_path / "data", "--method", "ce", "--image-size", 8, "--out", tmp_path / "run"
    )
    # The recipe of a data set is chosen by its first image.
    assert "validation" in sentence or "not an image" in sentence


def test_the_mark_of_a_finished_run_comes_last(material: Material) -> None:
    written = sorted(material.other.rglob("*.*"), key=lambda path: path.stat().st_mtime_ns)
    assert [path.name for path in written if path.is_file()][-1] == "summary.json"


def test_what_a_killed_writer_left_is_removed(material: Material, damaged_run: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    from medtail.files import _machine

    left = damaged_run / "predictions" / f".test.parquet.{_machine()}.{dead.pid}.tmp"
    left.write_bytes(b"half")
    (damaged_run / "summary.json").unlink()
    assert run(resumed(material, damaged_run)).code == 0
    assert not left.exists()


def test_a_folder_that_is_being_written_is_refused_and_that_of_a_dead_process_taken_over(
    material: Material,
) -> None:
    folder = material.fresh()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom pathlib import Path\n"
            "from medtail.runs import Run\nfrom medtail.runs.claim import claimed\n"
            f"with claimed(Run(Path({str(folder)!r}))): print('claimed', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == "claimed\n"
    sentence = refusal(*material.training(folder, "--method", "ce"))
    assert f"is being written by process {holder.pid}" in sentence
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (folder / ".claim.json").exists()
    assert run(material.training(folder, "--method", "ce"), patience=300).code == 0
    assert not (folder / ".claim.json").exists()


def test_nothing_is_overwritten_unless_asked(material: Material, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    out.write_text("mine")
    assert "--overwrite" in refusal("predict", material.run, material.images, "--out", out)
    assert out.read_text() == "mine"
    assert run(("predict", material.run, material.images, "--out", out, "--overwrite")).code == 0
    for place in (material.run / "x.csv", material.images / "x.csv", material.folders / "nv" / "x.csv"):
        assert "must lie outside" in refusal(
            "predict", material.run, material.images, "--out", place, "--overwrite"
        )


def test_a_bug_is_one_sentence_and_a_log_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("medtail.recipes.compose.recipe_names", lambda axis: 1 / 0)
    outcome = run(("list", "methods"))
    assert outcome.code == 1
    assert outcome.errors.count("\n") == 1 and "this is a bug in medtail (ZeroDivisionError" in outcome.errors
    (log,) = tmp_path.glob("medtail-*.log")
    assert str(log) in outcome.errors and "Traceback" in log.read_text()


def test_a_disk_that_is_full_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from medtail.files import replacing

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="No space left") as error, replacing(tmp_path / "x.ckpt"):
        full()
    assert error.value.filename == str(tmp_path / "x.ckpt")


def test_predictions_continue_where_they_stopped(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for seed in range(5):
        Image.fromarray(pixels(seed)).save(images / f"{seed}.png")
    (images / "2.png").write_bytes(b"")
    monkeypatch.setattr("medtail.inference.classifier._PART", 2)
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    done = run(("predict", material.run, images, "--out", whole, "--skip-unreadable"))
    assert done.code == 0 and f"left out: {images / '2.png'} is empty" in done.errors
    # The second part holds the image that cannot be read, so the first alone is written.
    refusal("predict", material.run, images, "--out", part)
    assert not part.exists()
    (left,) = tmp_path.glob(".part.csv.*.partial")
    assert len(left.read_text().splitlines()) == 3
    with left.open("a") as file:
        file.write("cut off in the mid")
    assert run(("predict", material.run, images, "--out", part, "--skip-unreadable", "--resume")).code == 0
    assert part.read_text() == whole.read_text()


def test_names_are_text(material: Material, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = ["image,label"]
    for seed in range(18):
        Image.fromarray(pixels(seed)).save(tmp_path / "data" / f"{seed}.png")
        rows.append(f'{seed}.png,"{("nv[/b]", "=1+1", "a,b")[seed % 3]}"')
    (tmp_path / "data" / "labels.csv").write_text("\n".join(rows))
    out = tmp_path / "run"
    small = ("--image-size", 8, "--epochs", 1, "--batch-size", 8, "--backbone", "resnet8")
    done = run(("train", tmp_path / "data", "--method", "ce", "--out", out, *small), patience=300)
    assert done.code == 0 and "nv[/b]" in done.output
    odd = tmp_path / "new\nline.png"
    odd.write_bytes(b"no image")
    assert run(("predict", out, odd)).errors.count("\n") == 1
    good = tmp_path / "=cmd.png"
    Image.fromarray(pixels(1)).save(good)
    os.chdir(tmp_path)
    said = run(("predict", out, "=cmd.png")).output.splitlines()[1]
    assert said.startswith("'=cmd.png,")
    assert run(("evaluate", out)).code == 0


def every(step: int, faults: Iterator[Fault], start: int) -> Iterator[Fault]:
    """Every so many-th fault."""
    return islice(faults, start % step, None, step)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=list(KINDS))
def test_a_part_of_the_campaign(material: Material, number: int) -> None:
    kind = list(KINDS)[number]
    assert not campaign(every(12, KINDS[kind](material), number)).failures


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_campaign(material: Material, kind: str) -> None:
    counts = campaign(KINDS[kind](material))
    assert counts.runs and not counts.failures
