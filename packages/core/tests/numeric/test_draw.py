"""`draw` with nothing but the Array API, in every library and environment."""

import math

import numpy as np
import pytest

from fanwise import (
    Axes,
    SchemeError,
    SourceError,
    by_block,
    constant,
    delta_orthogonal,
    dirac,
    glorot_uniform,
    he_normal,
    identity,
    normal,
    ones,
    orthogonal,
    resolve,
    sparse,
    truncated_normal,
    uniform,
    zeros,
)
from fanwise.adapting import draw

pytestmark = pytest.mark.clause(
    "schemes/9",
    "schemes/10",
    "schemes/11",
    "schemes/12",
    "schemes/13",
    "laws/6",
    "laws/7",
    "randomness/3",
    "randomness/4",
    "randomness/6",
    "dtypes/3",
    "dtypes/5",
    "errors/3",
)

SHAPE, AXES = (12, 3, 3), Axes("out in kernel", groups=2)
STACKED = Axes("kernel in stack out")
ELEMENTWISE = [
    constant(value=1.5),
    normal(std=0.02, mean=1.0),
    uniform(low=1.0, high=3.0),
    glorot_uniform(),
    he_normal(),
    he_normal(family="truncated_normal"),
    truncated_normal(parent_std=1.0, low=5.0, high=math.inf),
    truncated_normal(parent_std=1.0, low=-6.0, high=6.0),
    truncated_normal(parent_std=1.0, low=-0.5, high=1e-4),
    truncated_normal(parent_std=1.0, low=-3.0001, high=-3.0),
]
STRUCTURED = [orthogonal(), delta_orthogonal(), dirac(), sparse(sparsity=0.3, std=1.0)]


@pytest.mark.parametrize("scheme", [*ELEMENTWISE, *STRUCTURED], ids=str)
def test_every_scheme_draws_its_law(namespace, source, scheme):
    plan = resolve(scheme, SHAPE, AXES)
    dtypes = ["float32", "float64"] if namespace.float64 else ["float32"]
    for dtype in dtypes:
        array = draw(plan, source(5), dtype=dtype)
        assert array.dtype == getattr(namespace.xp, dtype)
        assert tuple(array.shape) == SHAPE
        values = namespace.to_numpy(array).astype(float)
        low, high = plan.law.support
        slack = 1e-6 * (plan.scheme.name in ("orthogonal", "delta_orthogonal"))
        assert values.min() >= low - slack
        assert values.max() <= high + slack
        error = plan.law.std * math.sqrt(max(plan.law.variance_dispersion, 1) / plan.size)
        if math.isfinite(error):
            assert (
                abs(values.mean() - plan.law.mean) < 5 * plan.law.std / math.sqrt(plan.size) + 1e-9
            )
            assert abs(values.std() - plan.law.std) < 5 * error + 1e-9


COMPLEX = [
    he_normal(),
    glorot_uniform(),
    truncated_normal(std=2.0),
    orthogonal(),
    sparse(sparsity=0.3, std=1.0),
    delta_orthogonal(),
]


@pytest.mark.parametrize("scheme", COMPLEX, ids=str)
def test_complex_schemes_draw_their_law(namespace, source, scheme):
    shape = (40, 20, 3)
    plan = resolve(scheme, shape, Axes("out in kernel"), field="complex")
    w = namespace.to_numpy(draw(plan, source(5), dtype="complex64")).astype(complex)
    assert w.shape == shape
    assert np.abs(w).max() <= plan.law.support[1] * (1 + 1e-6 * (scheme.name != "truncated_normal"))
    mean_square = (np.abs(w) ** 2).mean() / plan.law.variance
    assert abs(mean_square - 1) < 5 * math.sqrt(plan.law.variance_dispersion / plan.size) + 1e-5
    # Uniform phase: no part and no square has a mean.
    fourth = math.sqrt(plan.law.excess_kurtosis + 2) * plan.law.variance
    for moment, scale in ((w.mean(), plan.law.std), ((w**2).mean(), fourth)):
        assert max(abs(moment.real), abs(moment.imag)) < 5 * scale / math.sqrt(2 * plan.size)


