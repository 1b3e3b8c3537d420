"""The audit finds what is there, and nothing that is not."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from medtail.data import ImageArray, ImageCollection, open_collection
from medtail.data.audit import audit
from medtail.data.similarity import near_duplicates, perceptual_hashes, thumbnail


@pytest.fixture
def leaky(tmp_path: Path, draw) -> Path:
    """60 different images in three splits, and one leak of each kind."""
    folder = tmp_path / "leaky"
    (folder / "images").mkdir(parents=True)
    splits = ["train"] * 30 + ["val"] * 10 + ["test"] * 20
    rows = [
        {"image": f"{n:03d}.png", "label": "ab"[n % 2], "patient": f"p{n}", "split": splits[n]}
        for n in range(60)
    ]
    for n in range(60):
        draw(n, size=64).save(folder / "images" / f"{n:03d}.png")

    def add(name: str, image: Image.Image, split: str, patient: str | None = None, **options: object) -> None:
        image.save(folder / "images" / name, **options)
        rows.append({"image": name, "label": "a", "patient": patient or name, "split": split})

    add("same_pixels.bmp", draw(0, size=64), "test")
    add("twice_in_train.png", draw(1, size=64), "train")
    add("recompressed.jpg", draw(2, size=64), "val", quality=60)
    add("smaller.png", draw(3, size=64).resize((40, 40)), "test")
    add("brighter.png", ImageEnhance.Brightness(draw(4, size=64)).enhance(1.1), "test")
    add("other_eye.png", draw(500, size=64), "test", patient="p5")
    add("grey.png", draw(501, size=64, mode="L"), "train")
    (folder / "images" / "broken.png").write_bytes(b"\x89PNG")
    rows.append({"image": "broken.png", "label": "a", "patient": "x", "split": "train"})
    rows.append({"image": "gone.png", "label": "b", "patient": "y", "split": "train"})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def test_every_planted_leak_is_found_and_nothing_else(leaky: Path) -> None:
    found = audit(open_collection(leaky))
    assert {frozenset(duplicate.ids) for duplicate in found.duplicates_across_splits} == {
        frozenset({"000.png", "same_pixels.bmp"})
    }
    within = [duplicate.ids for duplicate in found.duplicates if not duplicate.crosses_splits]
    assert within == [("001.png", "twice_in_train.png")]
    assert {frozenset(pair.ids) for pair in found.near_duplicates} == {
        frozenset({"002.png", "recompressed.jpg"}),
        frozenset({"003.png", "smaller.png"}),
        frozenset({"004.png", "brighter.png"}),
    }
    assert found.shared_groups == {"p5": ["train", "test"]}
    assert [(image.id, image.reason) for image in found.unreadable] == [
        ("broken.png", "is not an image, or its header is garbled"),
        ("gone.png", "does not exist"),
    ]


def test_numbers_are_right(leaky: Path) -> None:
    found = audit(open_collection(leaky))
    assert found.num_images == 69
    assert found.counts == {"train": [18, 16], "validation": [6, 5], "test": [14, 10]}
    assert found.imbalance_ratio == 18 / 16
    assert found.sizes == {"64 x 64": 66, "40 x 40": 1}
    assert found.modes == {"RGB": 66, "L": 1}
    assert (found.group_column, found.num_groups) == ("patient", 68)


def test_text_and_json_tell_the_findings(leaky: Path) -> None:
    found = audit(open_collection(leaky))
    text = "\n".join(found.lines())
    for part in (
        "unreadable images: 2",
        "gone.png does not exist",
        "p5 (train and test)",
        "000.png (train) = same_pixels.bmp (test)",
        "002.png (train) ~ recompressed.jpg (validation)",
        "imbalance ratio: 1.125",
        "groups: 68 by patient",
        "medtail train",
    ):
        assert part in text
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["unreadable"][1]["id"] == "gone.png"
    assert content["near_duplicates"][0]["correlation"] > 0.98
    assert content["counts"]["test"] == [14, 10]
    assert content["suggestion"]["method"] == "ce"


def test_without_splits_any_two_images_are_compared(class_folders: Path, draw) -> None:
    draw(0).resize((20, 20)).save(class_folders / "nevus" / "again.png")
    found = audit(open_collection(class_folders))
    assert [set(pair.ids) for pair in found.near_duplicates] == [{"nevus/again.png", "nevus/nevus_00.png"}]
    assert found.counts == {"all": [12, 41]}
    assert found.near_duplicates[0].splits == ()


def test_long_lists_are_cut_in_text_and_whole_in_json(tmp_path: Path, draw) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(15):
            draw(number).save(tmp_path / label / f"{number}.png")
    found = audit(open_collection(tmp_path))
    assert len(found.to_dict()["duplicates"]) == 15
    assert "  and 5 more (--json lists all)" in found.lines()


def test_a_set_without_a_readable_image_is_still_described(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_bytes(b"")
    found = audit(open_collection(tmp_path))
    assert len(found.unreadable) == 2
    assert found.suggestion is None
    assert "unreadable images: 2" in found.lines()


def test_progress_reaches_the_end(class_folders: Path) -> None:
    told: list[tuple[str, int, int]] = []
    audit(open_collection(class_folders), progress=lambda *step: told.append(step))
    assert told == [
        ("reading images", 32, 52),
        ("reading images", 52, 52),
        ("comparing images", 52, 52),
    ]


def test_the_suggestion_follows_the_imbalance(shared_data: Path) -> None:
    ham = audit(open_collection(shared_data / "ham10000_28.npz"))
    assert ham.imbalance_ratio == pytest.approx(3026 / 42)
    assert ham.suggestion is not None
    assert (ham.suggestion.recipe, ham.suggestion.method) == ("ham10000_28", "balanced_softmax")
    assert any("72 times" in reason for reason in ham.suggestion.reasons)
    assert any("fewer than 50 images to learn from (3)" in reason for reason in ham.suggestion.reasons)


# --- real data


def test_the_repeated_chest_x_rays_are_found(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "pneumoniamnist_ir9.npz"))
    surplus_in_train = sum(max(0, found_.splits.count("train") - 1) for found_ in found.duplicates)
    assert surplus_in_train == 17
    across = found.duplicates_across_splits
    assert len(across) == 8
    assert all(set(duplicate.splits) == {"train", "validation"} for duplicate in across)
    assert not found.near_duplicates


def test_one_image_a_lesion_means_no_duplicates(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "ham10000_128"))
    assert not found.duplicates
    assert not found.near_duplicates
    assert not found.unreadable
    assert found.num_groups == 5984


# --- similarity


def changed(image: Image.Image) -> dict[str, Image.Image]:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    noise = np.random.default_rng(0).normal(0, 6, (*image.size[::-1], 3))
    return {
        "recompressed": Image.open(buffer),
        "half": image.resize((image.width // 2, image.height // 2)),
        "brighter": ImageEnhance.Brightness(image).enhance(1.15),
        "contrast": ImageEnhance.Contrast(image).enhance(1.2),
        "noisy": Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)),
    }


def test_changed_copies_of_real_images_are_found(shared_data: Path) -> None:
    collection = open_collection(shared_data / "ham10000_128")
    originals = [Image.fromarray(collection.source.read(row)) for row in range(60)]
    found_of: dict[str, int] = {}
    for kind in changed(originals[0]):
        copies = [changed(image)[kind] for image in originals]
        thumbnails = np.stack([thumbnail(np.asarray(image)) for image in originals + copies])
        pairs = {(one, other) for one, other, _ in near_duplicates(thumbnails)}
        assert pairs <= {(row, row + 60) for row in range(60)}  # never two different lesions
        found_of[kind] = len(pairs)
    assert min(found_of.values()) >= 55, found_of


def test_all_pairs_are_compared_whatever_the_block(monkeypatch) -> None:
    generator = np.random.default_rng(0)
    thumbnails = generator.integers(0, 256, (40, 32, 32), dtype=np.uint8)
    thumbnails[[5, 17, 39]] = thumbnails[2]
    expected = {(2, 5), (2, 17), (2, 39), (5, 17), (5, 39), (17, 39)}
    for block in (1, 100, 10_000_000):
        monkeypatch.setattr("medtail.data.similarity._BLOCK", block)
        assert {(one, other) for one, other, _ in near_duplicates(thumbnails)} == expected
    parts = np.zeros(40, dtype=int)
    parts[39] = 1
    assert {(one, other) for one, other, _ in near_duplicates(thumbnails, parts)} == {
        (2, 39),
        (5, 39),
        (17, 39),
    }


def test_blank_images_resemble_nothing() -> None:
    blank = np.full((5, 32, 32), 7, dtype=np.uint8)
    assert not perceptual_hashes(blank).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not list(near_duplicates(blank))
        assert not list(near_duplicates(blank[:0]))


def test_the_audit_reads_each_image_once(monkeypatch) -> None:
    rows: list[int] = []
    read = ImageArray.read
    monkeypatch.setattr(
        ImageArray, "read", lambda self, row, **options: (rows.append(row), read(self, row, **options))[1]
    )
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    collection = ImageCollection.build(
        name="x",
        data="x",
        ids=[str(row) for row in range(20)],
        labels=["a", "b"] * 10,
        source=ImageArray(images),
    )
    monkeypatch.setattr("medtail.data.audit.suggest", lambda *_: None)
    audit(collection)
    assert sorted(rows) == list(range(20))
