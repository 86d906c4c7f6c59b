"""Storage dtypes: what they can hold."""

import math
import struct

import pytest

from fanwise import DtypeError, constant, normal, resolve, uniform
from fanwise.adapting import DTYPES, check_draw, compute_dtype, field_of, inner_bounds

pytestmark = pytest.mark.clause("dtypes/1", "dtypes/2", "dtypes/3", "dtypes/4", "dtypes/5")


def test_the_computing_dtype_is_float32_or_wider():
    assert {d: compute_dtype(d) for d in DTYPES if compute_dtype(d) != "float32"} == {
        "float64": "float64",
        "complex64": "complex64",
        "complex128": "complex128",
    }
    assert [d for d in DTYPES if field_of(d) == "complex"] == ["complex64", "complex128"]


def neighbors(code, x):
    """The format's numbers next to x on both sides, from its bit patterns."""
    integer = {"e": "H", "f": "I", "d": "Q"}[code]
    bits = struct.unpack(integer, struct.pack(code, x))[0]
    found = struct.unpack(code, struct.pack(integer, bits))[0]
    step = 1 if found >= 0 else -1
    below = found if found <= x else struct.unpack(code, struct.pack(integer, bits - step))[0]
    above = found if found >= x else struct.unpack(code, struct.pack(integer, bits + step))[0]
    return below, above


@pytest.mark.parametrize(
    ("dtype", "code", "x"),
    [
        *(("float16", "e", x) for x in (0.05, 1 / 3, 1.0, 1e-5, 3e-7, 30001.0)),
        *(("float32", "f", x) for x in (0.05, 1 / 3, 1.0, 1e-5, 1e-40, 6e37, 0.1 + 0.2)),
        *(("float64", "d", x) for x in (0.05, 1 / 3, 1.0, 5e-324, 1e300)),
    ],
)
def test_inner_bounds_are_the_formats_nearest_numbers(dtype, code, x):
    below, above = neighbors(code, x)
    assert inner_bounds(-x, x, dtype) == (-below, below)
    assert inner_bounds(x, 2 * x, dtype)[0] == above


@pytest.mark.parametrize(
    ("dtype", "below_one"),
    [("bfloat16", 1 - 2**-8), ("float16", 1 - 2**-11), ("float32", 1 - 2**-24),
     ("float64", 1 - 2**-53), ("float8_e4m3fn", 1 - 2**-4), ("float8_e5m2", 1 - 2**-3)],
)  # fmt: skip
def test_an_excluded_end_is_the_number_below(dtype, below_one):
    assert inner_bounds(0.0, 1.0, dtype, half_open=True) == (0.0, below_one)


def test_bounds_with_no_number_between_them_are_refused():
    with pytest.raises(
        DtypeError, match=r"`dtype` must have a number in \[1.0001, 1.0002\], got bfloat16"
    ):
        inner_bounds(1.0001, 1.0002, "bfloat16")
    with pytest.raises(DtypeError, match=r"in \[1.0001, 1.0078125\), got bfloat16"):
        inner_bounds(1.0001, 1.0078125, "bfloat16", half_open=True)


def test_infinite_bounds_are_the_largest_numbers():
    assert inner_bounds(-math.inf, math.inf, "float16") == (-65504.0, 65504.0)


@pytest.mark.parametrize(
    ("scheme", "dtype", "message"),
    [
        (normal(std=1.0), "int32", "`dtype` must be one of float64, float32, "),
        (normal(std=1.0), "float", "`dtype` must be one of float64, float32, "),
        (normal(std=1.0), "complex64", "`dtype` must be real, as the plan is, got complex64"),
        (normal(std=1e4), "float16", "`dtype` must hold values of 80000.0, got float16 with at most 65504.0"),
        (normal(std=1e-9), "float16", "`dtype` must tell values of std 1e-09 about 0.0 apart, got float16 with steps of "),
        (constant(value=1e-10), "float16", "`dtype` must tell 1e-10 from zero, got float16 with steps of "),
        (uniform(low=-3e38, high=3e38), "float32", "`dtype` must hold the width of -3e+38 to 3e+38, got float32"),
        (constant(value=1e5), "float16", "`dtype` must hold values of 100000.0, got float16"),
        (uniform(low=0, high=1e3), "float8_e4m3fn", "`dtype` must hold values of "),
        (
            uniform(low=-1e-30, high=-1e-31),
            "float16",
            "`dtype` must tell values of std ",
        ),
        (
            normal(std=1e-3, mean=1000.0),
            "float16",
            "`dtype` must tell values of std 0.001 about 1000.0 apart, got float16 with steps of 0.5",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(scheme, dtype, message):
    with pytest.raises(DtypeError) as caught:
        check_draw(resolve(scheme, (3,)), dtype)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, TypeError)
