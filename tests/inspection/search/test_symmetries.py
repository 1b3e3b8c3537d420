"""What is computed from spectra of pictures is that of the turned pictures."""

import numpy as np
import pytest

from medtail.inspection.search.spectra import Spectra
from medtail.inspection.search.symmetries import SYMMETRIES, unturned


@pytest.fixture(scope="module")
def thumbnails() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 2, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize("symmetry", SYMMETRIES, ids=lambda symmetry: symmetry.name or "as it is")
def test_coefficients_and_hashes_of_turned_pictures_follow_from_those_of_the_picture(
    symmetry, thumbnails
) -> None:
    before, after = Spectra.of(thumbnails), Spectra.of(symmetry.of_pictures(thumbnails))
    np.testing.assert_allclose(symmetry.of_coefficients(before.coefficients), after.coefficients, atol=1e-3)
    np.testing.assert_array_equal(symmetry.of_coefficients(before.hashes.signs), after.hashes.signs)


def test_numbers_that_no_symmetry_changes_are_no_further_apart_than_the_closest_turn(thumbnails) -> None:
    units = Spectra.of(thumbnails).units[:, 0]
    same = unturned(units)
    turned = [symmetry.of_coefficients(units) for symmetry in SYMMETRIES]
    for one in turned:
        np.testing.assert_allclose(unturned(one), same, atol=1e-6)
    apart = np.linalg.norm(same[:, None] - same, axis=-1)
    closest = np.min([np.linalg.norm(one[:, None] - units, axis=-1) for one in turned], axis=0)
    assert (apart <= closest + 1e-6).all()
    np.testing.assert_allclose(np.linalg.norm(same, axis=1), np.linalg.norm(units, axis=1), rtol=1e-6)
