"""The embedded backend.

spec: randomness/1, randomness/4, randomness/6, dtypes/1 to dtypes/5, laws/2, laws/3, errors/3.
"""

import math
import subprocess
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from fanwise import (
    DTYPES,
    Axes,
    DtypeError,
    FanError,
    Fans,
    Parameter,
    Recipe,
    Rule,
    SourceError,
    constant,
    draw,
    field_of,
    glorot_uniform,
    he_normal,
    inner_bounds,
    normal,
    orthogonal,
    plan_model,
    resolve,
    sparse,
    truncated_normal,
    uniform,
    zeros,
)
from fanwise._dtypes import _COMPLEX, _REAL
from fanwise.numpy import NumpySource, init, init_params, measure

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
        assert init(scheme, shape, AXES, seed=1, path="w", out=out) is out
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
    init(uniform(low=1.0, high=2.0), out.shape, seed=0, path="w", out=out)
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
        Parameter("a.frozen", (3,), left_as="frozen"),
    ]
    rules = (Rule(scheme=he_normal(), kind="bias"), Rule(scheme=he_normal()))
    arrays = dict(init_params(plan_model(Recipe(rules), parameters), seed=4))
    assert list(arrays) == ["a.weight", "a.bias"]
    assert np.array_equal(
        arrays["a.weight"], init(he_normal(), (30, 20), AXES, seed=4, path="a.weight")
    )
    # Another order, and another layer before it, change nothing.
    more = [Parameter("z.weight", (5, 5), AXES), *reversed(parameters)]
    changed = dict(init_params(plan_model(Recipe(rules), more), seed=4))
    assert all(np.array_equal(changed[path], array) for path, array in arrays.items())


def test_a_model_may_have_complex_parameters_too():
    parameters = [Parameter("w", (3,)), Parameter("phase", (3,), field="complex")]
    ledger = plan_model(Recipe((Rule(scheme=normal(std=1.0)),)), parameters)
    found = {
        path: array.dtype.name for path, array in init_params(ledger, seed=0, dtype="bfloat16")
    }
    assert found == {"w": "bfloat16", "phase": "complex64"}


def test_a_bad_parameter_stops_a_model_before_anything_is_drawn():
    ledger = plan_model(
        Recipe((Rule(scheme=normal(std=1e5)),)), [Parameter("ok", (3,)), Parameter("b", (3,))]
    )
    with pytest.raises(DtypeError) as caught:
        init_params(ledger, seed=0, dtype="float16")
    assert caught.value.__notes__ == ["parameter: ok"]
    with pytest.raises(SourceError, match="`seed` must be at least 0, got -1"):
        init_params(ledger, seed=-1)


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
    with pytest.raises(SourceError, match=r"`array` must have the plan's shape \(4,\), got \(3,\)"):
        measure(zero, np.zeros(3))


def test_measure_pools_blocks_of_different_laws():
    axes = Axes("in out", blocks={"out": (600, 100)})
    plan = resolve(he_normal(fan="out"), (500, 700), axes)
    found = measure(plan, draw(plan, NumpySource(0)))
    assert abs(found.mean_z) < 4
    assert abs(found.std_z) < 4
    expected = math.sqrt((600 * 2 / 600 + 100 * 2 / 100) / 700)
    assert found.std == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype="int32"), DtypeError, "`dtype` must be one of float64, .*, got 'int32'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=np.int64), DtypeError, "got 'int64'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=bool), DtypeError, "got 'bool'"),
        (lambda: init(zeros(), (3,), seed=0, path="w", dtype=np.longdouble), DtypeError, "got 'float128'"),
        (
            lambda: init(zeros(), (3,), seed=0, path="w", out=np.zeros(4, "float32")),
            SourceError,
            r"`out` must have the shape \(3,\), got \(4,\)",
        ),
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
        (lambda: init(zeros(), (3,), seed=0, path="w", out=[0, 0, 0]), SourceError, "`out` must be a writable array, got list"),
        (
            lambda: init(zeros(), (3,), seed=0, path="w", out=np.broadcast_to(np.float32(0), (3,))),
            SourceError,
            "`out` must be a writable array, got ndarray",
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
        f"import {init.__module__} as backend, {init.__module__.rpartition('.')[0]} as package\n"
        "backend.init(package.zeros(), (3,), seed=0, path='w')\n"
        "try: backend.init(package.zeros(), (3,), seed=0, path='w', dtype='bfloat16')\n"
        "except package.DtypeError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "`dtype` bfloat16 must have ml_dtypes installed, got none"
