"""Independence: of entries, of parameters, of seeds, of calls; and a battery on the raw stream."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from .. import cases, oracle, statistics
from ..backend import Array, Subject
from ..registry import Case, Effort, Finding, check, exact, statistical

NORMAL = cases.SCHEMES["normal"]
UNIT = {"name": "uniform", "low": 0.0, "high": 1.0}


def _stream(subject: Subject, effort: Effort) -> Iterator[Case]:
    if "uniform" in subject.feature("schemes"):
        yield Case("uniform", {"scheme": UNIT})


def _standardized(
    subject: Subject, shape: tuple[int, ...], seed: int, path: str = "weight"
) -> Array:
    return subject.draw(NORMAL, shape, seed=seed, path=path) / float(NORMAL["std"])


def _square(z: Array) -> Array:
    return (z * z - 1) / np.sqrt(2)


_SKEWNESS = {"values": 0.0, "squares": 8.0}  # of a product of two


@check("independence/lags", "laws/1", "randomness/4", cases=cases.of("normal"), hypotheses=48)
def lags(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Entries do not depend on others at any distance along the rows or the columns."""
    rows = 1 << 10
    columns = -(-effort.sample_size("correlation", 0.003) // rows)
    z = _standardized(subject, (rows, columns), effort.seed("independence/lags", case.label))
    flat, squares = z.ravel(), _square(z.ravel())
    half = flat.size // 2
    fixed = (1, 2, 3, 4, 8, 16, 64, 256, 1 << 10, 1 << 16, 1 << 20)
    for lag in sorted({*fixed, columns, 2 * columns, half} & set(range(half + 1))):
        for what, values in (("values", flat), ("squares", squares)):
            p = statistics.correlation(values[:-lag], values[lag:], _SKEWNESS[what])
            observed = float(np.mean(values[:-lag] * values[lag:]))
            yield statistical(f"{what} at lag {lag}", p, observed, 0.0, flat.size - lag)


@check("independence/rows", "laws/1", cases=cases.of("normal"), hypotheses=2)
def rows(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """No two rows, and no two columns, are correlated."""
    size = 1 << 10
    z = _standardized(subject, (size, size), effort.seed("independence/rows", case.label))
    for what, matrix in (("rows", z), ("columns", z.T)):
        worst, p = statistics.correlations(matrix)
        yield statistical(f"pairs of {what}", p, worst, 0.0, size * (size - 1) // 2)


def _kernels(subject: Subject, effort: Effort) -> Iterator[Case]:
    for kernel in cases.KERNELS:
        if subject.axes(kernel) is not None and "he_normal" in subject.feature("schemes"):
            yield Case(kernel, {"kernel": kernel, "scheme": {"name": "he_normal"}})


@check("independence/kernels", "axes/4", "axes/5", "axes/6", "laws/1", cases=_kernels, hypotheses=8)
def kernels(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Copies, groups and blocks of a kernel do not depend on each other, nor neighbours in it."""
    axes = subject.axes(case["kernel"])
    shape = cases.shape_of(case["kernel"], axes)
    seed = effort.seed("independence/kernels", case.label)
    drawn = subject.draw(case["scheme"], shape, axes, seed=seed)
    z, parts = np.empty_like(drawn), []
    for block in oracle.blocks(shape, axes):
        # By its own std: of another one, moments/blocks tells.
        z[block.index] = drawn[block.index] / drawn[block.index].std()
        parts += list(cases.parts_of(z[block.index], oracle.Roles.read(axes)))
    shortest = min(part.size for part in parts)
    if len(parts) > 1:
        worst, p = statistics.correlations(np.stack([part[:shortest] for part in parts]))
        yield statistical("pairs of parts", p, worst, 0.0, shortest)
    for axis in range(z.ndim):
        before, after = (np.moveaxis(z, axis, 0)[one].ravel() for one in (_FIRST, _SECOND))
        if before.size:
            p = statistics.correlation(before, after)
            yield statistical(f"neighbours along axis {axis}", p, n=before.size)


_FIRST, _SECOND = slice(None, -1), slice(1, None)


@check(
    "independence/parameters",
    "randomness/1",
    "randomness/4",
    cases=cases.of("normal"),
    hypotheses=16,
)
def parameters(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Parameters of other paths, of their children and of the next seeds are independent."""
    n = effort.sample_size("correlation", 0.01)
    seed = effort.seed("independence/parameters", case.label) >> 1
    z = _standardized(subject, (n,), seed, "layers.1.weight")
    others = {
        "another path": (seed, "layers.2.weight"),
        "a path that differs in one dot": (seed, "layers.1weight"),
        "a child": (seed, "layers.1.weight.0"),
        "a parent": (seed, "layers.1"),
        "the next seed": (seed + 1, "layers.1.weight"),
        "the seed further by 2**32": (seed + (1 << 32), "layers.1.weight"),
        "the seed's complement": ((1 << 64) - 1 - seed, "layers.1.weight"),
        "the next seed of the path before": (seed + 1, "layers.0.weight"),
    }
    for what, (other_seed, path) in others.items():
        other = _standardized(subject, (n,), other_seed, path)
        yield statistical(what, statistics.correlation(z, other), float(np.mean(z * other)), 0.0, n)
        p = statistics.correlation(_square(z), _square(other), _SKEWNESS["squares"])
        yield statistical(f"{what}, squares", p, n=n)


@check("independence/duplicates", "randomness/1", cases=cases.of("normal"))
def duplicates(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """No two parameters of one shape, of any paths and seeds, are equal, nor are rows of one."""
    seed = effort.seed("independence/duplicates", case.label) >> 1
    drawn = {
        (other, path): _standardized(subject, (64,), other, path)
        for other in (seed, seed + 1, seed + 2, 0, 1, 2, 3)
        for path in ("a", "b", "ab", "a.b", "b.a", "1", "2", "3", "0.1", "01")
    }
    seen: dict[bytes, tuple[int, str]] = {}
    for key, values in drawn.items():
        first = seen.setdefault(values.tobytes(), key)
        if first != key:
            yield exact("equal parameters", False, [first, key], "different values")
            return
    yield exact("equal parameters", True, 0, 0, len(drawn))
    long = _standardized(subject, (1 << 17, 8), seed)
    different = len(np.unique(long, axis=0))
    yield exact("equal rows of one parameter", different == len(long), different, len(long))


@check("independence/stream", "laws/2", cases=_stream, hypotheses=26)
def stream(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The raw stream passes a battery: bit planes, runs, gaps, serial pairs, birthday spacings."""
    n = effort.sample_size("correlation", 0.003)
    seed = effort.seed("independence/stream", case.label)
    u = subject.draw(UNIT, (n,), seed=seed)
    words = np.floor(u * 2**16).astype(np.int64)
    for bit in range(16):
        ones = int(np.count_nonzero(words >> bit & 1))
        yield statistical(f"bit {15 - bit}", statistics.count(ones, n, 0.5), ones, n / 2, n)
    cells = np.bincount((words[:-1:2] >> 8) * 256 + (words[1::2] >> 8), minlength=1 << 16)
    statistic, p = statistics.chi_square(cells, np.full(1 << 16, 2.0**-16))
    yield statistical("pairs of successive bytes", p, statistic, n=n)
    a, b, c = (words[i : n // 3 * 3 : 3] >> 11 for i in range(3))
    cells = np.bincount((a * 32 + b) * 32 + c, minlength=1 << 15)
    statistic, p = statistics.chi_square(cells, np.full(1 << 15, 2.0**-15), least=5)
    yield statistical("triples of five bits", p, statistic, n=n)
    rising = u[1:] > u[:-1]
    runs = 1 + int(np.count_nonzero(rising[1:] != rising[:-1]))
    z = (runs - (2 * n - 1) / 3) / np.sqrt((16 * n - 29) / 90)
    yield statistical("runs up and down", statistics.two_sided(z), runs, (2 * n - 1) / 3, n)
    gaps = np.diff(np.flatnonzero(u < 0.125))
    longest = 200
    lengths = np.bincount(np.minimum(gaps, longest), minlength=longest + 1)[1:]
    shares = 0.125 * 0.875 ** np.arange(longest - 1)
    statistic, p = statistics.chi_square(lengths, [*shares, 1 - shares.sum()])
    yield statistical("gaps", p, statistic, n=n)
    found, expected = _birthdays(u)
    p = min(1.0, 2 * min(stats.poisson.cdf(found, expected), stats.poisson.sf(found - 1, expected)))
    yield statistical("birthday spacings", p, found, expected, n)


def _birthdays(u: Array) -> tuple[int, float]:
    """Equal spacings among birthdays, and how many there should be (Marsaglia and Tsang, 2002).

    In a year of N days, m birthdays have (m - 1)(m - 2) / 2 pairs of spacings, each equal with
    probability m / 2N; three that are equal are two, not three pairs. Of their number over the
    years, a Poisson law's tails are wider than its own.
    """
    days, people = 1 << 20, 1 << 8
    years = min(u.size // people, 1000)
    born = np.floor(u[: years * people] * days).astype(np.int64).reshape(years, people)
    spacings = np.sort(np.diff(np.sort(born, axis=1), axis=1), axis=1)
    equal = int(np.count_nonzero(spacings[:, 1:] == spacings[:, :-1]))
    pairs = people * (people - 1) * (people - 2) / (4 * days)
    threes = math.comb(people - 1, 3) * people * (people - 1) / (3 * days**2)
    return equal, (pairs - threes) * years


@check(
    "independence/calls",
    "randomness/1",
    "randomness/4",
    cases=cases.of("normal"),
    hypotheses=1,
)
def calls(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Values do not depend on what was drawn between, and no other parameter repeats them."""
    seed = effort.seed("independence/calls", case.label)
    first = _standardized(subject, (1000,), seed)
    between = _standardized(subject, (777,), seed, "other")
    again = _standardized(subject, (1000,), seed)
    yield exact("the same again", np.array_equal(first, again))
    shared = int(np.isin(first, between).sum())
    chance = first.size * between.size * 2.0**-22  # at most, of 22 random bits or more
    p = stats.poisson.sf(shared - 1, chance)
    yield statistical("values of another parameter", p, shared, chance, first.size)


@check("independence/truncated", "laws/3", cases=cases.of("truncated normal"), hypotheses=8)
def truncated(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Entries of a truncated law do not depend on their neighbours, either."""
    n = effort.sample_size("correlation", 0.003)
    seed = effort.seed("independence/truncated", case.label)
    z = subject.draw(case["scheme"], (n,), seed=seed) / float(case["scheme"]["std"])
    for lag in (1, 2, 3, n // 2):
        yield statistical(
            f"values at lag {lag}", statistics.correlation(z[:-lag], z[lag:]), n=n - lag
        )
