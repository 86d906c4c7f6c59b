"""The specification again, in NumPy and SciPy: fans, and the laws of entries.

Written from `spec/`, and from nothing else: the code that is judged is not read here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy import optimize, stats

from . import formats
from .backend import AxesData, Shape

MOMENTS = 12  # of the standardized law: the third cumulant of a polynomial of degree 4 needs them


@dataclass(frozen=True)
class Law:
    """The law of the entries of one block.

    Attributes
    ----------
    frozen : object
        A frozen distribution of SciPy.
    low, high : float
        The ends of its support.
    half_open : bool
        Whether `high` is never drawn.
    """

    frozen: Any
    low: float = -math.inf
    high: float = math.inf
    half_open: bool = False

    @property
    def mean(self) -> float:
        """The mean."""
        return self._cumulants[0]

    @property
    def std(self) -> float:
        """The standard deviation."""
        return self._cumulants[1]

    @functools.cached_property
    def _cumulants(self) -> tuple[float, float]:
        x, weight = self._quadrature
        mean = float(weight @ x)
        return mean, math.sqrt(float(weight @ (x - mean) ** 2))

    @functools.cached_property
    def moments(self) -> np.ndarray:
        """The moments of (x - mean) / std, up to the twelfth."""
        x, weight = self._quadrature
        z = (x - self.mean) / self.std
        return np.array([float(weight @ z**k) for k in range(MOMENTS + 1)])

    @functools.cached_property
    def _quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and probabilities with which integrals are sums; for a point, the point."""
        scale = self.frozen.kwds.get("scale", 1.0)
        centre = self.frozen.kwds.get("loc", 0.0)
        low, high = max(self.low, centre - 40 * scale), min(self.high, centre + 40 * scale)
        if low > centre + 20 * scale:  # in a tail: its length is a fraction of the scale
            high = min(high, low + 40 * scale * scale / (low - centre))
        points, weights = leggauss(100)
        pieces = np.linspace(low, high, 41)
        half = np.diff(pieces)[:, None] / 2
        x = (pieces[:-1, None] + half) + half * points
        weight = half * weights * self.frozen.pdf(x)
        return x.ravel(), (weight / weight.sum()).ravel()

    def cdf(self, x: Any) -> Any:
        """The cumulative distribution."""
        return self.frozen.cdf(x)

    def ppf(self, p: Any) -> Any:
        """The quantile function."""
        return self.frozen.ppf(p)


def normal(std: float, mean: float = 0.0) -> Law:
    """laws/1."""
    return Law(stats.norm(loc=mean, scale=std))


def uniform(low: float, high: float) -> Law:
    """laws/2."""
    return Law(stats.uniform(loc=low, scale=high - low), low, high, half_open=True)


def truncated(parent_std: float, low: float, high: float, parent_mean: float = 0.0) -> Law:
    """laws/3, by absolute bounds."""
    a, b = (low - parent_mean) / parent_std, (high - parent_mean) / parent_std
    return Law(stats.truncnorm(a, b, loc=parent_mean, scale=parent_std), low, high)


@functools.cache
def _std_of_cut(low: float, high: float) -> float:
    """The std of a standard normal that is cut at two of its own stds."""
    return truncated(1.0, low, high).std


@dataclass(frozen=True)
class Block:
    """An independent block of a parameter: where it is, and its fans."""

    index: tuple[slice, ...]
    fan_in: Fraction | None
    fan_out: Fraction | None

    def fan(self, choice: str) -> float:
        """The fan of a choice (fans/6)."""
        assert self.fan_in is not None
        assert self.fan_out is not None
        one, other = float(self.fan_in), float(self.fan_out)
        return {
            "in": one,
            "out": other,
            "avg": (one + other) / 2,
            "geometric": math.sqrt(one * other),
            "max": max(one, other),
            "min": min(one, other),
        }[choice]


@dataclass(frozen=True)
class Roles:
    """Axes, read from plain data (axes/9)."""

    roles: tuple[str, ...]
    groups: int = 1
    transposed: bool = False
    stride: tuple[int, ...] = ()
    one_hot: bool = False
    blocks: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, axes: AxesData) -> Roles:
        """Read a string, or an object with options."""
        if isinstance(axes, str):
            return cls(tuple(axes.split()))
        options = dict(axes)
        roles = options.pop("roles")
        roles = tuple(roles.split() if isinstance(roles, str) else roles)
        stride = options.pop("stride", ())
        kernel = roles.count("kernel")
        stride = (stride,) * kernel if isinstance(stride, int) else tuple(stride)
        return cls(roles, stride=stride, **options)