def matrices(namespace, array, shape, axes):
    """Copies x groups of matrices out x (in kernel), by indexing each element by hand."""
    values = namespace.to_numpy(array)
    roles = axes.roles
    sizes = {role: axes.size(role, shape) for role in ("stack", "out", "in", "kernel")}
    grouped = "in" if axes.transposed else "out"
    per_group = sizes[grouped] // axes.groups
    rows = sizes["out"] // (1 if axes.transposed else axes.groups)
    inputs = sizes["in"] // (axes.groups if axes.transposed else 1)
    found = np.zeros((sizes["stack"], axes.groups, rows, inputs, sizes["kernel"]), values.dtype)
    for index in np.ndindex(*shape):
        unit = dict.fromkeys(sizes, 0)
        for position, size, role in zip(index, shape, roles, strict=True):
            unit[role] = unit[role] * size + position
        group, unit[grouped] = divmod(unit[grouped], per_group)
        found[unit["stack"], group, unit["out"], unit["in"], unit["kernel"]] = values[index]
    return found.reshape(-1, rows, inputs, sizes["kernel"])


GEOMETRIES = [
    ((6, 4), Axes("out in")),
    ((4, 6), Axes("in out")),
    ((5, 4, 6), Axes("stack in out")),
    ((12, 3, 3), Axes("out in kernel", groups=2)),
    ((6, 4, 3), Axes("in out kernel", groups=2, transposed=True)),
    ((3, 2, 4, 5), STACKED),
    ((4, 2, 3), Axes("in out out")),
    ((2, 3, 4, 2), Axes("out in out stack")),
]


