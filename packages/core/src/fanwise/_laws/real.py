"""Laws: the probability law of one weight, exact in Python floats (spec: laws).

A law has a mean, variance, std, excess kurtosis, support, CDF and quantile function. The module
`complex` has the laws of complex weights. The module `joint` has the laws of entries that depend on
one another. Longer than most modules, for the documentation of every law.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from .._errors import LawError, finite, plain, positive, real
from . import normal as _normal

Support: TypeAlias = tuple[float, float]
Primitive: TypeAlias = Literal["uniform", "normal", "truncated_normal"]


class Law(Protocol):
    """The protocol says what every law provides.

    Attributes
    ----------
    family : str
        The stable name of the law's family.
    mean, variance, std, excess_kurtosis : float
        Moments of one entry. For complex entries, `variance` is ``E|w|**2``, and `excess_kurtosis`
        is ``E|w|**4 / variance**2 - 2``, which is 0 for the complex normal.
    support : tuple of float
        Smallest and largest value; for complex entries, smallest and largest modulus.
    variance_dispersion : float
        ``n`` times the relative variance of the mean squared deviation of ``n`` entries from the
        mean.
    half_open : bool
        Whether the upper end of the support is never drawn.
    primitive : {"uniform", "normal", "truncated_normal"} or None
        The primitive of a random source that draws independent weights of this law.
    primitive_options : mapping of str to float
        Arguments of the primitive.
    """

    family: ClassVar[str]
    half_open: ClassVar[bool]
    primitive: ClassVar[Primitive | None]

    @property
    def primitive_options(self) -> Mapping[str, float]: ...
    @property
    def mean(self) -> float: ...
    @property
    def variance(self) -> float: ...
    @property
    def std(self) -> float: ...
    @property
    def excess_kurtosis(self) -> float: ...
    @property
    def support(self) -> Support: ...
    @property
    def variance_dispersion(self) -> float: ...

    def cdf(self, x: float, /) -> float:
        """Return the probability that a value (for complex entries, a modulus) is at most `x`."""

    def quantile(self, p: float, /) -> float:
        """Return the smallest value (for complex entries, modulus) whose `cdf` is at least `p`."""


def law_data(law: Law) -> dict[str, Any]:
    """Return a law as plain data: its family and its parameters.

    Parameters
    ----------
    law : Law
        Any law, joint laws included.

    Returns
    -------
    dict
        JSON data. Infinities are written as "inf" and "-inf".

    Examples
    --------
    >>> from fanwise import Uniform
    >>> from fanwise.adapting import law_data
    >>> law_data(Uniform(-1.0, 1.0))
    {'family': 'uniform', 'low': -1.0, 'high': 1.0}
    """
    fields = dataclasses.fields(law)  # type: ignore[arg-type]  # every law is a dataclass
    data = {field.name: getattr(law, field.name) for field in fields if field.repr}
    return {"family": law.family} | {key: _plain(value) for key, value in data.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "family"):
        return law_data(value)
    return list(value) if isinstance(value, tuple) else plain(value)


class IndependentLaw:
    """The base class of laws of independent entries."""

    __slots__ = ()

    half_open: ClassVar[bool] = False
    primitive: ClassVar[Primitive | None] = None

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes these arguments."""
        return {}

    @property
    def variance(self: Law) -> float:
        """The variance is the square of the std."""
        return self.std * self.std

    @property
    def variance_dispersion(self: Law) -> float:
        """The dispersion is the kurtosis minus 1."""
        return self.excess_kurtosis + 2


