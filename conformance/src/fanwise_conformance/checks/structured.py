"""Structured laws: orthogonal matrices of Haar's law, exact patterns, exact counts."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from .. import cases, formats, oracle, statistics
from ..backend import Array, Subject
from ..registry import Case, Cases, Effort, Finding, check, exact, statistical


def _has(scheme: str, *kernels: str) -> Cases:
    def listed(subject: Subject, effort: Effort) -> Iterator[Case]:
        if scheme in subject.feature("schemes"):
            for kernel in kernels:
                if subject.axes(kernel) is not None:
                    yield Case(kernel, {"kernel": kernel})

    return listed


def matrices(values: Array, axes: object) -> Array:
    """The matrices that a block is made of: rows are out units, columns inputs (schemes/8)."""
    roles = oracle.Roles.read(axes)
    stacked = [i for i, role in enumerate(roles.roles) if role == "stack"]
    rows = [i for i, role in enumerate(roles.roles) if role == "out"]
    columns = [i for i, role in enumerate(roles.roles) if role in ("in", "kernel")]
    columns.sort(key=lambda i: roles.roles[i] != "in")
    if roles.groups > 1:
        grouped = columns if roles.transposed else rows
        size = values.shape[grouped[0]] // roles.groups
        values = values.reshape(
            *values.shape[: grouped[0]], roles.groups, size, *values.shape[grouped[0] + 1 :]
        )

        def moved(i: int) -> int:
            return i + (i >= grouped[0])

        stacked = [*map(moved, stacked), grouped[0]]
        rows, columns = [*map(moved, rows)], [*map(moved, columns)]
    shape = values.shape
    sizes = [math.prod(shape[i] for i in part) for part in (stacked, rows, columns)]
    return values.transpose(*stacked, *rows, *columns).reshape(sizes)


_ORTHOGONAL = (
    "linear",
    "convolution",
    "grouped convolution",
    "gates",
    "experts",
    "fused projections",
)


def _orthogonal(subject: Subject, effort: Effort) -> Iterator[Case]:
    for case in _has("orthogonal", *_ORTHOGONAL)(subject, effort):
        for dtype in subject.feature("dtypes"):
            if formats.epsilon(dtype) <= 2**-7:
                yield Case(f"{case.label}, {dtype}", {**case.data, "dtype": dtype})


@check("law/orthogonal", "schemes/8", "schemes/9", "laws/7", cases=_orthogonal)
def orthogonal(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Rows or columns, whichever are fewer, are orthonormal, in every block, copy and group."""
    axes, dtype = subject.axes(case["kernel"]), case["dtype"]
    shape = cases.shape_of(case["kernel"], axes)
    seed, gain = effort.seed("law/orthogonal", case.label), 1.5
    scheme = {"name": "orthogonal", "gain": gain}
    drawn = subject.draw(scheme, shape, axes, seed=seed, dtype=dtype)
    for number, block in enumerate(oracle.blocks(shape, axes)):
        found = matrices(drawn[block.index], axes) / gain
        if found.shape[1] > found.shape[2]:
            found = found.transpose(0, 2, 1)
        products = found @ found.conj().transpose(0, 2, 1)
        worst = float(np.abs(products - np.eye(found.shape[1])).max())
        # Rounding errors of the longer side's products add up as its square root does.
        bound = (8 + math.sqrt(found.shape[2])) * formats.epsilon(dtype)
        yield exact(f"block {number}", worst < bound, worst, f"less than {bound:.2g}", found.size)


def _haar(subject: Subject, effort: Effort) -> Iterator[Case]:
    if "orthogonal" in subject.feature("schemes"):
        for dtype in ("float32", "complex64"):
            if dtype in subject.feature("dtypes"):
                yield Case(dtype, {"dtype": dtype})


