"""Axes and kinds from layer types: Equinox's, Flax's, Haiku's and one's own."""

import functools
import math

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fanwise_jax import declare, init_model, plan_model, trace_declarations
from flax import nnx

from fanwise import (
    Axes,
    Declaration,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    he_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    zeros,
)

KEY = jax.random.key(5)


@pytest.fixture(autouse=True)
def unoptimized():
    """What is drawn is asked here, for many shapes; to optimize each program takes most time."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


EVERY = Recipe(
    (
        Rule(zeros(), kind="bias", optional=True),
        Rule(ones(), kind="norm_scale", optional=True),
        Rule(normal(std=0.02), kind="embedding", optional=True),
        Rule(ones(), kind="slope", optional=True),
        Rule(he_normal(), optional=True),
    )
)
HE = Recipe((Rule(zeros(), kind="bias"), Rule(he_normal())))


def fans(ledger, path):
    """Fans of each block of a parameter."""
    (entry,) = (e for e in ledger.entries if e.path == path)
    return [(part.fans.fan_in, part.fans.fan_out) for part in entry.plan.parts]


EQUINOX = [
    (lambda k: eqx.nn.Linear(7, 3, key=k), "weight", [(7, 3)]),
    (lambda k: eqx.nn.Conv2d(8, 12, 3, groups=4, key=k), "weight", [(18, 27)]),
    (lambda k: eqx.nn.Conv1d(4, 6, 4, stride=2, key=k), "weight", [(16, 12)]),
    (lambda k: eqx.nn.ConvTranspose2d(8, 4, 4, stride=2, key=k), "weight", [(32, 64)]),
    (lambda k: eqx.nn.ConvTranspose1d(8, 4, 3, groups=2, key=k), "weight", [(12, 6)]),
    (lambda k: eqx.nn.Embedding(100, 16, key=k), "weight", [(1, 16)]),
    (lambda k: eqx.nn.LSTMCell(5, 6, key=k), "weight_ih", [(5, 6)] * 4),
    (lambda k: eqx.nn.GRUCell(5, 6, key=k), "weight_hh", [(6, 6)] * 3),
    (lambda k: eqx.nn.MultiheadAttention(2, 8, key=k), "query_proj.weight", [(8, 8)]),
    (lambda k: eqx.nn.MLP(5, 2, 9, 2, key=k), "layers.1.weight", [(9, 9)]),
    (lambda k: eqx.filter_vmap(lambda k: eqx.nn.Linear(7, 3, key=k))(jax.random.split(k, 5)),
     "weight", [(7, 3)]),
]  # fmt: skip
NNX = [
    (lambda r: nnx.Linear(7, 3, rngs=r), "kernel", [(7, 3)]),
    (lambda r: nnx.LinearGeneral((2, 7), (3, 4), axis=(-2, -1), rngs=r), "kernel", [(14, 12)]),
    (lambda r: nnx.LinearGeneral(7, 3, batch_axis={0: 8}, rngs=r), "kernel", [(7, 3)]),
    (lambda r: nnx.Einsum("td,hdk->htk", (2, 5, 3), rngs=r), "kernel", [(5, 6)]),
    (lambda r: nnx.Conv(8, 12, (3, 3), feature_group_count=4, rngs=r), "kernel", [(18, 27)]),
    (lambda r: nnx.Conv(4, 4, (4, 4), strides=2, rngs=r), "kernel", [(64, 16)]),
    (lambda r: nnx.ConvTranspose(8, 4, (4, 4), strides=2, rngs=r), "kernel", [(32, 64)]),
    (lambda r: nnx.ConvTranspose(8, 4, (3,), transpose_kernel=True, rngs=r), "kernel", [(24, 12)]),
    (lambda r: nnx.Embed(100, 16, rngs=r), "embedding", [(1, 16)]),
    (lambda r: nnx.MultiHeadAttention(2, 8, decode=False, rngs=r), "query.kernel", [(8, 8)]),
    (lambda r: nnx.MultiHeadAttention(2, 8, decode=False, rngs=r), "out.kernel", [(8, 8)]),
    (lambda r: nnx.LSTMCell(5, 6, rngs=r), "ii.kernel", [(5, 6)]),
    (lambda r: nnx.OptimizedLSTMCell(5, 6, rngs=r), "dense_h.kernel", [(6, 6)] * 4),
    (lambda r: nnx.GRUCell(5, 6, rngs=r), "dense_i.kernel", [(5, 6)] * 3),
    (lambda r: nnx.LoRA(7, 2, 3, rngs=r), "lora_a", [(7, 2)]),
    (lambda r: nnx.vmap(lambda k: nnx.Linear(7, 3, rngs=nnx.Rngs(k)))(jax.random.split(KEY, 5)),
     "kernel", [(7, 3)]),
]  # fmt: skip
LINEN = [
    (nn.Dense(3), (2, 7), "params.kernel", [(7, 3)]),
    (nn.DenseGeneral((3, 4), axis=(-2, -1)), (5, 2, 7), "params.kernel", [(14, 12)]),
    (nn.DenseGeneral(3, batch_dims=0, axis=-1), (8, 2, 7), "params.kernel", [(7, 3)]),
    (nn.Einsum((5, 6, 7), "abc,cde->abde"), (2, 3, 5), "params.kernel", [(5, 42)]),
    (nn.Conv(12, (3, 3), feature_group_count=4), (1, 9, 9, 8), "params.kernel", [(18, 27)]),
    (nn.Conv(4, (4, 4), strides=2), (1, 8, 8, 4), "params.kernel", [(64, 16)]),
    (nn.ConvLocal(4, (3,)), (1, 9, 2), "params.kernel", [(6, 4)]),
    (nn.ConvTranspose(4, (4, 4), strides=(2, 2)), (1, 8, 8, 8), "params.kernel", [(32, 64)]),
    (nn.ConvTranspose(4, (3,), transpose_kernel=True), (1, 8, 8), "params.kernel", [(24, 12)]),
    (nn.Embed(100, 16), None, "params.embedding", [(1, 16)]),
    (nn.MultiHeadDotProductAttention(2), (1, 4, 8), "params.query.kernel", [(8, 8)]),
    (nn.MultiHeadDotProductAttention(2), (1, 4, 8), "params.out.kernel", [(8, 8)]),
    (nn.RNN(nn.LSTMCell(6)), (1, 4, 5), "params.cell.ii.kernel", [(5, 6)]),
    (nn.RNN(nn.OptimizedLSTMCell(6)), (1, 4, 5), "params.cell.hf.kernel", [(6, 6)]),
    (nn.RNN(nn.GRUCell(6)), (1, 4, 5), "params.cell.hn.kernel", [(6, 6)]),
    (nn.RNN(nn.ConvLSTMCell(6, (3,))), (1, 4, 9, 5), "params.cell.ih.kernel", [(15, 18)] * 4),
]
HAIKU = [
    (lambda x: hk.Linear(3)(x), (2, 7), "linear.w", [(7, 3)]),
    (lambda x: hk.Conv2D(12, 3, feature_group_count=4)(x), (1, 9, 9, 8), "conv2_d.w", [(18, 27)]),
    (lambda x: hk.Conv2DTranspose(4, 4, 2)(x), (1, 8, 8, 8), "conv2_d_transpose.w", [(32, 64)]),
    (lambda x: hk.DepthwiseConv2D(2, 3)(x), (1, 8, 8, 4), "depthwise_conv2_d.w", [(9, 18)]),
    (lambda x: hk.Embed(100, 16)(x.astype(int)), (3,), "embed.embeddings", [(1, 16)]),
    (lambda x: hk.LSTM(6)(x, hk.LSTM(6).initial_state(2)), (2, 5), "lstm/linear.w", [(11, 6)] * 4),
    (lambda x: hk.GRU(6)(x, hk.GRU(6).initial_state(2)), (2, 5), "gru.w_i", [(5, 6)] * 3),
    (lambda x: hk.nets.MLP([9, 2])(x), (2, 5), "mlp/~/linear_1.w", [(9, 2)]),
    (lambda x: hk.MultiHeadAttention(2, 4, w_init=jnp.zeros)(x, x, x), (3, 8),
     "multi_head_attention/query.w", [(8, 8)]),
]  # fmt: skip


@pytest.mark.clause("fans/1", "fans/2", "fans/3", "fans/4")
@pytest.mark.parametrize(("make", "path", "expected"), EQUINOX)
def test_axes_are_those_of_equinoxs_layers(make, path, expected):
    assert fans(plan_model(make(KEY), EVERY), path) == expected
    assert fans(plan_model(eqx.filter_eval_shape(make, KEY), EVERY), path) == expected


@pytest.mark.parametrize(("make", "path", "expected"), NNX)
def test_axes_are_those_of_nnxs_layers(make, path, expected):
    assert fans(plan_model(make(nnx.Rngs(0)), EVERY), path) == expected
    assert fans(plan_model(nnx.eval_shape(lambda: make(nnx.Rngs(0))), EVERY), path) == expected


@pytest.mark.parametrize(("model", "shape", "path", "expected"), LINEN)
def test_axes_are_those_of_linens_layers(model, shape, path, expected):
    x = jnp.zeros((2, 3), int) if shape is None else jnp.zeros(shape)
    shapes = jax.eval_shape(model.init, KEY, x)
    declarations = trace_declarations(model, x)
    ledger = plan_model(shapes, EVERY, declarations=declarations)
    assert fans(ledger, path) == expected


@pytest.mark.parametrize(("function", "shape", "path", "expected"), HAIKU)
def test_axes_are_those_of_haikus_layers(function, shape, path, expected):
    model = hk.transform(function)
    x = jnp.zeros(shape)
    shapes = jax.eval_shape(model.init, KEY, x)
    declarations = trace_declarations(model, x)
    ledger = plan_model(shapes, EVERY, declarations=declarations)
    assert fans(ledger, path) == expected
    stateful = hk.transform_with_state(function)
    assert trace_declarations(stateful, x) == trace_declarations(model, x)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return nn.LayerNorm()(x + nn.Dense(8)(x)), None


@pytest.mark.parametrize("axis", [0, 1])
def test_layers_that_linen_scans_are_stacked_where_it_stacks_them(axis):
    model = nn.scan(Block, variable_axes={"params": axis}, split_rngs={"params": True}, length=3)()
    x = jnp.zeros((2, 8))
    shapes = jax.eval_shape(model.init, KEY, x, None)
    declarations = trace_declarations(model, x, None)
    roles = ["in", "out"]
    roles.insert(axis, "stack")
    assert declarations["params.Dense_0.kernel"].axes == Axes(" ".join(roles))
    recipe = Recipe((Rule(zeros(), kind="bias"), Rule(ones(), kind="norm_scale"),
                     Rule(orthogonal())))  # fmt: skip
    params, _ = init_model(shapes, recipe, key=KEY, declarations=declarations)
    for matrix in np.moveaxis(np.asarray(params["params"]["Dense_0"]["kernel"]), axis, 0):
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-5)


def test_a_scan_whose_layers_are_as_many_as_units_is_as_its_biases_say():
    """The kernel, of shape (8, 8, 8), may be stacked along any axis; the bias of norms may not."""

    class Uneven(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.Dense(8)(nn.Dense(3)(x)), None

    model = nn.scan(Uneven, variable_axes={"params": 1}, split_rngs={"params": True}, length=8)()
    declarations = trace_declarations(model, jnp.zeros((2, 8)), None)
    assert declarations["params.Dense_0.kernel"].axes == Axes("in stack out")
    assert declarations["params.Dense_1.bias"].axes == Axes("out stack")


def test_a_stack_of_partitioned_kernels_is_seen():
    class Partitioned(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            init = nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "out"))
            return nn.Dense(8, kernel_init=init)(x), None

    model = nn.scan(Partitioned, variable_axes={"params": 1}, split_rngs={"params": True}, length=3,
                    metadata_params={nn.PARTITION_NAME: "layers"})()  # fmt: skip
    declarations = trace_declarations(model, jnp.zeros((2, 8)), None)
    assert declarations["params.Dense_0.kernel"].axes == Axes("in stack out")


def test_an_axis_of_a_partitioned_stack_is_known_by_its_name():
    """Where sizes leave a choice."""

    class Square(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            init = nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "out"))
            return nn.Dense(8, use_bias=False, kernel_init=init)(x), None

    model = nn.scan(Square, variable_axes={"params": 1}, split_rngs={"params": True}, length=8,
                    metadata_params={nn.PARTITION_NAME: "layers"})()  # fmt: skip
    declarations = trace_declarations(model, jnp.zeros((2, 8)), None)
    assert declarations["params.Dense_0.kernel"].axes == Axes("in stack out")


def test_a_stack_that_may_be_along_one_axis_or_another_is_not_guessed():
    class Square(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.Dense(8, use_bias=False)(x), None

    class Two(nn.Module):
        """The stack of the second, which is known, says nothing of the first."""

        @nn.compact
        def __call__(self, x):
            options = {"split_rngs": {"params": True}}
            x, _ = nn.scan(Square, variable_axes={"params": 0}, length=8, **options)()(x, None)
            x, _ = nn.scan(Block, variable_axes={"params": 1}, length=3, **options)()(x, None)
            return x

    declarations = trace_declarations(Two(), jnp.zeros((2, 8)))
    assert declarations["params.ScanSquare_0.Dense_0.kernel"].axes is None
    assert declarations["params.ScanBlock_0.Dense_0.kernel"].axes == Axes("in stack out")
    keys = jax.random.split(KEY, 8)
    for model in (
        nnx.vmap(lambda k: nnx.Linear(8, 8, use_bias=False, rngs=nnx.Rngs(k)))(keys),
        eqx.filter_vmap(lambda k: eqx.nn.Linear(8, 8, use_bias=False, key=k))(keys),
    ):
        with pytest.raises(ValueError, match="`axes` must be given"):
            plan_model(model, Recipe(HE.rules[1:]))


@pytest.mark.parametrize(
    ("make", "path", "expected"),
    [
        (lambda r: nnx.Linear(4, 8, rngs=r), "kernel", [(4, 8)]),
        (lambda r: nnx.GRUCell(5, 6, rngs=r), "dense_i.kernel", [(5, 6)] * 3),
        (lambda r: nnx.OptimizedLSTMCell(5, 6, rngs=r), "dense_i.kernel", [(5, 6)] * 4),
        (lambda r: nnx.Embed(100, 16, rngs=r), "embedding", [(1, 16)]),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_layers_of_nnx_are_stacked_where_they_are(make, path, expected, axis):
    @nnx.vmap(in_axes=0, out_axes=nnx.StateAxes({nnx.Param: axis, ...: 0}))
    def stacked(key):
        return make(nnx.Rngs(key))

    ledger = plan_model(stacked(jax.random.split(KEY, 3)), EVERY)
    assert fans(ledger, path) == expected
    (entry,) = (e for e in ledger.entries if e.path == path)
    assert entry.plan.axes.roles[axis] == "stack"


@pytest.mark.parametrize(
    ("make", "path", "expected"),
    [
        (lambda k: eqx.nn.Linear(5, 7, key=k), "weight", [(5, 7)]),
        (lambda k: eqx.nn.Linear("scalar", 7, key=k), "weight", [(1, 7)]),
        (lambda k: eqx.nn.Conv1d(8, 12, 5, groups=4, key=k), "weight", [(10, 15)]),
        (lambda k: eqx.nn.ConvTranspose2d(8, 4, 4, stride=2, key=k), "weight", [(32, 64)]),
        (lambda k: eqx.nn.GRUCell(5, 6, key=k), "weight_ih", [(5, 6)] * 3),
        (lambda k: eqx.nn.Embedding(100, 16, key=k), "weight", [(1, 16)]),
    ],
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_layers_of_equinox_are_stacked_where_they_are(make, path, expected, axis):
    keys = jax.random.split(KEY, 3)
    stacked = eqx.filter_vmap(make, out_axes=eqx.if_array(axis if axis == 0 else 1))(keys)
    if axis == -1:
        stacked = eqx.filter_vmap(
            lambda k: eqx.filter(make(k), lambda x: eqx.is_array(x) and x.ndim > 1), out_axes=-1
        )(keys)
    ledger = plan_model(stacked, EVERY)
    assert fans(ledger, path) == expected


def test_layers_that_haiku_stacks_are_known():
    model = hk.transform(lambda x: hk.layer_stack(3)(lambda x: hk.Linear(4)(x))(x))
    declarations = trace_declarations(model, jnp.zeros((2, 4)))
    assert declarations["__layer_stack_no_per_layer/linear.w"].axes == Axes("stack in out")
    assert declarations["__layer_stack_no_per_layer/linear.b"].kind == "bias"


def test_names_within_a_lifted_function_of_haiku_are_its_own():
    def function(x):
        def block(x):
            x = hk.layer_stack(2, name="inner")(
                lambda x: hk.Conv1D(4, 3, feature_group_count=2)(x)
            )(x)
            return hk.Linear(4)(x)

        x = hk.layer_stack(3, name="outer")(block)(x)
        return hk.Conv1D(4, 3)(x)

    declarations = trace_declarations(hk.transform(function), jnp.zeros((2, 5, 4)))
    grouped = declarations["outer/inner/conv1_d.w"].axes
    assert grouped == Axes("stack stack kernel in out", groups=2, stride=(1,))
    assert declarations["outer/linear.b"].fans_of == "w"
    assert declarations["conv1_d.w"].axes == Axes("kernel in out", stride=(1,))


def test_a_transparent_lift_of_haiku_adds_nothing_to_names():
    class Named(hk.Module):
        prefix_name = "no lift"

        def __call__(self, x):
            return hk.Linear(3)(x)

    def function(x):
        inner = hk.transform(lambda x: hk.Linear(4)(x))
        hk.transparent_lift(inner.init)(hk.next_rng_key(), x)
        return Named()(x)

    declarations = trace_declarations(hk.transform(function), jnp.zeros((2, 4)))
    assert declarations["linear.b"].kind == "bias"
    assert declarations["named/linear.w"].axes == Axes("in out")


def test_a_change_of_low_rank_starts_at_none():
    """Hu et al. (2021), arXiv:2106.09685, section 4.1: the second factor is zero."""
    for model in (nnx.LoRA(7, 2, 3, rngs=nnx.Rngs(0)),
                  nnx.eval_shape(lambda: nnx.LoRA(7, 2, 3, rngs=nnx.Rngs(0)))):  # fmt: skip
        new, _ = init_model(model, EVERY, key=KEY)
        assert new.lora_a[...].any()
        assert not new.lora_b[...].any()


def effective(weight, scale, axes):
    """Salimans and Kingma (2016), arXiv:1602.07868, eq. 2, of norms along `axes`."""
    return weight * scale / jnp.sqrt((weight**2).sum(axes, keepdims=True))


def equinox_weight_norm(make=lambda key: eqx.nn.Linear(256, 256, key=key), axis=0):
    new, ledger = init_model(eqx.nn.WeightNorm(make(KEY), axis=axis), EVERY, key=KEY)
    others = tuple(i for i in range(new.layer.weight.ndim) if i != axis)
    return new.layer.weight, effective(new.layer.weight, new.g, others), ledger


def stacked_equinox_weight_norm():
    make = eqx.filter_vmap(lambda key: eqx.nn.WeightNorm(eqx.nn.Linear(256, 256, key=key)))
    new, ledger = init_model(make(jax.random.split(KEY, 3)), EVERY, key=KEY)
    return new.layer.weight, effective(new.layer.weight, new.g, (2,)), ledger


def nnx_weight_norm():
    model = nnx.WeightNorm(nnx.Linear(256, 256, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    new, ledger = init_model(model, EVERY, key=KEY)
    drawn = new.layer_instance.kernel[...]
    new(jnp.ones((1, 256)))  # writes the weight that it computes
    return drawn, new.layer_instance.kernel[...], ledger


def linen_weight_norm():
    class Normalized(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.WeightNorm(nn.Dense(256))(x)

    x = jnp.ones((1, 256))
    declarations = trace_declarations(Normalized(), x)
    shapes = jax.eval_shape(Normalized().init, KEY, x)
    new, ledger = init_model(shapes, EVERY, key=KEY, declarations=declarations)
    scale = new["params"]["WeightNorm_0"]["Dense_0/kernel/scale"]
    drawn = new["params"]["Dense_0"]["kernel"]
    return drawn, effective(drawn, scale, (0,)), ledger


@pytest.mark.clause("recipes/11")
@pytest.mark.parametrize(
    "make",
    [
        equinox_weight_norm,
        functools.partial(equinox_weight_norm, axis=None),
        functools.partial(equinox_weight_norm, axis=1),
        functools.partial(
            equinox_weight_norm, lambda key: eqx.nn.Conv2d(64, 128, 3, groups=4, key=key)
        ),
        stacked_equinox_weight_norm,
        nnx_weight_norm,
        linen_weight_norm,
    ],
)
def test_the_effective_weight_of_a_weight_norm_is_what_the_ledger_says(make):
    if make is nnx_weight_norm and not hasattr(nnx, "WeightNorm"):
        pytest.skip("Flax 0.12.0 has no nnx.WeightNorm")
    drawn, computed, ledger = make()
    np.testing.assert_allclose(computed, drawn, rtol=1e-5, atol=1e-7)
    assert sorted({entry.status for entry in ledger.entries}) == ["derived", "initialized"]


def test_shapes_that_nnx_cannot_fill_are_an_error():
    """Flax 0.12.8: `nnx.WeightNorm` has its scales in no variable, and `nnx.split` keeps shapes."""
    if not hasattr(nnx, "WeightNorm"):
        pytest.skip("Flax 0.12.0 has no nnx.WeightNorm")

    def make():
        return nnx.WeightNorm(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))

    with pytest.raises(RecipeError, match=r"every shape in a variable of nnx.*scales\."):
        init_model(nnx.eval_shape(make), EVERY, key=KEY)


@pytest.mark.parametrize("mode", ["batch", "ema"])
def test_the_state_of_equinoxs_batch_norm_starts_as_it_is_made(mode):
    def make():
        return eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode=mode)

    (model, state), _ = init_model(eqx.filter_eval_shape(make), Recipe([]), key=KEY)
    if mode == "batch":
        assert state.get(model.batch_counter) == 0
        mean, var = state.get(model.batch_state_index)
    else:
        assert state.get(model.ema_first_time_index)
        mean, var = state.get(model.ema_state_index)
    assert not mean.any()
    assert (var == 1).all()
    x = jax.random.normal(KEY, (8, 4))
    run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    assert jnp.isfinite(run(x, state)[0]).all()
    (kept_model, kept), _ = init_model((model, state), Recipe([]), key=KEY)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: a is b, kept, state)))  # it has values
    assert kept_model.mode == mode


def test_the_states_of_two_models_are_told_apart():
    def make(size):
        return eqx.nn.make_with_state(eqx.nn.BatchNorm)(size, f"batch{size}", mode="batch")

    shapes = [eqx.filter_eval_shape(make, 3), eqx.filter_eval_shape(make, 5)]
    for model, state in init_model(shapes, Recipe([]), key=KEY)[0]:
        assert (state.get(model.batch_state_index)[1] == 1).all()


def spectral_of_equinox(key):
    def make(key):
        linear = eqx.nn.Linear(6, 4, key=key)
        return eqx.nn.make_with_state(eqx.nn.SpectralNorm)(linear, "weight", key=key)

    (model, state), ledger = init_model(eqx.filter_eval_shape(make, key), EVERY, key=key)
    for _ in range(200):
        _, state = model(jnp.zeros(6), state)
    return model.layer.weight, lambda x: model(x, state)[0] - model.layer.bias, ledger


def spectral_of_nnx(key):
    def make():
        return nnx.SpectralNorm(nnx.Linear(6, 4, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0), n_steps=200)

    model, ledger = init_model(nnx.eval_shape(make), EVERY, key=key)
    weight = model.layer_instance.kernel[...].T
    return weight, lambda x: model(x, update_stats=True), ledger


def spectral_of_linen(key):
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.SpectralNorm(nn.Dense(4), n_steps=200)(x, update_stats=True)

    declarations = trace_declarations(Net(), jnp.ones(6))
    shapes = jax.eval_shape(Net().init, key, jnp.ones(6))
    new, ledger = init_model(shapes, EVERY, key=key, declarations=declarations)
    weight = new["params"]["Dense_0"]["kernel"].T
    return weight, lambda x: Net().apply(new, x, mutable=["batch_stats"])[0], ledger


@pytest.mark.parametrize("make", [spectral_of_equinox, spectral_of_nnx, spectral_of_linen])
def test_a_spectral_norm_of_shapes_is_that_of_the_weight_that_was_drawn(make):
    if make is spectral_of_nnx and not hasattr(nnx, "SpectralNorm"):
        pytest.skip("Flax 0.12.0 has no nnx.SpectralNorm")
    weight, call, ledger = make(KEY)
    x = jax.random.normal(jax.random.key(1), (6,))
    expected = weight @ x / jnp.linalg.norm(weight, ord=2)
    np.testing.assert_allclose(call(x), expected, rtol=1e-4, atol=1e-5)
    assert all(entry.status == "initialized" for entry in ledger.entries)


def test_the_scales_of_float8_start_at_one():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3, dot_general_cls=nn.Fp8DirectDotGeneralOp)(x)

    x = jnp.ones((1, 4))
    declarations = trace_declarations(Net(), x)
    shapes = jax.eval_shape(Net().init, KEY, x)
    new, _ = init_model(shapes, EVERY, key=KEY, declarations=declarations)
    states = new["_overwrite_with_gradient"]["Dense_0"]["Fp8DirectDotGeneralOp_0"]
    own = Net().init(KEY, x)["_overwrite_with_gradient"]["Dense_0"]["Fp8DirectDotGeneralOp_0"]
    assert set(states) == set(own)
    for name, array in own.items():
        np.testing.assert_array_equal(states[name], array)


def test_norms_of_what_has_no_values_are_an_error():
    model = eqx.filter_eval_shape(lambda: eqx.nn.WeightNorm(eqx.nn.Linear(4, 3, key=KEY)))
    with pytest.raises(
        RecipeError, match=r"must have values where norms are taken.*'layer.weight'"
    ):
        init_model(model, EVERY, key=KEY, loaded=["layer.weight"])


def test_layers_around_layers():
    bridged = nnx.bridge.ToNNX(nn.Dense(3), rngs=nnx.Rngs(0)).lazy_init(jnp.ones((1, 2)))
    assert fans(plan_model(bridged, EVERY), "kernel") == [(2, 3)]

    class Net(nnx.Module):
        def __init__(self, size, *, rngs):
            self.linear = nnx.Linear(size, 5, rngs=rngs)
            self.norm = nnx.BatchNorm(5, rngs=rngs)

        def __call__(self, x):
            return self.norm(self.linear(x))

    declared = trace_declarations(nnx.bridge.to_linen(Net, 4), jnp.ones((1, 4)))
    assert declared["params.linear.kernel"].axes == Axes("in out")
    assert (declared["params.norm.scale"].kind, declared["batch_stats.norm.var"].kind) == (
        "norm_scale",
        "buffer",
    )

    class Normalized(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.WeightNorm(nn.Dense(3))(x)

    declared = trace_declarations(Normalized(), jnp.ones((1, 4)))
    assert declared["params.WeightNorm_0.Dense_0/kernel/scale"].kind == "weight_norm"
    assert declared["params.Dense_0.kernel"].axes == Axes("in out")


def test_a_bias_of_equinoxs_gru_takes_fans():
    recipe = Recipe((Rule(lecun_uniform(gain=3**-0.5), kind=("weight", "bias")),))
    ledger = plan_model(eqx.nn.GRUCell(5, 6, key=KEY), recipe)
    assert fans(ledger, "bias_n") == [(6, 6)]


def test_norms_of_a_scan_are_stacked_as_its_kernels():
    model = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)()
    declarations = trace_declarations(model, jnp.zeros((2, 8)), None)
    assert declarations["params.LayerNorm_0.scale"].axes == Axes("stack out")


def test_arguments_that_are_no_arrays_are_not_traced():
    class Normed(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            return nn.BatchNorm(use_running_average=not train)(nn.Dense(3)(x))

    x = jax.ShapeDtypeStruct((2, 7), jnp.float32)
    for declarations in (trace_declarations(Normed(), x, True),
                         trace_declarations(Normed(), x, train=False)):  # fmt: skip
        assert declarations["params.Dense_0.kernel"].axes == Axes("in out")
        assert declarations["batch_stats.BatchNorm_0.mean"].kind == "buffer"


def test_haikus_multi_transform_is_traced():
    def functions():
        layer = hk.Linear(3)
        return layer, (layer,)

    x = jnp.zeros((2, 7))
    for transform in (hk.multi_transform, hk.multi_transform_with_state):
        assert trace_declarations(transform(functions), x)["linear.w"].axes == Axes("in out")


def test_a_model_that_was_traced_before_is_traced_again():
    model, x = hk.transform(lambda x: hk.Linear(3)(x)), jnp.zeros((2, 7))
    jax.eval_shape(model.init, KEY, x)
    assert trace_declarations(model, x)["linear.w"].axes == Axes("in out")


@pytest.mark.parametrize(
    "layer",
    [
        lambda r: nnx.Conv(32, 64, (3, 3), feature_group_count=4, use_bias=False, rngs=r),
        lambda r: nnx.ConvTranspose(32, 64, (4, 4), strides=2, use_bias=False, rngs=r),
        lambda r: nnx.Einsum("btd,hdk->bthk", (8, 256, 32), rngs=r),
    ],
)
def test_he_keeps_the_second_moment(layer):
    """Var(output) = 2 for inputs of variance 1; JAX's own fans give 0.25 for the Einsum."""
    model, _ = init_model(layer(nnx.Rngs(0)), Recipe((Rule(he_normal()),)), key=KEY)
    shape = (4, 64, 256) if isinstance(model, nnx.Einsum) else (8, 24, 24, 32)
    output = model(jax.random.normal(KEY, shape))
    if not isinstance(model, nnx.Einsum):
        output = output[:, 4:-4, 4:-4]  # away from the padding
    tolerance = 4.5 * math.sqrt(2 / model.kernel.size) + 0.03
    assert float((output**2).mean()) == pytest.approx(2, rel=tolerance)


