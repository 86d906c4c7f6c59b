"""One tensor: laws, dtypes, seeds, reuse, transforms, devices, errors."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import TfSource, init, init_, initializer
from scipy import stats
from tensorflow.experimental import dtensor

from fanwise import (
    Axes,
    AxesError,
    DtypeError,
    SchemeError,
    SourceError,
    by_block,
    constant,
    delta_orthogonal,
    dirac,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    lecun_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    sparse,
    truncated_normal,
    uniform,
    variance_scaling,
    zeros,
)
from fanwise.adapting import scheme_names

IN_OUT = Axes("in out")
SHAPE = (200, 300)


def truncated(std, low=-2.0, high=2.0):
    """Normal, cut at `low` and `high` of its own stds, with `std` afterwards."""
    return stats.truncnorm(low, high, scale=std / stats.truncnorm.std(low, high))


def centered(bound):
    return stats.uniform(-bound, 2 * bound)


LAWS = {
    "normal": (normal(std=0.02), stats.norm(0, 0.02)),
    "normal-mean": (normal(mean=3.0, std=2.0), stats.norm(3, 2)),
    "uniform": (uniform(low=-0.25, high=1.0), stats.uniform(-0.25, 1.25)),
    "truncated": (truncated_normal(std=0.02), truncated(0.02)),
    "truncated-skewed": (truncated_normal(std=0.1, low=-1, high=3), truncated(0.1, -1, 3)),
    "truncated-tail": (
        truncated_normal(parent_std=1.0, low=6.0, high=9.0, bounds="absolute"),
        stats.truncnorm(6, 9),
    ),
    "glorot_uniform": (glorot_uniform(), centered(math.sqrt(6 / 500))),
    "glorot_normal": (glorot_normal(), stats.norm(0, math.sqrt(2 / 500))),
    "he_uniform": (he_uniform(), centered(math.sqrt(6 / 200))),
    "he_normal-out": (he_normal(fan="out"), stats.norm(0, math.sqrt(2 / 300))),
    "lecun_uniform": (lecun_uniform(), centered(math.sqrt(3 / 200))),
    "variance_scaling": (
        variance_scaling(gain=math.sqrt(3), fan="geometric"),
        truncated(math.sqrt(3 / math.sqrt(200 * 300))),
    ),
}
SCHEMES = {
    "zeros": (zeros(), IN_OUT), "ones": (ones(), IN_OUT),
    "constant": (constant(value=0.1), IN_OUT), "normal": (normal(std=0.1), IN_OUT),
    "uniform": (uniform(bound=0.1), IN_OUT), "truncated_normal": (truncated_normal(std=0.1), IN_OUT),
    "truncated_normal-tail": (
        truncated_normal(parent_std=0.1, low=3.0, high=9.0), IN_OUT),
    "variance_scaling": (variance_scaling(fan="avg"), IN_OUT),
    "glorot_normal": (glorot_normal(), IN_OUT), "glorot_uniform": (glorot_uniform(), IN_OUT),
    "he_normal": (he_normal(), IN_OUT), "he_uniform": (he_uniform(), IN_OUT),
    "lecun_normal": (lecun_normal(), IN_OUT), "lecun_uniform": (lecun_uniform(), IN_OUT),
    "orthogonal": (orthogonal(), IN_OUT), "identity": (identity(), IN_OUT),
    "sparse": (sparse(sparsity=0.3, std=0.1), IN_OUT),
    "dirac": (dirac(), Axes("kernel in out")),
    "delta_orthogonal": (delta_orthogonal(), Axes("kernel in out")),
    "blocks": (orthogonal(), Axes("in out", blocks={"out": 2})),
    "by_block": (
        by_block(schemes=[orthogonal(), normal(std=0.1)]), Axes("in out", blocks={"out": 2})),
}  # fmt: skip


def test_every_scheme_is_tested():
    tested = {scheme.name for scheme, _ in (*LAWS.values(), *SCHEMES.values())}
    assert tested == set(scheme_names())


def p_value(tensor, law):
    return stats.kstest(np.asarray(tensor, dtype=np.float64).ravel(), law.cdf).pvalue


def shape_for(axes):
    return (8, 12) if len(axes.roles) == 2 else (3, 8, 12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAWS)
def test_values_follow_the_law(name, dtype, device):
    """False-alarm rate: 1e-6 for each case, with a fixed seed."""
    scheme, law = LAWS[name]
    drawn = initializer(scheme, IN_OUT, seed=7, path="w")(SHAPE, dtype).numpy()
    assert drawn.dtype == dtype
    assert p_value(drawn, law) > 1e-6
    assert law.support()[0] <= drawn.min()
    assert drawn.max() <= law.support()[1]


def test_the_check_of_laws_sees_an_uncorrected_cut():
    """As `keras.initializers.TruncatedNormal`, whose std is that before the cut."""
    native = keras.initializers.TruncatedNormal(stddev=0.02, seed=1)(SHAPE)
    assert p_value(native, truncated(0.02)) < 1e-6


@pytest.mark.clause("dtypes/1")
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_float32_rounded_once(name, dtype, device):
    scheme, law = LAWS[name]
    wide, low = (
        initializer(scheme, IN_OUT, seed=1, path="w")(SHAPE, d).numpy() for d in ("float32", dtype)
    )
    inside = (wide > law.ppf(0.01)) & (wide < law.ppf(0.99))  # bounds are rounded inward
    assert np.array_equal(low[inside], wide.astype(low.dtype)[inside])
    assert law.support()[0] <= low.astype(np.float64).min()
    assert low.astype(np.float64).max() <= law.support()[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_unbiased(dtype, device):
    """Mean within 4.5 standard errors of 4 million draws."""
    n = 4_000_000
    drawn = (
        initializer(uniform(bound=1.0), seed=0, path="w")((n,), dtype).numpy().astype(np.float64)
    )
    assert abs(drawn.mean()) < 4.5 / math.sqrt(3 * n)
    assert len(np.unique(drawn)) > 3_000


def test_the_check_of_bias_sees_keras():
    """128 values, and a mean of 138 standard errors at 10^8 (the reference's figures)."""
    n = 4_000_000
    native = keras.initializers.RandomUniform(-1, 1, seed=1)((n,), "bfloat16").numpy()
    values = native.astype(np.float64)
    assert abs(values.mean()) > 4.5 / math.sqrt(3 * n)
    assert len(np.unique(values)) <= 256


@pytest.mark.clause("dtypes/3")
@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
)
def test_a_uniform_law_never_returns_its_upper_end(dtype, device):
    """In bfloat16, Keras returns 4.0 about once in 128."""
    drawn = tf.cast(
        initializer(uniform(low=3.0, high=4.0), seed=0, path="w")((1_000_000,), dtype), tf.float32
    )
    assert drawn.numpy().min() >= 3.0
    assert drawn.numpy().max() < 4.0


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated"])
def test_complex_variance_is_of_the_modulus_and_the_phase_is_uniform(name, device):
    schemes = {
        "normal": normal(std=0.5),
        "uniform": uniform(bound=0.5 * math.sqrt(2)),
        "truncated": truncated_normal(std=0.5),
    }
    drawn = initializer(schemes[name], seed=3, path="w")(SHAPE, "complex64").numpy()
    square = np.abs(drawn).astype(np.float64) ** 2
    assert square.mean() == pytest.approx(0.25, abs=4.5 * square.std() / math.sqrt(square.size))
    assert p_value(np.angle(drawn), centered(math.pi)) > 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
