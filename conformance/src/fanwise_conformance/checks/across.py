"""Across backends: every two draw the same laws, whatever the specification says of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from .. import cases, statistics
from ..backend import Array, Subject
from ..registry import Case, Effort, Finding, check, statistical

_DTYPES = ("float32", "bfloat16", "float16")


def _pairs(subject: Subject, effort: Effort) -> Iterator[Case]:
    for other in subject.others:
        for label, scheme in cases.SCHEMES.items():
            for dtype in _DTYPES:
                able = (
                    scheme["name"] in one.feature("schemes") and dtype in one.feature("dtypes")
                    for one in (subject, other)
                )
                # Of the scaled schemes, low precision shows no more than of the others.
                if all(able) and (
                    dtype == "float32" or label in ("normal", "uniform", "glorot_normal")
                ):
                    data = {"scheme": scheme, "dtype": dtype, "other": other}
                    yield Case(f"{other.name}, {label}, {dtype}", data)


@check(
    "across/laws",
    "laws/1",
    "laws/2",
    "laws/3",
    "schemes/4",
    "schemes/6",
    "dtypes/1",
    cases=_pairs,
    hypotheses=5,
)
def laws(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Samples of two backends have the same moments and the same distribution."""
    rows, columns = cases.matrix(effort.sample_size("variance", 0.01))
    seed = effort.seed("across/laws", case.label)
    one, other = (
        np.sort(
            backend.draw(
                case["scheme"],
                # Of one matrix, in the order that each backend has.
                (rows, columns) if cases.linear_axes(backend) == "out in" else (columns, rows),
                cases.linear_axes(backend), seed=seed + number,
                dtype=case["dtype"],
            ),
            axis=None,
        )
        for number, backend in enumerate((subject, case["other"]))
    )  # fmt: skip
    n = one.size
    both = np.concatenate([one, other])
    mean, std = both.mean(), both.std()
    for degree, name in enumerate(("mean", "variance", "skewness", "kurtosis"), start=1):
        powers = [((x - mean) / std) ** degree for x in (one, other)]
        spread = np.sqrt(powers[0].var() + powers[1].var())
        z = (powers[0].mean() - powers[1].mean()) / spread * np.sqrt(n)
        yield statistical(name, statistics.two_sided(float(z)), float(z), 0.0, n)
    distance = float(max(_distance(one, other), _distance(other, one)))
    yield statistical(
        "Kolmogorov-Smirnov", special.kolmogorov(distance * np.sqrt(n / 2)), distance, n=n
    )


def _distance(one: Array, other: Array) -> float:
    """The greatest difference of two distributions, at the values of one."""
    at = np.searchsorted(one, one, side="right") - np.searchsorted(other, one, side="right")
    return float(np.abs(at).max() / one.size)