@dataclass(frozen=True, slots=True)
class Constant(IndependentLaw):
    """The law of entries that all equal `value`.

    Examples
    --------
    >>> from fanwise import Constant
    >>> Constant(1.0).std
    0.0
    """

    family: ClassVar[str] = "constant"
    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", finite("value", self.value, LawError))

    @property
    def mean(self) -> float:
        """The mean is `value`."""
        return self.value

    @property
    def std(self) -> float:
        """The std is 0."""
        return 0.0

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is undefined: nan."""
        return math.nan

    @property
    def support(self) -> Support:
        """Both ends of the support are `value`."""
        return (self.value, self.value)

    def cdf(self, x: float, /) -> float:
        """Return 1 if `x` is at least `value`, else 0."""
        return float(x >= self.value)

    def quantile(self, p: float, /) -> float:
        """Return `value`, whatever `p` is."""
        check_probability(p)
        return self.value


@dataclass(frozen=True, slots=True)
class Values(IndependentLaw):
    """The law of entries that are given one by one; as data, its moments and bounds.

    Parameters
    ----------
    values : tuple of float
        The entries, in row-major order.
    shape : tuple of int
        Their shape, which broadcasts to the shape of a parameter.

    Examples
    --------
    >>> from fanwise import Values
    >>> Values((0.0, 2.0), (2,)).mean
    1.0
    """

    family: ClassVar[str] = "values"
    values: tuple[float, ...] = dataclasses.field(repr=False)
    shape: tuple[int, ...]
    mean: float = dataclasses.field(init=False)
    std: float = dataclasses.field(init=False)
    low: float = dataclasses.field(init=False)
    high: float = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        values = tuple(finite("value", value, LawError) for value in self.values)
        if not values or math.prod(self.shape) != len(values):
            raise LawError(f"`shape` must be of {len(values)} values, got {self.shape}")
        mean = math.fsum(values) / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
        set_attribute = object.__setattr__  # the instance is frozen
        set_attribute(self, "values", values)
        set_attribute(self, "mean", mean)
        set_attribute(self, "std", math.sqrt(variance))
        set_attribute(self, "low", min(values))
        set_attribute(self, "high", max(values))

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is the values' own, and undefined where they are all equal."""
        if self.std == 0:
            return math.nan
        fourth = math.fsum((value - self.mean) ** 4 for value in self.values) / len(self.values)
        return fourth / self.std**4 - 3

    @property
    def variance_dispersion(self) -> float:
        """The dispersion is 0: the values are the same in every draw."""
        return 0.0

    @property
    def support(self) -> Support:
        """The support goes from the smallest to the largest value."""
        return (self.low, self.high)

    def cdf(self, x: float, /) -> float:
        """Return the share of values that are at most `x`."""
        return sum(value <= x for value in self.values) / len(self.values)

    def quantile(self, p: float, /) -> float:
        """Return the smallest value whose `cdf` is at least `p`."""
        place = math.ceil(check_probability(p) * len(self.values))
        return sorted(self.values)[max(0, place - 1)]


@dataclass(frozen=True, slots=True)
class Normal(IndependentLaw):
    """The normal law with `mean` and `std`.

    Examples
    --------
    >>> from fanwise import Normal
    >>> Normal(std=0.02).variance
    0.0004
    """

    family: ClassVar[str] = "normal"
    primitive: ClassVar[Primitive | None] = "normal"
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", finite("mean", self.mean, LawError))
        object.__setattr__(self, "std", positive("std", self.std, LawError))

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the mean and the std."""
        return {"mean": self.mean, "std": self.std}

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is 0."""
        return 0.0

    @property
    def support(self) -> Support:
        """The support has all real numbers."""
        return (-math.inf, math.inf)

    def cdf(self, x: float, /) -> float:
        """Return the normal CDF at `x`."""
        return _normal.cdf((x - self.mean) / self.std)

    def quantile(self, p: float, /) -> float:
        """Return the inverse of the CDF at `p`."""
        return self.mean + self.std * _normal.quantile(check_probability(p))


