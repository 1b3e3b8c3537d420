"""The linear density: the paper's own curves, its limits, and what is refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from medtail.errors import InputError
from medtail.methods import LinearDensity

PAPER = [
    (0.25, 0.75, 2), (0.25, 0.75, 0), (0.25, 0.75, 4), (0.1, 0.9, 1.25), (1, 3, 0.5), (1, 3, 0), (1, 4, 0.33),
    (0, 0.3, 0), (0, 0.3, 3.3), (0, 0.2, 5), (0.1, 0.3, 5), (0, 3, 0), (0, 3, 0.33), (1, 4, 0), (0, 0.3, 2),
]  # fmt: skip


@st.composite
def densities(draw: st.DrawFn) -> LinearDensity:
    low = draw(st.floats(-100, 100))
    width = draw(st.floats(0.01, 100))
    high = low + width
    return LinearDensity(low, high, draw(st.floats(0, 1)) * 2 / (high - low))


@pytest.mark.parametrize("arguments", PAPER, ids=str)
def test_draws_are_those_of_the_authors_code(oracles, arguments) -> None:
    with np.load(oracles / "lct.npz") as arrays:
        shares, expected = arrays["p_grid"], arrays[f"L({','.join(map(str, arguments))})"]
    np.testing.assert_allclose(
        LinearDensity(*arguments).inverse_cdf(shares), expected, rtol=1e-10, atol=1e-10
    )


def test_every_density_of_the_oracles_is_compared_or_refused(oracles) -> None:
    with np.load(oracles / "lct.npz") as arrays:
        names = {key for key in arrays if key.startswith("L(")}
    assert names - {f"L({','.join(map(str, arguments))})" for arguments in PAPER} == {"L(1,3,2)"}


@given(densities(), st.floats(0, 1))
def test_the_inverse_inverts(density: LinearDensity, share: float) -> None:
    # Near an end of height 0 a value next to the true one is √ε of the width away.
    assert density.cdf(density.inverse_cdf(share)) == pytest.approx(share, abs=1e-6)
    assert density.low <= density.inverse_cdf(share) <= density.high


@given(densities())
def test_area_mean_and_ends(density: LinearDensity) -> None:
    ends = (density.low, density.high)
    grid = np.linspace(*ends, 5)
    heights = density.pdf(grid)
    assert heights.min() >= 0
    assert integrate.simpson(heights, x=grid) == pytest.approx(1)
    assert integrate.simpson(heights * grid, x=grid) == pytest.approx(density.mean, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(density.cdf(ends), [0, 1], atol=1e-9)
    np.testing.assert_allclose(density.inverse_cdf([0, 1]), ends, rtol=1e-9, atol=1e-9)
    assert density.pdf([density.low - 1, density.high + 1]).tolist() == [0, 0]
    assert (np.diff(density.inverse_cdf(np.linspace(0, 1, 50))) >= 0).all()


@given(st.floats(0, 1))
def test_limits_are_uniform_and_triangular(share: float) -> None:
    assert LinearDensity(1, 3, 0.5).inverse_cdf(share) == pytest.approx(stats.uniform(1, 2).ppf(share))
    rising, falling = stats.triang(1, 1, 2), stats.triang(0, 1, 2)
    assert LinearDensity(1, 3, 1).inverse_cdf(share) == pytest.approx(rising.ppf(share), abs=1e-6)
    assert LinearDensity(1, 3, 0).inverse_cdf(share) == pytest.approx(falling.ppf(share), abs=1e-6)


@pytest.mark.parametrize("arguments", [(0, 0.3, 3.3), (0, 3, 0), (1, 4, 0.33), (0.25, 0.75, 4)], ids=str)
def test_samples_follow_the_density(arguments) -> None:
    density, generator = LinearDensity(*arguments), torch.Generator().manual_seed(3)
    samples = np.array([density.sample(generator) for _ in range(4000)])
    assert stats.kstest(samples, density.cdf).pvalue > 1e-3
    assert density.low <= samples.min() and samples.max() <= density.high
    assert LinearDensity(*arguments).sample(torch.Generator().manual_seed(3)) == samples[0]


@pytest.mark.parametrize("height", [2, 1.001, -0.01])
def test_illegal_heights_name_the_legal_range(height: float) -> None:
    with pytest.raises(InputError, match=r"height_at_high must be in \[0, 1\], .* got L\(1, 3, "):
        LinearDensity(1, 3, height)


def test_a_height_written_with_six_digits_is_the_largest() -> None:
    density = LinearDensity(0, 0.3, 6.66667)
    assert density.height_at_low == 0 and density.pdf(0.3) == 2 / 0.3


@pytest.mark.parametrize("arguments", [(1, 1, 1), (3, 1, 0.5)])
def test_an_empty_interval_is_refused(arguments) -> None:
    with pytest.raises(InputError, match="high must be above low, got L"):
        LinearDensity(*arguments)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "1", True])
def test_only_finite_numbers_are_taken(bad) -> None:
    with pytest.raises(InputError, match="high must be a number"):
        LinearDensity(0, bad, 0)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_lie_between_0_and_1(share: float) -> None:
    with pytest.raises(InputError, match=r"probabilities must lie in \[0, 1\]"):
        LinearDensity(0, 1, 1).inverse_cdf(share)
