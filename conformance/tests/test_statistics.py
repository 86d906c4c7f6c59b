"""The tests: exact where they can be, against SciPy and by simulation; sample sizes; each with power."""

import math

import numpy as np
import pytest
from fanwise_conformance import oracle, statistics
from fanwise_conformance.statistics import Components
from scipy import integrate, stats

LAWS = {
    "normal": oracle.normal(0.5, 1.0),
    "uniform": oracle.uniform(-1.0, 3.0),
    "truncated": oracle.truncated(1.0, -1.0, 3.0),
    "tail": oracle.truncated(1.0, 4.0, 7.0),
}


def sampled(law, shape, seed=0):
    return law.frozen.rvs(size=shape, random_state=np.random.default_rng(seed))


@pytest.mark.parametrize("name", LAWS)
def test_components_are_orthonormal_under_the_law(name):
    law = LAWS[name]
    components = Components(law)
    for one in range(5):
        for other in range(5):
            low, high = (law.frozen.ppf(p) for p in (1e-16, 1 - 1e-16))
            product, _ = integrate.quad(
                lambda x, a=one, b=other: float(
                    components.values(x, a) * components.values(x, b) * law.frozen.pdf(x)
                ),
                low, high, limit=200,
            )  # fmt: skip
            assert product == pytest.approx(float(one == other), abs=1e-5)


def test_the_second_component_of_a_normal_law_is_exactly_chi_square():
    """Pearson's type III is the law of a sum of squares."""
    components, z = Components(oracle.normal(1.0)), sampled(oracle.normal(1.0), 50)
    exact = stats.chi2(50)
    square = (z**2).sum()
    expected = 2 * min(exact.cdf(square), exact.sf(square))
    assert components.p_value(z, 2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_p_values_of_components_are_uniform(name, degree):
    """False-alarm rate: 1e-6 for each case, with a fixed seed."""
    law = LAWS[name]
    x = sampled(law, (500, 10_000), seed=degree)
    p = Components(law).p_value(x, degree, axis=1)
    assert stats.kstest(p, "uniform").pvalue > 1e-6


@pytest.mark.parametrize("function", [statistics.kolmogorov_smirnov, statistics.anderson_darling])
def test_p_values_of_distances_are_uniform(function):
    law = LAWS["truncated"]
    p = [function(sampled(law, 400, seed), law)[1] for seed in range(1500)]
    assert stats.kstest(p, "uniform").pvalue > 1e-6


@pytest.mark.parametrize(
    ("distance", "level"), [(1.933, 0.10), (2.492, 0.05), (3.070, 0.025), (3.878, 0.01)]
)
def test_the_anderson_darling_law_has_its_published_quantiles(distance, level):
    """D'Agostino and Stephens (1986), table 4.2."""
    assert statistics.anderson_darling_sf(distance) == pytest.approx(level, rel=0.01)


def test_the_anderson_darling_tail_goes_on_as_its_leading_term():
    near, far = (statistics.anderson_darling_sf(x) for x in (7.99, 8.01))
    assert near == pytest.approx(far, rel=0.06)
    assert 0 < statistics.anderson_darling_sf(40.0) < 1e-17


def test_chi_square_is_scipys_where_no_cell_is_small():
    counts, shares = np.array([310, 480, 210]), np.array([0.3, 0.5, 0.2])
    statistic, p = statistics.chi_square(counts, shares)
    expected = stats.chisquare(counts, shares * 1000)
    assert (statistic, p) == pytest.approx((expected.statistic, expected.pvalue))
    joined, _ = statistics.chi_square([310, 480, 205, 5], [0.3, 0.5, 0.195, 0.005])
    assert joined == pytest.approx(statistic)
    assert statistics.chi_square([3, 4], [0.5, 0.5]) == (0.0, 1.0)


def test_the_smallest_of_uniform_p_values_is_uniform():
    p = np.random.default_rng(1).random((3000, 20))
    assert stats.kstest([statistics.smallest(row) for row in p], "uniform").pvalue > 1e-6


def test_a_spread_is_seen_if_too_great_and_if_too_small():
    components, x = Components(LAWS["normal"]), sampled(LAWS["normal"], (400, 500))
    assert components.spread(x, 1, axis=1)[1] > 1e-3
    wider = x + 0.1 * np.random.default_rng(2).standard_normal((400, 1))
    level = x - x.mean(1, keepdims=True) + LAWS["normal"].mean
    for broken in (wider, level):
        assert components.spread(broken, 1, axis=1)[1] < 1e-6


def test_counts_and_correlations():
    assert statistics.count(50, 100, 0.5) == 1.0
    assert statistics.count(80, 100, 0.5) == pytest.approx(2 * stats.binom.sf(79, 100, 0.5))
    z = np.random.default_rng(3).standard_normal((2, 10_000))
    assert statistics.correlation(*z) > 1e-3
    assert statistics.correlation(z[0], z[0] * 0.1 + z[1]) < 1e-9


def test_sample_sizes_find_their_effects():
    """At level ALPHA; all 200 trials of power 0.999 succeed but with probability 0.2."""
    generator = np.random.default_rng(4)
    n = statistics.sample_size("mean", 0.05)
    components = Components(oracle.normal(1.0))
    found = [
        components.p_value(generator.standard_normal(n) + 0.05, 1) < statistics.ALPHA
        for _ in range(200)
    ]
    assert np.mean(found) >= 0.98
    missed = [
        components.p_value(generator.standard_normal(n // 4) + 0.05, 1) < statistics.ALPHA
        for _ in range(200)
    ]
    assert np.mean(missed) < 0.5


@pytest.mark.parametrize(
    ("effect", "size", "standard_error"),
    [("mean", 0.002, lambda n: 1 / math.sqrt(n)), ("variance", 0.01, lambda n: math.sqrt(2 / n)),
     ("kurtosis", 0.02, lambda n: math.sqrt(24 / n)), ("correlation", 0.003, lambda n: 1 / math.sqrt(n))],
)  # fmt: skip
def test_sample_sizes_follow_from_standard_errors(effect, size, standard_error):
    n = statistics.sample_size(effect, size)
    z = stats.norm.isf(statistics.ALPHA / 2) + stats.norm.isf(1e-3)
    assert size / standard_error(n) == pytest.approx(z, rel=1e-4)
    assert 1 - (1 - 4e-6) ** statistics.sample_size("leak", 4e-6) == pytest.approx(0.999, abs=1e-5)
