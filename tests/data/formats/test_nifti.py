"""NIfTI: canonical axes, spacing, a documented scale, sequences as channels, and the reasons of bad files."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.data import ImageFiles, ImageForm, UnreadableImageError, load_pixels, open_collection
from medtail.data.formats.nifti import Nifti, to_bytes
from medtail.inspection.audit import audit

nibabel = pytest.importorskip("nibabel")

FILES = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def run(values: np.ndarray, name: str = "x.nii.gz", affine: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 3, 4, 1]) if affine is None else affine), path)
        return path

    return run


def read(path: Path) -> np.ndarray:
    return ImageFiles([path]).read(0)


def reason(path: Path, **settings: int) -> str:
    with pytest.raises(UnreadableImageError) as refusal:
        ImageFiles([path], **settings).read(0)
    assert str(path) in str(refusal.value)
    return refusal.value.reason


def intensities(*shape: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(500, 100, shape).astype(np.float32)
    values[:2] = 0
    return values


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.NII"])
def test_axes_are_depth_height_width(write, name: str) -> None:
    values = np.zeros((5, 6, 7), dtype=np.int16)  # right, front, up
    values[4, 0, 6] = 100  # far right, far back, top
    values[0, 5, 0] = 50  # far left, far front, bottom
    source = ImageFiles([write(values, name)])
    assert source.form(0) == ImageForm(6, 5, "int16", depth=7, spacing=(4.0, 3.0, 2.0))
    volume = source.read(0)[..., 0]
    assert volume.shape == (7, 6, 5)
    assert volume[6, 5, 0] == volume.max()  # top slice, last row (back), first column (the patient's right)
    assert volume[0, 0, 4] == 0  # the darker of two values


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SLA", "IAR"])
def test_every_orientation_gives_the_same_volume(write, axes: str) -> None:
    values = intensities(5, 6, 7)
    image = nibabel.Nifti1Image(values, np.diag([2.0, 3.0, 4.0, 1.0]))
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(axes)
    )
    turned = image.as_reoriented(turn)
    path = write(np.asarray(turned.dataobj), affine=turned.affine)
    assert nibabel.aff2axcodes(nibabel.load(path).affine) == tuple(axes)
    np.testing.assert_array_equal(read(path), read(write(values, "plain.nii", np.diag([2.0, 3.0, 4.0, 1.0]))))
    assert ImageFiles([path]).form(0).spacing == (4.0, 3.0, 2.0)


def test_a_real_volume() -> None:
    path = FILES / "anatomical.nii"
    source = ImageFiles([path])
    assert source.form(0) == ImageForm(41, 33, ">i2", depth=25, spacing=(2.0, 2.0, 2.0))
    values = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata().transpose(2, 1, 0)[:, ::-1, ::-1]
    low, high = np.percentile(values[values != 0], (0.5, 99.5))
    expected = ((values - low) / (high - low)).clip(0, 1) * 255
    assert abs(source.read(0)[..., 0] - expected).max() <= 0.51


def test_the_header_is_read_without_the_voxels(write, monkeypatch) -> None:
    path = write(
        intensities(5, 6, 7), affine=np.array([[0, 0, 4, 1], [-3, 0, 0, 2], [0, 2, 0, 3], [0, 0, 0, 1]])
    )
    image = nibabel.as_closest_canonical(nibabel.load(path))
    monkeypatch.setattr(nibabel.arrayproxy.ArrayProxy, "__array__", lambda *_, **__: pytest.fail("read"))
    form = ImageFiles([path]).form(0)
    assert form.shape == image.shape[::-1] == (6, 5, 7)
    assert form.spacing == (2.0, 3.0, 4.0)
    np.testing.assert_allclose(Nifti().affine(path), image.affine)


def test_an_affine_that_points_nowhere_is_refused(write) -> None:
    path = write(intensities(4, 4, 4), "x.nii")
    image = nibabel.load(path)
    image.header["sform_code"], image.header["srow_x"] = 1, 0
    content = bytearray(path.read_bytes())
    content[:348] = image.header.binaryblock
    path.write_bytes(content)
    assert reason(path) == "has an affine that does not say where its axes point"


def test_units_become_millimetres(write) -> None:
    path = write(intensities(4, 4, 4))
    image = nibabel.load(path)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path.with_name("micron.nii"))
    np.testing.assert_allclose(
        ImageFiles([path.with_name("micron.nii")]).form(0).spacing, (0.004, 0.003, 0.002), rtol=1e-6
    )


def test_the_scale_of_the_header_is_applied(tmp_path: Path) -> None:
    values = intensities(6, 6, 6)
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.set_data_dtype(np.int16)  # nibabel then stores slope and intercept
    nibabel.save(image, tmp_path / "x.nii")
    assert (
        abs(
            read(tmp_path / "x.nii").astype(int) - to_bytes(values).transpose(2, 1, 0)[:, ::-1, ::-1, None]
        ).max()
        <= 1
    )


def test_intensities_are_scaled_by_the_voxels_that_are_not_zero() -> None:
    values = intensities(20, 20, 20)
    scaled = to_bytes(values)
    low, high = np.percentile(values[values != 0], (0.5, 99.5))
    assert (scaled[values <= low] == 0).all()
    assert (scaled[values >= high] == 255).all()
    between = (values > low) & (values < high)
    assert abs(scaled[between] - (values[between] - low) / (high - low) * 255).max() <= 0.51
    background = np.concatenate([values.reshape(-1), np.zeros(100_000, dtype=np.float32)])
    np.testing.assert_array_equal(to_bytes(background)[:8000], scaled.reshape(-1))  # zeros do not count


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_a_constant_volume_becomes_zeros(value: float) -> None:
    assert (to_bytes(np.full((3, 3, 3), value)) == 0).all()


@pytest.mark.parametrize("inside", [1, 255, -2])
def test_a_mask_stays_a_mask(inside: int) -> None:
    mask = np.zeros((4, 4, 4))
    mask[1:3] = inside
    assert (to_bytes(mask) == np.where(mask != 0, 255, 0)).all()


# --- sequences as channels


NAMES = ("t1", "t1c", "t2", "flair")


@pytest.fixture
def glioma(tmp_path: Path, write) -> Path:
    """Twelve cases of four sequences."""
    rows = []
    for case in range(12):
        row = {"id": f"case{case:02d}", "label": ["high", "low"][case % 2]}
        for place, name in enumerate(NAMES):
            write(intensities(9, 8, 7, seed=10 * case + place), f"case{case:02d}/{name}.nii.gz")
            row[f"image_{name}"] = f"case{case:02d}/{name}"
        rows.append(row)
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_sequences_are_channels(glioma: Path) -> None:
    collection = open_collection(glioma)
    assert collection.table["id"].tolist()[:2] == ["case00", "case01"]
    form = ImageForm(8, 9, "float32", depth=7, spacing=(4.0, 3.0, 2.0), channels=4)
    assert collection.first_form() == form
    volume = collection.source.read(3)
    assert volume.shape == (7, 8, 9, 4)
    for place, name in enumerate(NAMES):
        np.testing.assert_array_equal(volume[..., place], read(glioma / "case03" / f"{name}.nii.gz")[..., 0])
    pixels = load_pixels(collection, image_size=8, channels=4)
    assert pixels.read([0, 11]).shape == (2, 4, 8, 8, 8)
    some = collection.select(np.array([3]))
    np.testing.assert_array_equal(some.source.read(0), volume)
    assert collection.source.files(3) == tuple(glioma / "case03" / f"{name}.nii.gz" for name in NAMES)
    assert audit(collection).channels == {"4": 12}


def test_the_default_recipe_takes_as_many_channels_as_there_are_sequences(glioma: Path) -> None:
    from medtail.recipes.choose_recipe import choose_recipe

    recipe = choose_recipe(open_collection(glioma), "ce", "small_images")
    assert recipe.data.channels == 4


def test_the_first_sequence_names_a_case_without_id(glioma: Path) -> None:
    table = pd.read_csv(glioma / "labels.csv").drop(columns="id")
    table.to_csv(glioma / "labels.csv", index=False)
    assert open_collection(glioma).table["id"].iloc[2] == "case02/t1"


def test_three_sequences_are_not_turned_into_grey(glioma: Path, refuses) -> None:
    table = pd.read_csv(glioma / "labels.csv").drop(columns="image_t2")
    table.to_csv(glioma / "labels.csv", index=False)
    collection = open_collection(glioma)
    assert "data.channels must be 3" in refuses(load_pixels, collection, image_size=8, channels=1)


def test_sequences_of_different_shapes_are_named(glioma: Path, write, refuses) -> None:
    write(intensities(9, 8, 6), "case02/t2.nii.gz")
    collection = open_collection(glioma)
    sentence = refuses(load_pixels, collection, image_size=8, channels=4)
    assert "1 of 12 images cannot be read: case02 has sequences of different shapes" in sentence
    assert "image_t1 7 x 8 x 9, image_t1c 7 x 8 x 9, image_t2 6 x 8 x 9" in sentence
    assert len(load_pixels(collection, image_size=8, channels=4, skip_unreadable=True).readable_rows) == 11


def test_sequences_that_lie_elsewhere_are_named(glioma: Path, write, refuses) -> None:
    moved = np.diag([2.0, 3.0, 4.0, 1.0])
    moved[0, 3] = 5.0
    write(intensities(9, 8, 7), "case04/flair.nii.gz", moved)
    slightly = np.diag([2.0, 3.0, 4.0, 1.0])
    slightly[:3, 3] = 0.01
    write(intensities(9, 8, 7), "case05/flair.nii.gz", slightly)
    sentence = refuses(load_pixels, open_collection(glioma), image_size=8, channels=4)
    assert "1 of 12" in sentence
    assert "case04 has sequences that lie 5 mm apart in the patient (image_t1 and image_flair" in sentence


def test_a_missing_sequence_names_its_file(glioma: Path, refuses) -> None:
    (glioma / "case07" / "t2.nii.gz").unlink()
    sentence = refuses(load_pixels, open_collection(glioma), image_size=8, channels=4)
    assert "case07 does not exist" in sentence or "case07/t2 does not exist" in sentence


# --- bad files


def test_nan_and_infinity_are_counted(write) -> None:
    values = intensities(5, 5, 5)
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    assert reason(write(values)).startswith("holds 2 voxels that are NaN or infinite")


def test_a_fourth_dimension_is_refused_but_one_of_size_one_is_not(write) -> None:
    assert reason(FILES / "functional.nii").startswith(
        "has a fourth dimension (17 x 21 x 3 x 20) where one volume"
    )
    np.testing.assert_array_equal(
        read(write(intensities(4, 5, 6)[..., None], "one.nii")), read(write(intensities(4, 5, 6)))
    )
    assert reason(write(intensities(4, 5))) == "has 2 dimensions where a volume has 3"


def test_garbled_truncated_empty_and_other_files(tmp_path: Path, write) -> None:
    (tmp_path / "text.nii").write_text("no volume at all")
    assert reason(tmp_path / "text.nii") == "is not a NIfTI file, or its header is garbled"
    (tmp_path / "text.nii.gz").write_text("no volume at all")
    assert reason(tmp_path / "text.nii.gz").startswith("is ")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    assert reason(tmp_path / "empty.nii.gz") == "is empty (0 bytes)"
    assert reason(tmp_path / "missing.nii.gz") == "does not exist"
    whole = write(np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32))
    for name in ("cut.nii.gz", "cut.nii"):
        content = (
            whole.read_bytes() if name.endswith("gz") else write(intensities(9, 9, 9), "y.nii").read_bytes()
        )
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        assert reason(tmp_path / name) == "is truncated"


def test_colour_and_complex_voxels_are_refused(write, tmp_path: Path) -> None:
    assert reason(write(np.ones((3, 3, 3), dtype=np.complex64))).startswith("holds complex64, not one number")


def test_the_limit_is_checked_in_the_header(tmp_path: Path, write) -> None:
    path = write(intensities(5, 5, 5), "x.nii")
    assert reason(path, max_pixels=124) == "has 5 x 5 x 5 pixels, more than the limit of 124 (max_pixels)"
    header = nibabel.load(path).header.copy()
    header.set_data_shape((30_000, 30_000, 30_000))
    content = bytearray(path.read_bytes())
    content[:348] = header.binaryblock
    (tmp_path / "huge.nii").write_bytes(content)
    assert "has 30000 x 30000 x 30000 pixels" in reason(tmp_path / "huge.nii")


def test_a_missing_package_is_named(monkeypatch, refuses, write) -> None:
    path = write(intensities(4, 4, 4))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert "pip install 'medtail[volumes]'" in refuses(ImageFiles([path]).read, 0)
