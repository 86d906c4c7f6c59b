"""Laws: closed forms and edge cases.

`numeric/test_laws_reference.py` compares with arbitrary precision.
"""

import math

import pytest

from fanwise import (
    Constant,
    HaarOrthogonal,
    LawError,
    Normal,
    TruncatedNormal,
    Uniform,
    ZeroInflated,
)
from fanwise.adapting import ComplexNormal, ComplexTruncatedNormal, ComplexUniform, law_data

pytestmark = pytest.mark.clause(
    "laws/1", "laws/2", "laws/3", "laws/5", "laws/6", "laws/7", "errors/4"
)

LAWS = [
    Constant(2.5),
    Normal(0.3, 2.0),
    Uniform(-1.0, 3.0),
    TruncatedNormal(0.0, 1.0, -2.0, 2.0),
    TruncatedNormal(1.0, 0.5, -1.0, math.inf),
    ComplexNormal(0.5),
    ComplexTruncatedNormal(1.0, 2.0),
    ComplexUniform(3.0),
    HaarOrthogonal(2.0, 3, 5),
    HaarOrthogonal(2.0, 3, 5, "complex"),
    HaarOrthogonal(1.0, 1, 1),
    ZeroInflated(Normal(0.0, 0.1), 3, 10, "random, per out unit"),
    ZeroInflated(Constant(1.0), 3, 9, "diagonal"),
    ZeroInflated(HaarOrthogonal(1.0, 4, 3), 12, 108, "center tap"),
]


def sums(law):
    """Mean and variance by summing the quantile function at equal probabilities."""
    n = 800
    values = [law.quantile((i + 0.5) / n) for i in range(n)]
    mean = sum(values) / n
    return mean, sum((v - mean) ** 2 for v in values) / n


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_quantile_function_has_the_laws_moments(law):
    mean, variance = sums(law)
    if law_data(law)["family"].startswith("complex") or getattr(law, "field", "") == "complex":
        variance, mean = variance + mean**2, 0.0  # of the modulus: E|w|^2
    assert mean == pytest.approx(law.mean, abs=5e-3 * max(law.std, 1))
    assert variance == pytest.approx(law.variance, rel=2e-2, abs=1e-12)
    assert law.std == pytest.approx(math.sqrt(law.variance), rel=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.77, 1 - 1e-9, 1.0])
def test_the_quantile_is_the_smallest_value_of_at_least_that_probability(law, p):
    x = law.quantile(p)
    low, high = law.support
    assert low <= x <= high
    assert law.cdf(x) >= p * (1 - 1e-9)
    if p > 0 and low < x < math.inf:
        assert law.cdf(x - 1e-6 * max(law.std, abs(x))) <= p


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_cdf_goes_from_0_to_1_at_the_ends_of_the_support(law):
    low, high = law.support
    assert law.cdf(low - 1.0) == 0
    assert law.cdf(high + 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("law", "excess"),
    [
        (Normal(), 0.0),
        (Uniform(0.0, 1.0), -6 / 5),
        (ComplexNormal(1.0), 0.0),
        (ComplexUniform(1.0), 4 / 3 - 2),
        (HaarOrthogonal(1.0, 1, 1), -2.0),  # a sign
        (HaarOrthogonal(1.0, 2, 2), -1.5),  # the sine of a uniform angle
        (HaarOrthogonal(1.0, 1, 3), -1.2),  # Archimedes: uniform
        (ZeroInflated(Normal(0.0, 2.0), 1, 4, "random, per out unit"), 3 * 4 - 3),
        (ZeroInflated(Constant(1.0), 1, 2, "diagonal"), -2.0),
        (ZeroInflated(Constant(1.0), 1, 10, "diagonal"), (1 - 6 * 0.09) / 0.09),
    ],
)
def test_excess_kurtosis_in_closed_form(law, excess):
    assert law.excess_kurtosis == pytest.approx(excess, abs=1e-12)


def test_undefined_kurtosis_is_nan():
    assert math.isnan(Constant(1.0).excess_kurtosis)
    assert math.isnan(ZeroInflated(Constant(1.0), 4, 4, "diagonal").excess_kurtosis)


def test_archimedes():
    """A coordinate of a random point on the sphere is uniform."""
    law = HaarOrthogonal(1.0, 3, 3)
    for x in (-1.0, -0.7, 0.0, 0.2, 0.9):
        assert law.cdf(x) == pytest.approx((1 + x) / 2, rel=1e-13)


def test_half_normal_in_closed_form():
    law = TruncatedNormal(0.0, 1.0, 0.0, math.inf)
    assert law.mean == pytest.approx(math.sqrt(2 / math.pi), rel=1e-14)
    assert law.variance == pytest.approx(1 - 2 / math.pi, rel=1e-14)