def test_orthogonal_in_every_dtype(shape, dtype, device):
    """Keras' raises in bfloat16."""
    drawn = tf.cast(
        initializer(orthogonal(), IN_OUT, seed=0, path="w")(shape, dtype), tf.complex128
    ).numpy()
    matrix = drawn if shape[0] > shape[1] else drawn.T
    eps = {"float16": 2**-10, "bfloat16": 2**-7}.get(dtype, 2**-23)
    assert np.abs(matrix.conj().T @ matrix - np.eye(30)).max() < 8 * eps


def test_global_state_is_left_alone():
    tf.random.set_seed(1)
    expected = tf.random.normal((4,)).numpy()
    tf.random.set_seed(1)
    generator = tf.random.get_global_generator()
    state = generator.state.numpy()
    for scheme, axes in SCHEMES.values():
        initializer(scheme, axes, seed=0, path="w")(shape_for(axes))
    assert np.array_equal(tf.random.normal((4,)).numpy(), expected)
    assert np.array_equal(generator.state.numpy(), state)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_function_draws_what_eager_does(name, jit_compile):
    scheme, axes = SCHEMES[name]
    seed = tf.constant([3, -4])  # of any sign

    @tf.function(jit_compile=jit_compile)
    def draw(seed):
        return initializer(scheme, axes, seed=seed, path="w")(shape_for(axes))

    expected = initializer(scheme, axes, seed=seed, path="w")(shape_for(axes))
    np.testing.assert_allclose(draw(seed).numpy(), expected.numpy(), rtol=2e-5, atol=2e-6)


