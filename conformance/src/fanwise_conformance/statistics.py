"""The tests: from drawn values and a law to p-values, and from effects to sample sizes.

Every test has the null hypothesis that the values are independent and of the law, whose numbers are
known: nothing is estimated. Sums are compared with a gamma law of the same first three cumulants
(Pearson's type III), which is exact for the squares of normal numbers, and accurate far out.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.polynomial import polynomial
from scipy import special, stats

FAMILY_WISE = 1e-6  # the probability of one false alarm or more in a run
MOST_HYPOTHESES = 20_000
ALPHA = FAMILY_WISE / MOST_HYPOTHESES  # Bonferroni: of one hypothesis
POWER = 0.999


def reach() -> float:
    """Standard errors that an effect must be of, to be found at level ALPHA with power POWER."""
    return float(stats.norm.isf(ALPHA / 2) + stats.norm.isf(1 - POWER))


def sample_size(effect: str, size: float) -> int:
    """The sample that finds an effect on normal numbers.

    Parameters
    ----------
    effect : {"mean", "variance", "skewness", "kurtosis", "correlation", "leak"}
        In stds, relative, as is, as is, as is, and as a probability.
    size : float
        How great it is.
    """
    if effect == "leak":
        return math.ceil(math.log(1 - POWER) / math.log1p(-size))
    spread = {"mean": 1, "variance": 2, "skewness": 6, "kurtosis": 24, "correlation": 1}[effect]
    return math.ceil(spread * (reach() / size) ** 2)


def two_sided(statistic: Any, skewness: float = 0.0) -> Any:
    """The p-value of a statistic of mean 0, variance 1 and a small skewness."""
    if abs(skewness) < 1e-9:
        return special.erfc(np.abs(statistic) / math.sqrt(2))
    law = stats.pearson3(skewness)
    return np.minimum(1.0, 2 * np.minimum(law.cdf(statistic), law.sf(statistic)))


def smallest(p_values: Any) -> float:
    """The p-value of the smallest of independent ones (Sidak)."""
    p = np.asarray(p_values, dtype=np.float64).ravel()
    return float(-np.expm1(p.size * np.log1p(-min(p.min(), 1 - 1e-16))))


class Components:
    """The moments of a law, one after the other (Neyman's smooth tests).

    Of degree k is the polynomial that is orthogonal under the law to those of lower degree: its
    mean is 0 and its variance 1, and sums of it over a sample see what the k-th moment is off, and
    nothing of what lower ones are.
    """

    def __init__(self, law: Any, degrees: int = 4) -> None:
        self.mean, self.std = law.mean, law.std
        moments = law.moments
        hankel = np.array(
            [[moments[i + j] for j in range(degrees + 1)] for i in range(degrees + 1)]
        )
        rows = np.linalg.inv(np.linalg.cholesky(hankel))
        self.coefficients = [rows[k, : k + 1] for k in range(degrees + 1)]
        self.skewness = [
            float(_power(c, 3) @ moments[: 3 * k + 1]) for k, c in enumerate(self.coefficients)
        ]

    def values(self, x: Any, degree: int) -> Any:
        """The polynomial of a degree, of each value."""
        return polynomial.polyval((x - self.mean) / self.std, self.coefficients[degree])

    def p_value(self, x: Any, degree: int, axis: int | None = None) -> Any:
        """The p-value of the sum over an axis, or over all."""
        return two_sided(*self._total(x, degree, axis))

    def spread(self, x: Any, degree: int, axis: int) -> tuple[float, float]:
        """How much the sums over an axis differ from each other, and its p-value.

        By their normal scores, whose squares add up to a chi-square number: too many great ones are
        seen, and too few.
        """
        total, skewness = self._total(x, degree, axis)
        if abs(skewness) >= 1e-9:
            below = np.clip(stats.pearson3(skewness).cdf(total), 1e-300, 1 - 1e-16)
            total = special.ndtri(below)
        statistic, law = float((total**2).sum()), stats.chi2(total.size)
        return statistic, float(min(1.0, 2 * min(law.cdf(statistic), law.sf(statistic))))

    def _total(self, x: Any, degree: int, axis: int | None) -> tuple[Any, float]:
        n = x.size if axis is None else x.shape[axis]
        total = self.values(x, degree).sum(axis) / math.sqrt(n)
        return total, self.skewness[degree] / math.sqrt(n)


def _power(coefficients: Any, exponent: int) -> Any:
    result = np.array([1.0])
    for _ in range(exponent):
        result = polynomial.polymul(result, coefficients)
    return result


def kolmogorov_smirnov(x: Any, law: Any) -> tuple[float, float]:
    """The greatest distance of the empirical from the true distribution, and its p-value."""
    u = np.sort(law.cdf(x), axis=None)
    n = u.size
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - u).max(), (u - steps[:-1]).max()))
    return distance, float(stats.kstwo.sf(distance, n))


def anderson_darling(x: Any, law: Any) -> tuple[float, float]:
    """The distance that weighs the tails, and its p-value."""
    u = np.clip(np.sort(law.cdf(x), axis=None), 1e-300, 1 - 1e-16)
    n = u.size
    odd = 2 * np.arange(1, n + 1) - 1
    distance = float(-n - np.mean(odd * (np.log(u) + np.log1p(-u[::-1]))))
    return distance, anderson_darling_sf(distance)


def anderson_darling_sf(distance: float) -> float:
    """The limit law of the Anderson-Darling distance: sum over j of chi^2_1 / (j (j + 1))."""
    if distance > 8:  # the first term alone; the others but scale it
        return float(min(1.0, math.sqrt(3) * stats.chi2.sf(2 * distance, 1)))
    return _anderson_darling_sf(round(distance, 4))


@functools.lru_cache(maxsize=65536)
def _anderson_darling_sf(distance: float) -> float:
    """By Imhof's (1961) inversion; the terms beyond the last are replaced by their mean."""
    j = np.arange(1, 401)
    weights = 1 / (j * (j + 1.0))
    rest = 1 / 401
    u = (np.arange(6000) + 0.5) * 0.05
    theta = 0.5 * np.arctan(weights[:, None] * u).sum(0) - 0.5 * (distance - rest) * u
    rho = np.exp(0.25 * np.log1p((weights[:, None] * u) ** 2).sum(0))
    return float(np.clip(0.5 + (np.sin(theta) / (u * rho)).sum() * 0.05 / math.pi, 0.0, 1.0))


def chi_square(counts: Any, probabilities: Any, *, least: float = 100.0) -> tuple[float, float]:
    """Pearson's statistic of counts, cells of less than `least` joined, and its p-value."""
    expected = np.asarray(probabilities, dtype=np.float64) * np.sum(counts)
    joined_counts, joined_expected, cell = [], [], [0.0, 0.0]
    for count, mean in zip(np.asarray(counts, dtype=np.float64), expected, strict=True):
        cell = [cell[0] + count, cell[1] + mean]
        if cell[1] >= least:
            joined_counts.append(cell[0])
            joined_expected.append(cell[1])
            cell = [0.0, 0.0]
    if joined_counts:
        joined_counts[-1] += cell[0]
        joined_expected[-1] += cell[1]
    if len(joined_counts) < 2:
        return 0.0, 1.0
    observed, means = np.array(joined_counts), np.array(joined_expected)
    statistic = float(((observed - means) ** 2 / means).sum())
    return statistic, float(stats.chi2.sf(statistic, len(means) - 1))


def count(observed: int, n: int, probability: float) -> float:
    """The p-value of a count: exact, binomial, two-sided by doubling the smaller tail."""
    law = stats.binom(n, probability)
    return float(min(1.0, 2 * min(law.cdf(observed), law.sf(observed - 1))))


def correlation(x: Any, y: Any, skewness: float = 0.0) -> float:
    """The p-value of the mean product of standardized samples, a product being of this skewness."""
    root = math.sqrt(x.size)
    return float(two_sided(float(np.vdot(x, y)) / root, skewness / root))


def correlations(rows: Any) -> tuple[float, float]:
    """The greatest correlation of two rows of standard normal numbers, and its p-value.

    Given one row, its product with another over its length is a standard normal number, exactly.
    """
    lengths = np.sqrt((rows * rows).sum(1))
    pairs = np.triu_indices(len(rows), 1)
    products = ((rows @ rows.T) / lengths[:, None])[pairs]
    return float(np.abs(products / lengths[pairs[1]]).max()), smallest(two_sided(products))
