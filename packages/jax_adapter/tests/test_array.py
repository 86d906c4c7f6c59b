"""One array: laws, dtypes, keys, transforms, shardings, errors."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fanwise_jax import JaxSource, init, init_model, initializer
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from scipy import stats

from fanwise import (
    Axes,
    AxesError,
    DtypeError,
    Fans,
    Recipe,
    Rule,
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
    layers,
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
    "truncated-mean": (
        truncated_normal(parent_mean=2.0, parent_std=0.5, low=-1, high=3),
        stats.truncnorm(-1, 3, loc=2, scale=0.5),
    ),
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


def p_value(array, law):
    return stats.kstest(np.asarray(array, dtype=np.float64).ravel(), law.cdf).pvalue


def shape_for(axes):
    return (8, 12) if len(axes.roles) == 2 else (3, 8, 12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAWS)
def test_values_follow_the_law(name, dtype, device, key, x64):
    """False-alarm rate: 1e-6 for each case, with a fixed seed."""
    scheme, law = LAWS[name]
    with x64(dtype == "float64"):
        array = initializer(scheme, IN_OUT)(key, SHAPE, dtype)
        assert array.dtype == dtype
        assert p_value(array, law) > 1e-6
        assert law.support()[0] <= array.min()
        assert array.max() <= law.support()[1]


def test_the_check_of_laws_sees_an_uncorrected_cut(key):
    """As `jax.nn.initializers.truncated_normal`, whose std is that before the cut."""
    native = jax.nn.initializers.truncated_normal(0.02)(key, SHAPE)
    assert p_value(native, truncated(0.02)) < 1e-6


def test_the_tail_of_a_normal_is_there(device, key):
    """JAX's float32 normal ends at 5.42; 2^27 draws have 8 beyond it, and 77 beyond 5."""
    far = 0
    for stream in jax.random.split(key, 8):
        drawn = jnp.abs(initializer(normal(std=1.0))(stream, (1 << 24,)))
        far += np.array([(drawn > 5).sum(), (drawn > 5.42).sum()])
    expected = (1 << 27) * 2 * stats.norm.sf([5, 5.42])
    assert (np.abs(far - expected) < 5 * np.sqrt(expected)).all()
    assert far[1] > 0


@pytest.mark.clause("dtypes/1")
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_float32_rounded_once(name, dtype, device, key):
    scheme, law = LAWS[name]
    wide, low = (np.asarray(initializer(scheme, IN_OUT)(key, SHAPE, d)) for d in ("float32", dtype))
    inside = (wide > law.ppf(0.01)) & (wide < law.ppf(0.99))  # bounds are rounded inward
    assert np.array_equal(low[inside], wide.astype(low.dtype)[inside])
    assert law.support()[0] <= low.astype(np.float64).min()
    assert low.astype(np.float64).max() <= law.support()[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_unbiased(dtype, device, key):
    """Mean within 4.5 standard errors of 4 million draws, and most values of the dtype there."""
    n = 4_000_000
    drawn = np.asarray(initializer(normal(std=1.0))(key, (n,), dtype)).astype(np.float64)
    assert abs(drawn.mean()) < 4.5 / math.sqrt(n)
    assert len(np.unique(drawn)) > 3_000


def test_the_check_of_bias_sees_jaxs(key):
    """The reference's D4: 128 values, and a mean of -0.011."""
    n = 4_000_000
    native = np.asarray(jax.nn.initializers.normal(1.0)(key, (n,), "bfloat16")).astype(np.float64)
    assert abs(native.mean()) > 4.5 / math.sqrt(n)
    assert len(np.unique(native)) == 128


@pytest.mark.clause("dtypes/3")
@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
)
def test_a_uniform_law_never_returns_its_upper_end(dtype, device, key):
    """In bfloat16, JAX returns 4.0 about once in 128."""
    drawn = initializer(uniform(low=3.0, high=4.0))(key, (1_000_000,), dtype).astype("float32")
    assert drawn.min() >= 3.0
    assert drawn.max() < 4.0


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_is_drawn(dtype, device, key):
    drawn = initializer(lecun_normal(), IN_OUT)(key, SHAPE, dtype).astype("float32")
    assert jnp.isfinite(drawn).all()
    assert float(drawn.std()) == pytest.approx(math.sqrt(1 / 200), rel=0.02)


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated"])
def test_complex_variance_is_of_the_modulus_and_the_phase_is_uniform(name, device, key):
    schemes = {
        "normal": normal(std=0.5),
        "uniform": uniform(bound=0.5 * math.sqrt(2)),
        "truncated": truncated_normal(std=0.5),
    }
    drawn = initializer(schemes[name])(key, SHAPE, "complex64")
    square = np.asarray(jnp.abs(drawn) ** 2, dtype=np.float64)
    assert square.mean() == pytest.approx(0.25, abs=4.5 * square.std() / math.sqrt(square.size))
    assert p_value(jnp.angle(drawn), centered(math.pi)) > 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
