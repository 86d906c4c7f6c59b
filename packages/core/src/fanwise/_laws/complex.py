"""Laws of complex weights: the phase is uniform, and the law describes the modulus (spec: laws/6).

The variance is ``E|w|**2``. The support, the CDF and the quantile function describe the modulus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .._errors import LawError, positive
from .quadrature import panels
from .real import IndependentLaw, Law, Primitive, Support, check_probability


class IsotropicLaw(IndependentLaw):
    """The base class of laws of independent complex entries with uniform phase."""

    __slots__ = ()

    @property
    def mean(self) -> float:
        """The mean is 0, by symmetry."""
        return 0.0

    @property
    def variance_dispersion(self: Law) -> float:
        """The dispersion is ``E|w|**4 / variance**2 - 1``."""
        return self.excess_kurtosis + 1


@dataclass(frozen=True, slots=True)
class ComplexNormal(IsotropicLaw):
    """Real and imaginary part are independent normals of variance ``std**2 / 2``.

    Examples
    --------
    >>> from fanwise.adapting import ComplexNormal
    >>> ComplexNormal(2.0).variance
    4.0
    """

    family: ClassVar[str] = "complex_normal"
    primitive: ClassVar[Primitive | None] = "normal"
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", positive("std", self.std, LawError))

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the mean and the std."""
        return {"mean": 0.0, "std": self.std}

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is 0."""
        return 0.0

    @property
    def support(self) -> Support:
        """The support has all moduli."""
        return (0.0, math.inf)

    def cdf(self, x: float, /) -> float:
        """Return the CDF of the modulus; the squared modulus is exponential."""
        return -math.expm1(-((max(x, 0.0) / self.std) ** 2))

    def quantile(self, p: float, /) -> float:
        """Return the inverse of the CDF at `p`."""
        p = check_probability(p)
        return math.inf if p == 1 else self.std * math.sqrt(-math.log1p(-p))


@dataclass(frozen=True, slots=True)
class ComplexTruncatedNormal(IsotropicLaw):
    """The complex normal law with `parent_std`, given that the modulus is at most `bound`.

    With ``t = (bound / parent_std)**2``, the variance is
    ``parent_std**2 * (1 - t / (exp(t) - 1))``.

    Notes
    -----
    JAX divides by 0.95311164, which is the std times the square root of the mass. The variance of
    its complex truncated `variance_scaling` is therefore 1.8 % too large.

    Examples
    --------
    >>> from fanwise.adapting import ComplexTruncatedNormal
    >>> round(ComplexTruncatedNormal(1.0, 2.0).std, 12)
    0.961961828008
    """

    family: ClassVar[str] = "complex_truncated_normal"
    primitive: ClassVar[Primitive | None] = "truncated_normal"
    parent_std: float
    bound: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_std", positive("parent_std", self.parent_std, LawError))
        object.__setattr__(self, "bound", positive("bound", self.bound, LawError))

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the complex normal before truncation, and bounds of the modulus."""
        return {
            "parent_mean": 0.0,
            "parent_std": self.parent_std,
            "low": -self.bound,
            "high": self.bound,
        }

    @property
    def _cut(self) -> float:
        return (self.bound / self.parent_std) ** 2

    def _moment(self, power: int) -> float:
        """Compute ``E|w|**(2 * power)`` for a parent of std 1.

        The squared modulus is then exponential, given that it is below the cut.
        """
        reach = min(1.0, 60 / self._cut)
        points = [reach * i / 32 for i in range(33)]
        above = panels(lambda x: x**power * math.exp(-self._cut * x), points)
        return self._cut**power * above / panels(lambda x: math.exp(-self._cut * x), points)

    @property
    def std(self) -> float:
        """The std is the square root of ``E|w|**2``."""
        return self.parent_std * math.sqrt(self._moment(1))

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is ``E|w|**4 / (E|w|**2)**2 - 2``."""
        t = self._cut
        if t < 4:
            return self._moment(2) / self._moment(1) ** 2 - 2
        cut_off = 0.0 if t > 700 else t / math.expm1(t)  # so little that the above would cancel
        return cut_off * (2 - t - 2 * cut_off) / self._moment(1) ** 2

    @property
    def support(self) -> Support:
        """The support has the moduli up to `bound`."""
        return (0.0, self.bound)

    def cdf(self, x: float, /) -> float:
        """Return the CDF of the modulus; the squared modulus is a truncated exponential."""
        x = min(max(x, 0.0), self.bound)
        return math.expm1(-((x / self.parent_std) ** 2)) / math.expm1(-self._cut)

    def quantile(self, p: float, /) -> float:
        """Return the inverse of the CDF at `p`."""
        share = check_probability(p) * math.expm1(-self._cut)
        return min(self.bound, self.parent_std * math.sqrt(-math.log1p(share)))


@dataclass(frozen=True, slots=True)
class ComplexUniform(IsotropicLaw):
    """The uniform law on the disc of moduli below `bound`.

    Examples
    --------
    >>> from fanwise.adapting import ComplexUniform
    >>> round(ComplexUniform(2.0).variance, 12)  # half the squared bound
    2.0
    """

    family: ClassVar[str] = "complex_uniform"
    primitive: ClassVar[Primitive | None] = "uniform"
    bound: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", positive("bound", self.bound, LawError))

    @property
    def primitive_options(self) -> Mapping[str, float]:
        """The primitive takes the bounds of the modulus."""
        return {"low": -self.bound, "high": self.bound}

    @property
    def std(self) -> float:
        """The std is ``bound / sqrt(2)``."""
        return self.bound / math.sqrt(2)

    @property
    def excess_kurtosis(self) -> float:
        """The excess kurtosis is -2/3."""
        return -2 / 3

    @property
    def support(self) -> Support:
        """The support has the moduli below `bound`."""
        return (0.0, self.bound)

    def cdf(self, x: float, /) -> float:
        """Return the share of the disc's area where the modulus is at most `x`."""
        return min(max(x, 0.0) / self.bound, 1.0) ** 2

    def quantile(self, p: float, /) -> float:
        """Return the inverse of the CDF at `p`."""
        return self.bound * math.sqrt(check_probability(p))