TAILS = {
    "normal": (normal(std=1.0), stats.norm),
    "truncated": (truncated_normal(parent_std=1.0, low=-9.0, high=9.0), stats.norm),
    "cut": (truncated_normal(parent_std=1.0), stats.truncnorm(-2, 2)),
}


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", TAILS)
def test_tails_have_the_mass_of_the_law(name, jit_compile):
    """Counts beyond quantiles are binomial; false-alarm rate 1e-6 for each case, fixed seeds."""
    scheme, law = TAILS[name]
    n = 10_000_000
    seeds = tf.constant([[1, 2], [3, 4]], tf.int64)
    function = tf.function(
        lambda seed: initializer(scheme, seed=seed, path="w")((n,)), jit_compile=jit_compile
    )
    drawn = np.concatenate([function(seed).numpy() for seed in seeds])
    assert np.isfinite(drawn).all()
    for share in (1e-2, 1e-4, 1e-6):
        for count in ((drawn < law.ppf(share)).sum(), (drawn > law.isf(share)).sum()):
            assert stats.binomtest(int(count), drawn.size, share).pvalue > 1e-6 / 6


def test_the_check_of_tails_sees_ndtri():
    """Compiled by XLA, it is infinite from -5.2 on, and 1e-3 off at -4.9 (TensorFlow 2.21)."""
    p = tf.constant([stats.norm.cdf(-4.9), stats.norm.cdf(-5.6)], tf.float32)
    near, far = tf.function(tf.math.ndtri, jit_compile=True, autograph=False)(p).numpy()
    assert abs(near + 4.9) > 5e-4
    assert not np.isfinite(far)


def test_a_model_may_be_built_within_a_function():
    init = initializer(he_normal(), IN_OUT, seed=0, path="w")
    drawn = tf.function(lambda: init((8, 8)))()
    assert np.array_equal(drawn.numpy(), init((8, 8)).numpy())


def test_tensors_are_where_tf_device_says(device):
    for scheme in (zeros(), normal(std=1.0), orthogonal()):
        assert f"{device}:0" in initializer(scheme, IN_OUT, seed=0, path="w")((4, 4)).device
    with tf.device("CPU:1"):
        assert "CPU:1" in initializer(normal(std=1.0), seed=0, path="w")((4,)).device


def test_a_layout_is_honoured():
    mesh = dtensor.create_mesh([("x", 2)], devices=["CPU:0", "CPU:1"])
    layout = dtensor.Layout(["x", dtensor.UNSHARDED], mesh)
    init = initializer(orthogonal(), IN_OUT, seed=0, path="w")
    parts = dtensor.unpack(init((8, 6), layout=layout))
    assert [part.shape for part in parts] == [(4, 6)] * 2
    assert np.array_equal(np.concatenate([p.numpy() for p in parts]), init((8, 6)).numpy())
    of_keras = keras.distribution.TensorLayout(
        ("x", None), keras.distribution.DeviceMesh((2,), ("x",), ["cpu:0", "cpu:1"])
    )
    with pytest.MonkeyPatch.context() as patch:  # Keras makes its own of a mesh of all devices
        patch.setattr(type(of_keras), "backend_layout", layout)
        assert [p.shape for p in dtensor.unpack(init((8, 6), layout=of_keras))] == [(4, 6)] * 2


@pytest.mark.clause("randomness/3")
def test_blocks_are_separate_parameters():
    axes = Axes("in out", blocks={"out": 3})
    fused = initializer(orthogonal(), axes, seed=1, path="w")((8, 24)).numpy()
    for i, block in enumerate(np.split(fused, 3, axis=1)):
        alone = initializer(orthogonal(), IN_OUT, seed=1, path=f"w.{i}")((8, 8)).numpy()
        np.testing.assert_allclose(block, alone, atol=1e-6)


def test_the_default_dtype_is_keras():
    assert initializer(normal(std=1.0), seed=0, path="w")((2,)).dtype == keras.config.floatx()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (), (1,), (0,)])
