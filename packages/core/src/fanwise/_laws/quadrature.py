"""Integration in Python floats: Gauss-Legendre panels, fixed and adaptive."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

Integrand = Callable[[float], float]

_NODES = 20


@cache
def gauss_legendre() -> tuple[tuple[float, float], ...]:
    """Compute nodes and weights on [-1, 1] that are exact for polynomials of degree 39.

    Examples
    --------
    >>> from fanwise._laws.quadrature import gauss_legendre
    >>> round(sum(weight * node**8 for node, weight in gauss_legendre()), 12)  # 2/9
    0.222222222222
    """
    n = _NODES
    rule = []
    for i in range(n):
        x = math.cos(math.pi * (i + 0.75) / (n + 0.5))
        for _ in range(6):  # Newton: quadratic from a start that is good to four digits
            before, value = 1.0, x
            for k in range(2, n + 1):
                before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
            slope = n * (x * value - before) / (x * x - 1)
            x -= value / slope
        rule.append((x, 2 / ((1 - x * x) * slope * slope)))
    return tuple(rule)


def panel(f: Integrand, low: float, high: float) -> float:
    """Integrate a smooth function over one panel."""
    center, half = (low + high) / 2, (high - low) / 2
    return half * math.fsum(weight * f(center + half * node) for node, weight in gauss_legendre())


def panels(f: Integrand, points: Sequence[float]) -> float:
    """Integrate a function over consecutive panels; it is smooth within each panel."""
    return math.fsum(panel(f, a, b) for a, b in itertools.pairwise(points))


@dataclass(frozen=True, slots=True)
class Integral:
    """The result of `adaptive`.

    Attributes
    ----------
    value : float
        The integral.
    error : float
        Sum of the disagreements, relative to the sum of the panels' magnitudes.
    concentrated : float
        Share of the magnitudes in panels too narrow for an integrable function to be there.
    """

    value: float
    error: float
    concentrated: float


def adaptive(
    f: Integrand, points: Sequence[float], *, tolerance: float, most_panels: int = 30_000
) -> Integral:
    """Integrate a function with kinks or jumps at unknown places.

    A panel disagrees with its two halves if their integrals do not add up to its own. The panels
    that disagree most are halved until the disagreements add up to less than `tolerance` times the
    sum of the panels' magnitudes, or until `most_panels` are used.
    """

    def entry(low: float, high: float, whole: float) -> tuple[float, float, float, float, float]:
        middle = (low + high) / 2
        left, right = panel(f, low, middle), panel(f, middle, high)
        return (-abs(left + right - whole), low, high, left, right)

    heap = [entry(a, b, panel(f, a, b)) for a, b in pairwise(points)]
    heapq.heapify(heap)
    while True:
        sides = [side for *_, left, right in heap for side in (left, right)]
        value, magnitude = math.fsum(sides), math.fsum(map(abs, sides))
        error = -math.fsum(disagreement for disagreement, *_ in heap)
        if not error > tolerance * magnitude or len(heap) >= most_panels:
            narrow = [abs(a) + abs(b) for _, low, high, a, b in heap if high - low < 1e-9]
            scale = magnitude or 1.0
            return Integral(value, error / scale, math.fsum(narrow) / scale)
        # Several at a time, so that the sums above are not taken anew for every panel.
        for _ in range(max(1, len(heap) // 8)):
            _, low, high, left, right = heapq.heappop(heap)
            middle = (low + high) / 2
            heapq.heappush(heap, entry(low, middle, left))
            heapq.heappush(heap, entry(middle, high, right))
