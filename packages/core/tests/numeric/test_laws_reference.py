"""The laws against arbitrary precision: 1e-12 relative, for any bounds."""

import math
import random

import mpmath
import pytest
from scipy import stats

from fanwise import HaarOrthogonal, Normal, TruncatedNormal
from fanwise.adapting import ComplexTruncatedNormal

pytestmark = pytest.mark.clause("laws/4")

inf = math.inf

CASES = [
    (0.0, 1.0, -2.0, 2.0),
    (0.0, 0.02, -0.04, 0.04),
    (0.0, 1.0, 30.0, inf),
    (0.0, 1.0, 30.0, 31.0),
    (0.0, 1.0, -inf, -35.0),
    (0.0, 1.0, 36.0, 37.0),
    (0.0, 1.0, 1.0, 1.0 + 1e-8),
    (0.0, 1.0, -5e-9, 5e-9),
    (5.0, 1.0, -5e-9, 5e-9),
    (-5.0, 1.0, -1e-3, 1e-3),
    (0.0, 1.0, -1e-8, 2e-8),
    (0.0, 1.0, -2.0, 2.0001),
    (0.0, 1.0, -6.0, 6.0),
    (0.0, 1.0, -8.0, inf),
    (0.0, 1.0, -3.5, 4.0),
    (0.0, 1.0, -30.0, 2.0),
    (0.0, 1.0, 0.0, inf),
    (0.3, 2.0, -1e-3, 2e-3),
    (1.0, 3.0, -inf, 2.5),
]


def random_cases(count):
    rng = random.Random(0)
    for _ in range(count):
        low = rng.uniform(-8, 8) * 10 ** rng.uniform(-3, 0.5)
        width = 10 ** rng.uniform(-8, 1)
        yield (rng.gauss(0, 1), 10 ** rng.uniform(-2, 1), low, low + width)


def reference(mean, std, low, high):
    """Moments by the textbook formulas, in 800 digits."""
    with mpmath.workdps(800):
        mean, std = mpmath.mpf(mean), mpmath.mpf(std)
        a = (mpmath.mpf(low) - mean) / std
        b = (mpmath.mpf(high) - mean) / std
        tails = [mpmath.erfc(abs(end) / mpmath.sqrt(2)) / 2 for end in (a, b)]
        mass = abs(tails[0] - tails[1]) if a * b >= 0 else 1 - tails[0] - tails[1]
        ends = [
            ((b**k * mpmath.npdf(b) if mpmath.isfinite(b) else 0)
             - (a**k * mpmath.npdf(a) if mpmath.isfinite(a) else 0)) / mass
            for k in range(4)
        ]  # fmt: skip
        m1 = -ends[0]
        m2 = 1 - ends[1]
        m3 = 2 * m1 - ends[2]
        m4 = 3 * m2 - ends[3]
        variance = m2 - m1**2
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return mean + std * m1, std**2 * variance, fourth / variance**2 - 3


@pytest.mark.parametrize("case", [*CASES, *random_cases(200)], ids=str)
def test_truncated_moments(case):
    law = TruncatedNormal(*case)
    found = (law.mean, law.variance, law.excess_kurtosis)
    for value, exact in zip(found, reference(*case), strict=True):
        assert abs(mpmath.mpf(value) - exact) <= 1e-12 * abs(exact)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("p", [1e-12, 0.03, 0.5, 0.6, 1 - 1e-7])
def test_truncated_cdf_and_quantile(case, p):
    law = TruncatedNormal(*case)
    mean, std, low, high = case
    x = law.quantile(p)
    assert low <= x <= high
    with mpmath.workdps(800):
        a, b, z = ((mpmath.mpf(v) - mean) / mpmath.mpf(std) for v in (low, high, x))
        upper = [mpmath.erfc(v / mpmath.sqrt(2)) for v in (a, z, b)]
        exact = (upper[0] - upper[1]) / (upper[0] - upper[2])
        density = 2 * std * mpmath.npdf(z) / std / (upper[0] - upper[2])
        # The CDF at the floating-point number x; and x against the exact quantile, within what a
        # unit in the last place of x and of p make.
        assert abs(law.cdf(x) - exact) <= 1e-12 * exact
        slack = 1e-12 * (abs(x) + std) * density / std + 1e-12 * min(p, 1 - p) + 1e-15
        assert abs(exact - p) <= slack


@pytest.mark.parametrize("z", [-37.0, -30.0, -5.0, -0.1, 0.0, 2.0])
def test_normal_cdf_and_quantile(z):
    law = Normal(1.0, 0.5)
    with mpmath.workdps(50):
        exact = mpmath.ncdf(z)
        assert abs(law.cdf(1.0 + 0.5 * z) - exact) <= 1e-12 * exact
    assert law.quantile(law.cdf(1.0 + 0.5 * z)) == pytest.approx(1.0 + 0.5 * z, rel=1e-12)


@pytest.mark.parametrize("cut", [1e-5, 0.3, 2.0, 5.0, 8.0, 20.0])
def test_complex_truncated_moments(cut):
    law = ComplexTruncatedNormal(1.0, cut)
    with mpmath.workdps(400):
        t = mpmath.mpf(cut) ** 2
        second = 1 - t / mpmath.expm1(t)
        fourth = mpmath.gammainc(3, 0, t) / -mpmath.expm1(-t)
        assert abs(law.variance - second) <= 1e-12 * second
        excess = fourth / second**2 - 2
        assert abs(law.excess_kurtosis - excess) <= 1e-12 * abs(excess)


@pytest.mark.parametrize("n", [2, 3, 4, 17, 400, 40_000, 1_000_000])
@pytest.mark.parametrize("z", [-2.5, -0.3, 0.0, 1e-6, 1.4])
def test_haar_cdf(n, z):
    """A squared coordinate of a random unit vector has a Beta law."""
    law = HaarOrthogonal(1.0, n, 1)
    x = max(-0.95, min(0.95, z / math.sqrt(n)))
    tail = stats.beta(0.5, (n - 1) / 2).sf(x * x) / 2
    assert law.cdf(x) == pytest.approx(tail if x < 0 else 1 - tail, rel=1e-11)
    assert law.quantile(law.cdf(x)) == pytest.approx(x, abs=1e-13)