def test_orthogonal_in_every_dtype(shape, dtype, device, key):
    """JAX's raises in half precision."""
    drawn = np.asarray(initializer(orthogonal(), IN_OUT)(key, shape, dtype)).astype(np.complex128)
    matrix = drawn if shape[0] > shape[1] else drawn.T
    assert np.abs(matrix.conj().T @ matrix - np.eye(30)).max() < 8 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_of_every_implementation(impl):
    key = jax.random.key(3, impl=impl)
    assert p_value(initializer(normal(std=1.0))(key, SHAPE), stats.norm) > 1e-6
    first, second = (initializer(normal(std=1.0))(k, (50,)) for k in jax.random.split(key))
    assert not jnp.isin(first, second).any()


def test_a_legacy_key_is_the_same_key():
    typed, legacy = jax.random.key(3), jax.random.PRNGKey(3)
    init = initializer(orthogonal(), Axes("in out", blocks={"out": 3}))
    assert jnp.array_equal(init(typed, (8, 24)), init(legacy, (8, 24)))


def test_streams_of_a_key_are_independent(key):
    def drawn(*path):
        return in_subset(JaxSource(key, path))

    def in_subset(source):
        chosen = source.subsets(1, 1000, 500)[0]
        assert chosen.sum() == 500
        return chosen

    ranks = [
        drawn("a"),
        drawn("b"),
        drawn("a", "b"),
        in_subset(JaxSource(key).child("a").child("c")),
    ]
    correlations = np.corrcoef(np.stack([np.asarray(r) for r in ranks]))
    assert np.abs(correlations - np.eye(4)).max() < 5 / math.sqrt(1000)
    assert jnp.array_equal(drawn("a"), in_subset(JaxSource(key).child("a")))


@pytest.mark.parametrize("name", SCHEMES)
def test_jit_is_eager(name, key):
    scheme, axes = SCHEMES[name]
    init = initializer(scheme, axes)
    draw = functools.partial(init, shape=shape_for(axes))
    np.testing.assert_allclose(jax.jit(draw)(key), draw(key), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SCHEMES)
def test_ranks_are_not_promoted(name, key):
    scheme, axes = SCHEMES[name]
    with jax.numpy_rank_promotion("raise"):
        initializer(scheme, axes)(key, shape_for(axes))


@pytest.mark.parametrize("scheme", [he_normal(), orthogonal(), normal(std=1.0)], ids=str)
def test_of_an_empty_shape_nothing_is_drawn(scheme, key):
    assert initializer(scheme, Axes("in out"))(key, (0, 3)).shape == (0, 3)


def test_an_array_is_the_one_of_its_path_in_a_model(key):
    recipe = Recipe([Rule(normal(std=1.0), match="fc.w")])
    model, _ = init_model({"fc": {"w": jnp.zeros((4, 3))}}, recipe, key=key)
    array = init(normal(std=1.0), (4, 3), key=key, path="fc.w")
    assert jnp.array_equal(model["fc"]["w"], array)
    assert init(ones(), (2,), dtype="bfloat16").tolist() == [1, 1]
    with pytest.raises(SourceError, match="`key` must be a key"):
        init(normal(std=1.0), (4, 3))