def test_a_layer_of_ones_own_is_declared_in_one_call():
    class Experts(eqx.Module):
        weight: jax.Array

    model = [Experts(jnp.zeros((4, 8, 16)))]
    recipe = Recipe((Rule(he_normal()),))
    message = r"got '0\.weight' of Experts x1: weight \(4, 8, 16\): declare\.register\(Experts, "
    with pytest.raises(RecipeError, match=message):
        init_model(model, recipe, key=KEY)
    declare.register(Experts, lambda layer: {"weight": Declaration(Axes("stack out in"))})
    assert fans(init_model(model, recipe, key=KEY)[1], "0.weight") == [(16, 8)]


def test_a_transposed_grouped_and_strided_kernel_of_equinox_is_not_guessed():
    layer = eqx.nn.ConvTranspose1d(8, 4, 3, stride=2, groups=2, key=KEY)
    with pytest.raises(ValueError, match="`axes` must be given"):
        init_model(layer, HE, key=KEY)


def test_only_linen_and_haiku_models_are_traced():
    with pytest.raises(SourceError, match="got Linear"):
        trace_declarations(eqx.nn.Linear(4, 3, key=KEY))


def test_collections_may_be_scanned_along_axes_of_their_own():
    """Length and width are equal, so that sizes do not tell the axes apart."""

    class Normed(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.BatchNorm(use_running_average=False)(nn.Dense(3)(x)), None

    axes = {"params": 0, "batch_stats": 1}
    model = nn.scan(Normed, variable_axes=axes, split_rngs={"params": True}, length=3)()
    declared = trace_declarations(model, jnp.zeros((2, 3)), None)
    assert declared["params.Dense_0.kernel"].axes is None or declared[
        "params.Dense_0.kernel"
    ].axes == Axes("stack in out")


def test_stacks_of_nnx_along_another_axis_are_known_by_sizes():
    def make(key):
        rngs = nnx.Rngs(key)
        return nnx.LayerNorm(4, rngs=rngs), nnx.Linear(4, 5, rngs=rngs)

    stacked = nnx.vmap(make, out_axes=1)(jax.random.split(KEY, 3))
    ledger = plan_model(stacked, EVERY)
    roles = {e.path: " ".join(e.plan.axes.roles) for e in ledger.entries if e.plan and e.plan.axes}
    assert roles == {
        "0.bias": "out stack",
        "0.scale": "out stack",
        "1.bias": "out stack",
        "1.kernel": "in stack out",
    }


class ZeroCentred(eqx.nn.RMSNorm):
    def __call__(self, x):
        return x * (1 + self.weight)


class ZeroCentredOfNnx(nnx.RMSNorm):
    def __call__(self, x):
        return x * (1 + self.scale)


class ZeroCentredOfLinen(nn.RMSNorm):
    @nn.compact
    def __call__(self, x):
        return x * (1 + self.param("scale", nn.initializers.zeros, x.shape[-1:]))


class ZeroCentredOfHaiku(hk.RMSNorm):
    def __call__(self, x):
        return x * (1 + hk.get_parameter("scale", x.shape[-1:], init=jnp.zeros))


def of_linen(module):
    x = jnp.ones((2, 4))
    return jax.eval_shape(module.init, KEY, x), trace_declarations(module, x)


def of_haiku(make):
    model, x = hk.transform(lambda x: make()(x)), jnp.ones((2, 4))
    return jax.eval_shape(model.init, KEY, x), trace_declarations(model, x)


@pytest.mark.clause("recipes/12")
@pytest.mark.parametrize(
    ("known", "other"),
    [
        (lambda: (eqx.nn.RMSNorm(4), None), lambda: (ZeroCentred(4), None)),
        (
            lambda: (nnx.RMSNorm(4, rngs=nnx.Rngs(0)), None),
            lambda: (ZeroCentredOfNnx(4, rngs=nnx.Rngs(0)), None),
        ),
        (lambda: of_linen(nn.RMSNorm()), lambda: of_linen(ZeroCentredOfLinen())),
        (
            lambda: of_haiku(lambda: hk.RMSNorm(-1)),
            lambda: of_haiku(lambda: ZeroCentredOfHaiku(-1)),
        ),
    ],
)
def test_a_subclass_that_computes_otherwise_is_unknown(known, other):
    tree, declarations = known()
    ledger = plan_model(tree, Recipe(()), declarations=declarations)
    assert "layer" in {entry.known for entry in ledger.entries}
    tree, declarations = other()
    with pytest.raises(RecipeError, match="what a parameter is for must be known"):
        plan_model(tree, Recipe(()), declarations=declarations)


@pytest.mark.clause("recipes/15")
def test_a_shape_must_be_of_the_sizes_that_a_layer_knows():
    layer = eqx.tree_at(lambda m: m.weight, eqx.nn.Linear(4, 3, key=KEY), jnp.zeros((4, 3)))
    with pytest.raises(RecipeError, match=r"must be 3 x 4, by the sizes of Linear, got \(4, 3\)"):
        plan_model(layer, HE)
    stacked = eqx.tree_at(lambda m: m.weight, eqx.nn.Linear(4, 3, key=KEY), jnp.zeros((9, 3, 4)))
    assert fans(plan_model(stacked, HE), "weight") == [(4, 3)]
    shapes, declarations = of_linen(nn.Dense(3))
    shapes["params"]["kernel"] = jax.ShapeDtypeStruct((3, 4), "float32")
    with pytest.raises(RecipeError, match="must be any x 3, by the sizes of"):
        plan_model(shapes, HE, declarations=declarations)
