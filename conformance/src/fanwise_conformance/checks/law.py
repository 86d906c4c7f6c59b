"""Law: the whole distribution of entries, and its tails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from .. import cases, oracle, statistics
from ..backend import Array, Subject
from ..registry import Case, Effort, Finding, check, exact, statistical

_PROBABILITIES = (np.arange(100) + 0.5) / 100


def _picture(drawn: Array, law: oracle.Law) -> dict[str, list[float]]:
    """Quantiles and counts, to draw."""
    low, high = float(np.min(drawn)), float(np.max(drawn))
    if not np.isfinite(low + high):
        return {}
    counts, edges = np.histogram(drawn, bins=64, range=(low, high))
    mass = np.diff(law.cdf(edges)) * drawn.size
    return {
        "quantiles": np.quantile(drawn, _PROBABILITIES).tolist(),
        "quantiles of the law": np.asarray(law.ppf(_PROBABILITIES)).tolist(),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "expected counts": mass.tolist(),
    }


@check("law/entries", "laws/1", "laws/2", "laws/3", cases=cases.of_schemes, hypotheses=3)
def entries(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The distribution of the entries is that of the law (Kolmogorov-Smirnov, Anderson-Darling)."""
    axes = cases.linear_axes(subject)
    shape = cases.matrix(effort.sample_size("variance", 0.01))
    drawn = subject.draw(case["scheme"], shape, axes, seed=effort.seed("law/entries", case.label))
    law = cases.law_of(case["scheme"], shape, axes)
    distance, p = statistics.kolmogorov_smirnov(drawn, law)
    picture = _picture(drawn, law)
    yield statistical("Kolmogorov-Smirnov", p, distance, n=drawn.size, **picture)
    distance, p = statistics.anderson_darling(drawn, law)
    yield statistical("Anderson-Darling", p, distance, n=drawn.size)
    cells = 1024
    counts = np.bincount(
        np.clip((law.cdf(drawn.ravel()) * cells).astype(int), 0, cells - 1), minlength=cells
    )
    statistic, p = statistics.chi_square(counts, np.full(cells, 1 / cells))
    yield statistical("chi-square of 1024 cells", p, statistic, cells - 1, drawn.size)


@check(
    "law/tails",
    "laws/1",
    "laws/3",
    cases=cases.of("normal", "glorot_normal", "truncated normal, skewed"),
    hypotheses=8,
)
def tails(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """As many values are beyond 2, 3, 4 and 5 standard deviations as the law has there."""
    axes = cases.linear_axes(subject)
    shape = cases.matrix(effort.sample_size("mean", 0.002))
    drawn = subject.draw(case["scheme"], shape, axes, seed=effort.seed("law/tails", case.label))
    law = cases.law_of(case["scheme"], shape, axes)
    z = (drawn.ravel() - law.mean) / law.std
    for sigma in (2, 3, 4, 5):
        for side in (-1, 1):
            beyond = law.mean + side * sigma * law.std
            share = float(law.cdf(beyond) if side < 0 else law.frozen.sf(beyond))
            observed = int(np.count_nonzero(side * z > sigma))
            if 0 < share < 1:
                p = statistics.count(observed, z.size, share)
                yield statistical(f"beyond {side * sigma}", p, observed, share * z.size, z.size)


def _complex(subject: Subject, effort: Effort) -> Iterator[Case]:
    for dtype in ("complex64", "complex128"):
        if dtype in subject.feature("dtypes"):
            for scheme in ("normal", "truncated normal of a parent", "uniform", "he_normal"):
                if cases.SCHEMES[scheme]["name"] in subject.feature("schemes"):
                    data = {"scheme": cases.SCHEMES[scheme], "dtype": dtype}
                    yield Case(f"{scheme}, {dtype}", data)


@check("law/complex", "laws/6", "dtypes/5", cases=_complex, hypotheses=5)
def complex_entries(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Of complex entries, the squared modulus and the phase have their laws; parts are alike."""
    shape, axes = cases.matrix(effort.sample_size("variance", 0.01)), cases.linear_axes(subject)
    seed = effort.seed("law/complex", case.label)
    drawn = subject.draw(case["scheme"], shape, axes, seed=seed, dtype=case["dtype"]).ravel()
    square, phase = np.abs(drawn) ** 2, np.angle(drawn)
    largest = _largest_modulus(case["scheme"])
    beyond = int(np.count_nonzero(~(np.abs(drawn) <= largest * (1 + 1e-14))))
    yield exact("beyond the bound, or no number", beyond == 0, beyond, 0, drawn.size)
    share = _share_of_square(case["scheme"], square, shape, axes)
    distance, p = statistics.kolmogorov_smirnov(share, stats.uniform)
    yield statistical("squared modulus", p, distance, n=drawn.size)
    distance, p = statistics.kolmogorov_smirnov(phase, stats.uniform(-np.pi, 2 * np.pi))
    yield statistical("phase", p, distance, n=drawn.size)
    normal = stats.norm.isf(np.clip(share, 1e-15, 1 - 1e-15))
    turn = np.sqrt(2) * np.cos(phase)
    yield statistical("modulus with phase", statistics.correlation(normal, turn), n=drawn.size)
    doubled = np.sqrt(2) * np.cos(2 * phase)
    yield statistical(
        "parts of one variance", statistics.correlation(normal**0, doubled), n=drawn.size
    )
    crossed = np.sqrt(2) * np.sin(2 * phase)
    yield statistical(
        "parts uncorrelated", statistics.correlation(normal**0, crossed), n=drawn.size
    )


def _largest_modulus(scheme: dict[str, Any]) -> float:
    if scheme["name"] == "uniform":
        return float(scheme["bound"])
    if scheme["name"] == "truncated_normal":
        return 2 * float(scheme["parent_std"])
    return float(np.finfo(np.float64).max)


def _share_of_square(
    scheme: dict[str, Any], square: Array, shape: tuple[int, ...], axes: object
) -> Array:
    """The share of the law of |w|^2 that is below each value (laws/6)."""
    name = scheme["name"]
    if name == "uniform":
        return square / float(scheme["bound"]) ** 2
    if name == "truncated_normal":
        parent, bound = float(scheme["parent_std"]), 2.0
        return np.expm1(-square / parent**2) / np.expm1(-(bound**2))
    variance = cases.law_of(scheme, shape, axes).std ** 2
    return -np.expm1(-square / variance)