def test_flax_hands_kernels_over_as_matrices(key):
    """`DenseGeneral` and attention flatten a kernel before it is initialized."""
    init = initializer(he_normal(), layers.flax.attention_projection())
    x = jnp.zeros((1, 5, 512))
    attention = nn.MultiHeadDotProductAttention(8, kernel_init=init)
    params = attention.init(key, x)["params"]
    assert float(params["query"]["kernel"].std()) == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    init = initializer(he_normal(), Axes("in out", blocks={"in": 4}))
    batched = nn.DenseGeneral(32, batch_dims=0, kernel_init=init)
    kernel = batched.init(key, jnp.zeros((4, 2, 64)))["params"]["kernel"]
    assert kernel.shape == (4, 64, 32)
    assert float(kernel.std()) == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    with pytest.raises(SourceError, match="must not have 'stack' for the flattened kernel"):
        initializer(he_normal(), layers.flax.dense_general(1, 1, batch=1))(key, (256, 32))


def test_a_complex_law_of_another_scale_is_not_compiled_again(key, caplog):
    with jax.log_compiles():
        for std in (0.1, 0.2, 0.3):
            initializer(truncated_normal(std=std))(key, (31,), "complex64")
    compiled = [r for r in caplog.records if "Finished XLA compilation" in r.message]
    assert len([r for r in compiled if "jit(_fill)" in r.message]) == 1


def test_each_device_of_an_explicit_mesh_draws_its_shard(key, caplog):
    """Nothing of the whole shape is computed before."""
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu"))
    with jax.set_mesh(mesh), jax.log_compiles():
        initializer(normal(std=1.0))(key, (52, 7), jnp.float32, P("x"))
    compiled = [r.message for r in caplog.records if "Finished XLA compilation" in r.message]
    assert len([message for message in compiled if "_normal" in message]) == 0
    assert len(compiled) >= 1


@pytest.mark.parametrize("name", SCHEMES)
def test_vmap_over_keys_is_a_loop(name, key):
    scheme, axes = SCHEMES[name]
    draw = functools.partial(initializer(scheme, axes), shape=shape_for(axes))
    keys = jax.random.split(key, 3)
    expected = jnp.stack([draw(k) for k in keys])
    np.testing.assert_allclose(jax.vmap(draw)(keys), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SCHEMES)
def test_eval_shape_draws_nothing(name, key):
    scheme, axes = SCHEMES[name]
    draw = functools.partial(initializer(scheme, axes), shape=shape_for(axes), dtype=jnp.bfloat16)
    found = jax.eval_shape(draw, key)
    assert (found.shape, found.dtype) == (shape_for(axes), jnp.bfloat16)