@dataclass(frozen=True, slots=True)
class Uniform(IndependentLaw):
    """The uniform law on ``[low, high)``: `high` itself is never drawn.

    Examples
    --------
    >>> from fanwise import Uniform
    >>> round(Uniform(-0.5, 0.5).variance, 12)  # 1/12
    0.083333333333
    """

    family: ClassVar[str] = "uniform"
    half_open: ClassVar[bool] = True
    primitive: ClassVar[Primitive | None] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", finite("low", self.low, LawError))
        object.__setattr__(self, "high", finite("high", self.high, LawError))
        _check_bounds(self.low, self.high)
        finite("high - low", self.high - self.low, LawError)

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the bounds."""
        return {"low": self.low, "high": self.high}

    @property
    def mean(self) -> float:
        """The mean is the middle of the interval."""
        return self.low / 2 + self.high / 2

    @property
    def std(self) -> float:
        """The std is ``(high - low) / sqrt(12)``."""
        return (self.high - self.low) / math.sqrt(12)

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is -6/5."""
        return -1.2

    @property
    def support(self) -> Support:
        """The support is from `low` to `high`."""
        return (self.low, self.high)

    def cdf(self, x: float, /) -> float:
        """Return the share of the interval that is below `x`."""
        return min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)

    def quantile(self, p: float, /) -> float:
        """Return the point that has the share `p` of the interval below it."""
        p = check_probability(p)
        if p <= 0.5:
            return self.low + p * (self.high - self.low)
        return self.high - (1 - p) * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class TruncatedNormal(IndependentLaw):
    """The normal law with `parent_mean` and `parent_std`, given that it is within bounds.

    Parameters
    ----------
    parent_mean, parent_std : float
        Mean and std of the normal before truncation.
    low, high : float
        Absolute bounds. One of them may be infinite. To give bounds in parent standard deviations,
        use `in_std_units`.

    Raises
    ------
    LawError
        If the bounds are crossed, empty or nan, or the std is not positive and finite.

    Examples
    --------
    >>> from fanwise import TruncatedNormal
    >>> round(TruncatedNormal(0.0, 1.0, -2.0, 2.0).std, 12)
    0.879625661034
    >>> round(TruncatedNormal(0.0, 1.0, 30.0, float("inf")).mean, 12)
    30.033259667434
    """

    family: ClassVar[str] = "truncated_normal"
    primitive: ClassVar[Primitive | None] = "truncated_normal"
    parent_mean: float
    parent_std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        mean = finite("parent_mean", self.parent_mean, LawError)
        std = positive("parent_std", self.parent_std, LawError)
        low, high = real("low", self.low, LawError), real("high", self.high, LawError)
        _check_bounds(low, high)
        if low == math.inf or high == -math.inf:
            raise LawError(f"`low` and `high` must enclose numbers, got {low} and {high}")
        if math.isfinite(high) and math.isfinite(low):
            finite("high - low", high - low, LawError)
        nearest = min(max(mean, low), high)
        if abs(nearest - mean) / std > 1e100 or (high - low) / std < 1e-100:
            raise LawError(
                f"`low` and `high` must be within 1e100 parent stds of the mean and 1e-100 apart, "
                f"got {low} and {high} for mean {mean} and std {std}"
            )
        for name, value in zip(self.__slots__, (mean, std, low, high), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def in_std_units(
        cls, low: float, high: float, /, *, parent_std: float, parent_mean: float = 0.0
    ) -> TruncatedNormal:
        """Make the law with bounds at `low` and `high` parent standard deviations from the mean.

        Examples
        --------
        >>> from fanwise import TruncatedNormal
        >>> TruncatedNormal.in_std_units(-2, 2, parent_std=0.02).high
        0.04
        """
        low, high = real("low", low, LawError), real("high", high, LawError)
        return cls(
            parent_mean, parent_std, parent_mean + parent_std * low, parent_mean + parent_std * high
        )

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the normal before truncation, and the bounds."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def _interval(self) -> _normal.Interval:
        return _normal.Interval.of(self.low, self.high, mean=self.parent_mean, std=self.parent_std)

    @property
    def mean(self) -> float:
        """The mean of the weights after truncation."""
        interval = self._interval
        moments = _normal.moments(interval)
        if moments.from_middle is not None:
            return self.low / 2 + self.high / 2 + self.parent_std * moments.from_middle
        anchor = min(max(self.parent_mean, self.low), self.high)
        return anchor + self.parent_std * moments.offset

    @property
    def std(self) -> float:
        """The standard deviation of the weights after truncation."""
        return self.parent_std * math.sqrt(_normal.moments(self._interval).variance)

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis of the weights after truncation."""
        return _normal.moments(self._interval).excess_kurtosis

    @property
    def support(self) -> Support:
        """The support is from `low` to `high`."""
        return (self.low, self.high)

    def cdf(self, x: float, /) -> float:
        """Return the share of the interval's mass that is below `x`."""
        if math.isnan(x):
            return x
        if x <= self.low or x >= self.high:
            return float(x >= self.high)
        below = _normal.Interval.of(self.low, x, mean=self.parent_mean, std=self.parent_std)
        return _normal.mass_ratio(below, self._interval)

    def quantile(self, p: float, /) -> float:
        """Return the point that has the share `p` of the mass below it."""
        p = check_probability(p)
        if p > 0.5:  # from the right, where the mass above is known to full accuracy
            mirror = TruncatedNormal(-self.parent_mean, self.parent_std, -self.high, -self.low)
            return -mirror.quantile(1 - p)
        if p == 0.0:
            return self.low
        whole = self._interval
        # Above the mode minus 39 parent stds there is all of the mass that a float can tell.
        mode = self.parent_mean + self.parent_std * whole.mode
        low = max(self.low, mode - 39 * self.parent_std)
        high = min(self.high, mode + 39 * self.parent_std)
        return bisect(lambda x: self.cdf(x) - p, low, high)


def _check_bounds(low: float, high: float) -> None:
    if low > high:
        raise LawError(f"`low` must be below `high`, got {low} and {high}")
    if low == high:
        raise LawError(f"`low` and `high` must enclose an interval, got {low} twice")


def check_probability(p: float) -> float:
    """Return `p` as a float; raise unless it is within [0, 1]."""
    p = real("p", p, LawError)
    if not 0 <= p <= 1:
        raise LawError(f"`p` must be within [0, 1], got {p}")
    return p


def bisect(f: Callable[[float], float], low: float, high: float) -> float:
    """Return the point between `low` and `high` where the increasing `f` crosses zero.

    It takes secant steps (Illinois), and halves the bracket where they stall.
    """
    f_low, f_high = f(low), f(high)
    if f_low >= 0 or f_high <= 0:
        return low if f_low >= 0 else high
    for step in range(200):
        x = low - f_low * (high - low) / (f_high - f_low)
        if step % 3 == 2 or not low < x < high:
            x = low + (high - low) / 2
        if not low < x < high:
            break
        f_x = f(x)
        if f_x == 0:
            return x
        if f_x < 0:
            low, f_low, f_high = x, f_x, f_high / 2
        else:
            high, f_high, f_low = x, f_x, f_low / 2
    return low + (high - low) / 2
