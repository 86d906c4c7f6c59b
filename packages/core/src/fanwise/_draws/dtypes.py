"""Storage dtypes: what a value may be rounded to, in Python floats (spec: dtypes)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._errors import DtypeError
from .._laws.joint import Field
from .._laws.real import Law, Values


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: precision in bits, exponent range, largest number."""

    precision: int
    min_exponent: int
    largest: float

    @property
    def smallest(self) -> float:
        """The smallest positive number, a subnormal."""
        return math.ldexp(1.0, self.min_exponent - self.precision + 1)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number of full precision; smaller ones may be flushed to zero."""
        return math.ldexp(1.0, self.min_exponent)

    def spacing(self, x: float) -> float:
        """Distance of the numbers at the magnitude of `x`."""
        if x == 0:
            return self.smallest
        return math.ldexp(1.0, max(math.frexp(x)[1] - 1, self.min_exponent) - self.precision + 1)

    def round_down(self, x: float) -> float:
        """The largest number of the format that is at most `x`."""
        if x < -self.largest:
            return -math.inf
        if x >= self.largest:
            return self.largest
        exponent = max(math.frexp(x)[1] - 1, self.min_exponent) - self.precision + 1
        return math.ldexp(math.floor(math.ldexp(x, -exponent)), exponent)

    def round_up(self, x: float) -> float:
        """The smallest number of the format that is at least `x`."""
        return -self.round_down(-x) + 0.0  # never -0.0

    def below(self, x: float) -> float:
        """The largest number of the format that is less than `x`."""
        rounded = self.round_down(x)
        if rounded < x:
            return rounded
        return self.round_down(math.nextafter(x, -math.inf))


_REAL = {
    "float64": FloatFormat(53, -1022, 1.7976931348623157e308),
    "float32": FloatFormat(24, -126, 3.4028234663852886e38),
    "float16": FloatFormat(11, -14, 65504.0),
    "bfloat16": FloatFormat(8, -126, 3.3895313892515355e38),
    "float8_e4m3fn": FloatFormat(4, -6, 448.0),
    "float8_e4m3fnuz": FloatFormat(4, -7, 240.0),
    "float8_e4m3b11fnuz": FloatFormat(4, -10, 30.0),
    "float8_e5m2": FloatFormat(3, -14, 57344.0),
    "float8_e5m2fnuz": FloatFormat(3, -15, 57344.0),
}
_COMPLEX = {"complex64": "float32", "complex128": "float64"}

DTYPES: tuple[str, ...] = (*_REAL, *_COMPLEX)


def check_dtype(dtype: str) -> None:
    """Raise `DtypeError` unless `dtype` names a storage dtype."""
    if dtype not in DTYPES:
        raise DtypeError(f"`dtype` must be one of {', '.join(DTYPES)}, got {dtype!r}")


def field_of(dtype: str) -> Field:
    """Whether a storage dtype holds real or complex numbers.

    Parameters
    ----------
    dtype : str
        Storage dtype, by its usual name.

    Returns
    -------
    {"real", "complex"}
        The field.

    Examples
    --------
    >>> from fanwise.adapting import field_of
    >>> field_of("complex64")
    'complex'
    """
    return "complex" if dtype in _COMPLEX else "real"


def real_dtype(dtype: str) -> str:
    """The dtype of the real and imaginary part of a complex dtype; a real dtype itself.

    Parameters
    ----------
    dtype : str
        Storage dtype, by its usual name.

    Returns
    -------
    str
        The dtype of its real numbers.

    Examples
    --------
    >>> from fanwise.adapting import real_dtype
    >>> real_dtype("complex128"), real_dtype("bfloat16")
    ('float64', 'bfloat16')
    """
    return _COMPLEX.get(dtype, dtype)


def compute_dtype(dtype: str) -> str:
    """The dtype to draw in: `dtype` if it is at least float32, else float32 (spec: dtypes/1).

    Parameters
    ----------
    dtype : str
        Storage dtype, by its usual name.

    Returns
    -------
    str
        The computing dtype.

    Examples
    --------
    >>> from fanwise.adapting import compute_dtype
    >>> compute_dtype("float8_e5m2")
    'float32'
    """
    return dtype if dtype in ("float64", "complex64", "complex128") else "float32"


def for_field(dtype: str, field: Field) -> str:
    """The storage dtype of a model's parameters of a field, `dtype` being that of the others.

    Examples
    --------
    >>> from fanwise.adapting import for_field
    >>> for_field("bfloat16", "complex"), for_field("complex128", "real")
    ('complex64', 'float64')
    """
    check_dtype(dtype)
    if field_of(dtype) == field:
        return dtype
    if field == "real":
        return real_dtype(dtype)
    return "complex128" if dtype == "float64" else "complex64"


def inner_bounds(
    low: float, high: float, dtype: str, *, half_open: bool = False
) -> tuple[float, float]:
    """The smallest and the largest number of `dtype` within [low, high], or [low, high).

    Rounding to nearest is monotone: a value that is clipped to these before it is rounded to
    `dtype` is within the bounds afterwards (spec: dtypes/3).

    Parameters
    ----------
    low, high : float
        Bounds, infinite ones included.
    dtype : str
        Storage dtype, by its usual name.
    half_open : bool, default False
        Whether `high` itself is outside.

    Returns
    -------
    inner_low, inner_high : float
        The two numbers.

    Raises
    ------
    DtypeError
        If there is no such number.

    Examples
    --------
    >>> from fanwise.adapting import inner_bounds
    >>> inner_bounds(0.0, 1.0, "bfloat16", half_open=True)
    (0.0, 0.99609375)
    """
    number = _REAL[real_dtype(dtype)]
    inner_low = number.round_up(low)
    inner_high = number.below(high) if half_open else number.round_down(high)
    if inner_low > inner_high:
        closing = ")" if half_open else "]"
        raise DtypeError(f"`dtype` must have a number in [{low}, {high}{closing}, got {dtype}")
    return inner_low, inner_high


def check_representable(law: Law, dtype: str) -> None:
    """Raise `DtypeError` if rounding to `dtype` would overflow, or leave nothing of the law.

    Eight standard deviations must be below the largest number, and one at least half a step of the
    numbers at the mean. Given values need only not overflow.
    """
    number = _REAL[real_dtype(dtype)]
    low, high = law.support
    reach = abs(law.mean) + 8 * law.std
    largest = min(max(abs(low), abs(high)), reach)
    if largest > number.largest:
        raise DtypeError(
            f"`dtype` must hold values of {largest}, got {dtype} with at most {number.largest}"
        )
    if isinstance(law, Values):
        return
    computing = _REAL[real_dtype(compute_dtype(dtype))]
    if math.isfinite(high - low) and high - low > computing.largest:
        raise DtypeError(f"`dtype` must hold the width of {low} to {high}, got {dtype}")
    if 0 < law.std < computing.smallest_normal:
        raise DtypeError(
            f"`dtype` must hold normal numbers of std {law.std}, got {dtype}, "
            f"whose draws are computed from {computing.smallest_normal} on"
        )
    step = number.spacing(law.mean)
    if law.std == 0 and law.mean != 0 and abs(law.mean) < number.smallest / 2:
        raise DtypeError(
            f"`dtype` must tell {law.mean} from zero, got {dtype} with steps of {step}"
        )
    if 0 < law.std < step / 2:
        raise DtypeError(
            f"`dtype` must tell values of std {law.std} about {law.mean} apart, "
            f"got {dtype} with steps of {step}"
        )


def rounding(dtype: str) -> float:
    """Relative error that drawing in the computing dtype and rounding to `dtype` may leave."""
    computing, storage = (_REAL[real_dtype(name)] for name in (compute_dtype(dtype), dtype))
    return storage.spacing(1.0) + 64 * computing.spacing(1.0)