@pytest.mark.parametrize("name", SCHEMES)
def test_shard_map_draws_a_shard_by_a_key_of_its_own(name, key):
    scheme, axes = SCHEMES[name]
    draw = functools.partial(initializer(scheme, axes), shape=shape_for(axes))
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    keys = jax.random.split(key, 4)
    mapped = jax.shard_map(lambda k: draw(k[0])[None], mesh=mesh, in_specs=P("x"), out_specs=P("x"))
    expected = jnp.stack([draw(k) for k in keys])
    np.testing.assert_allclose(jax.jit(mapped)(keys), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.clause("randomness/1")
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("name", SCHEMES)
def test_sharded_arrays_have_the_same_values(name, kind, key):
    scheme, axes = SCHEMES[name]
    shape = shape_for(axes)
    init = initializer(scheme, axes)
    plain = init(key, shape)
    mesh = jax.make_mesh((4,), ("x",), axis_types=(kind,), devices=jax.devices("cpu"))
    spec = P(*[None] * (len(shape) - 1), "x")
    named = init(key, shape, jnp.float32, NamedSharding(mesh, spec))
    with jax.set_mesh(mesh):
        by_spec = init(key, shape, jnp.float32, spec)
        jitted = jax.jit(lambda key: init(key, shape, jnp.float32, out_sharding=spec))(key)
    for array in (named, by_spec, jitted):
        np.testing.assert_allclose(array, plain, rtol=1e-5, atol=1e-6)  # as the README says
        np.testing.assert_array_equal(array == 0, plain == 0)  # no pattern depends on rounding
        assert {s.data.shape for s in array.addressable_shards} == {(*shape[:-1], 3)}


def test_arrays_are_on_the_default_device(device):
    for scheme in (zeros(), normal(std=1.0), orthogonal()):
        array = initializer(scheme, IN_OUT)(jax.random.key(0), (4, 4))
        assert array.devices() == {device}
    other = jax.devices("cpu")[2]
    with jax.default_device(other):
        assert initializer(zeros())(jax.random.key(0), (4,)).devices() == {other}


@pytest.mark.clause("randomness/3")
def test_blocks_are_separate_parameters(key):
    fused = initializer(orthogonal(), Axes("in out", blocks={"out": 3}))(key, (8, 24))
    for block in np.split(np.asarray(fused), 3, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(8), atol=1e-5)


def test_initializers_are_data():
    one, other = (initializer(he_normal(), Axes("in out")) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert isinstance(one, jax.nn.initializers.Initializer)


def test_dtypes_default_to_the_initializers_and_then_to_jaxs(key, x64):
    assert initializer(zeros())(key, (2,)).dtype == jnp.float32
    assert initializer(zeros(), dtype=jnp.bfloat16)(key, (2,)).dtype == jnp.bfloat16
    assert initializer(zeros(), dtype=jnp.bfloat16)(key, (2,), jnp.float16).dtype == jnp.float16
    with x64(True):
        assert initializer(normal(std=1.0))(key, (2,)).dtype == jnp.float64
    with pytest.warns(UserWarning, match="float64"):
        assert initializer(normal(std=1.0))(key, (2,), "float64").dtype == jnp.float32


def test_a_bias_takes_the_fans_of_its_weight(key):
    init = initializer(lecun_uniform(gain=3**-0.5), fans=Fans(16, 5000))
    assert p_value(init(key, (5000,)), centered(0.25)) > 1e-6


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (), (1,), (0,)])
def test_shapes_of_no_or_one_element(shape, key):
    assert jnp.isfinite(initializer(normal(std=1.0))(key, shape)).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda k: initializer(he_normal())(k, (4, 3)), AxesError, "`axes` must be given"),
        (lambda k: initializer(he_normal(), Axes("in"))(k, (4, 3)), AxesError, "one role for each"),
        (lambda k: initializer(normal(std=math.nan))(k, (3,)), SchemeError, "got nan"),
        (lambda k: initializer(normal(std=1.0))(k, (3,), "int32"), DtypeError, "got int32"),
        (lambda k: initializer(normal(std=1e5))(k, (3,), "float16"), DtypeError, "float16"),
        (lambda k: initializer("he_normal")(k, (3,)), SchemeError, "scheme"),
        (lambda k: initializer(normal(std=1.0))(0, (3,)), SourceError, "must be a key.*got int"),
        (lambda k: initializer(normal(std=1.0))(None, (3,)), SourceError, "got NoneType"),
        (lambda k: initializer(normal(std=1.0))(jnp.zeros(2), (3,)), SourceError, "got float32 of"),
        (lambda k: initializer(normal(std=1.0))(jax.random.split(k), (3,)), SourceError,
         r"must be one key, got an array of shape \(2,\)"),
        (lambda k: initializer(normal(std=1.0))(k, (4,), jnp.float32, P("x")), SourceError,
         "must name a mesh"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, error, message, key):
    with pytest.raises(error, match=message):
        call(key)
    with pytest.raises(error, match=message):
        jax.eval_shape(lambda: call(jax.random.key(0)))


def test_schemes_without_randomness_ignore_the_key():
    assert jnp.array_equal(initializer(constant(value=2.0))(None, (2,)), jnp.full(2, 2.0))


@pytest.mark.clause("schemes/4")
def test_a_constant_array_broadcasts(key):
    values = jnp.asarray([[0.0, 1.0, 4.0], [2.0, 2.0, 3.0]])
    drawn = init(constant(value=values), (5, 2, 3), key=key)
    assert jnp.array_equal(drawn, jnp.broadcast_to(values, (5, 2, 3)))
    jitted = jax.jit(lambda key: init(constant(value=values.tolist()), (5, 2, 3), key=key))(key)
    assert jnp.array_equal(drawn, jitted)
