"""The audit finds what is there, and nothing that is not."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from medtail.cli.verbs.inspect import lines
from medtail.data import ImageArray, ImageCollection, open_collection
from medtail.errors import InputError
from medtail.inspection.audit import Audit, audit
from medtail.inspection.groups_file import write_groups


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


def test_text_and_json_hold_the_findings(leaky: Path) -> None:
    found = audit(open_collection(leaky))
    text = "\n".join(lines(found))
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
    assert [problem.split(" (")[0] for problem in found.problems] == [
        "pairs of images that look the same that a drawn split may separate: 1"
    ]


def test_long_lists_are_cut_in_text_and_whole_in_json(tmp_path: Path, draw) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(15):
            draw(number).save(tmp_path / label / f"{number}.png")
    found = audit(open_collection(tmp_path))
    assert len(found.to_dict()["duplicates"]) == 15
    assert "  and 5 more (--json lists all)" in lines(found)


def test_a_set_without_a_readable_image_is_still_described(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_bytes(b"")
    found = audit(open_collection(tmp_path))
    assert len(found.unreadable) == 2
    assert found.suggestion is None
    assert "unreadable images: 2" in lines(found)


def test_progress_reaches_the_end(class_folders: Path) -> None:
    reported: list[tuple[str, int, int]] = []
    audit(open_collection(class_folders), progress=lambda *step: reported.append(step))
    ends = {what: (done, total) for what, done, total in reported}
    assert list(ends) == ["reading images", "comparing images", "comparing crops"]
    assert set(ends.values()) == {(52, 52)}
    assert ("reading images", 32, 52) in reported


def test_the_suggestion_follows_the_imbalance(shared_data: Path) -> None:
    ham = audit(open_collection(shared_data / "ham10000_28.npz"))
    assert ham.imbalance_ratio == pytest.approx(3026 / 42)
    assert ham.suggestion is not None
    assert (ham.suggestion.recipe, ham.suggestion.method) == ("ham10000_28", "balanced_softmax")
    assert any("72 times" in reason for reason in ham.suggestion.reasons)
    assert any("fewer than 50 images to learn from (3)" in note for note in ham.suggestion.advice)


# --- real data


def test_the_repeated_chest_x_rays_are_found(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "pneumoniamnist_ir9.npz"))
    surplus_in_train = sum(max(0, found_.splits.count("train") - 1) for found_ in found.duplicates)
    assert surplus_in_train == 17
    across = found.duplicates_across_splits
    assert len(across) == 8
    assert all(set(duplicate.splits) == {"train", "validation"} for duplicate in across)
    assert not any("test" in duplicate.splits for duplicate in across)
    assert not found.near_duplicates
    assert [problem.split(" (")[0] for problem in found.problems] == ["images repeated across splits: 8"]


def test_the_one_lesion_that_was_photographed_twice_is_found(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "ham10000_128"))
    assert not found.duplicates
    # Two ids and two lesion_ids, but one lesion, as anybody who looks at the two pictures sees.
    assert [pair.ids for pair in found.near_duplicates] == [("ISIC_0027636", "ISIC_0027994")]
    assert not found.unreadable
    assert found.num_groups == 5984
    assert [problem.split(" (")[0] for problem in found.problems] == [
        "pairs of images that look the same across splits: 1"
    ]
    small = audit(open_collection(shared_data / "ham10000_28.npz"))
    assert [pair.ids for pair in small.near_duplicates] == [("train/1458", "test/364")]


def test_cells_that_two_pictures_of_one_smear_share_are_found_and_no_others(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "bccd_cells_64"))
    smears = [tuple(int(name.split("_")[1]) for name in sorted(pair.ids)) for pair in found.near_duplicates]
    assert len(smears) == 6
    # Neighbouring fields of view, 230 to 257 and 231 to 256 among them.
    assert {(230, 257), (231, 256), (248, 249)} <= set(smears)
    assert {pair.change for pair in found.near_duplicates} <= {"cropped", "with more around it"}


def test_the_mirrored_cars_of_cifar_are_found(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "cifar" / "cifar10_auto_truck_beta100.npz"))
    mirrored = {
        frozenset(pair.ids) for pair in found.near_duplicates if pair.change == "mirrored left to right"
    }
    assert mirrored == {
        frozenset({"train/4092", "test/548"}),
        frozenset({"train/4908", "train/4240"}),
        frozenset({"train/4032", "train/4451"}),
        frozenset({"train/3451", "train/1968"}),
        frozenset({"train/1351", "test/95"}),
        frozenset({"train/416", "train/2124"}),
    }
    assert not found.label_conflicts


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
    monkeypatch.setattr("medtail.inspection.audit.suggest", lambda *_: None)
    audit(collection)
    assert sorted(rows) == list(range(20))


# --- planted leaks


def photograph(seed: int, size: int = 96) -> Image.Image:
    """Random colours with coarse and fine structure, as different from each other as photographs are."""
    generator = np.random.default_rng(seed)
    layers = [
        weight
        * np.asarray(
            Image.fromarray(generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize(
                (size, size), Image.Resampling.BICUBIC
            ),
            dtype=np.float64,
        )
        for cells, weight in ((3, 0.5), (7, 0.3), (24, 0.2))
    ]
    return Image.fromarray(np.sum(layers, axis=0).clip(0, 255).astype(np.uint8))


def reencoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


PLANTED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "exact copy": lambda image: image,
    "re-encoded": reencoded,
    "resized": lambda image: image.resize((60, 60), Image.Resampling.BICUBIC),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "grey": lambda image: image.convert("L"),
    "cropped": lambda image: image.crop((4, 3, 91, 92)),
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """90 different images in three splits, JPEG and PNG, and ten leaks of different kinds."""
    folder = tmp_path / "planted"
    (folder / "images").mkdir(parents=True)
    splits = ["train"] * 50 + ["val"] * 20 + ["test"] * 20
    rows = []

    def add(name: str, image: Image.Image, **columns: str) -> None:
        image.save(folder / "images" / name, **({"quality": 92} if name.endswith("jpg") else {}))
        rows.append({"image": name, **columns})

    for number in range(90):
        name = f"{number:02d}.{'jpg' if number % 3 else 'png'}"
        add(name, photograph(number), label="ab"[number % 2], patient=f"p{number}", split=splits[number])
    for number, (kind, change) in enumerate(PLANTED.items()):
        # From the file that was written: a copy is made from what is there.
        with Image.open(folder / "images" / rows[number]["image"]) as original:
            copy = change(original.convert("RGB"))
        split = "val" if number % 2 else "test"
        add(f"{kind}.png", copy, label="ab"[number % 2], patient=kind, split=split)
    add("same patient.png", photograph(900), label="a", patient="p20", split="test")
    with Image.open(folder / "images" / "31.jpg") as original:
        add("other label.png", original.convert("RGB"), label="a", patient="other label", split="train")
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_csv(folder / "labels.csv", index=False)
    return folder


def test_all_ten_planted_leaks_are_found_and_nothing_else(planted: Path) -> None:
    found = audit(open_collection(planted))
    originals = {kind: f"{row:02d}.{'jpg' if row % 3 else 'png'}" for row, kind in enumerate(PLANTED)}
    across = {frozenset(copies.ids) for copies in found.duplicates if copies.crosses_splits}
    assert across == {frozenset({"00.png", "exact copy.png"})}
    near = {frozenset(pair.ids): pair for pair in found.near_duplicates}
    assert set(near) == {
        frozenset({original, f"{kind}.png"}) for kind, original in originals.items() if kind != "exact copy"
    }
    assert all(pair.crosses_splits and pair.leak for pair in near.values())
    changes = {
        kind: near[frozenset({originals[kind], f"{kind}.png"})].change
        for kind in PLANTED
        if kind != "exact copy"
    }
    assert changes["re-encoded"] == changes["resized"] == changes["brightened"] == changes["grey"] == ""
    assert changes["mirrored"] == "mirrored left to right"
    assert changes["turned"].startswith("turned by 90 degrees")
    assert changes["cropped"] in ("cropped", "with more around it")  # whichever comes first in the table
    assert found.shared_groups == {"p20": ["train", "test"]}
    assert [set(copies.ids) for copies in found.label_conflicts] == [{"31.jpg", "other label.png"}]
    assert [problem.split(" (")[0] for problem in found.problems] == [
        "patient groups in several splits: 1",
        "images repeated across splits: 1",
        "pairs of images that look the same across splits: 7",
        "images repeated with different labels: 1",
    ]


# --- what is wrong, and what is only worth knowing


def of_arrays(images: np.ndarray, **columns: list[str]) -> Audit:
    ids = [str(row) for row in range(len(images))]
    return audit(ImageCollection.build(name="x", data="x", ids=ids, source=ImageArray(images), **columns))


def noise(count: int, size: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)


def test_images_of_one_colour_are_wrong() -> None:
    images = noise(6)
    images[2] = 0
    found = of_arrays(images, labels=["a", "b"] * 3)
    assert found.constant == ["2"]
    assert found.problems == ["images of one colour: 1 (2)"]


def test_a_class_without_images_in_a_split_is_wrong_and_a_rare_one_is_not() -> None:
    splits = ["train"] * 6 + ["test"] * 3
    labels = ["a", "b", "c"] * 2 + ["a", "a", "b"]
    found = of_arrays(noise(9), labels=labels, splits=splits)
    assert found.empty_classes == {"test": ["c"]}  # validation is still to be drawn
    assert found.problems == ["classes without images: 1 (c (test))"]
    assert found.rare_classes == {"test": {"a": 2, "b": 1}}
    assert found.warnings[0] == (
        "classes with fewer than 5 test images, too few to judge their recall: 2 (a: 2, b: 1)"
    )


def test_copies_that_a_group_keeps_together_leak_nothing() -> None:
    images = noise(6)
    images[1] = images[0]
    images[3] = images[2]
    found = of_arrays(images, labels=["a"] * 6, groups=["p", "p", "q", "r", "s", "t"], group_column="patient")
    assert [copies.leak for copies in found.duplicates] == [False, True]
    assert found.problems == ["images repeated that a drawn split may separate: 1 (2 = 3)"]
    assert found.warnings == [
        "images repeated where no split can separate them, so that they count more often: 1"
    ]


def test_of_many_images_that_look_the_same_only_connecting_pairs_are_reported() -> None:
    generator = np.random.default_rng(0)
    images = noise(1).repeat(200, axis=0)
    images = np.clip(images + generator.integers(-3, 4, images.shape), 0, 255).astype(np.uint8)
    splits = ["train"] * 150 + ["test"] * 50
    found = of_arrays(images, labels=["a"] * 199 + ["b"], splits=splits)
    assert 199 <= len(found.near_duplicates) <= 4 * 200
    # No image that leaks is left out.
    assert {name for pair in found.near_duplicates if pair.leak for name in pair.ids} == {
        str(row) for row in range(200)
    }
    assert {name for pair in found.label_conflicts for name in pair.ids} >= {"199"}


def test_images_of_a_few_pixels_are_compared_by_their_pixels_alone() -> None:
    images = noise(4, size=8)
    images[1] = images[0]
    images[3] = images[2, ::-1]
    found = of_arrays(images, labels=["a"] * 4)
    assert [copies.ids for copies in found.duplicates] == [("0", "1")]
    assert not found.near_duplicates


def test_the_same_id_or_file_twice_is_refused_by_name(planted: Path) -> None:
    table = pd.read_csv(planted / "labels.csv")
    twice = pd.concat([table, table[table["image"] == "05.jpg"].assign(split="test")])
    twice.to_csv(planted / "labels.csv", index=False)
    with pytest.raises(InputError, match=r"image ids must be unique, 1 of .* occur more than once: 05\.jpg"):
        open_collection(planted)
    twice = pd.concat([table, table[table["image"] == "05.jpg"].assign(image="images/05.jpg")])
    twice.to_csv(planted / "labels.csv", index=False)
    with pytest.raises(InputError, match=r"names one twice: .*05\.jpg"):
        open_collection(planted)


@pytest.mark.slow
def test_the_images_of_cifar_100_that_carry_two_labels_are_found(shared_data: Path) -> None:
    found = audit(open_collection(shared_data / "cifar" / "cifar100_lt_if100.npz"))
    exact = {frozenset(copies.labels) for copies in found.duplicates if copies.labels_conflict}
    assert exact == {frozenset({"girl", "baby"}), frozenset({"otter", "seal"})}
    near = {frozenset(pair.labels) for pair in found.near_duplicates if pair.labels_conflict}
    assert near == {frozenset({"pear", "apple"}), frozenset({"snake", "worm"})}
    assert len(found.near_duplicates) < 150


def test_volumes_with_nan_or_infinity_are_unreadable_and_equal_ones_are_found(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    generator = np.random.default_rng(0)
    for label in ("healthy", "tumour"):
        (tmp_path / label).mkdir()
    volumes = [generator.normal(size=(20, 22, 18)).astype(np.float32) for _ in range(6)]
    volumes[1][3, 3, 3] = np.nan
    volumes[2][5, 5, 5] = np.inf
    volumes[4] = volumes[3]
    volumes[5][:] = 1.0
    for number, volume in enumerate(volumes):
        folder = tmp_path / ("tumour" if number % 2 else "healthy")
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / f"{number}.nii.gz")
    found = audit(open_collection(tmp_path))
    assert [image.id for image in found.unreadable] == ["healthy/2.nii.gz", "tumour/1.nii.gz"]
    assert all("NaN" in image.reason or "inf" in image.reason for image in found.unreadable)
    assert found.constant == ["tumour/5.nii.gz"]
    assert [copies.ids for copies in found.label_conflicts] == [("healthy/4.nii.gz", "tumour/3.nii.gz")]
    assert len(found.sizes) == 1
    assert sum(found.channels.values()) == 4


def test_classes_too_small_for_drawn_splits_are_worth_knowing(edit) -> None:
    found = audit(open_collection(edit(dx=["nv"] * 20 + ["mel"] * 8 + ["df"] * 2)))
    assert found.small_classes == ["df (1 patient_id: train only)"]
    assert any(
        line.startswith("classes too small for the splits that are drawn: 1 (df") for line in found.warnings
    )
    assert found.to_dict()["small_classes"] == found.small_classes


def test_groups_that_are_written_keep_copies_together(leaky: Path) -> None:
    collection = open_collection(leaky)
    path = leaky / "groups.csv"
    write_groups(collection, audit(collection).groups, path)
    table = pd.read_csv(path).set_index("image")
    assert list(table.columns) == ["label", "group", "split"]
    for copy, original in (("same_pixels.bmp", "000.png"), ("recompressed.jpg", "002.png")):
        assert table["group"][copy] == table["group"][original]
    # The group of an unreadable image is its own; other_eye.png shares that of its patient.
    assert table["group"].nunique() == 68 - 5
    with pytest.raises(InputError, match="`write_groups` must be a new file"):
        write_groups(collection, [], path)