def test_shapes_of_no_or_one_element(shape):
    drawn = initializer(normal(std=1.0), seed=0, path="w")(shape).numpy()
    assert drawn.shape == shape
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: initializer(he_normal(), seed=0, path="w")((4, 3)), AxesError, "`axes` must be given"),
        (lambda: initializer(he_normal(), Axes("in"), seed=0, path="w")((4, 3)), AxesError, "one role"),
        (lambda: initializer(normal(std=1.0)), SourceError, "`seed` or `rng` must be given to draw normal"),
        (lambda: initializer(normal(std=1.0), seed=-1, path="w"), SourceError, "got -1"),
        (lambda: initializer(normal(std=1.0), seed=2**64, path="w"), SourceError, "got 18446744073709551616"),
        (lambda: initializer(normal(std=1.0), seed=True, path="w"), SourceError, "got True"),
        (lambda: initializer(normal(std=1.0), seed="7", path="w"), SourceError, "got '7'"),
        (lambda: initializer(normal(std=1.0), seed=0)((3,)), SourceError, "`path` must come with a seed where no variable is made"),
        (lambda: init(normal(std=1.0), (3,), seed=0), SourceError, "`path` must come with a seed"),
        (lambda: init(zeros(), (3,), path="w"), SourceError, "`path` must come with a seed"),
        (lambda: init_(3, zeros()), SourceError, "`variable` must be a variable, got int"),
        (lambda: initializer(normal(std=1.0), seed=0, rng=keras.random.SeedGenerator(1)), SourceError, "one of `seed` and `rng`"),
        (lambda: initializer(normal(std=1.0), rng=7), SourceError, "`rng` must be a tf.random.Generator or"),
        (lambda: initializer(normal(std=1.0), seed=0, path="a..b"), SourceError, "`path`"),
        (lambda: initializer(normal(std=math.nan), seed=0, path="w"), SchemeError, "got nan"),
        (lambda: initializer(normal(std=1.0), seed=0, path="w")((3,), "int32"), DtypeError, "got int32"),
        (lambda: initializer(normal(std=1e5), seed=0, path="w")((3,), "float16"), DtypeError, "float16"),
        (lambda: TfSource(tf.constant([1, 2, 3])), SourceError, r"tensor of two integers"),
        (lambda: initializer(normal(std=1.0), seed=np.array([1, 2]), path="w"), SourceError, "whole number"),
        (lambda: initializer(normal(std=1.0), seed=tf.constant([1.0, 2.0]), path="w"), SourceError, "two integers"),
        (lambda: initializer(normal(std=1.0), seed=keras.random.SeedGenerator(1), path="w"), SourceError,
         "whole number"),
        (lambda: initializer(normal(std=1.0), seed=0, path="w")((3,), layout="x"), SourceError, "`layout` must be"),
        (lambda: initializer(normal(std=1e-39), seed=0, path="w")((3,)), DtypeError, "normal numbers"),
        (lambda: tf.function(lambda seed: initializer(normal(std=1.0), seed=seed, path="w").get_config())(
            tf.constant([1, 2])), SourceError, "must have a value"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_float8_is_drawn():
    drawn = initializer(lecun_normal(), IN_OUT, seed=0, path="w")(SHAPE, "float8_e4m3fn")
    values = tf.cast(drawn, tf.float32).numpy()
    assert np.isfinite(values).all()
    assert values.std() == pytest.approx(math.sqrt(1 / 200), rel=0.02)


def test_a_variable_is_initialized_in_place():
    for variable in (tf.Variable(tf.zeros((4, 3))), keras.Variable(np.zeros((4, 3), "float32"))):
        assert init_(variable, he_normal(), IN_OUT, seed=0, path="w") is variable
        expected = init(he_normal(), (4, 3), IN_OUT, seed=0, path="w")
        assert np.array_equal(variable.numpy(), expected.numpy())


def test_of_an_empty_shape_nothing_is_drawn():
    for scheme in (he_normal(), orthogonal()):
        assert init(scheme, (0, 3), IN_OUT, seed=0, path="w").shape == (0, 3)


@pytest.mark.clause("schemes/4")
def test_a_constant_array_broadcasts():
    values = np.asarray([[0.0, 1.0, 4.0], [2.0, 2.0, 3.0]], "float32")
    drawn = init(constant(value=values), (5, 2, 3), seed=0, path="w")
    assert np.array_equal(drawn.numpy(), np.broadcast_to(values, (5, 2, 3)))
