"""The embedded backend."""

import math
import subprocess
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

import fanwise as package
from fanwise import (
    Axes,
    DtypeError,
    Entry,
    FanError,
    Fans,
    Ledger,
    Parameter,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    constant,
    glorot_uniform,
    he_normal,
    normal,
    ones,
    orthogonal,
    plan_model,
    resolve,
    sparse,
    truncated_normal,
    uniform,
    zeros,
)
from fanwise._draws.dtypes import _COMPLEX, _REAL
from fanwise.adapting import DTYPES, draw, field_of, inner_bounds
from fanwise.numpy import NumpySource, init, init_, init_model, measure_model

pytestmark = pytest.mark.clause(
    "randomness/1",
    "randomness/4",
    "randomness/6",
    "dtypes/1",
    "dtypes/2",
    "dtypes/3",
    "dtypes/4",
    "dtypes/5",
    "laws/2",
    "laws/3",
    "errors/3",
)

AXES = Axes("out in")
ELEMENTWISE = [normal(std=0.02), glorot_uniform(), truncated_normal(std=0.02)]
SCHEMES = [*ELEMENTWISE, orthogonal(), sparse(sparsity=0.1, std=0.02), constant(value=0.5)]
NATIVE = {name: np.dtype(getattr(ml_dtypes, name, name)) for name in DTYPES}


