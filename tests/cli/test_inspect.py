"""``medtail inspect`` and ``medtail list``."""

import json
from pathlib import Path

import pytest
from PIL import Image

from medtail.losses import LOSSES


def test_inspect_counts_and_suggests(medtail) -> None:
    result = medtail("inspect", "digits-lt")
    assert result.returncode == 0, result.stderr
    assert "imbalance ratio: 50" in result.stdout
    assert "medtail train digits-lt --out RUN (method balanced_softmax, recipe digits-lt)" in result.stdout


def test_inspect_as_json(medtail) -> None:
    findings = json.loads(medtail("inspect", "digits-lt", "--json").stdout)
    assert isinstance(findings, dict) and findings


def test_inspect_goes_on_past_bad_files_and_names_them(medtail, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (16, 16), (number * 40, 90, 30)).save(tmp_path / label / f"{number}.png")
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0garbage")
    result = medtail("inspect", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "unreadable images: 1" in result.stdout and "broken.jpg" in result.stdout


def test_a_hundred_images_half_of_them_broken_are_all_named(refuses, medtail, tmp_path: Path) -> None:
    data = tmp_path / "data"
    bad = []
    for number in range(100):
        path = data / ("mole" if number % 2 else "melanoma") / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((32, 32), 80).convert("RGB").save(path)
        if number % 5 == 0:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 3] if number % 2 else b"GIF?" + content[40:])
            bad.append(path)
    message = refuses("train", data, "--method", "ce", "--out", tmp_path / "run")
    assert f"{len(bad)} of 100 images cannot be read" in message
    assert all(path.name in message for path in bad)
    arguments = ("--method", "ce", "--backbone", "resnet8", "--epochs", 1, "--skip-unreadable")
    result = medtail("train", data, *arguments, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "run" / "dataset.json").read_text())
    assert len(facts["unreadable"]) == len(bad)
    assert sum(sum(counts) for counts in facts["class_counts"].values()) == 100 - len(bad)


@pytest.mark.parametrize("kind", ["losses", "methods", "backbones", "datasets", "recipes"])
def test_list_prints_a_line_each(medtail, kind: str) -> None:
    result = medtail("list", kind)
    assert result.returncode == 0, result.stderr
    assert all(len(line.split(maxsplit=1)) == 2 for line in result.stdout.splitlines())


def test_list_losses_names_every_key_and_what_cannot_be_had(medtail) -> None:
    lines = medtail("list", "losses").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*LOSSES, "pf"]
    assert "formula not public" in lines[-1]


def test_list_losses_draws_gradients(medtail, tmp_path: Path) -> None:
    result = medtail("list", "losses", "--only", "ce,alpa", "--plot", tmp_path / "gradients.png")
    assert result.returncode == 0, result.stderr
    assert Image.open(tmp_path / "gradients.png").width > 500


def test_asking_for_the_loss_without_a_public_formula_says_so(refuses, tmp_path: Path) -> None:
    arguments = ("--method", "ce", "--set", "loss.name=pf", "--out", tmp_path / "run")
    assert "formula not public" in refuses("train", "digits-lt", *arguments)


def test_options_of_losses_do_not_fit_other_kinds(refuses) -> None:
    assert "belong to medtail list losses" in refuses("list", "methods", "--only", "ce")


def test_strict_prints_nothing_where_nothing_is_wrong(medtail) -> None:
    result = medtail("inspect", "digits-lt", "--strict")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_strict_fails_with_a_line_for_each_kind_of_fault(medtail, tmp_path: Path, options: tuple) -> None:
    for split, label in (("train", "a"), ("train", "b"), ("test", "a")):
        (tmp_path / split / label).mkdir(parents=True)
        for number in range(3):
            image = Image.effect_noise((32, 32), 80 + number)
            image.save(tmp_path / split / label / f"{number}.png")
    (tmp_path / "test" / "b").mkdir()
    Image.new("L", (32, 32), 9).save(tmp_path / "train" / "a" / "blank.png")
    (tmp_path / "train" / "b" / "broken.png").write_bytes(b"")
    (tmp_path / "test" / "a" / "copy.png").write_bytes((tmp_path / "train" / "b" / "0.png").read_bytes())
    relaxed = medtail("inspect", tmp_path, *options)
    assert relaxed.returncode == 0
    result = medtail("inspect", tmp_path, "--strict", *options)
    assert result.returncode == 1
    assert result.stdout == relaxed.stdout
    assert result.stderr.splitlines() == [
        f"{tmp_path}: labels from the folders; groups unknown; splits from test, train",
        "wrong: unreadable images: 1 (train/b/broken.png is empty (0 bytes))",
        "wrong: images of one colour: 1 (train/a/blank.png)",
        "wrong: images repeated across splits: 1 (test/a/copy.png (test) = train/b/0.png (train))",
        "wrong: images repeated with different labels: 1 (test/a/copy.png (test) = train/b/0.png (train))",
        "wrong: classes without images: 1 (b (test))",
    ]


def test_strict_names_the_repeated_chest_x_rays(medtail, shared_data: Path) -> None:
    result = medtail("inspect", shared_data / "pneumoniamnist_ir9.npz", "--strict", "--json")
    assert result.returncode == 1
    origin, wrong = result.stderr.splitlines()
    assert origin.endswith(
        "labels from the keys *_labels; groups unknown; splits from the keys; not used: nothing"
    )
    assert wrong.startswith("wrong: images repeated across splits: 8 (")
    repeated = json.loads(result.stdout)["duplicates"]
    assert sum(max(0, copies["splits"].count("train") - 1) for copies in repeated) == 17
    assert not any("test" in copies["splits"] for copies in repeated if len(set(copies["splits"])) > 1)