@check("law/haar", "laws/7", "schemes/9", cases=_haar, hypotheses=8)
def haar(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Orthogonal matrices are of Haar's law: entries, traces, determinants, eigenvalues."""
    size, dtype = 4, case["dtype"]
    wanted = effort.sample_size("correlation", 0.03)
    found = _square_matrices(subject, wanted, size, effort.seed("law/haar", case.label), dtype)
    copies = len(found)
    is_complex = formats.is_complex(dtype)
    half = 1.0 if is_complex else 0.5
    entry = stats.beta(half, half * (size - 1))
    for what, values in (
        ("first", found[:, 0, 0]),
        ("last", found[:, -1, -1]),
        ("other", found[:, 0, -1]),
    ):
        distance, p = statistics.kolmogorov_smirnov(np.abs(values) ** 2, entry)
        yield statistical(f"square of the {what} entry", p, distance, n=copies)
    trace = np.trace(found, axis1=1, axis2=2)
    scale = math.sqrt(2) if is_complex else 1.0
    for what, part in (
        (("", trace.real), (", imaginary", trace.imag)) if is_complex else (("", trace),)
    ):
        p = statistics.two_sided(float(part.sum()) * scale / math.sqrt(copies))
        yield statistical(f"trace{what}", p, float(part.mean()), 0.0, copies)
    # E|tr|^2 = 1 and E|tr|^4 = 3 (real), 2 (complex), for size 4 (Diaconis and Shahshahani, 1994).
    square = np.abs(trace) ** 2
    spread = math.sqrt((2 if is_complex else 3) - 1)
    skewness = (2.0 if is_complex else math.sqrt(8)) / math.sqrt(copies)
    p = statistics.two_sided(float((square - 1).sum()) / spread / math.sqrt(copies), skewness)
    yield statistical("squared trace", p, float(square.mean()), 1.0, copies)
    determinant = np.linalg.det(found)
    if is_complex:
        # E|D|^2 of the differences of eigenvalues by Dyson (1962): (4k + 4)! / ((k + 1)!^4 4!).
        angles = np.linalg.eigvals(found)
        first, second = np.triu_indices(size, 1)
        spacing = (np.abs(angles[:, first] - angles[:, second]) ** 2).prod(1)
        mean, variance, third = 105.0, 4375.0, 91875.0
        skewness = third / variance**1.5 / math.sqrt(copies)
        total = float((spacing - mean).sum()) / math.sqrt(variance * copies)
        p = statistics.two_sided(total, skewness)
        yield statistical("spacing of the eigenvalues", p, float(spacing.mean()), mean, copies)
        distance, p = statistics.kolmogorov_smirnov(
            np.angle(determinant), stats.uniform(-np.pi, 2 * np.pi)
        )
        yield statistical("phase of the determinant", p, distance, n=copies)
    else:
        positive = int(np.count_nonzero(determinant > 0))
        p = statistics.count(positive, copies, 0.5)
        yield statistical("determinants of either sign", p, positive, copies / 2, copies)


def _square_matrices(subject: Subject, copies: int, size: int, seed: int, dtype: str) -> Array:
    """Many matrices: as copies in one parameter, or, a tenth of them, as many parameters."""
    axes = subject.axes("experts")
    scheme = {"name": "orthogonal"}
    if axes is not None and subject.draws_stacks:
        roles = oracle.Roles.read(axes).roles
        shape = tuple(copies if role == "stack" else size for role in roles)
        return matrices(subject.draw(scheme, shape, axes, seed=seed, dtype=dtype), axes)
    axes = cases.linear_axes(subject)
    return np.stack(
        [
            subject.draw(scheme, (size, size), axes, seed=seed, path=f"w{i}", dtype=dtype)
            for i in range(copies // 10)
        ]
    )


@check("law/delta-orthogonal", "schemes/10", cases=_has("delta_orthogonal", "convolution"))
def delta_orthogonal(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A convolution is orthogonal at its center, (k - 1) // 2, and zero elsewhere."""
    axes = subject.axes("convolution")
    roles = oracle.Roles.read(axes).roles
    sizes = {"out": [23], "in": [17], "kernel": [5, 4]}
    shape = tuple(sizes[role].pop(0) for role in roles)
    seed = effort.seed("law/delta-orthogonal", case.label)
    drawn = subject.draw({"name": "delta_orthogonal"}, shape, axes, seed=seed)
    center = tuple(
        (n - 1) // 2 if role == "kernel" else slice(None)
        for n, role in zip(shape, roles, strict=True)
    )
    matrix = drawn[center] if roles.index("out") < roles.index("in") else drawn[center].T
    worst = float(np.abs(matrix.T @ matrix - np.eye(17)).max())
    yield exact("orthogonal", worst < 1e-5, worst, "less than 1e-5", matrix.size)
    elsewhere = int(np.count_nonzero(drawn)) - int(np.count_nonzero(drawn[center]))
    yield exact("not zero elsewhere", elsewhere == 0, elsewhere, 0, drawn.size)


@check("law/constant", "laws/5", "schemes/4", cases=_has("constant", "linear", "experts"))
def constant(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Every entry is the value."""
    axes = subject.axes(case["kernel"])
    shape = cases.shape_of(case["kernel"], axes)
    drawn = subject.draw({"name": "constant", "value": -0.5}, shape, axes, seed=1)
    other = int(np.count_nonzero(drawn != -0.5))
    yield exact("other values", other == 0, other, 0, drawn.size)


@check("law/identity", "schemes/11", cases=_has("identity", "linear"))
def identity(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The gain is where the numbers of output and input unit are equal, and zeros elsewhere."""
    drawn = subject.draw(
        {"name": "identity", "gain": 2.0}, (7, 5), cases.linear_axes(subject), seed=1
    )
    yield exact("the identity", np.array_equal(drawn, 2 * np.eye(7, 5)), n=drawn.size)


@check("law/dirac", "schemes/12", cases=_has("dirac", "convolution", "grouped convolution"))
def dirac(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A convolution is the identity at its center, in every group."""
    axes = subject.axes(case["kernel"])
    roles = oracle.Roles.read(axes)
    sizes = {"out": [8 * roles.groups], "in": [5], "kernel": [5, 4]}
    shape = tuple(sizes[role].pop(0) for role in roles.roles)
    drawn = subject.draw({"name": "dirac"}, shape, axes, seed=1)
    kernel = [i for i, role in enumerate(roles.roles) if role == "kernel"]
    places = np.argwhere(drawn)
    expected = 5 * roles.groups
    yield exact("entries that are not zero", len(places) == expected, len(places), expected)
    ones = all(drawn[tuple(place)] == 1 for place in places)
    central = all(all(place[i] == (shape[i] - 1) // 2 for i in kernel) for place in places)
    out, inputs = roles.roles.index("out"), roles.roles.index("in")
    matched = all(place[out] % 8 == place[inputs] for place in places)
    yield exact("ones at the center, on the diagonal", ones and central and matched)


@check("law/sparse", "schemes/13", "laws/7", cases=_has("sparse", "linear"), hypotheses=3)
def sparse(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Every unit has its exact number of zeros, at uniform positions; others are normal."""
    axes = cases.linear_axes(subject)
    roles = oracle.Roles.read(axes).roles
    shape = tuple({"out": 3001, "in": 101}[role] for role in roles)
    seed = effort.seed("law/sparse", case.label)
    scheme = {"name": "sparse", "sparsity": 0.3, "std": 0.02}
    drawn = matrices(subject.draw(scheme, shape, axes, seed=seed), axes)[0]
    zeros = np.count_nonzero(drawn == 0, axis=1)
    expected = math.ceil(0.3 * 101)
    yield exact(
        "zeros of each unit", (zeros == expected).all(), sorted(set(zeros.tolist())), expected
    )
    places = np.count_nonzero(drawn == 0, axis=0)
    spread = 3001 * (expected / 101) * (1 - expected / 101) * 101 / 100
    statistic = float(((places - 3001 * expected / 101) ** 2 / spread).sum())
    p = 2 * min(stats.chi2.cdf(statistic, 100), stats.chi2.sf(statistic, 100))
    yield statistical("positions", min(1.0, p), statistic, 100, drawn.size)
    others = drawn[drawn != 0]
    for name, pair in (
        ("Kolmogorov-Smirnov", statistics.kolmogorov_smirnov(others, oracle.normal(0.02))),
        ("Anderson-Darling", statistics.anderson_darling(others, oracle.normal(0.02))),
    ):
        yield statistical(name, pair[1], pair[0], n=others.size)