def blocks(shape: Shape, axes: AxesData) -> list[Block]:
    """The blocks of a parameter, with their fans (axes/4 to axes/7, fans/1 to fans/4)."""
    given = Roles.read(axes)
    cuts: list[list[tuple[slice, int]]] = []
    for size, role in zip(shape, given.roles, strict=True):
        split = given.blocks.get(role)
        if split is None:
            sizes = [size]
        else:
            sizes = [size // split] * split if isinstance(split, int) else list(split)
        ends = np.cumsum([0, *sizes])
        cuts.append([(slice(int(a), int(a) + n), n) for a, n in zip(ends, sizes, strict=False)])
    found = []
    for combination in _product(cuts):
        counts = {"out": 1, "in": 1, "kernel": 1, "stack": 1}
        for (_, size), role in zip(combination, given.roles, strict=True):
            counts[role] *= size
        counts["in" if given.transposed else "out"] //= _groups(given, shape, counts)
        taps, stride = counts["kernel"], math.prod(given.stride)
        inputs = 1 if given.one_hot else counts["in"]
        fan_in = Fraction(inputs * taps, stride if given.transposed else 1)
        fan_out = Fraction(counts["out"] * taps, 1 if given.transposed else stride)
        has_inputs = "in" in given.roles or "kernel" in given.roles
        index = tuple(cut for cut, _ in combination)
        found.append(Block(index, *((fan_in, fan_out) if has_inputs else (None, None))))
    return found


def _groups(given: Roles, shape: Shape, counts: Mapping[str, int]) -> int:
    """The groups within a block, which is a whole number of them (axes/5)."""
    if given.groups == 1:
        return 1
    role = "in" if given.transposed else "out"
    whole = math.prod(n for n, r in zip(shape, given.roles, strict=True) if r == role)
    return given.groups * counts[role] // whole


def _product(cuts: list[list[tuple[slice, int]]]) -> list[list[tuple[slice, int]]]:
    found: list[list[tuple[slice, int]]] = [[]]
    for cut in cuts:
        found = [[*start, piece] for start in found for piece in cut]
    return found


_GAINS = {"glorot": 1.0, "he": math.sqrt(2), "lecun": 1.0}
_FANS = {"glorot": "avg", "he": "in", "lecun": "in"}


def law(scheme: Mapping[str, Any], block: Block | None = None) -> Law:
    """The law of the entries of a block under an elementwise scheme (schemes/4 to schemes/6)."""
    options = dict(scheme)
    name = options.pop("name")
    if name == "normal":
        return normal(**options)
    if name == "uniform":
        bound = options.get("bound")
        low, high = (options["low"], options["high"]) if bound is None else (-bound, bound)
        return uniform(low, high)
    if name == "truncated_normal":
        return _truncated_normal(**options)
    source, _, family = name.partition("_")
    if name == "variance_scaling":
        family = options.get("family", "truncated_normal")
    gain = options.get("gain", _GAINS.get(source, 1.0))
    assert block is not None
    std = gain / math.sqrt(block.fan(options.get("fan", _FANS.get(source, "in"))))
    family = options.get("family", family)
    if family == "normal":
        return normal(std)
    if family == "uniform":
        return uniform(-math.sqrt(3) * std, math.sqrt(3) * std)
    cut = options.get("cut", 2.0)
    parent_std = std / _std_of_cut(-cut, cut)
    return truncated(parent_std, -cut * parent_std, cut * parent_std)


def _truncated_normal(
    std: float | None = None,
    parent_std: float | None = None,
    low: float = -2.0,
    high: float = 2.0,
    parent_mean: float = 0.0,
    bounds: str = "parent_std",
) -> Law:
    if bounds == "absolute":
        if parent_std is None:
            assert std is not None
            # The std of the law rises with that of the parent.
            parent_std = optimize.brentq(
                lambda p: truncated(p, low, high, parent_mean).std - std, std, 1e3 * std, xtol=1e-15
            )
        return truncated(parent_std, low, high, parent_mean)
    if parent_std is None:
        assert std is not None
        parent_std = std / _std_of_cut(low, high)
    return truncated(
        parent_std, parent_mean + low * parent_std, parent_mean + high * parent_std, parent_mean
    )


@dataclass(frozen=True)
class RoundedLaw:
    """A law after rounding to nearest, clipped to numbers within its bounds (dtypes/1, dtypes/3).

    Attributes
    ----------
    values, probabilities : array
        The numbers of the dtype that it has, and how often.
    """

    values: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, law: Law, dtype: str) -> RoundedLaw:
        """Round a law to a narrow dtype."""
        first, last = formats.inner_bounds(law.low, law.high, dtype, half_open=law.half_open)
        listed = formats.numbers(dtype)
        listed = listed[(listed >= first) & (listed <= last)]
        midpoints = (listed[1:] + listed[:-1]) / 2
        probabilities = np.diff(np.concatenate([[0.0], law.cdf(midpoints), [1.0]]))
        # About zero, numbers are too close for a difference of two distributions.
        widths = np.diff(np.concatenate([listed[:1], midpoints, listed[-1:]]))
        close = probabilities < 1e-9
        probabilities[close] = (law.frozen.pdf(listed) * widths)[close]
        has = probabilities > 0
        return cls(listed[has], probabilities[has] / probabilities[has].sum())

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.probabilities @ self.values)

    @property
    def std(self) -> float:
        """The standard deviation."""
        return math.sqrt(float(self.probabilities @ (self.values - self.mean) ** 2))

    @functools.cached_property
    def moments(self) -> np.ndarray:
        """The moments of (x - mean) / std, up to the twelfth."""
        z = (self.values - self.mean) / self.std
        return np.array([float(self.probabilities @ z**k) for k in range(MOMENTS + 1)])