@pytest.mark.parametrize("name", list(_REAL))
def test_formats_are_those_of_the_libraries(name):
    info, ours = ml_dtypes.finfo(NATIVE[name]), _REAL[name]
    assert ours.largest == float(info.max)
    assert ours.precision == info.nmant + 1
    assert ours.smallest == float(info.smallest_subnormal)
    # Every number of an 8- or 16-bit format is a fixed point of both roundings.
    if info.bits <= 16:
        unsigned = np.arange(1 << info.bits, dtype=f"uint{info.bits}")
        with np.errstate(invalid="ignore"):  # the formats' nan are among them
            numbers = unsigned.view(NATIVE[name]).astype(float)
        for x in numbers[np.isfinite(numbers)][:: max(1, info.bits**2 // 2)]:
            assert ours.round_down(x) == ours.round_up(x) == x
            assert ours.below(x) < x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_every_dtype_draws_every_law(scheme, dtype):
    shape = (200, 300)
    plan = resolve(scheme, shape, AXES, field=field_of(dtype))
    array = init(scheme, shape, AXES, seed=1, path="w", dtype=dtype)
    assert array.dtype == NATIVE[dtype]
    found = measure(plan, array)
    coarse = dtype.startswith("float8")
    for z in (found.mean_z, found.std_z):
        # Coarse rounding adds a known variance to the std; the mean must hold all the same.
        assert z is None or abs(z) < (8 if coarse else 4.5) or (coarse and z is found.std_z)
    assert np.isfinite(array.astype(complex)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_low_precision_is_the_rounded_float32_draw(dtype):
    """Rounded once: the storage dtype changes nothing of the draw."""
    for scheme in ELEMENTWISE:
        plan = resolve(scheme, (400, 500), AXES)
        low, high = inner_bounds(*plan.law.support, dtype, half_open=plan.law.family == "uniform")
        wide = np.clip(init(scheme, (400, 500), AXES, seed=1, path="w"), low, high)
        narrow = init(scheme, (400, 500), AXES, seed=1, path="w", dtype=dtype)
        assert np.array_equal(narrow, wide.astype(NATIVE[dtype]))


def test_bfloat16_is_not_biased():
    # D4: 128 distinct values and a mean 12 standard errors off, in JAX; D22: 4.5 times the std.
    n = 1 << 20
    for scheme in (normal(std=1.0), uniform(bound=1.0), truncated_normal(std=1.0)):
        found = init(scheme, (n,), seed=3, path="w", dtype="bfloat16").astype(float)
        law = resolve(scheme, (n,)).law
        assert abs(found.mean()) < 5 * law.std / math.sqrt(n)
        assert (
            abs(found.var() / law.variance - 1) < 5 * math.sqrt(law.variance_dispersion / n) + 1e-4
        )
        assert len(np.unique(found)) > 2500


@pytest.mark.parametrize("dtype", [d for d in DTYPES if field_of(d) == "real"])
def test_bounds_hold_in_every_dtype(dtype):
    # pytorch#96947: a uniform law on [0, 1) returned 1 in 16 bits.
    for scheme in (
        uniform(low=0.0, high=1.0),
        uniform(low=3.0, high=4.0),
        uniform(bound=0.05),
        truncated_normal(parent_std=0.1, low=-0.13, high=0.27, bounds="absolute"),
    ):
        found = init(scheme, (1 << 20,), seed=1, path="w", dtype=dtype).astype(float)
        low, high = resolve(scheme, (1,)).law.support
        assert found.min() >= low
        assert found.max() < high if scheme.name == "uniform" else found.max() <= high


def test_the_moduli_of_complex_draws_stay_within_their_bounds():
    for scheme in (uniform(bound=1.0), truncated_normal(parent_std=1.0, low=-0.7, high=0.7)):
        for dtype in _COMPLEX:
            found = np.abs(init(scheme, (1 << 20,), seed=1, path="w", dtype=dtype).astype(complex))
            assert found.max() < resolve(scheme, (1,), field="complex").law.support[1]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_values_depend_on_seed_and_path_alone(scheme):
    first = init(scheme, (30, 20), AXES, seed=1, path="a.w")
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    again = init(scheme, (30, 20), AXES, seed=1, path=("a", "w"))
    assert np.array_equal(np.random.get_state()[1], before)
    assert np.array_equal(first, again)
    if scheme.name != "constant":
        for seed, path in ((2, "a.w"), (1, "b.w"), (1 + 2**32, "a.w")):
            assert not np.array_equal(first, init(scheme, (30, 20), AXES, seed=seed, path=path))


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "float64"])
def test_memory_layout_makes_no_difference(scheme, dtype):
    shape, number = (301, 403), NATIVE[dtype]
    expected = init(scheme, shape, AXES, seed=1, path="w", dtype=dtype)
    for out in (
        np.empty(shape[::-1], number).T,
        np.empty((602, 1209), number)[::2, ::3],
        np.empty(shape, number)[::-1],
        np.empty((301, 2, 403), number)[:, 1],
    ):
        assert init_(out, scheme, AXES, seed=1, path="w") is out
        assert np.array_equal(out, expected)


def test_long_and_short_arrays_share_a_prefix_of_the_stream():
    long = init(normal(std=1.0), (1_000_000,), seed=1, path="w")
    assert np.array_equal(long[:10], init(normal(std=1.0), (10,), seed=1, path="w"))


def test_a_refused_window_leaves_out_as_it_was():
    plan = resolve(normal(std=1.0), (4, 3), Axes("out in", blocks={"out": 2}))
    out = np.full((3, 3), 9.0, "float32")
    with pytest.raises(SourceError, match="for a sequential source"):
        draw(plan, NumpySource(0, "a"), window=((0, 3), (0, 3)), out=out)
    assert (out == 9).all()


def test_scalars_and_empty_arrays():
    assert init(normal(std=1.0), (), seed=0, path="w").shape == ()
    assert init(uniform(bound=1.0), (3, 0), seed=0, path="w").shape == (3, 0)
    assert init(he_normal(), (0, 3, 4), Axes("stack out in"), seed=0, path="w").shape == (0, 3, 4)


def test_fans_may_be_given():
    bias = init(he_normal(), (40_000,), Axes("out"), seed=0, path="b", fans=Fans(8, 1))
    assert bias.std() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64", "complex64"])
@pytest.mark.parametrize(
    "scheme",
    [constant(value=1.0), *ELEMENTWISE, he_normal(family="truncated_normal"), uniform(bound=2.0)],
    ids=str,
)
def test_peak_memory_is_the_result_and_16_mib(scheme, dtype):
    shape = (3, 2000, 2000)
    axes = Axes("stack in out", blocks={"out": (1200, 400, 400)})
    init(
        scheme, (1, 10, 20), Axes("stack in out"), seed=0, path="w", dtype=dtype
    )  # imports, caches
    tracemalloc.start()
    array = init(scheme, shape, axes, seed=0, path="w", dtype=dtype)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del array
    tracemalloc.start()
    plan = resolve(scheme, shape, axes, field=field_of(dtype))
    array = draw(plan, NumpySource(0, "w"), dtype=dtype)
    peak = max(peak, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peak <= array.nbytes + 16 * 2**20


def test_more_than_2_to_the_31_elements():
    """All rows of the array are views of one: 4 GiB are drawn, and 64 KiB are there to hold them."""
    width, rows = 2**15, 2**16 + 1
    row = np.full(width, np.nan, "float16")
    out = np.lib.stride_tricks.as_strided(row, (rows, width), (0, row.itemsize))
    assert out.size > 2**31
    init_(out, uniform(low=1.0, high=2.0), seed=0, path="w")
    assert row.min() >= 1
    assert row.max() < 2
    assert row.astype(float).mean() == pytest.approx(1.5, abs=5 / math.sqrt(12 * width))
    # The last row is where a sequential stream is after 2^31 numbers, not where it is at the start.
    first = init(uniform(low=1.0, high=2.0), (width,), seed=0, path="w", dtype="float16")
    assert abs(np.corrcoef(first.astype(float), row.astype(float))[0, 1]) < 5 / math.sqrt(width)
    assert resolve(he_normal(), (2**20, 2**20), AXES).size == 2**40


def test_a_whole_model_is_drawn_from_its_ledger():
    parameters = [
        Parameter("a.weight", (30, 20), AXES),
        Parameter("a.bias", (30,), Axes("out"), kind="bias", fans_of="a.weight"),
        Parameter("a.frozen", (3,), status="frozen"),
    ]
    recipe = Recipe([Rule(he_normal(), kind="bias"), Rule(he_normal())])
    arrays, ledger = init_model(parameters, recipe, seed=4)
    assert ledger == plan_model(parameters, recipe)
    assert list(arrays) == ["a.weight", "a.bias"]
    assert np.array_equal(
        arrays["a.weight"], init(he_normal(), (30, 20), AXES, seed=4, path="a.weight")
    )
    # Another order, and another layer before it, change nothing.
    more = [Parameter("z.weight", (5, 5), AXES), *reversed(parameters)]
    changed, _ = init_model(more, recipe, seed=4)
    assert all(np.array_equal(changed[path], array) for path, array in arrays.items())


def test_a_model_may_have_complex_parameters_too():
    parameters = [Parameter("w", (3,)), Parameter("phase", (3,), field="complex")]
    arrays, _ = init_model(parameters, normal(std=1.0), seed=0, dtype="bfloat16")
    dtypes = {path: array.dtype.name for path, array in arrays.items()}
    assert dtypes == {"w": "bfloat16", "phase": "complex64"}


def test_a_bad_parameter_stops_a_model_before_anything_is_drawn():
    parameters = [Parameter("ok", (3,)), Parameter("b", (3,))]
    ledger = plan_model(parameters, normal(std=1e5))
    with pytest.raises(DtypeError) as caught:
        init_model(parameters, ledger, seed=0, dtype="float16")
    assert caught.value.__notes__ == ["parameter: ok"]
    with pytest.raises(SourceError, match="`seed` must be at least 0, got -1"):
        init_model(parameters, ledger, seed=-1)
    with pytest.raises(RecipeError, match="`recipe` must be a ledger of this model"):
        init_model(parameters[:1], ledger, seed=0)


def measure(plan, array):
    """What is measured of an array, by the public way."""
    parameter = Parameter("w", plan.shape, plan.axes, field=plan.field)
    return measure_model({"w": array}, Ledger((Entry(parameter, "initialized", plan=plan),)))["w"]


def test_measure_sees_what_is_wrong():
    plan = resolve(he_normal(), (300, 300), AXES)
    array = draw(plan, NumpySource(0))
    for broken, which in ((array * 1.02, "std_z"), (array + 0.002, "mean_z")):
        assert abs(getattr(measure(plan, broken), which)) > 6


def test_measure_compares_what_a_law_fixes_exactly():
    haar = resolve(orthogonal(), (30, 30), AXES)
    for dtype in ("float32", "bfloat16"):
        assert measure(haar, draw(haar, NumpySource(0), dtype=dtype)).std_z is None
    assert measure(haar, np.eye(30) * 1.1).std_z == math.inf
    zero = resolve(zeros(), (4,))
    assert measure(zero, np.zeros(4)).mean_z is None
    assert measure(zero, np.ones(4)).mean_z == math.inf
    with pytest.raises(
        SourceError, match=r"`array` must have the shape \(4,\) of the plan, got \(3,\)"
    ):
        measure(zero, np.zeros(3))


def test_measure_pools_blocks_of_different_laws():
    axes = Axes("in out", blocks={"out": (600, 100)})
    plan = resolve(he_normal(fan="out"), (500, 700), axes)
    found = measure(plan, draw(plan, NumpySource(0)))
    assert abs(found.mean_z) < 4
    assert abs(found.std_z) < 4
    expected = math.sqrt((600 * 2 / 600 + 100 * 2 / 100) / 700)
    assert found.std == pytest.approx(expected, rel=0.01)


RNG = np.random.default_rng(0)


def test_a_generator_is_drawn_from_and_advanced():
    drawn = [init(normal(std=1.0), (3,), rng=np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(*drawn)
    generator = np.random.default_rng(5)
    first, second = (init(normal(std=1.0), (3,), rng=generator) for _ in range(2))
    assert np.array_equal(first, drawn[0])
    assert not np.array_equal(first, second)
    assert init(orthogonal(), (3, 3), AXES, rng=generator).shape == (3, 3)


def test_nothing_random_needs_no_seed():
    assert init(ones(), (3,)).tolist() == [1, 1, 1]
    assert init_(np.empty(3), zeros()).tolist() == [0, 0, 0]


def test_padding_is_zero_in_every_member():
    """`padding` counts along `in`."""
    plan = resolve(normal(std=1.0), (2, 5, 3), Axes("stack in out", one_hot=True), padding=0)
    array = draw(plan, NumpySource(0, "embed"))
    assert (array == 0).all(axis=2).tolist() == [[True, False, False, False, False]] * 2
    measured = measure(plan, array)
    assert measured.std == pytest.approx(array[:, 1:].std(), rel=0.1)
    out = np.ones((5, 2), "float32")
    plan = resolve(normal(std=1.0), (5, 2), Axes("in out", one_hot=True), padding=3)
    draw(plan, NumpySource(0, "embed"), out=out)
    assert (out == 0).all(axis=1).tolist() == [False, False, False, True, False]


def test_measure_does_not_count_padding():
    axes = Axes("in out", one_hot=True)
    plan = resolve(normal(std=1.0), (40, 5000), axes, padding=7)
    array = draw(plan, NumpySource(0, "embed"))
    assert abs(measure(plan, array).std_z) < 4
    assert measure(resolve(normal(std=1.0), (40, 5000), axes), array).std_z < -6


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype="int32"), DtypeError, "`dtype` must be one of float64, .*, got 'int32'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=np.int64), DtypeError, "got 'int64'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=bool), DtypeError, "got 'bool'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=np.longdouble), DtypeError, "got 'float128'"),
        (
            lambda: draw(resolve(zeros(), (3,)), NumpySource(0), out=np.zeros(4, "float32")),
            SourceError,
            r"`out` must have the shape \(3,\), got \(4,\)",
        ),
        (lambda: init(normal(std=1.0), (3,), path="w"), SourceError, "`seed` and `path`, or `rng`, must be given to draw normal"),
        (lambda: init(normal(std=1.0), (3,), seed=0), SourceError, "`path` must come with a seed, got an empty one"),
        (lambda: init(normal(std=1.0), (3,), seed=0, rng=RNG), SourceError, "`rng` must come without a seed and a path, got 0"),
        (lambda: init(normal(std=1.0), (3,), rng=3), SourceError, "`rng` must be a numpy.random.Generator, got 3"),
        (lambda: init(zeros(), (3,), seed=0, path="a..b"), SourceError, "`path` must have segments"),
        (lambda: init(he_normal(), (3,), Axes("out"), seed=0, path="w"), FanError, "`axes` must have an 'in'"),
        (
            lambda: draw(resolve(normal(std=1.0), (4, 4)), NumpySource(0), window=[(0, 2), (0, 4)]),
            SourceError,
            r"`window` must be the whole of \(4, 4\) for a sequential source, got \[\(0, 2\), \(0, 4\)\]",
        ),
        (
            lambda: draw(resolve(orthogonal(), (4, 4), AXES), NumpySource(0), out=np.zeros((4, 4), int)),
            SourceError,
            "`out` must be of dtype float32, got int64",
        ),
        (
            lambda: draw(resolve(constant(value=0.5), (4,)), NumpySource(0), out=np.zeros(4, int)),
            SourceError,
            "`out` must be of dtype float32, got int64",
        ),
        (lambda: init_([0, 0, 0], zeros(), seed=0, path="w"), SourceError, "`array` must be a writable array, got list"),
        (
            lambda: init_(np.broadcast_to(np.float32(0), (3,)), zeros(), seed=0, path="w"),
            SourceError,
            "`array` must be a writable array, got ndarray",
        ),
        (lambda: init(zeros(), (3,), seed=0, path=""), SourceError, "`path` must have segments"),
        (lambda: init(zeros(), (3,), seed=0, path=3), SourceError, "`path` must be a string or a sequence of strings, got 3"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=None), DtypeError, "`dtype` must be given, got None"),
        (
            lambda: draw(resolve(normal(std=1.0), (4,)), NumpySource(0), out=np.zeros(4, "float16")),
            SourceError,
            "`out` must be of dtype float32, got float16",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_ml_dtypes_is_needed_for_its_dtypes_only():
    code = (
        "import sys; sys.modules['ml_dtypes'] = None\n"
        f"import {package.__name__}.numpy as backend, {package.__name__} as package\n"
        "backend.init(package.zeros(), (3,), seed=0, path='w')\n"
        "try: backend.init(package.zeros(), (3,), seed=0, path='w', dtype='bfloat16')\n"
        "except package.DtypeError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "`dtype` bfloat16 must have ml_dtypes installed, got none"


@pytest.mark.clause("recipes/11")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
def test_norms_are_those_of_the_weight_as_it_was_drawn(dtype):
    field = field_of(dtype)
    weight = Parameter("v", (4, 9, 3), Axes("out in kernel"), field=field)
    scale = Parameter("g", (1, 9, 1), kind="weight_norm", norms_of="v", norm_axes=(1,))
    real = "float64" if dtype == "complex128" else dtype
    arrays, _ = init_model([scale, weight], normal(std=2.0), seed=0, dtype=real)
    rows = arrays["v"].astype("complex128").swapaxes(0, 1).reshape(9, -1)
    expected = [sum(abs(w) ** 2 for w in row) ** 0.5 for row in rows]
    rtol = {"float32": 1e-6, "bfloat16": 2**-8, "complex128": 1e-12}[dtype]
    np.testing.assert_allclose(arrays["g"].astype("float64").ravel(), expected, rtol=rtol)
    assert arrays["g"].shape == (1, 9, 1)
    left = Recipe([Rule(left_as="loaded", match="v")])
    with pytest.raises(RecipeError, match=r"must be drawn where values of them are needed.*'v'"):
        init_model([scale, weight], left, seed=0)


@pytest.mark.clause("schemes/4")
@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
def test_a_constant_array_broadcasts(dtype):
    values = np.asarray([[0.0, 1.0, 4.0], [2.0, 2.0, 3.0]])
    drawn = init(constant(value=values), (5, 2, 3), dtype=dtype)
    assert np.array_equal(drawn, np.broadcast_to(values.astype(dtype), (5, 2, 3)))
