"""Samplers: from uniform numbers to a law by a fixed amount of array work (spec: randomness/5).

A truncated normal is one evaluation of its inverse CDF, by the formula that suits the law; the
choice depends on the law's bounds alone, never on the data, so it traces. The uniform number
comes as two arrays, `u` and its complement, each accurate near zero, so that both tails are.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from .._laws import normal as _normal
from .._laws.normal import Interval

Array: TypeAlias = Any

# Wichura (1988), algorithm AS 241: the normal quantile as ratios of polynomials, highest power
# first; relative error 1e-16. Arguments: 0.425^2 - d^2 about the center, sqrt(-log p) less 1.6
# in the tail, and less 5 beyond p = exp(-25).
_CENTER = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0),
)  # fmt: skip
_CENTER_REACH = 0.425
_STEEP = 0.1
_ONE_SIDED_FROM = 5.0  # parent stds: beyond, the offset from the mode is solved for instead


def truncated_normal(
    xp: Any,
    u: Array,
    complement: Array,
    /,
    *,
    mean: float,
    low: float,
    high: float,
) -> Array:
    """Evaluate the inverse CDF of a truncated normal.

    Parameters
    ----------
    xp : namespace
        The namespace of the arrays.
    u, complement : array
        Uniform numbers above 0, and 1 - `u`, of dtype float32 or float64.
    mean, low, high : float
        Mean of the normal before truncation, and the bounds, in units of its std. Infinite
        bounds are allowed.

    Returns
    -------
    array
        Values in the dtype of `u` and in units of the std, within the bounds up to rounding.
    """
    interval = Interval.of(low, high, mean=mean, std=1.0)
    a, b = low - mean, high - mean
    if _is_narrow(interval, float(xp.finfo(u.dtype).eps)):
        if interval.mode >= 0:
            return low + _narrow(xp, u, a, interval.right - interval.left)
        return high - _narrow(xp, complement, -b, interval.right - interval.left)
    if interval.mode > _ONE_SIDED_FROM:
        return low + _one_sided(xp, u, complement, interval)
    if interval.mode < -_ONE_SIDED_FROM:
        return high - _one_sided(xp, complement, u, interval)
    mass = math.exp(_normal.log_mass(interval))
    return mean + _central(xp, u, complement, a, b, mass)


def _is_narrow(interval: Interval, eps: float) -> bool:
    """Whether `_narrow` is exact to rounding for an interval."""
    width = interval.right - interval.left
    if width * abs(interval.mode) > _STEEP:
        return width * width < eps
    return width**4 < 8 * eps


def _narrow(xp: Any, u: Array, slope: float, width: float) -> Array:
    """Offset from the end of a narrow interval, where the log density falls by `slope`.

    The density is exp(-slope s - s^2 / 2). Without its second term the quantile is that of an
    exponential law; the term changes it to first order in width^2, unless it is steep.
    """
    tilt = slope * width
    s = width * u if tilt == 0 else (-width / tilt) * xp.log1p(math.expm1(-tilt) * u)
    if abs(tilt) > _STEEP:
        return s
    excess = _second_moment(s, slope) - _second_moment(width, slope) * u
    return s + excess * xp.exp(slope * s) / 2


def _second_moment(s: Any, slope: float) -> Any:
    """The integral of t^2 exp(-slope t) from 0 to s, for slope s of at most a tenth."""
    x = slope * s
    return s * s * s * (1 / 3 - x * (1 / 4 - x * (1 / 10 - x * (1 / 36 - x / 168))))


def _one_sided(xp: Any, u: Array, complement: Array, interval: Interval) -> Array:
    """Offset from the mode of an interval in the tail: Newton on the log of the survival.

    With M the Mills ratio, the offset t beyond which a share exp(-e) of the tail is left solves
    m t + t^2 / 2 + log(M(m) / M(m + t)) = e.
    """
    m = abs(interval.mode)
    mills_at_mode = _normal.relative_mass(Interval(m, 0.0, math.inf, None))
    share = min(1.0, _normal.relative_mass(interval) / mills_at_mode)
    left_over = (1 - share) + share * complement
    near = u < 0.5
    e = xp.where(near, -xp.log1p(-share * xp.where(near, u, complement)), -xp.log(left_over))
    t = 2 * e / (m + xp.sqrt(m * m + 2 * e))
    depth = 8 if float(xp.finfo(u.dtype).eps) > 1e-10 else 20
    for _ in range(3):
        mills = _mills_ratio(m + t, depth)
        t = t - mills * (m * t + t * t / 2 + xp.log(mills_at_mode / mills) - e)
    return t


def _mills_ratio(x: Array, depth: int) -> Array:
    """Survival over density of the standard normal: Laplace's continued fraction.

    For x above 5, the relative error is 6e-9 at depth 8 and 3e-15 at depth 20.
    """
    fraction = x
    for k in range(depth, 0, -1):
        fraction = x + k / fraction
    return 1 / fraction


def _central(xp: Any, u: Array, complement: Array, a: float, b: float, mass: float) -> Array:
    """The quantile in parent stds, from whichever tail probability is the smaller."""
    below, above = _normal.cdf(a), _normal.cdf(-b)
    from_center = math.erf(a / math.sqrt(2)) / 2 + mass * u
    z = from_center * _ratio(_CENTER, _CENTER_REACH**2 - from_center * from_center)
    if max(0.5 - below, 0.5 - above) <= _CENTER_REACH:
        return z
    r = xp.sqrt(-xp.log(xp.minimum(below + mass * u, above + mass * complement)))
    tail = _ratio(_TAIL, r - 1.6)
    if min(below, above) < math.exp(-25):
        tail = xp.where(r > 5, _ratio(_FAR_TAIL, r - 5), tail)
    tail = xp.copysign(tail, from_center)
    return xp.where(xp.abs(from_center) > _CENTER_REACH, tail, z)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    numerator, denominator = (_polynomial(c, x) for c in coefficients)
    return numerator / denominator


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def to_complex(xp: Any, real: Array, imaginary: Array, dtype: str, /) -> Array:
    """Complex numbers of dtype `dtype`, from their real and imaginary parts."""
    number = getattr(xp, dtype)
    return xp.astype(real, number) + 1j * xp.astype(imaginary, number)


def disc_modulus(xp: Any, u: Array, /) -> Array:
    """Modulus of a uniform point of the unit disc."""
    return _short_of_one(xp, u) * xp.sqrt(u)


def truncated_modulus(xp: Any, u: Array, /, *, bound: float) -> Array:
    """Modulus of a standard complex normal number, given that it is at most `bound`."""
    modulus = xp.sqrt(-xp.log1p(math.expm1(-bound * bound) * u))
    return xp.clip(modulus, 0.0, bound) * _short_of_one(xp, u)


def _short_of_one(xp: Any, like: Array) -> float:
    """One, less what rounding the real and the imaginary part may add to a modulus."""
    return 1 - 4 * float(xp.finfo(like.dtype).eps)
