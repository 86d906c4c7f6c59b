"""Measuring what was drawn against its plan."""

from __future__ import annotations

import math
from collections.abc import Callable

from ._ledger import Measured
from ._plan import Part, Plan

Moments = tuple[float, float]


def measure(plan: Plan, sums: Callable[[Part], Moments], /, *, rounding: float) -> Measured:
    """Compare a drawn parameter's mean and std with its laws'.

    Parameters
    ----------
    plan : Plan
        What was drawn.
    sums : callable
        For a part, the sum of its entries' real parts less the law's mean, and the sum of
        |entry - mean|^2.
    rounding : float
        Relative error that the array's dtype may leave.

    Returns
    -------
    Measured
        Mean and std over all parts, and how many of their standard errors they are off. What the
        law fixes exactly has None if it is right up to rounding, and else infinity.
    """
    size = plan.size
    if size == 0:
        return Measured(math.nan, math.nan, None, None)
    real = plan.field == "real"
    off_mean = off_mean_variance = 0.0
    squares = off_squares = off_squares_variance = between = 0.0
    mean = sum(part.size * part.law.mean for part in plan.parts) / size
    for part in plan.parts:
        law, (total, square) = part.law, sums(part)
        off_mean += total
        # The real part has half of a complex variance.
        off_mean_variance += part.size * law.variance / (1 if real else 2)
        squares += square
        between += part.size * (law.mean - mean) ** 2
        if law.variance > 0:
            off_squares += square / law.variance - part.size
            off_squares_variance += part.size * law.variance_dispersion
    std = math.sqrt(squares / size + between / size)
    expected_std = math.sqrt(
        sum(part.size * (part.law.variance + (part.law.mean - mean) ** 2) for part in plan.parts)
        / size
    )
    slack = rounding * (abs(mean) + expected_std)
    mean_z = _score(off_mean, off_mean_variance, exact=abs(off_mean / size) <= slack)
    std_z = _score(off_squares, off_squares_variance, exact=abs(std - expected_std) <= slack)
    return Measured(mean + off_mean / size, std, mean_z, std_z)


def _score(off: float, variance: float, *, exact: bool) -> float | None:
    if variance:
        return off / math.sqrt(variance)
    return None if exact else math.inf
