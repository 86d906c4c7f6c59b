"""Support: no value out of bounds, none that is no number, in samples that show leaks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import cases, formats
from ..backend import Subject
from ..registry import Case, Effort, Finding, check, exact

LEAK = 4e-6  # the probability of a value out of bounds that is to be found


@check("support/finite", "laws/1", "laws/2", "laws/3", cases=cases.of_schemes)
def finite(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Every value is a finite number, and one of float32."""
    axes = cases.linear_axes(subject)
    shape = cases.matrix(effort.sample_size("leak", LEAK))
    drawn = subject.draw(
        case["scheme"], shape, axes, seed=effort.seed("support/finite", case.label)
    )
    bad = int(np.count_nonzero(~np.isfinite(drawn)))
    yield exact("not finite", bad == 0, bad, 0, drawn.size)
    other = int(np.count_nonzero(drawn != drawn.astype(np.float32)))
    yield exact("not of float32", other == 0, other, 0, drawn.size)


@check("support/bounds", "laws/2", "laws/3", "dtypes/3", cases=cases.of_wide_schemes)
def bounds(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """No value is out of the bounds of its law, and a uniform law never has its upper one."""
    axes = cases.linear_axes(subject)
    shape = cases.matrix(effort.sample_size("leak", LEAK))
    seed, dtype = effort.seed("support/bounds", case.label), case["dtype"]
    drawn = subject.draw(case["scheme"], shape, axes, seed=seed, dtype=dtype)
    law = cases.law_of(case["scheme"], shape, axes)
    # That of computing the bounds, in float64.
    slack = 1e-14 * max(abs(law.low), abs(law.high)) if np.isfinite(law.low + law.high) else 0.0
    below = int(np.count_nonzero(drawn < law.low - slack))
    above = int(np.count_nonzero(drawn > law.high + slack))
    yield exact("below", below == 0, float(drawn.min()), law.low, drawn.size)
    yield exact("above", above == 0, float(drawn.max()), law.high, drawn.size)
    if law.half_open:
        ends = int(np.count_nonzero(drawn >= law.high))
        yield exact("at the excluded end", ends == 0, ends, 0, drawn.size)


def _excluded(subject: Subject, effort: Effort) -> Iterator[Case]:
    for dtype in subject.feature("dtypes"):
        if "uniform" in subject.feature("schemes") and not dtype.startswith("complex"):
            yield Case(dtype, {"dtype": dtype})


@check("support/excluded-end", "laws/2", "dtypes/3", cases=_excluded)
def excluded_end(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A uniform law of a few numbers below 4 has neither 4 nor less than its lower end."""
    low = max(3.0, 4 - 256 * 2 * formats.epsilon(case["dtype"]))
    n = effort.sample_size("leak", LEAK)
    seed = effort.seed("support/excluded-end", case.label)
    scheme = {"name": "uniform", "low": low, "high": 4.0}
    drawn = subject.draw(scheme, (n,), seed=seed, dtype=case["dtype"])
    yield exact("least", drawn.min() >= low, float(drawn.min()), low, n)
    yield exact("greatest", drawn.max() < 4, float(drawn.max()), "less than 4", n)