@pytest.mark.parametrize(("shape", "axes"), GEOMETRIES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_orthogonal_is_orthogonal_for_each_copy_and_group(namespace, source, shape, axes, dtype):
    field = "complex" if dtype.startswith("c") else "real"
    plan = resolve(orthogonal(gain=2.0), shape, axes, field=field)
    found = matrices(namespace, draw(plan, source(3), dtype=dtype), shape, axes)
    for matrix in found.reshape(*found.shape[:2], -1):
        wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.conj().T
        assert wide @ wide.conj().T == pytest.approx(4 * np.eye(len(wide)), abs=1e-5)
    flat = found.reshape(len(found), -1)
    assert len(np.unique(flat.round(4), axis=0)) == len(flat)  # D33, R8: no two copies are equal


@pytest.mark.parametrize(
    ("shape", "axes"), [g for g in GEOMETRIES if "kernel" not in g[1].roles], ids=str
)
def test_identity_is_the_identity_of_each_copy_and_group(namespace, source, shape, axes):
    found = matrices(
        namespace, draw(resolve(identity(gain=3.0), shape, axes), source(0)), shape, axes
    )
    for matrix in found[..., 0]:
        assert np.array_equal(matrix, 3 * np.eye(*matrix.shape))


@pytest.mark.parametrize(
    ("shape", "axes"), [g for g in GEOMETRIES if "kernel" in g[1].roles], ids=str
)
@pytest.mark.parametrize("scheme", [dirac(), delta_orthogonal()], ids=str)
def test_only_the_center_tap_is_not_zero(namespace, source, shape, axes, scheme):
    found = matrices(namespace, draw(resolve(scheme, shape, axes), source(0)), shape, axes)
    for matrix in found:
        center = matrix[..., 1]
        assert np.count_nonzero(matrix) == np.count_nonzero(center)
        if scheme.name == "dirac":
            assert np.array_equal(center, np.eye(*center.shape))
        else:
            assert center.T @ center == pytest.approx(np.eye(center.shape[1]), abs=1e-6)


@pytest.mark.parametrize(("center", "tap"), [("lower", (1, 2)), ("upper", (2, 2))])
def test_the_center_of_an_even_kernel_can_be_chosen(namespace, source, center, tap):
    plan = resolve(dirac(center=center), (2, 2, 4, 5), Axes("out in kernel kernel"))
    array = namespace.to_numpy(draw(plan, source(0)))
    assert np.argwhere(array).tolist() == [[0, 0, *tap], [1, 1, *tap]]


@pytest.mark.parametrize(("shape", "axes"), GEOMETRIES, ids=str)
@pytest.mark.parametrize("per", ["out", "in"])
def test_sparse_counts_are_exact_for_every_unit(namespace, source, shape, axes, per):
    plan = resolve(sparse(sparsity=0.4, std=1.0, per=per), shape, axes)
    found = matrices(namespace, draw(plan, source(1)), shape, axes)
    rows, inputs, taps = found.shape[1:]
    axis, weights = ((2, 3), inputs * taps) if per == "out" else ((1, 3), rows * taps)
    assert ((found == 0).sum(axis=axis) == math.ceil(round(0.4 * weights, 9))).all()


def test_the_positions_of_zeros_are_uniform(namespace, source):
    plan = resolve(sparse(sparsity=0.5, std=1.0), (4000, 6), Axes("out in"))
    zeros = namespace.to_numpy(draw(plan, source(2))) == 0
    assert (zeros.sum(axis=1) == 3).all()
    # Each position is zero with probability 1/2 (chi-square of 6 counts, at 1e-6).
    assert (((zeros.sum(axis=0) - 2000) ** 2) / 1000).sum() < 40


@pytest.mark.parametrize("scheme", [he_normal(), orthogonal(), glorot_uniform()], ids=str)
def test_a_fused_parameter_is_the_concatenation_of_separate_ones(namespace, source, scheme):
    fused = draw(
        resolve(scheme, (4, 12), Axes("in out", blocks={"out": (6, 4, 2)})), source(9, ["qkv"])
    )
    parts = [
        draw(resolve(scheme, (4, size), Axes("in out")), source(9, ["qkv", str(i)]))
        for i, size in enumerate((6, 4, 2))
    ]
    separate = np.concatenate([namespace.to_numpy(part) for part in parts], axis=1)
    assert np.array_equal(namespace.to_numpy(fused), separate)


def test_a_grid_of_blocks_is_put_together_in_order(namespace, source):
    axes = Axes("out stack in", blocks={"out": 2, "in": 3})
    plan = resolve(identity(), (4, 2, 6), axes)
    array = namespace.to_numpy(draw(plan, source(0)))
    expected = np.tile(np.eye(2), (2, 3))
    assert np.array_equal(array[:, 0, :], expected)
    assert np.array_equal(array[:, 1, :], expected)


def test_a_source_is_a_value_and_children_are_independent(namespace, source):
    plan = resolve(normal(std=1.0), (200,))
    draws = [
        namespace.to_numpy(draw(plan, s))
        for s in (source(1), source(1), source(1).child("a"), source(2))
    ]
    assert np.array_equal(draws[0], draws[1])
    for other in draws[2:]:
        assert abs(np.corrcoef(draws[0], other)[0, 1]) < 5 / math.sqrt(200)


def test_empty_arrays(namespace, source):
    assert tuple(draw(resolve(normal(std=1.0), (3, 0)), source(0)).shape) == (3, 0)
    stacked = resolve(he_normal(), (0, 3, 4), Axes("stack out in"))
    assert tuple(draw(stacked, source(0)).shape) == (0, 3, 4)
    assert tuple(draw(resolve(uniform(bound=1.0), ()), source(0)).shape) == ()


def test_orthogonal_says_that_it_needs_linear_algebra(source, namespace):
    plain = source(0)
    plain.xp = object()
    with pytest.raises(SourceError, match="`source` must have the linalg extension for orthogonal"):
        draw(resolve(orthogonal(), (3, 3), Axes("out in")), plain)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [*GEOMETRIES, ((4, 12), Axes("in out", blocks={"out": (6, 4, 2)}))],
    ids=str,
)
@pytest.mark.parametrize(
    "scheme",
    [he_normal(), glorot_uniform(), he_normal(family="truncated_normal"), orthogonal()],
    ids=str,
)
def test_any_box_of_an_indexed_stream_is_that_of_the_whole(indexed, scheme, shape, axes):
    plan = resolve(scheme, shape, axes)
    whole = draw(plan, indexed(4))
    windows = np.random.default_rng(0)
    for _ in range(6):
        window = [sorted(windows.integers(0, n + 1, size=2).tolist()) for n in shape]
        box = draw(plan, indexed(4), window=window)
        assert np.array_equal(box, whole[tuple(slice(a, b) for a, b in window)])


