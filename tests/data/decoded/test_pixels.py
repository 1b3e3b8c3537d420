"""Decoding: right colours, right size, once, and every bad file named."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from medtail.data import (
    ImageArray,
    ImageBatches,
    ImageCollection,
    ImageFiles,
    UnreadableImageError,
    batch_loader,
    image_paths,
    load_pixels,
    open_collection,
)
from medtail.data.decoded.image_shape import WorkingForm


def resize(image: np.ndarray, image_size: int, channels: int) -> np.ndarray:
    return WorkingForm(image_size, channels).convert(image, "x")


# --- modes


def read_back(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: object) -> np.ndarray:
    image.save(tmp_path / name, **options)
    return ImageFiles([tmp_path / name]).read(0)


def test_grey_and_colour_are_read_as_they_are(tmp_path: Path, draw) -> None:
    for mode, channels in (("L", 1), ("RGB", 3)):
        image = draw(0, mode=mode)
        pixels = read_back(tmp_path, image)
        assert pixels.shape == (16, 16, channels)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels.squeeze(), np.asarray(image))


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert read_back(tmp_path, image)[..., 0].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_sixteen_bits_are_scaled_by_the_whole_range(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 257, 32896], [65535, 128, 129]], dtype=np.uint16)
    pixels = read_back(tmp_path, Image.fromarray(values), name)
    assert pixels[..., 0].tolist() == [[0, 1, 128], [255, 0, 1]]


def test_palettes_become_their_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert read_back(tmp_path, image).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_transparency_is_put_on_black(tmp_path: Path) -> None:
    colours = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], dtype=np.uint8)
    assert read_back(tmp_path, Image.fromarray(colours)).tolist() == [
        [[200, 100, 50], [0, 0, 0], [40, 20, 10]]
    ]
    grey = np.array([[[200, 255], [200, 0]]], dtype=np.uint8)
    assert read_back(tmp_path, Image.fromarray(grey, "LA"))[..., :].tolist() == [[[200], [0]]]


def test_a_transparent_palette_colour_is_put_on_black(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert read_back(tmp_path, image, transparency=1).tolist() == [[[10, 20, 30], [0, 0, 0]]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    pixels = read_back(tmp_path, image, "x.jpg", quality=100).astype(int)
    assert pixels.shape == (8, 8, 3)
    assert abs(pixels - [255, 0, 0]).max() < 8


def test_exif_orientation_is_respected(tmp_path: Path) -> None:
    upright = np.zeros((8, 16, 3), dtype=np.uint8)
    upright[:, :8] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    pixels = read_back(tmp_path, Image.fromarray(upright), exif=exif)
    assert pixels.shape == (16, 8, 3)
    assert pixels[:8].min() == 255
    assert pixels[8:].max() == 0


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "bmp", "webp", "gif", "ppm"])
def test_every_format_is_read(tmp_path: Path, draw, extension: str) -> None:
    image = draw(3, size=32)
    pixels = read_back(tmp_path, image, f"x.{extension}").astype(int)
    assert pixels.shape == (32, 32, 3)
    assert abs(pixels - np.asarray(image, dtype=int)).mean() < 8


# --- files that cannot be read


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )


def encoded(draw: Callable, kind: str, seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    draw(seed, size=64).save(buffer, kind)
    return buffer.getvalue()


def frames(draw: Callable, kind: str) -> bytes:
    buffer = io.BytesIO()
    draw(0).save(buffer, kind, save_all=True, append_images=[draw(1), draw(2)])
    return buffer.getvalue()


def floating_point() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


BAD_FILES: dict[str, tuple[Callable[[Callable], bytes], str]] = {
    "empty.jpg": (lambda _: b"", "is empty (0 bytes)"),
    "text.jpg": (lambda _: b"not an image at all", "is not an image, or its header is garbled"),
    "postscript.jpg": (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    "cut.jpg": (lambda draw: encoded(draw, "JPEG")[:400], "is truncated"),
    "cut.png": (lambda draw: encoded(draw, "PNG")[:-300], "is truncated"),
    "header.png": (lambda draw: b"\0" * 16 + encoded(draw, "PNG")[16:], "is not an image"),
    "garbled.png": (lambda draw: encoded(draw, "PNG")[:60] + b"\xff" * 600, "is "),
    "cut.webp": (lambda draw: encoded(draw, "WEBP")[:60], "is "),
    "huge.png": (lambda _: png_of_size(60_000, 60_000), "has far more pixels than the limit"),
    "large.png": (lambda _: png_of_size(9_000, 9_000), "has 9000 x 9000 pixels, more than the limit"),
    "pages.tif": (lambda draw: frames(draw, "TIFF"), "holds 3 frames where one image is expected"),
    "moving.gif": (lambda draw: frames(draw, "GIF"), "holds 3 frames"),
    "float.tif": (lambda _: floating_point(), "holds floating-point pixels"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, draw, name: str) -> None:
    make, reason = BAD_FILES[name]
    (tmp_path / name).write_bytes(make(draw))
    with pytest.raises(UnreadableImageError) as refusal, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ImageFiles([tmp_path / name]).read(0)
    assert refusal.value.reason.startswith(reason)
    assert name in str(refusal.value)


def test_the_limit_on_pixels_can_be_set(class_folders: Path, refuses) -> None:
    strict = open_collection(class_folders, max_pixels=255)
    sentence = refuses(load_pixels, strict, image_size=8, channels=3)
    assert "52 of 52 images" in sentence
    assert "16 x 16 pixels, more than the limit of 255" in sentence
    assert len(load_pixels(open_collection(class_folders, max_pixels=256), image_size=8, channels=3)) == 52
    assert "max_pixels must be a whole number of at least 1, got 0" in refuses(ImageFiles, [], 0)


@pytest.fixture
def hundred_images(tmp_path: Path, draw) -> tuple[Path, set[str]]:
    """100 images of two classes in a table, 17 of them bad in as many ways as there are."""
    folder = tmp_path / "hundred"
    folder.mkdir()
    names = [f"image_{number:03d}.jpg" for number in range(100)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(encoded(draw, "JPEG", seed=number))
    makers = [make for make, _ in BAD_FILES.values()]
    bad = set(names[5:100:6])
    for number, name in enumerate(sorted(bad)):
        (folder / name).write_bytes(makers[number % len(makers)](draw))
    missing = names[3]
    (folder / missing).unlink()
    pd.DataFrame({"image": names, "label": ["a", "b"] * 50}).to_csv(folder / "labels.csv", index=False)
    return folder, bad | {missing}


@pytest.mark.filterwarnings("ignore")
def test_every_bad_file_of_a_hundred_is_named_at_once(hundred_images, refuses) -> None:
    folder, bad = hundred_images
    sentence = refuses(load_pixels, open_collection(folder), image_size=16, channels=3)
    assert sentence.startswith("17 of 100 images cannot be read: ")
    assert all(name in sentence for name in bad)
    assert sum(f"image_{number:03d}" in sentence for number in range(100)) == 17
    assert "image_003.jpg does not exist" in sentence
    assert "`skip_unreadable=True`" in sentence


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("memory_limit", [2**30, 0], ids=["resident", "on request"])
def test_bad_files_can_be_left_out(hundred_images, refuses, memory_limit: int) -> None:
    folder, bad = hundred_images
    collection = open_collection(folder)
    pixels = load_pixels(
        collection, image_size=16, channels=3, skip_unreadable=True, memory_limit=memory_limit
    )
    assert pixels.resident == (memory_limit > 0)
    assert {image.id for image in pixels.unreadable} == bad
    assert len(pixels.readable_rows) == 83
    bad_row = pixels.unreadable[0].row
    assert "are not; use readable_rows" in refuses(pixels.read, [0, bad_row])

    rows = np.array([image.row for image in pixels.unreadable])
    kept, rest = pixels.without(rows), collection.without(rows)
    assert len(kept) == len(rest) == 83
    assert not kept.unreadable
    for row in (0, 41, 82):
        expected = resize(rest.source.read(row, at_least=16), 16, 3)
        np.testing.assert_array_equal(kept.read([row])[0].numpy(), expected)


def test_leaving_out_good_rows_renumbers_the_bad(tmp_path: Path, draw) -> None:
    for seed, name in enumerate("abcd"):
        draw(seed).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("image,label\n" + "".join(f"{name},x\n" for name in "abcd"))
    pixels = load_pixels(open_collection(tmp_path), image_size=8, channels=1, skip_unreadable=True)
    after = pixels.without(np.array([0]))
    assert [(image.row, image.id) for image in after.unreadable] == [(1, "c")]
    assert after.readable_rows.tolist() == [0, 2]
    again = after.without(np.array([0, 1]))
    assert again.readable_rows.tolist() == [0]
    assert torch.equal(again.read([0]), pixels.read([3]))


def test_no_readable_image_is_refused_even_when_skipping(tmp_path: Path, refuses) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_bytes(b"")
    sentence = refuses(load_pixels, open_collection(tmp_path), image_size=8, channels=1, skip_unreadable=True)
    assert "no image of" in sentence
    assert "a/x.png is empty (0 bytes), b/x.png is empty (0 bytes)" in sentence


# --- sizes and channels


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image, 8, 3), image.transpose(2, 0, 1))


def test_shrinking_is_antialiased() -> None:
    chessboard = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * 255
    small = resize(chessboard.astype(np.uint8), 8, 1)
    assert abs(small.astype(int) - 127).max() <= 2  # without antialiasing: 0 or 255


def test_resizing_is_pillow_s_bicubic_and_crops_nothing(draw) -> None:
    image = draw(0, size=30).resize((40, 20))
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    np.testing.assert_array_equal(resize(np.asarray(image), 16, 3), expected)


def test_grey_is_repeated_and_colour_becomes_luminance(draw) -> None:
    colour = np.asarray(draw(0))
    grey = resize(colour, 16, 1)
    luminance = colour @ np.array([0.299, 0.587, 0.114])
    assert abs(grey[0] - luminance).max() <= 1.0
    repeated = resize(grey[0][..., None], 16, 3)
    assert (repeated == grey).all()
    assert repeated.shape == (3, 16, 16)


@pytest.mark.parametrize(("size", "channels"), [(8, 3), (5, 1), (13, 3)])
def test_arrays_are_loaded_row_by_row(size: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3), dtype=np.uint8)
    order = np.random.default_rng(1).permutation(70)
    collection = ImageCollection.build(
        name="x",
        data="x",
        ids=[str(row) for row in range(70)],
        labels=["a"] * 70,
        source=ImageArray(images, order),
    )
    pixels = load_pixels(collection, image_size=size, channels=channels)
    read = pixels.read([3, 69, 3])
    assert read.shape == (3, channels, size, size)
    assert read.dtype == torch.uint8
    for place, row in enumerate((3, 69, 3)):
        np.testing.assert_array_equal(read[place].numpy(), resize(images[order[row]], size, channels))


def test_a_jpeg_may_be_decoded_smaller_but_never_too_small(tmp_path: Path, draw) -> None:
    draw(0, size=256).save(tmp_path / "x.jpg")
    files = ImageFiles([tmp_path / "x.jpg"])
    assert files.read(0).shape == (256, 256, 3)
    assert files.read(0, at_least=60).shape == (64, 64, 3)
    assert files.read(0, at_least=100).shape == (128, 128, 3)
    full, small = resize(files.read(0), 60, 3), resize(files.read(0, at_least=60), 60, 3)
    assert abs(full.astype(int) - small).mean() < 3


def test_wrong_sizes_are_refused(class_folders: Path, refuses) -> None:
    collection = open_collection(class_folders)
    assert "image_size must be a whole number of at least 1, got 0" in refuses(
        load_pixels, collection, image_size=0, channels=3
    )
    assert "channels must be a whole number of at least 1, got 0" in refuses(
        load_pixels, collection, image_size=8, channels=0
    )
    sentence = refuses(load_pixels, collection, image_size=8, channels=4)
    assert "nevus/nevus_00.png has 3 channels where data.channels is 4 (only grey and colour" in sentence
    assert "dimensions must be 2 (images) or 3 (volumes), got 4" in refuses(
        load_pixels, collection, image_size=8, channels=3, dimensions=4
    )
    assert "shape (N, H, W)" in refuses(ImageArray, np.zeros((2, 4), dtype=np.uint8))


def test_each_image_is_decoded_once(class_folders: Path, monkeypatch) -> None:
    decoded = []
    read = ImageFiles.read
    monkeypatch.setattr(
        ImageFiles, "read", lambda self, row, **options: (decoded.append(row), read(self, row, **options))[1]
    )
    collection = open_collection(class_folders)
    assert decoded == []
    pixels = load_pixels(collection, image_size=8, channels=3)
    pixels.read(np.arange(52))
    assert sorted(decoded) == list(range(52))


def test_progress_ends_at_the_number_of_images(class_folders: Path) -> None:
    reported: list[tuple[str, int, int]] = []
    load_pixels(
        open_collection(class_folders), image_size=8, channels=3, progress=lambda *step: reported.append(step)
    )
    assert [done for _, done, _ in reported] == [32, 52]
    assert {total for _, _, total in reported} == {52}


def test_reading_on_request_gives_what_memory_gives(table_folder: Path) -> None:
    collection = open_collection(table_folder)
    resident = load_pixels(collection, image_size=12, channels=1)
    on_request = load_pixels(collection, image_size=12, channels=1, memory_limit=30 * 12 * 12 - 1)
    assert resident.resident
    assert not on_request.resident
    rows = [29, 0, 7, 7]
    assert torch.equal(resident.read(rows), on_request.read(rows))


@pytest.mark.parametrize(
    ("name", "size", "channels"),
    [
        ("ham10000_128", 64, 3),
        ("ham10000_28.npz", 28, 3),
        ("bccd_cells_64", 64, 3),
        ("pneumoniamnist_ir9.npz", 28, 1),
        ("cifar/cifar100_lt_if100.npz", 32, 3),
        ("cifar/cifar10_auto_truck_beta100.npz", 16, 1),
    ],
)
def test_every_real_set_is_loaded(shared_data: Path, name: str, size: int, channels: int) -> None:
    collection = open_collection(shared_data / name)
    pixels = load_pixels(collection, image_size=size, channels=channels)
    assert pixels.resident
    assert not pixels.unreadable
    last = len(collection) - 1
    np.testing.assert_array_equal(
        pixels.read([last])[0].numpy(), resize(collection.source.read(last, at_least=size), size, channels)
    )
    assert pixels.read(np.arange(0, last, 97)).float().std() > 20  # real pictures, not a constant


# --- finding files


def test_paths_of_files_and_folders(class_folders: Path, refuses) -> None:
    single = class_folders / "nevus" / "nevus_00.png"
    found = image_paths([single, class_folders / "melanoma"])
    assert found[0] == single
    assert len(found) == 13
    assert "does not exist" in refuses(image_paths, [class_folders / "nothing.png"])
    (class_folders / "empty").mkdir()
    assert "must hold at least one image" in refuses(image_paths, [class_folders / "empty"])


def test_linked_folders_are_followed_once(class_folders: Path) -> None:
    (class_folders / "nevus" / "loop").symlink_to(class_folders / "nevus", target_is_directory=True)
    assert open_collection(class_folders).class_counts().tolist() == [12, 40]


# --- batches


@pytest.mark.parametrize("memory_limit", [2**30, 0], ids=["resident", "in workers"])
def test_batches_hold_images_targets_and_rows(class_folders: Path, memory_limit: int) -> None:
    collection = open_collection(class_folders)
    pixels = load_pixels(collection, image_size=8, channels=3, memory_limit=memory_limit)
    rows = np.array([50, 3, 20, 11, 30])
    targets = collection.table["target"].to_numpy()[rows]
    images = ImageBatches(pixels, rows, targets)
    loader = batch_loader(images, sampler=[4, 0, 1, 2, 3], batch_size=2, workers=1)
    assert loader.num_workers == (0 if memory_limit else 1)
    batches = list(loader)
    assert [batch["row"].tolist() for batch in batches] == [[30, 50], [3, 20], [11]]
    for batch in batches:
        assert batch["image"].dtype == torch.uint8
        assert batch["target"].dtype == torch.int64
        assert torch.equal(batch["image"], pixels.read(batch["row"].numpy()))
        assert (
            batch["target"].tolist() == collection.table["target"].to_numpy()[batch["row"].numpy()].tolist()
        )
    assert len(list(batch_loader(images, sampler=[0, 1, 2], batch_size=2, drop_last=True, workers=0))) == 1
    assert torch.equal(images[1]["image"], pixels.read([3])[0])


def test_targets_of_another_split_are_refused(class_folders: Path, refuses) -> None:
    pixels = load_pixels(open_collection(class_folders), image_size=8, channels=3)
    assert "got 2 for 3 rows" in refuses(ImageBatches, pixels, np.arange(3), np.zeros(2, dtype=int))
