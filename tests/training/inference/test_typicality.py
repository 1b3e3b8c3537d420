"""Whether an image is typical of validation: calibrated on its own kind, far for others, read back from its file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medtail.errors import InputError
from medtail.runs.run import Run
from medtail.training.inference.typicality import FEWEST, UNLIKE, Typicality, described


def descriptions(size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated values of very different scales, with one that is constant."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(size, 12)) @ np.random.default_rng(0).normal(size=(12, 12))
    return np.column_stack([(mixed + shift) * np.logspace(-3, 3, 12), np.ones(size)])


def test_five_percent_of_new_images_of_the_same_kind_are_unlike() -> None:
    fitted = Typicality.fit(descriptions(400, 1), None, descriptions(2000, 2))
    assert fitted is not None
    assert float(fitted.test_share) == pytest.approx(1 - UNLIKE, abs=0.03)
    values = fitted.atypicality(descriptions(2000, 3))
    np.testing.assert_allclose(np.quantile(values, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.08)


def test_more_directions_than_images_change_nothing() -> None:
    """Networks have up to 2,048 features, and validation may hold a hundred images."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(20, 600))

    def wide(size: int) -> np.ndarray:
        return generator.normal(size=(size, 20)) @ mixing + generator.normal(size=(size, 600))

    fitted = Typicality.fit(wide(150), None, wide(1000))
    assert fitted is not None
    assert float(fitted.test_share) == pytest.approx(1 - UNLIKE, abs=0.06)


def test_images_of_another_kind_are_unlike() -> None:
    fitted = Typicality.fit(descriptions(400, 1), None, descriptions(9, 2))
    assert (fitted.atypicality(descriptions(100, 4, shift=30.0)) >= UNLIKE).all()


def test_images_of_one_group_do_not_vouch_for_each_other() -> None:
    """Eight images of each patient are nearly the same: by images, each would be near its copies."""
    patients = np.repeat(np.arange(50), 8)
    images = descriptions(50, 1)[patients] + 1e-9
    by_patient = Typicality.fit(images, patients, descriptions(9, 2))
    by_image = Typicality.fit(images, None, descriptions(9, 2))
    assert np.median(by_patient.reference) > np.median(by_image.reference)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert Typicality.read(run) is None
    fitted = Typicality.fit(descriptions(80, 1), None, descriptions(30, 2))
    fitted.write(run)
    new = descriptions(20, 3)
    np.testing.assert_array_equal(Typicality.read(run).atypicality(new), fitted.atypicality(new))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.typicality.parent.mkdir()
    run.typicality.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"typicality\.npz"):
        Typicality.read(run)


def test_few_images_tell_nothing() -> None:
    assert Typicality.fit(descriptions(FEWEST - 1, 1), None, descriptions(9, 2)) is None


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 6, 6, 6)])
def test_a_description_has_features_and_appearance(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    table = described(torch.randn(5, 7), images)
    channels, cells = shape[0], 4 ** (len(shape) - 1)
    assert table.shape == (5, 7 + channels * (3 + cells))
    mean = images.double().flatten(2).mean(2) / 255
    np.testing.assert_allclose(table[:, 7 : 7 + channels], mean, rtol=1e-5)
