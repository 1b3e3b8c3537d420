"""Spectra are SciPy's cosine transforms, and cosines of packed hashes those of their signs."""

import numpy as np
from scipy.fft import dctn

from medtail.inspection.search import spectra
from medtail.inspection.search.spectra import Hashes, Spectra


def test_spectra_are_low_frequencies_whatever_the_chunks(monkeypatch) -> None:
    thumbnails = np.random.default_rng(0).integers(0, 256, (7, 1, 32, 32), dtype=np.uint8)
    monkeypatch.setattr(spectra, "_CHUNK", 3)
    seen = Spectra.of(thumbnails)
    expected = dctn(thumbnails[:, 0].astype(float), axes=(1, 2), norm="ortho")[:, :8, :8].reshape(7, 64)
    expected[:, 0] = 0.0
    np.testing.assert_allclose(seen.coefficients[:, 0], expected, atol=1e-2)
    lengths = thumbnails[:, 0].std(axis=(1, 2)) * 32
    np.testing.assert_allclose(seen.lengths[:, 0], lengths, rtol=1e-5)
    np.testing.assert_allclose(seen.units[:, 0], expected / lengths[:, None], atol=1e-4)


def test_cosines_of_packed_hashes_are_those_of_their_signs() -> None:
    generator = np.random.default_rng(0)
    signs = generator.integers(-1, 2, (30, 2, 64)).astype(np.int8)
    signs[4] = 0
    flat = signs.reshape(30, -1).astype(float)
    rows, others = (generator.integers(0, 30, 500) for _ in range(2))
    norms = np.maximum(np.linalg.norm(flat, axis=1), 1.0)
    expected = (flat[rows] * flat[others]).sum(axis=1) / norms[rows] / norms[others]
    hashes = Hashes(signs)
    np.testing.assert_allclose(hashes.cosines(rows, hashes, others), expected, atol=1e-12)


def test_coefficients_that_are_almost_zero_have_no_sign() -> None:
    # One wave, and another of a five-hundredth of its strength.
    places = (np.arange(32) + 0.5) * np.pi / 32
    picture = 100 + 50 * np.cos(places)[:, None] + 0.1 * np.cos(3 * places)
    signs = Spectra.of(picture[None, None]).hashes.signs[0, 0]
    assert signs.sum() == 1
    assert signs[8] == 1
    assert not Spectra.of(np.full((1, 1, 32, 32), 7, np.uint8)).hashes.signs.any()
