import numpy as np
import pytest
from scipy import ndimage

from medtail.inspection.altered_shapes import altered_shapes, shape_digests


def _pairs(volumes):
    found = altered_shapes([shape_digests(volume[..., None]) for volume in volumes])
    return {(pair.first, pair.second) for pair in found}


def _blobs(count):
    noise = np.random.default_rng(0).normal(size=(count, 16, 16, 16))
    noise = np.pad(ndimage.gaussian_filter(noise, (0, 1, 1, 1)) > 0.1, ((0, 0), (4, 4), (4, 4), (4, 4)))
    return noise.astype(np.uint8) * 255


@pytest.mark.parametrize(
    "change",
    [
        lambda volume: np.roll(volume, (1, -1), (0, 2)),
        lambda volume: 255 - volume,
        lambda volume: ndimage.grey_dilation(volume, footprint=ndimage.generate_binary_structure(3, 1)),
        lambda volume: ndimage.grey_dilation(volume, size=3),
    ],
)
def test_altered_shapes_are_paired_with_their_original_alone(change):
    volumes = _blobs(6)

    assert _pairs([*volumes, change(volumes[2])]) == {(2, 6)}
    assert _pairs([change(volumes[2]), *volumes]) == {(0, 3)}


def test_grey_volumes_have_no_shape():
    assert shape_digests(np.arange(4096, dtype=np.uint8).reshape(16, 16, 16, 1)) == ()


@pytest.mark.slow
def test_different_adrenal_glands_have_different_shapes(shared_data):
    archive = np.load(shared_data / "adrenalmnist3d.npz")
    volumes = np.concatenate([archive[f"{split}_images"] for split in ("train", "val", "test")])

    assert not _pairs(volumes)
    assert _pairs([*volumes, 255 - volumes[7]]) == {(7, len(volumes))}
