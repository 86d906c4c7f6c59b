"""Dtypes and transforms: low precision against the exactly rounded law; compiled against eager."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from .. import cases, formats, oracle, statistics
from ..backend import Subject
from ..registry import Case, Effort, Finding, check, exact, statistical
from ..statistics import Components

_SCHEMES: Collection[str] = (
    "normal",
    "uniform",
    "truncated normal",
    "truncated normal, skewed",
    "he_uniform",
)


def _narrow(subject: Subject, effort: Effort) -> Iterator[Case]:
    for dtype in subject.feature("dtypes"):
        if formats.is_complex(dtype) or not formats.is_narrow(dtype):
            continue
        for scheme in cases.SCHEMES if dtype == "bfloat16" else _SCHEMES:
            if cases.SCHEMES[scheme]["name"] in subject.feature("schemes"):
                yield Case(f"{scheme}, {dtype}", {"scheme": _scaled(scheme), "dtype": dtype})


def _scaled(scheme: str) -> dict[str, object]:
    """A scheme, its weights large enough for all formats to have many numbers for them."""
    return {
        "normal": {"name": "normal", "std": 1.0},
        "uniform": {"name": "uniform", "bound": 1.0},
        "truncated normal": {"name": "truncated_normal", "parent_std": 1.0},
        "truncated normal, skewed": {
            "name": "truncated_normal", "std": 1.0, "low": -1.0, "high": 3.0,
        },
    }.get(scheme, cases.SCHEMES[scheme])  # fmt: skip


@check("dtype/law", "dtypes/1", "dtypes/2", "dtypes/3", cases=_narrow, hypotheses=5)
def law(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Of a narrow dtype, values have the law of float32 ones, exactly rounded: bias included."""
    shape, axes = cases.matrix(effort.sample_size("mean", 0.004)), cases.linear_axes(subject)
    seed, dtype = effort.seed("dtype/law", case.label), case["dtype"]
    drawn = subject.draw(case["scheme"], shape, axes, seed=seed, dtype=dtype)
    foreign = int(np.count_nonzero(~formats.belong(drawn, dtype)))
    yield exact("not of the dtype", foreign == 0, foreign, 0, drawn.size)
    rounded = oracle.RoundedLaw.of(cases.law_of(case["scheme"], shape, axes), dtype)
    components = Components(rounded)
    for degree, name in ((1, "mean"), (2, "variance"), (3, "skewness"), (4, "kurtosis")):
        yield statistical(name, components.p_value(drawn, degree), n=drawn.size)
    places = np.searchsorted(rounded.values, drawn.ravel())
    inside = places < rounded.values.size
    impossible = int(np.count_nonzero(~inside)) + int(
        np.count_nonzero(rounded.values[places[inside]] != drawn.ravel()[inside])
    )
    yield exact("values that the law has not", impossible == 0, impossible, 0, drawn.size)
    counts = np.bincount(places[inside], minlength=rounded.values.size)
    statistic, p = statistics.chi_square(counts, rounded.probabilities)
    yield statistical("chi-square of all numbers", p, statistic, n=drawn.size)
    likely = int(np.count_nonzero(rounded.probabilities * drawn.size > 50))
    different = int(np.count_nonzero(counts))
    yield exact(
        "different values", different >= likely, different, f"at least {likely}", drawn.size
    )


def _wide(subject: Subject, effort: Effort) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        if dtype in subject.feature("dtypes"):
            for scheme in ("normal", "uniform", "truncated normal"):
                if cases.SCHEMES[scheme]["name"] in subject.feature("schemes"):
                    yield Case(f"{scheme}, {dtype}", {"scheme": _scaled(scheme), "dtype": dtype})


@check("dtype/resolution", "dtypes/1", cases=_wide)
def resolution(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Of a wide dtype, values are as many as a generator of 22 bits or more can give."""
    n = 1 << 20
    seed, dtype = effort.seed("dtype/resolution", case.label), case["dtype"]
    drawn = subject.draw(case["scheme"], (n,), seed=seed, dtype=dtype)
    different = len(np.unique(drawn))
    # Of 2**20 draws from 2**22 equally likely values, 928,000 differ.
    yield exact("different values", different > 900_000, different, "more than 900000", n)


def _transforms(subject: Subject, effort: Effort) -> Iterator[Case]:
    for transform in subject.feature("transforms"):
        for scheme in (*_SCHEMES, "he_normal", "orthogonal"):
            data = cases.SCHEMES.get(scheme, {"name": scheme})
            if data["name"] in subject.feature("schemes"):
                yield Case(f"{scheme}, {transform}", {"scheme": data, "transform": transform})


@check("dtype/transforms", "randomness/1", cases=_transforms)
def transforms(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Under a transform, such as a compiler's, values are those of an eager draw."""
    shape, axes = (67, 41), cases.linear_axes(subject)
    seed = effort.seed("dtype/transforms", case.label)
    eager = subject.draw(case["scheme"], shape, axes, seed=seed)
    transformed = subject.draw(case["scheme"], shape, axes, seed=seed, transform=case["transform"])
    worst = float(np.abs(eager - transformed).max() / np.abs(eager).max())
    yield exact("relative difference", worst < 1e-4, worst, "less than 1e-4", eager.size)


def _dtypes(subject: Subject, effort: Effort) -> Iterator[Case]:
    if "normal" in subject.feature("schemes") and "float32" in subject.feature("dtypes"):
        for dtype in subject.feature("dtypes"):
            if not formats.is_complex(dtype) and formats.is_narrow(dtype):
                yield Case(dtype, {"dtype": dtype})


@check("dtype/rounded-once", "dtypes/1", cases=_dtypes)
def rounded_once(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Values of a narrow dtype are those of float32, of one seed and path, rounded to nearest."""
    seed, dtype = effort.seed("dtype/rounded-once", case.label), case["dtype"]
    scheme = {"name": "normal", "std": 1.0}
    wide = subject.draw(scheme, (10_000,), seed=seed, dtype="float32")
    narrow = subject.draw(scheme, (10_000,), seed=seed, dtype=dtype)
    listed = formats.numbers(dtype)
    above = np.clip(np.searchsorted(listed, wide), 1, len(listed) - 1)
    step = listed[above] - listed[above - 1]
    off = int(np.count_nonzero(np.abs(wide - narrow) > step / 2))
    yield exact("not rounded to nearest", off == 0, off, 0, wide.size)
