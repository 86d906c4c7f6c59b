"""Storage dtypes: the numbers of a format, and where rounding to nearest sends a value."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format: precision in bits, exponent of normal numbers, largest."""

    precision: int
    min_exponent: int
    largest: float


# IEEE 754-2019; bfloat16 as in its white paper; float8 as in arXiv:2209.05433 and 2206.02915.
FORMATS = {
    "float64": Format(53, -1022, 1.7976931348623157e308),
    "float32": Format(24, -126, float(np.finfo(np.float32).max)),
    "float16": Format(11, -14, 65504.0),
    "bfloat16": Format(8, -126, 3.3895313892515355e38),
    "float8_e4m3fn": Format(4, -6, 448.0),
    "float8_e4m3fnuz": Format(4, -7, 240.0),
    "float8_e4m3b11fnuz": Format(4, -10, 30.0),
    "float8_e5m2": Format(3, -14, 57344.0),
    "float8_e5m2fnuz": Format(3, -15, 57344.0),
}
COMPONENTS = {"complex64": "float32", "complex128": "float64"}
DTYPES = (*FORMATS, *COMPONENTS)


def is_complex(dtype: str) -> bool:
    """Whether numbers of the dtype are complex."""
    return dtype in COMPONENTS


def is_narrow(dtype: str) -> bool:
    """Whether the dtype is one that values are rounded to: its numbers can be listed."""
    return FORMATS[COMPONENTS.get(dtype, dtype)].precision < 24


def epsilon(dtype: str) -> float:
    """The distance of the numbers from 1 up."""
    return math.ldexp(2.0, -FORMATS[COMPONENTS.get(dtype, dtype)].precision)


@functools.cache
def numbers(dtype: str) -> Floats:
    """All finite numbers of a narrow dtype, in order, zero once."""
    form = FORMATS[dtype]
    significands = np.arange(1, 2**form.precision, dtype=np.float64)
    lowest = form.min_exponent - form.precision + 1
    highest = math.frexp(form.largest)[1] - form.precision
    positive = np.unique(
        np.concatenate(
            [np.ldexp(significands, exponent) for exponent in range(lowest, highest + 1)]
        )
    )
    positive = positive[positive <= form.largest]
    return np.concatenate([-positive[::-1], [0.0], positive])


def belong(values: Any, dtype: str) -> Any:
    """Whether each value is a number of the dtype."""
    component = COMPONENTS.get(dtype, dtype)
    parts = [np.real(values), np.imag(values)] if is_complex(dtype) else [values]
    if component == "float64":
        return np.ones(np.shape(values), dtype=bool)
    if component == "float32":
        return np.logical_and.reduce([part == part.astype(np.float32) for part in parts])
    listed = numbers(component)
    places = np.clip(np.searchsorted(listed, values), 0, len(listed) - 1)
    return listed[places] == values


def inner_bounds(low: float, high: float, dtype: str, *, half_open: bool) -> tuple[float, float]:
    """The first and the last number of a narrow dtype in [low, high], or in [low, high)."""
    listed = numbers(dtype)
    first = np.searchsorted(listed, low, side="left")
    last = np.searchsorted(listed, high, side="left" if half_open else "right") - 1
    return float(listed[int(first)]), float(listed[min(int(last), len(listed) - 1)])
