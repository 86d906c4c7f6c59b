"""Moments: each against its exact sampling law, of whole tensors and of their parts."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cases, oracle, statistics
from ..backend import Subject
from ..registry import Case, Effort, Finding, check, statistical
from ..statistics import Components

NAMES = {1: "mean", 2: "variance", 3: "skewness", 4: "kurtosis"}


def _largest(effort: Effort) -> int:
    return max(
        effort.sample_size("mean", 0.002),
        effort.sample_size("variance", 0.01),
        effort.sample_size("kurtosis", 0.02),
    )


@check(
    "moments/entries",
    "laws/1",
    "laws/2",
    "laws/3",
    "schemes/4",
    "schemes/5",
    "schemes/6",
    "fans/6",
    cases=cases.of_wide_schemes,
    hypotheses=4,
)
def entries(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Mean, variance, skewness and kurtosis of the entries are those of the law."""
    axes = cases.linear_axes(subject)
    shape = cases.matrix(_largest(effort))
    seed, dtype = effort.seed("moments/entries", case.label), case["dtype"]
    drawn = subject.draw(case["scheme"], shape, axes, seed=seed, dtype=dtype)
    law = cases.law_of(case["scheme"], shape, axes)
    components = Components(law)
    observed = {1: drawn.mean(), 2: drawn.var(), 3: None, 4: None}
    expected = {1: law.mean, 2: law.std**2, 3: None, 4: None}
    for degree, name in NAMES.items():
        p = components.p_value(drawn, degree)
        yield statistical(name, p, observed[degree], expected[degree], drawn.size)


@check(
    "moments/blocks",
    "axes/1",
    "axes/2",
    "axes/4",
    "axes/5",
    "axes/6",
    "axes/7",
    "fans/1",
    "fans/2",
    "fans/3",
    "fans/4",
    cases=cases.of_kernels,
    hypotheses=8,
)
def blocks(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Mean and variance of every block, copy and group are those of its own fans."""
    axes = subject.axes(case["kernel"])
    shape = cases.shape_of(case["kernel"], axes)
    drawn = subject.draw(
        case["scheme"], shape, axes, seed=effort.seed("moments/blocks", case.label)
    )
    roles = oracle.Roles.read(axes)
    for number, block in enumerate(oracle.blocks(shape, axes)):
        values = drawn[block.index]
        law = oracle.law(case["scheme"], block)
        components = Components(law)
        parts = cases.parts_of(values, roles)
        for degree in (1, 2):
            p = statistics.smallest(components.p_value(parts, degree, axis=1))
            observed = values.var() if degree == 2 else values.mean()
            expected = law.std**2 if degree == 2 else law.mean
            yield statistical(
                f"{NAMES[degree]} of block {number}", p, observed, expected, parts.size
            )


@check(
    "moments/lines",
    "laws/1",
    "laws/2",
    "laws/3",
    cases=cases.of("normal", "uniform", "truncated normal"),
    hypotheses=8,
)
def lines(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Mean and variance of every row and column are those of the law, and vary as they should."""
    shape = cases.matrix(effort.sample_size("variance", 0.01))
    axes = cases.linear_axes(subject)
    drawn = subject.draw(case["scheme"], shape, axes, seed=effort.seed("moments/lines", case.label))
    components = Components(cases.law_of(case["scheme"], shape, axes))
    for axis, what in ((1, "rows"), (0, "columns")):
        for degree in (1, 2):
            p = statistics.smallest(components.p_value(drawn, degree, axis=axis))
            yield statistical(f"{NAMES[degree]} of {what}", p, n=drawn.size)
            statistic, p = components.spread(drawn, degree, axis)
            yield statistical(
                f"spread of the {NAMES[degree]} of {what}",
                p,
                statistic,
                drawn.shape[1 - axis],
                drawn.size,
            )
