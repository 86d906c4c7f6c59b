"""Joint laws: the entries of structured parameters depend on one another (spec: laws/7).

The moments, the CDF and the quantile function describe one entry at a uniformly random position.
The class describes the joint law.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from .._errors import LawError, integer, one_of, positive
from .quadrature import panels
from .real import Law, Primitive, Support, bisect, check_probability

Field: TypeAlias = Literal["real", "complex"]
FIELDS: tuple[Field, ...] = ("real", "complex")


class JointLaw:
    """The base class of laws of entries that depend on one another; no primitive draws them."""

    __slots__ = ()

    half_open: ClassVar[bool] = False
    primitive: ClassVar[Primitive | None] = None

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """There are no options, as there is no primitive."""
        return {}


@dataclass(frozen=True, slots=True)
class HaarOrthogonal(JointLaw):
    """The law of `gain` times a Haar-distributed matrix with orthonormal rows or columns.

    The rows are orthonormal if there are fewer rows than columns, else the columns are. A complex
    matrix is Haar unitary in the same sense.

    Examples
    --------
    >>> from fanwise import HaarOrthogonal
    >>> HaarOrthogonal(gain=1.0, rows=64, columns=256).std
    0.0625
    """

    family: ClassVar[str] = "haar_orthogonal"
    gain: float
    rows: int
    columns: int
    field: Field = "real"

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", positive("gain", self.gain, LawError))
        integer("rows", self.rows, LawError, minimum=1)
        integer("columns", self.columns, LawError, minimum=1)
        one_of("field", self.field, FIELDS, LawError)

    @property
    def dimension(self) -> int:
        """The dimension is the length of the orthonormal vectors."""
        return max(self.rows, self.columns)

    @property
    def mean(self) -> float:
        """The mean is 0, by symmetry."""
        return 0.0

    @property
    def variance(self) -> float:
        """The variance is ``gain**2 / dimension``."""
        return self.std * self.std

    @property
    def std(self) -> float:
        """The std is ``gain / sqrt(dimension)``."""
        return self.gain / math.sqrt(self.dimension)

    @property
    def excess_kurtosis(self) -> float:
        """It is ``-6 / (dimension + 2)``, or ``-2 / (dimension + 1)`` for complex entries."""
        n = self.dimension
        return -6 / (n + 2) if self.field == "real" else -2 / (n + 1)

    @property
    def support(self) -> Support:
        """The support is from ``-gain`` to ``gain``; for complex entries, moduli up to ``gain``."""
        return (-self.gain if self.field == "real" else 0.0, self.gain)

    @property
    def variance_dispersion(self) -> float:
        """The dispersion is 0, since the sum of squares is fixed."""
        return 0.0

    def cdf(self, x: float, /) -> float:
        """Return the CDF of `gain` times one coordinate of a uniformly random unit vector."""
        x, n = x / self.gain, self.dimension
        if x >= 1 or x < self.support[0] / self.gain:
            return float(x >= 1)
        if self.field == "complex":
            return -math.expm1((n - 1) * math.log1p(-x * x))
        if n == 1:
            return 0.5
        tail = _cosine_mass(math.asin(abs(x)), n - 2) / (2 * _cosine_mass(0.0, n - 2))
        return tail if x < 0 else 1 - tail

    def quantile(self, p: float, /) -> float:
        """Return the inverse of the CDF at `p`."""
        p, n = check_probability(p), self.dimension
        if n == 1 or p in (0.0, 1.0):
            return self.support[1] if p > 0.5 or self.field == "complex" else self.support[0]
        if self.field == "complex":
            return self.gain * math.sqrt(-math.expm1(math.log1p(-p) / (n - 1)))
        if p > 0.5:
            return -self.quantile(1 - p)
        return bisect(lambda x: self.cdf(x) - p, -self.gain, 0.0)


def _cosine_mass(start: float, power: int) -> float:
    """Integrate ``cos(angle)**power`` from `start` to a right angle."""
    end = min(math.pi / 2, math.sqrt(start * start + 120 / max(power, 1)))
    count = 8
    points = [start + (end - start) * i / count for i in range(count + 1)]

    def cosine_power(angle: float) -> float:
        if power < 1000:
            return math.cos(angle) ** power
        # As an exponential: a large power would raise the cosine's rounding with it.
        squared_sine = math.sin(angle) ** 2
        return math.exp(power / 2 * math.log1p(-squared_sine)) if squared_sine < 1 else 0.0

    return panels(cosine_power, points)


@dataclass(frozen=True, slots=True)
class ZeroInflated(JointLaw):
    """The law of entries that are 0, except for an exact number that follow the law `entry`.

    Parameters
    ----------
    entry : Law
        Law of the entries that are not zero. It is symmetric or constant.
    count : int
        Number of entries that are not zero.
    size : int
        Number of all entries.
    pattern : str
        Where the entries are that are not zero: "random, per out unit" or "random, per in unit"
        (a fixed number in each unit), "center tap", "diagonal", or "diagonal of the center tap".

    Examples
    --------
    >>> from fanwise import Constant, ZeroInflated
    >>> identity = ZeroInflated(Constant(1.0), count=4, size=16, pattern="diagonal")
    >>> identity.mean, round(identity.variance, 12)
    (0.25, 0.1875)
    """

    family: ClassVar[str] = "zero_inflated"
    entry: Law
    count: int
    size: int
    pattern: str

    def __post_init__(self) -> None:
        integer("count", self.count, LawError, minimum=1)
        integer("size", self.size, LawError, minimum=self.count)

    @property
    def density(self) -> float:
        """The density is the share of entries that are not zero."""
        return self.count / self.size

    @property
    def mean(self) -> float:
        """The mean is the density times the mean of `entry`."""
        return self.density * self.entry.mean

    @property
    def variance(self) -> float:
        """The mixture of zero and `entry` has this variance."""
        return self.std * self.std

    @property
    def std(self) -> float:
        """The std is the square root of the variance."""
        f = self.density
        return math.sqrt(f) * math.hypot(self.entry.std, math.sqrt(1 - f) * self.entry.mean)

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis of the mixture is nan if every entry is the same constant."""
        if self.variance == 0:
            return math.nan
        normal = 2 if self._is_complex else 3
        fourth = 0.0
        if self.entry.variance > 0:
            fourth = (self.entry.excess_kurtosis + normal) * self.entry.variance**2
        f, mean = self.density, self.entry.mean
        gap = mean * (1 - f)  # from the mixture's mean to the entry's
        central = f * (fourth + 6 * gap**2 * self.entry.variance + gap**4)
        central += (1 - f) * (f * mean) ** 4
        return central / self.variance**2 - normal

    @property
    def support(self) -> Support:
        """The support is the support of `entry`, extended to zero."""
        low, high = self.entry.support
        return (min(low, 0.0), max(high, 0.0))

    @property
    def variance_dispersion(self) -> float:
        """Only the entries that are not zero contribute, since their number is fixed."""
        if self.entry.variance == 0:
            return 0.0
        return self.entry.variance_dispersion / self.density

    @property
    def _is_complex(self) -> bool:
        return self.entry.family.startswith("complex") or (
            isinstance(self.entry, HaarOrthogonal) and self.entry.field == "complex"
        )

    def cdf(self, x: float, /) -> float:
        """Return the CDF of the mixture."""
        return self.density * self.entry.cdf(x) + (1 - self.density) * (x >= 0)

    def quantile(self, p: float, /) -> float:
        """Return the smallest value whose CDF is at least `p`."""
        p, f = check_probability(p), self.density
        zero_from = f * self._below_zero()
        if p <= zero_from and p > 0:
            return self.entry.quantile(min(1.0, p / f))
        if p <= zero_from + (1 - f) and (f < 1 or p == 0):
            return self.support[0] if p == 0 else 0.0
        return self.entry.quantile(min(1.0, max(0.0, (p - (1 - f)) / f)))

    def _below_zero(self) -> float:
        """Return the probability that an entry of the law `entry` is below zero."""
        if self.entry.variance == 0:
            return float(self.entry.mean < 0)
        return 0.0 if self._is_complex else 0.5
