"""Formats: their numbers, against ml_dtypes; laws rounded to them, against rounded samples."""

import ml_dtypes
import numpy as np
import pytest
from fanwise_conformance import formats, oracle

NARROW = [name for name in formats.FORMATS if formats.is_narrow(name)]


def native(dtype):
    return np.dtype(dtype if dtype == "float16" else getattr(ml_dtypes, dtype))


@pytest.mark.parametrize("dtype", NARROW)
def test_numbers_are_those_of_the_dtype(dtype):
    kind = native(dtype)
    words = np.arange(256**kind.itemsize, dtype=f"uint{8 * kind.itemsize}")
    with np.errstate(invalid="ignore"):
        values = words.view(kind).astype(np.float64)
    expected = np.unique(values[np.isfinite(values)])
    assert np.array_equal(formats.numbers(dtype), expected)


@pytest.mark.parametrize("dtype", NARROW)
def test_belonging(dtype):
    listed = formats.numbers(dtype)
    middles = (listed[1:] + listed[:-1]) / 2
    assert formats.belong(listed, dtype).all()
    assert not formats.belong(middles, dtype).any()
    assert formats.belong(np.float32([0.1]).astype(float), "float32").all()
    assert not formats.belong(np.array([0.1]), "float32").any()


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    "law", [oracle.normal(0.7), oracle.truncated(0.4, -0.8, 0.8)], ids=["normal", "cut"]
)
def test_a_rounded_law_is_that_of_rounded_values(law, dtype):
    """Probabilities of each number, within 7 standard errors of a million draws, and of few draws 6."""
    n = 1_000_000
    x = law.frozen.rvs(size=n, random_state=np.random.default_rng(5)).astype(np.float32)
    rounded = oracle.RoundedLaw.of(law, dtype)
    values = np.clip(x.astype(native(dtype)).astype(float), rounded.values[0], rounded.values[-1])
    counts = np.bincount(np.searchsorted(rounded.values, values), minlength=rounded.values.size)
    spread = np.sqrt(n * rounded.probabilities * (1 - rounded.probabilities))
    assert (np.abs(counts - n * rounded.probabilities) <= 7 * spread + 6).all()


def test_a_rounded_law_has_every_number_about_zero():
    """Between which a difference of distributions is lost to rounding."""
    rounded = oracle.RoundedLaw.of(oracle.normal(1.0), "bfloat16")
    near = np.abs(rounded.values) < 1e-20
    assert near.sum() > 1000
    steps = np.diff(rounded.values)
    inside = np.flatnonzero(near)[1:-1]
    expected = (steps[inside - 1] + steps[inside]) / 2 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(rounded.probabilities[inside], expected, rtol=1e-6)


def test_inner_bounds_are_within():
    assert formats.inner_bounds(0.0, 1.0, "bfloat16", half_open=True) == (0.0, 0.99609375)
    assert formats.inner_bounds(-1.0, 1.0, "bfloat16", half_open=False) == (-1.0, 1.0)