def test_bounds_in_std_units_are_about_the_parent_mean():
    law = TruncatedNormal.in_std_units(-2, 3, parent_std=0.5, parent_mean=10.0)
    assert law == TruncatedNormal(10.0, 0.5, 9.0, 11.5)


def test_the_complex_constant_is_derived():
    # D3: 1 - 4 / (e^4 - 1), not 1 - 5 e^-4.
    assert ComplexTruncatedNormal(1.0, 2.0).variance == pytest.approx(
        1 - 4 / math.expm1(4), rel=1e-14
    )


def test_moments_do_not_overflow_or_underflow_before_they_must():
    assert Uniform(-1e-170, 1e-170).std == pytest.approx(2e-170 / math.sqrt(12))
    assert Uniform(-1e200, 1e200).std == pytest.approx(2e200 / math.sqrt(12))
    assert TruncatedNormal(0.0, 1e-170, -2e-170, 2e-170).std == pytest.approx(0.87962566e-170)
    assert ZeroInflated(Normal(0.0, 1e-170), 1, 4, "diagonal").std == pytest.approx(0.5e-170)
    assert HaarOrthogonal(1e200, 4, 4).std == 0.5e200
    assert ComplexUniform(1e-170).std == pytest.approx(1e-170 / math.sqrt(2))


def test_law_data_nests():
    assert law_data(ZeroInflated(Constant(1.0), 3, 9, "diagonal")) == {
        "family": "zero_inflated",
        "entry": {"family": "constant", "value": 1.0},
        "count": 3,
        "size": 9,
        "pattern": "diagonal",
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.0, 0.0), "`std` must be positive, got 0.0"),
        (lambda: Normal(0.0, -1.0), "`std` must be positive, got -1.0"),
        (lambda: Normal(0.0, math.nan), "`std` must be a number, got nan"),
        (lambda: Normal(0.0, math.inf), "`std` must be finite, got inf"),
        (lambda: Normal("0", 1.0), "`mean` must be a real number, got '0'"),
        (lambda: Normal(True, 1.0), "`mean` must be a real number, got True"),
        (lambda: Constant(math.inf), "`value` must be finite, got inf"),
        (lambda: Uniform(1.0, 1.0), "`low` and `high` must enclose an interval, got 1.0 twice"),
        (lambda: Uniform(1.0, 0.0), "`low` must be below `high`, got 1.0 and 0.0"),
        (lambda: Uniform(-1e308, 1e308), "`high - low` must be finite, got inf"),
        (lambda: TruncatedNormal(0.0, 1.0, 2.0, -2.0), "`low` must be below `high`, got 2.0 and -2.0"),
        (lambda: TruncatedNormal(0.0, 1.0, math.nan, 2.0), "`low` must be a number, got nan"),
        (
            lambda: TruncatedNormal(0.0, 1.0, 2.0, 2.0),
            "`low` and `high` must enclose an interval, got 2.0 twice",
        ),
        (
            lambda: TruncatedNormal(0.0, 1.0, 1e200, math.inf),
            "`low` and `high` must be within 1e100 parent stds of the mean and 1e-100 apart, "
            "got 1e+200 and inf for mean 0.0 and std 1.0",
        ),
        (
            lambda: TruncatedNormal(0.0, 1e300, -1.0, 1.0),
            "`low` and `high` must be within 1e100 parent stds of the mean and 1e-100 apart, "
            "got -1.0 and 1.0 for mean 0.0 and std 1e+300",
        ),
        (lambda: TruncatedNormal(0.0, 1.0, -1e308, 1e308), "`high - low` must be finite, got inf"),
        (lambda: ComplexUniform(0.0), "`bound` must be positive, got 0.0"),
        (lambda: ComplexTruncatedNormal(1.0, -1.0), "`bound` must be positive, got -1.0"),
        (lambda: HaarOrthogonal(1.0, 0, 3), "`rows` must be at least 1, got 0"),
        (lambda: HaarOrthogonal(1.0, 1, 3, "p-adic"), "`field` must be one of 'real', 'complex', got 'p-adic'"),
        (lambda: ZeroInflated(Normal(), 5, 4, "diagonal"), "`size` must be at least 5, got 4"),
        (lambda: Normal().quantile(1.5), "`p` must be within [0, 1], got 1.5"),
        (lambda: Uniform(0.0, 1.0).quantile(math.nan), "`p` must be a number, got nan"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(make, message):
    with pytest.raises(LawError) as caught:
        make()
    assert str(caught.value) == message


def test_infinite_bounds_must_leave_something():
    with pytest.raises(LawError, match="must enclose"):
        TruncatedNormal(0.0, 1.0, math.inf, math.inf)
    assert TruncatedNormal(0.0, 2.0, -math.inf, math.inf).std == pytest.approx(2.0, rel=1e-14)