def test_storage_order_makes_no_difference_to_an_indexed_stream(indexed):
    torch = draw(resolve(he_normal(), (8, 4, 3), Axes("out in kernel")), indexed(1))
    keras = draw(resolve(he_normal(), (3, 4, 8), Axes("kernel in out")), indexed(1))
    assert np.array_equal(torch, keras.transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ([(0, 1)], r"`window` must have one \(start, stop\) pair for each axis of \(3, 4\), got \[\(0, 1\)\]"),
        ([(0, 1), (0, 1, 2)], r"`window` must have one \(start, stop\) pair"),
        ([(0, 1), (2, 5)], r"`window` must be within \(3, 4\), got \[\(0, 1\), \(2, 5\)\]"),
        ([(-1, 1), (2, 3)], "`window` must be at least 0, got -1"),
        ([(2, 1), (2, 3)], r"`window` must be within \(3, 4\)"),
    ],
)  # fmt: skip
def test_bad_windows_are_refused(indexed, window, message):
    with pytest.raises(SourceError, match=message):
        draw(resolve(normal(std=1.0), (3, 4)), indexed(0), window=window)


def test_what_makes_new_arrays_refuses_out(source):
    """A source that does not write in place must not return `out` undrawn."""
    plan = resolve(normal(std=1.0), (3, 4))
    with pytest.raises(
        SourceError,
        match="`out` must be left out for a source that makes new arrays, got one for ArraySource",
    ):
        draw(plan, source(0), out=np.zeros((3, 4), "float32"))


def test_a_host_with_a_uniform_generator_alone_draws_every_law(unit):
    plan = resolve(normal(std=1.0), (200, 300))
    array = draw(plan, unit(0, "w"))
    assert abs(array.std() - 1) < 5 / (2 * array.size) ** 0.5
    assert np.abs(array).max() > 4
    wide = draw(plan, unit(0, "w"), dtype="float64")
    assert len(np.unique(wide)) == wide.size
    zeros = (
        draw(resolve(sparse(sparsity=0.25, std=1.0), (50, 40), Axes("out in")), unit(0, "s")) == 0
    )
    assert (zeros.sum(axis=1) == 10).all()


def test_padding_is_zero_whatever_the_window(indexed):
    plan = resolve(normal(std=1.0), (5, 3), Axes("in out", one_hot=True), padding=2)
    whole = draw(plan, indexed(0, "e"))
    assert (whole == 0).all(axis=1).tolist() == [False, False, True, False, False]
    assert np.array_equal(draw(plan, indexed(0, "e"), window=[(1, 4), (0, 2)]), whole[1:4, :2])
    assert np.array_equal(draw(plan, indexed(0, "e"), window=[(3, 5), (0, 2)]), whole[3:, :2])


@pytest.mark.clause("schemes/15")
def test_blocks_may_have_schemes_of_their_own(indexed):
    bias = Axes("out", blocks={"out": 4})
    scheme = by_block(schemes=(zeros(), ones(), normal(std=1.0), zeros())).scaled(0.5)
    plan = resolve(scheme, (8,), bias)
    assert [part.law.mean for part in plan.parts] == [0, 0.5, 0, 0]
    assert [part.law.std for part in plan.parts] == [0, 0, 0.5, 0]
    drawn = draw(plan, indexed(0, "lstm.bias"))
    assert drawn[:4].tolist() == [0, 0, 0.5, 0.5]
    assert (drawn[4:6] != 0).all()
    with pytest.raises(SchemeError, match="`schemes` must be one for each of 4 blocks, got 3"):
        resolve(by_block(schemes=(zeros(), ones(), zeros())), (8,), bias)


@pytest.mark.clause("schemes/4")
def test_a_window_of_a_constant_array_is_its_own_values(indexed):
    plan = resolve(constant(value=[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), (5, 3, 2))
    box = draw(plan, indexed(0), window=[(1, 3), (1, 2), (0, 2)])
    assert np.array_equal(box, [[[2.0, 3.0]], [[2.0, 3.0]]])
