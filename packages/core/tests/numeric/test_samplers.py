"""Samplers against exact quantiles, in float32 and float64, up to the far tail. Kolmogorov-Smirnov tests are at level 1e-6 each, with fixed seeds."""

import math

import numpy as np
import pytest

from fanwise import TruncatedNormal
from fanwise.adapting import samplers

pytestmark = pytest.mark.clause("laws/3", "randomness/5")

inf = math.inf
LAWS = [
    (0.0, 1.0, -2.0, 2.0),
    (0.0, 1.0, -1.0, 0.3),
    (0.0, 1.0, -6.0, 6.0),
    (0.0, 1.0, -inf, 3.0),
    (0.0, 1.0, 1.0, 1.1),
    (0.0, 1.0, 3.9, inf),
    (0.0, 1.0, 4.1, inf),
    (0.0, 1.0, 8.0, 10.0),
    (0.0, 1.0, 30.0, inf),
    (0.0, 1.0, 100.0, 101.0),
    (0.0, 1.0, -inf, -5.0),
    (0.0, 1.0, 6.0, 6.0 + 1e-4),
    (-3.0, 1.0, 0.0, 1e-5),
    (3.0, 1.0, -1e-5, 0.0),
    (0.0, 1.0, -1e-8, 2e-8),
    (0.0, 1.0, 100.0, 100.0001),
    (0.0, 1.0, -0.01, 0.015),
    (-4.9, 1.0, 0.0, 4e-4),
    (-3.0, 1.0, 0.0, 0.02),
    (2.0, 1.0, -0.01, 0.01),
    (1000.0, 1000.0, -1.0, 1.0),
    (0.0, 1.0, 0.0, 1.5e-4),
    (0.5, 0.02, 0.47, 0.6),
]


def sample(law, u, dtype):
    u = np.asarray(u)
    return in_units_of_std(law, u.astype(dtype), (1 - u).astype(dtype))


def in_units_of_std(law, u, complement):
    mean, std, low, high = law
    return std * samplers.truncated_normal(
        np, u, complement, mean=mean / std, low=low / std, high=high / std
    )


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-13)])
def test_the_inverse_cdf_is_exact_to_rounding(law, dtype, tolerance):
    u = np.concatenate(
        [10.0 ** np.arange(-9, -1), np.linspace(0.02, 0.98, 25), 1 - 10.0 ** -np.arange(2, 7)]
    )
    exact = np.array([TruncatedNormal(*law).quantile(p) for p in u])
    found = sample(law, u, dtype).astype(float)
    spread = TruncatedNormal(*law).std
    reach = np.abs(exact - law[0]) + spread  # the distance from the parent's mean rounds
    width = (law[3] - law[2]) / law[1]
    narrow = width**4 < 8 * np.finfo(dtype).eps
    if narrow or abs(law[2] - law[0]) / law[1] > 50:  # the distance from a bound is drawn
        reach = np.abs(exact) + spread
    assert (np.abs(found - exact) <= tolerance * reach).all()


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_float32_draws_follow_the_law(law):
    n = 400_000
    words = np.random.default_rng(1).integers(0, 1 << 32, n, dtype=np.uint64)
    found = np.sort(sample(law, (words + 0.5) * 2.0**-32, "float32").astype(float))
    exact = TruncatedNormal(*law)
    grid = np.unique(found[:: n // 400])
    empirical = np.searchsorted(found, grid, side="right") / n
    below = np.searchsorted(found, grid, side="left") / n
    cdf = np.array([exact.cdf(x) for x in grid])
    # Float32 rounds to a grid: the law's mass within half a step counts for neither side.
    step = np.maximum(np.spacing(grid.astype(np.float32)).astype(float), law[1] * 1e-7)
    mass = np.array([exact.cdf(x + s) - exact.cdf(x - s) for x, s in zip(grid, step, strict=True)])
    critical = math.sqrt(-math.log(1e-6 / 2) / 2 / n)
    assert (empirical - cdf >= -(critical + mass)).all()
    assert (below - cdf <= critical + mass).all()


def test_the_check_above_sees_a_wrong_law():
    """The same test of a law that is cut at 2.02 instead of 2 fails: 1 % of the variance."""
    n = 400_000
    u = (np.random.default_rng(1).integers(0, 1 << 32, n, dtype=np.uint64) + 0.5) * 2.0**-32
    found = np.sort(sample((0.0, 1.0, -2.02, 2.02), u, "float32").astype(float))
    exact = TruncatedNormal(0.0, 1.0, -2.0, 2.0)
    empirical = np.arange(1, n + 1)[:: n // 400] / n
    cdf = np.array([exact.cdf(x) for x in found[:: n // 400]])
    assert np.abs(empirical - cdf).max() > 0.0002
    assert found.min() < -2


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-6.0, 6.0), (-0.5, 0.5)])
def test_the_two_tails_mirror_each_other(bounds):
    u = np.array([2.0**-33, 1e-7, 0.01, 0.2, 0.4])
    left = sample((0.0, 1.0, *bounds), u, "float32")
    law = (0.0, 1.0, *bounds)
    right = in_units_of_std(law, (1 - u).astype("float32"), u.astype("float32"))
    assert left == pytest.approx(-right, rel=1e-6)
