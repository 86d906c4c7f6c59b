"""The standard normal over an interval: mass and moments, without cancellation (spec: laws/4).

Textbook formulas subtract numbers that are nearly equal when the interval is narrow or far
from the center. Here the density is integrated relative to its largest value in the interval,
as a function of the offset from there: every term is positive, so nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .quadrature import panels

LOG_SQRT_TAU = math.log(math.tau) / 2
_CUTOFF = 60.0  # the density is left out where it is below exp(-60) of its largest value


def cdf(z: float) -> float:
    """Return the standard normal CDF at `z`, to full relative accuracy on the left."""
    return math.erfc(-z / math.sqrt(2)) / 2


def density(z: float) -> float:
    """Return the standard normal density at `z`."""
    return math.exp(-z * z / 2 - LOG_SQRT_TAU)


def quantile(p: float) -> float:
    """Return the inverse of `cdf` at `p` (Wichura 1988), infinite at 0 and 1."""
    from statistics import NormalDist  # here, as it imports `random` and `decimal`

    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return NormalDist().inv_cdf(p)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of a normal law, in units of its std, seen from the mode of the interval.

    Attributes
    ----------
    mode : float
        Point of the interval where the density is largest.
    left, right : float
        Offsets of the two ends from the mode: ``left <= 0 <= right``.
    end_sum : float or None
        Sum of the two ends, computed without cancellation. It is None if one end is infinite.
    """

    mode: float
    left: float
    right: float
    end_sum: float | None

    @classmethod
    def of(cls, low: float, high: float, *, mean: float, std: float) -> Interval:
        """Make the interval from `low` to `high` of the normal law with `mean` and `std`."""
        width = (high - low) / std
        a, b = (low - mean) / std, (high - mean) / std
        bounded = math.isfinite(low) and math.isfinite(high)
        end_sum = math.fsum((low, high, -mean, -mean)) / std if bounded else None
        if a > 0:
            return cls(a, 0.0, width, end_sum)
        if b < 0:
            return cls(b, -width, 0.0, end_sum)
        return cls(0.0, a, b, end_sum)

    def integral(self, f: Callable[[float], float] | None = None) -> float:
        """Integrate ``f(offset)`` against the density, relative to the density at the mode.

        Without `f`, integrate the relative density itself.
        """

        def weighted(s: float) -> float:
            density_ratio = math.exp(-s * (self.mode + s / 2))
            return density_ratio if f is None else f(s) * density_ratio

        return panels(weighted, self._points())

    def _points(self) -> list[float]:
        steep = abs(self.mode)
        reach = 2 * _CUTOFF / (steep + math.sqrt(steep * steep + 2 * _CUTOFF))
        left, right = max(self.left, -reach), min(self.right, reach)
        step = 2 / max(1.0, steep / 2)
        count = max(1, math.ceil((right - left) / step))
        points = [left + (right - left) * i / count for i in range(count)] + [right]
        if left < 0 < right:
            points = sorted({*points, 0.0})
        return points


@lru_cache(maxsize=1024)
def relative_mass(interval: Interval) -> float:
    """Integrate the density relative to its value at the mode.

    The result is cached, since samplers ask for it once per chunk.
    """
    return interval.integral()


def log_mass(interval: Interval) -> float:
    """Return the logarithm of the probability of an interval."""
    return math.log(relative_mass(interval)) - interval.mode * interval.mode / 2 - LOG_SQRT_TAU


def mass_ratio(part: Interval, whole: Interval) -> float:
    """Return the probability of `part`, an interval within `whole`, given `whole`."""
    log_scale = (whole.mode - part.mode) * (whole.mode + part.mode) / 2
    return min(1.0, math.exp(log_scale) * part.integral() / relative_mass(whole))


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of the standard normal given an interval.

    `offset` is the mean, measured from the mode. `from_middle` is the mean, measured from the
    middle of the interval. Where it is not None, it is more accurate.
    """

    offset: float
    from_middle: float | None
    variance: float
    excess_kurtosis: float


@lru_cache(maxsize=1024)
def moments(interval: Interval) -> Moments:
    """Compute the mean, variance and excess kurtosis of the standard normal given the interval."""
    total = relative_mass(interval)
    if interval.left == -interval.right:
        offset = 0.0
    elif interval.mode == 0.0:
        offset = _interior_offset(interval, total)
    else:
        offset = interval.integral(lambda s: s) / total
    variance = interval.integral(lambda s: (s - offset) ** 2) / total
    return Moments(
        offset=offset,
        from_middle=_offset_from_middle(interval),
        variance=variance,
        excess_kurtosis=_excess_kurtosis(interval, total, offset, variance),
    )


def _interior_offset(interval: Interval, total: float) -> float:
    """Compute the mean of the law from the densities at the two ends.

    It is the density at the left end minus the density at the right end, divided by the mass.
    """
    left, right = interval.left, interval.right
    at_left, at_right = math.exp(-left * left / 2), math.exp(-right * right / 2)
    if interval.end_sum is None:
        return (at_left - at_right) / total
    # exp(-a^2/2) - exp(-b^2/2), with b^2 - a^2 = (b - a)(b + a)
    difference = max(at_left, at_right) * math.expm1(-(right - left) * abs(interval.end_sum) / 2)
    return math.copysign(difference, interval.end_sum) / total


def _offset_from_middle(interval: Interval) -> float | None:
    """Compute the mean, measured from the middle of an interval where the density changes little.

    The odd part of the density about the middle, ``2 * sinh``, is integrated and divided by the
    integral of the even part, ``2 * cosh``. For any other interval, return None.
    """
    if interval.mode == 0.0 or interval.end_sum is None:
        return None
    half, center = (interval.right - interval.left) / 2, interval.end_sum / 2
    if abs(center) * half >= 1:
        return None
    points = [half * i / 4 for i in range(5)]
    odd = panels(lambda u: u * math.sinh(center * u) * math.exp(-u * u / 2), points)
    even = panels(lambda u: math.cosh(center * u) * math.exp(-u * u / 2), points)
    return -odd / even


def _excess_kurtosis(interval: Interval, total: float, mean: float, variance: float) -> float:
    left, right = interval.left, interval.right
    if interval.mode == 0.0 and min(-left, right) > 3:
        # So little is cut off that the fourth moment is near 3: sum what the ends take away.
        b1, b2, b3 = ((_end(right, power) - _end(left, power)) / total for power in (1, 2, 3))
        m = mean
        fourth = 3 * b1 - b3 - 3 * b1 * b1 + 4 * m * m + 4 * m * b2 - 12 * m * m * b1 - 6 * m**4
        return fourth / variance**2
    return interval.integral(lambda s: (s - mean) ** 4) / total / variance**2 - 3


def _end(z: float, power: int) -> float:
    return 0.0 if math.isinf(z) else z**power * math.exp(-z * z / 2)
