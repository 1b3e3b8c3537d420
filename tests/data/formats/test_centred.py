"""Images centred on their masks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtail.data import (
    ImageArray,
    ImageFiles,
    TableColumns,
    UnreadableImageError,
    load_pixels,
    open_collection,
)
from medtail.data.formats.centred import CentredOnMasks
from medtail.errors import InputError


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_the_marked_part_is_in_the_middle_and_nothing_else_changes(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(1, 256, (1, 9, 12), dtype=np.uint8)
    mask = np.zeros((9, 12))
    mask[1:4, 8:11] = 255  # about row 2, column 9
    source = CentredOnMasks(ImageArray(image), ImageFiles([save(tmp_path / "mask.png", mask)]))
    moved = source.read(0)[..., 0]
    assert moved.shape == (9, 12) and moved[4, 6] == image[0, 2, 9]
    expected = np.zeros((9, 12), dtype=np.uint8)
    expected[2:, :9] = image[0, :7, 3:]
    np.testing.assert_array_equal(moved, expected)


def test_a_mask_in_the_middle_moves_nothing(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    mask = np.zeros((9, 9))
    mask[4, 4] = 1
    source = CentredOnMasks(ImageArray(image), ImageFiles([save(tmp_path / "mask.png", mask)]))
    np.testing.assert_array_equal(source.read(0), image[0])


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((9, 9)), "is a mask that marks nothing"),
        (np.ones((9, 8)), "is a mask of 9 x 8 where its image has 9 x 9 .resample it to the image."),
    ],
)
def test_masks_that_do_not_fit_are_named(tmp_path: Path, mask: np.ndarray, reason: str) -> None:
    path = save(tmp_path / "mask.png", mask)
    source = CentredOnMasks(ImageArray(np.zeros((1, 9, 9), dtype=np.uint8)), ImageFiles([path]))
    with pytest.raises(UnreadableImageError, match=f"{path}.*{reason}"):
        source.read(0)


def test_every_label_of_a_nifti_mask_is_marked(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.zeros((4, 5, 6), dtype=np.int16)
    values[0, 1, 2], values[3, 1, 2] = (
        1,
        4,
    )  # the smallest label becomes 0 where intensities are scaled to bytes
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    masks = ImageFiles([path])
    assert masks.mask(0).sum() == 2
    assert masks.mask(0).shape == masks.read(0).shape[:-1]


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """Black images with one white pixel, which the mask marks."""
    rows = []
    for number in range(6):
        pixels = np.zeros((16, 16))
        pixels[number + 3, 12 - number] = 255
        save(tmp_path / "images" / f"{number}.png", pixels)
        save(tmp_path / "tumours" / f"{number}_tumour.png", pixels > 0)
        rows.append(
            {"image": f"{number}.png", "label": "ab"[number % 2], "tumour": f"tumours/{number}_tumour.png"}
        )
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_a_column_of_masks_centres_a_table_and_its_crops(clinic: Path) -> None:
    collection = open_collection(str(clinic), columns=TableColumns(mask_column="tumour"))
    pixels = load_pixels(collection, image_size=8, channels=1, dimensions=2, fit="crop")
    white = pixels.read(np.arange(6))[:, 0].numpy()
    assert [tuple(np.argwhere(image)[0]) for image in white] == [(4, 4)] * 6
    # Read without masks, hardly any white pixel is in the middle.
    plain = load_pixels(open_collection(str(clinic)), image_size=8, channels=1, dimensions=2, fit="crop")
    assert {tuple(place[1:]) for place in np.argwhere(plain.read(np.arange(6))[:, 0].numpy())} != {(4, 4)}


def test_a_changed_mask_is_noticed(clinic: Path) -> None:
    collection = open_collection(str(clinic), columns=TableColumns(mask_column="tumour"))
    assert [path.parent.name for path in collection.source.files(0)] == ["images", "tumours"]
    assert [path.name for path in collection.source.select(np.array([3])).files(0)] == [
        "3.png",
        "3_tumour.png",
    ]


def test_a_column_that_is_not_there_is_refused(clinic: Path) -> None:
    with pytest.raises(
        InputError, match=r"`mask_column` must be a column of .*got 'tumor'; did you mean tumour"
    ):
        open_collection(str(clinic), columns=TableColumns(mask_column="tumor"))
