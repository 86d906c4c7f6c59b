"""Measuring what was drawn against its plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from .._draws.dtypes import rounding as rounding_of
from .._errors import RecipeError, SourceError, annotate_errors
from .._laws.real import Law
from .._schemes.plan import Plan
from .ledger import Ledger, Measured

Slices: TypeAlias = tuple[slice, ...]
Sums: TypeAlias = Callable[[Slices, float], tuple[float, float]]
T = TypeVar("T")


def measure(plan: Plan, shape: tuple[int, ...], sums: Sums, /, *, rounding: float) -> Measured:
    """Compare the mean and std of a drawn parameter with its laws.

    Parameters
    ----------
    plan : Plan
        What was drawn.
    shape : tuple of int
        The shape of what came out.
    sums : callable
        From the slices of a box of the array and a number m, to the sum of the real parts of
        its entries less m, and the sum of ``|entry - m|**2``.
    rounding : float
        Relative error that the dtype of the array may leave.

    Returns
    -------
    Measured
        Mean and std over all blocks, and how many of their standard errors they are off. What
        the law fixes exactly has None if it is right up to rounding, and else infinity.
    """
    if tuple(shape) != plan.shape:
        raise SourceError(f"`array` must have the shape {plan.shape} of the plan, got {shape}")
    boxes = list(_boxes(plan))
    size = sum(count for _, count, _ in boxes)
    if size == 0:
        return Measured(math.nan, math.nan, None, None)
    real = plan.field == "real"
    off_mean = off_mean_variance = 0.0
    squares = off_squares = off_squares_variance = between = 0.0
    mean = sum(count * law.mean for _, count, law in boxes) / size
    for slices, count, law in boxes:
        total, square = sums(slices, law.mean)
        off_mean += total
        # The real part has half of a complex variance.
        off_mean_variance += count * law.variance / (1 if real else 2)
        squares += square
        between += count * (law.mean - mean) ** 2
        if law.variance > 0:
            off_squares += square / law.variance - count
            off_squares_variance += count * law.variance_dispersion
    std = math.sqrt(squares / size + between / size)
    expected_std = math.sqrt(
        sum(count * (law.variance + (law.mean - mean) ** 2) for _, count, law in boxes) / size
    )
    slack = rounding * (abs(mean) + expected_std)
    mean_z = _score(off_mean, off_mean_variance, exact=abs(off_mean / size) <= slack)
    std_z = _score(off_squares, off_squares_variance, exact=abs(std - expected_std) <= slack)
    return Measured(mean + off_mean / size, std, mean_z, std_z)


def measure_host(plan: Plan, host: Any, dtype: str, /) -> Measured:
    """Compare an array of NumPy, which was drawn as `dtype`, with its laws."""
    wide = "complex128" if plan.field == "complex" else "float64"

    def sums(slices: Slices, mean: float) -> tuple[float, float]:
        off = host[slices].astype(wide) - mean
        return float(off.real.sum()), float((off.real**2).sum() + (off.imag**2).sum())

    return measure(plan, host.shape, sums, rounding=rounding_of(dtype))


def measure_entries(
    ledger: Ledger, values: Mapping[str, T], measure_value: Callable[[Plan, T], Measured], /
) -> dict[str, Measured]:
    """Measure what a ledger has as initialized, of the values of a model by path."""
    measured = {}
    for entry in ledger.entries:
        if entry.plan is None:
            continue
        if entry.path not in values:
            raise RecipeError(f"`ledger` must be of this model, got one that has {entry.path!r}")
        with annotate_errors(entry.path):
            measured[entry.path] = measure_value(entry.plan, values[entry.path])
    return measured


def _boxes(plan: Plan) -> Iterator[tuple[Slices, int, Law]]:
    """The parts of a parameter, without its padding: slices, number of entries, law."""
    for part in plan.parts:
        whole = tuple(slice(b, b + n) for b, n in zip(part.start, part.shape, strict=True))
        if plan.padding is None or plan.axes is None:
            yield whole, part.size, part.law
            continue
        axis = plan.axes.roles.index("in")
        start, stop = whole[axis].start, whole[axis].stop
        for begin, end in ((start, min(stop, plan.padding)), (max(start, plan.padding + 1), stop)):
            if begin < end:
                slices = (*whole[:axis], slice(begin, end), *whole[axis + 1 :])
                yield slices, part.size // (stop - start) * (end - begin), part.law


def _score(off: float, variance: float, *, exact: bool) -> float | None:
    if variance:
        return off / math.sqrt(variance)
    return None if exact else math.inf
