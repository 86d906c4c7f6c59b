"""A whole model: the ledger, ties, buffers, shardings, errors."""

import math

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fanwise_jax import JaxSource, init_params, initializer, plan_params, trace_declarations
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P, SingleDeviceSharding

from fanwise import (
    Axes,
    Declaration,
    DtypeError,
    FanError,
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
EVERY = Recipe(
    (
        Rule(scheme=zeros(), kind="bias", optional=True),
        Rule(scheme=ones(), kind="norm", optional=True),
        Rule(scheme=normal(std=0.02), kind="embedding", optional=True),
        Rule(scheme=ones(), kind="slope", optional=True),
        Rule(scheme=he_normal(), optional=True),
    )
)
HE = Recipe((Rule(scheme=zeros(), kind="bias"), Rule(scheme=he_normal())))


def fans(ledger, path):
    """Fans of each block of a parameter."""
    (entry,) = (e for e in ledger.entries if e.path == path)
    return [(part.fans.fan_in, part.fans.fan_out) for part in entry.plan.parts]


def test_values_are_those_of_key_and_path_alone():
    """spec: randomness/1. An nnx model of other layers has other values in JAX."""
    shape = jax.ShapeDtypeStruct((6, 6), jnp.float32)
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    one, _ = init_params(recipe, {"a": shape, "b": shape}, KEY)
    other, _ = init_params(recipe, {"c": shape, "b": shape, "a": shape}, KEY)
    assert jnp.array_equal(one["a"], other["a"])
    assert not jnp.isin(one["a"], one["b"]).any()
    legacy, _ = init_params(recipe, {"a": shape}, jax.random.PRNGKey(5))
    assert jnp.array_equal(legacy["a"], one["a"])


def test_a_whole_model_in_jit_is_eager():
    shapes = jax.eval_shape(lambda: {"w": jnp.zeros((6, 6)), "b": jnp.zeros(6)})
    declarations = {"w": Declaration(Axes("in out")),
                    "b": Declaration(Axes("out"), "bias", fans_of="w")}  # fmt: skip
    eager, ledger = init_params(HE, shapes, KEY, declarations=declarations)
    jitted = jax.jit(lambda key: init_params(ledger, shapes, key, declarations=declarations)[0])(
        KEY
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), eager, jitted)


def test_leaves_that_are_no_arrays_stay():
    model = eqx.nn.MLP(4, 2, 8, depth=1, key=KEY)
    new, ledger = init_params(HE, model, KEY)
    assert new.activation is model.activation
    assert ledger.entries[0].path == "layers.0.weight"
    assert new(jnp.zeros(4)).shape == (2,)


def test_shared_variables_are_tied_and_stay_shared():
    class Tied(nnx.Module):
        def __init__(self, rngs):
            self.one = nnx.Linear(4, 4, rngs=rngs)
            self.two = nnx.Linear(4, 4, rngs=rngs)
            self.two.kernel = self.one.kernel

    for model in (Tied(nnx.Rngs(0)), nnx.eval_shape(lambda: Tied(nnx.Rngs(0)))):
        new, ledger = init_params(HE, model, KEY)
        assert {e.path: e.status for e in ledger.entries}["two.kernel"] == "tied"
        assert new.one.kernel is new.two.kernel
        assert isinstance(new.one.kernel[...], jax.Array)


def test_what_is_loaded_or_left_under_one_name_is_left_under_all():
    class Tied(nnx.Module):
        def __init__(self, rngs):
            self.one = nnx.Linear(4, 4, use_bias=False, rngs=rngs)
            self.two = nnx.Linear(4, 4, use_bias=False, rngs=rngs)
            self.two.kernel = self.one.kernel

    model = Tied(nnx.Rngs(0))
    new, ledger = init_params(Recipe(()), model, KEY, loaded={"two.kernel"})
    assert [entry.status for entry in ledger.entries] == ["loaded", "tied"]
    assert jnp.array_equal(new.one.kernel[...], model.one.kernel[...])
    frozen = Rule(left_as="frozen", match="two.*")
    with pytest.raises(RecipeError, match=r"must leave what it is tied to, got 'one\.kernel'"):
        init_params(Recipe((frozen, HE.rules[1])), model, KEY)


def test_what_linen_does_not_train_is_a_buffer():
    class Averaged(nn.Module):
        @nn.compact
        def __call__(self, x):
            self.variable("stats", "mean", jnp.zeros, 3)
            return nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)

    x = jnp.ones((2, 4))
    variables = Averaged().init(KEY, x)
    recipe = Recipe((Rule(scheme=zeros(), kind="bias"), Rule(scheme=normal(std=0.02))))
    for declarations in (trace_declarations(Averaged(), x), None):
        new, ledger = init_params(recipe, variables, KEY, declarations=declarations)
        for collection in ("stats", "batch_stats"):
            jax.tree.map(np.testing.assert_array_equal, new[collection], variables[collection])
        assert [e.path for e in ledger.entries if e.plan] == [
            "params.Dense_0.bias",
            "params.Dense_0.kernel",
        ]


def test_what_nnx_does_not_train_is_a_buffer():
    class Rotary(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 4, rngs=rngs)
            self.frequencies = jnp.arange(4.0)

    new, ledger = init_params(HE, Rotary(nnx.Rngs(0)), KEY)
    assert (new.frequencies == jnp.arange(4.0)).all()
    assert {e.path: e.status for e in ledger.entries}["frequencies"] == "skipped"


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_random_streams_are_made_by_a_key_of_any_implementation(impl):
    shapes = nnx.eval_shape(lambda: Normed(nnx.Rngs(0)))
    model, _ = init_params(EVERY, shapes, jax.random.key(1, impl=impl))
    assert model(jnp.ones((3, 4))).shape == (3, 4)
    legacy, _ = init_params(EVERY, shapes, jax.random.PRNGKey(1))
    assert legacy(jnp.ones((3, 4))).shape == (3, 4)


def test_a_module_of_nnx_may_know_the_one_around_it():
    class Node(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 4, rngs=rngs)
            self.me = self

    new, ledger = init_params(HE, Node(nnx.Rngs(0)), KEY)
    assert [entry.path for entry in ledger.entries] == ["linear.bias", "linear.kernel"]
    assert new.me is new


def test_one_parameter_alone_is_as_in_the_model():
    shapes = {"fc": {"w": jax.ShapeDtypeStruct((4, 12), jnp.float32)}}
    axes = Axes("in out", blocks={"out": 3})
    recipe = Recipe((Rule(scheme=orthogonal(), axes=axes),))
    model, _ = init_params(recipe, shapes, KEY)
    alone = initializer(orthogonal(), axes)(JaxSource(KEY, "fc.w").key, (4, 12))
    assert jnp.array_equal(alone, model["fc"]["w"])


def test_one_shape_may_stand_for_many_arrays():
    shape = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    tree, ledger = init_params(recipe, {"a": shape, "b": shape}, KEY)
    assert [entry.status for entry in ledger.entries] == ["initialized"] * 2
    assert not jnp.array_equal(tree["a"], tree["b"])


def test_buffers_are_left_unless_a_rule_is_for_them():
    model = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    model.mean[...] = jnp.full(4, 5.0)
    rules = (Rule(scheme=zeros(), kind="bias"), Rule(scheme=ones(), kind="norm"))
    new, ledger = init_params(Recipe(rules), model, KEY)
    assert {e.path: e.status for e in ledger.entries}["mean"] == "skipped"
    assert (new.mean[...] == 5).all()
    buffers = (Rule(scheme=zeros(), kind="buffer", match="mean"),
               Rule(scheme=ones(), kind="buffer", match="var"))  # fmt: skip
    new, _ = init_params(Recipe((*buffers, *rules)), model, KEY)
    assert (new.mean[...] == 0).all()
    assert (model.mean[...] == 5).all()  # the given model is not changed


class Normed(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(4, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.norm(self.linear(x)))


def test_a_model_of_shapes_is_filled_whole():
    """Running statistics from their layer's default, random streams from key and path."""
    x = jnp.ones((3, 4))
    model, ledger = init_params(EVERY, nnx.eval_shape(lambda: Normed(nnx.Rngs(0))), KEY)
    again, _ = init_params(EVERY, nnx.eval_shape(lambda: Normed(nnx.Rngs(1))), KEY)
    assert (model.norm.mean[...] == 0).all()
    assert (model.norm.var[...] == 1).all()
    assert {e.path: e.rule for e in ledger.entries}["norm.var"] is None
    assert model(x).shape == (3, 4)
    assert jnp.array_equal(again.dropout.rngs.key[...], model.dropout.rngs.key[...])
    concrete, _ = init_params(EVERY, Normed(nnx.Rngs(0)), KEY)
    assert jnp.array_equal(concrete.linear.kernel[...], model.linear.kernel[...])

    class Linen(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.BatchNorm(use_running_average=True)(nn.Dense(3)(x))

    shapes = jax.eval_shape(Linen().init, KEY, x)
    declarations = trace_declarations(Linen(), x)
    variables, _ = init_params(EVERY, shapes, KEY, declarations=declarations)
    assert Linen().apply(variables, x).shape == (3, 3)
    params, _ = init_params(EVERY, shapes["params"], key=KEY, declarations=declarations)
    assert params["Dense_0"]["kernel"].shape == (4, 3)


def test_shapes_that_nothing_is_drawn_for_are_an_error():
    class Counted(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.zeros((2, 2)))
            self.count = nnx.BatchStat(jnp.zeros((), jnp.int32))

    model = nnx.eval_shape(Counted)
    recipe = Recipe((Rule(scheme=normal(std=1.0)),))
    with pytest.raises(RecipeError, match="got the shape alone of 'count': name it in `loaded`"):
        init_params(recipe, model, KEY)
    new, _ = init_params(recipe, model, KEY, loaded={"count"})
    assert any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(nnx.state(new)))


def test_modules_of_nnx_in_containers_stay_shared():
    shared = nnx.Linear(4, 4, rngs=nnx.Rngs(0))
    tree = {"x": shared, "y": [shared, nnx.Linear(4, 4, rngs=nnx.Rngs(1))]}
    new, ledger = init_params(HE, tree, KEY)
    assert new["x"] is new["y"][0]
    assert {e.path: e.status for e in ledger.entries}["y.0.kernel"] == "tied"


def test_scalars_of_numpy_and_equinoxs_state_are_no_parameters():
    class Scaled(eqx.Module):
        linear: eqx.nn.Linear
        scale: float

    new, ledger = init_params(HE, Scaled(eqx.nn.Linear(4, 3, key=KEY), np.float32(3.0)), KEY)
    assert new.scale == 3
    assert len(ledger.entries) == 2
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode="batch")
    (_, left), ledger = init_params(EVERY, (norm, state), KEY)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, left, state))
    assert {e.status for e in ledger.entries if e.path.startswith("1")} == {"skipped"}


def test_loaded_arrays_are_left():
    model = eqx.nn.Linear(4, 3, key=KEY)
    new, ledger = init_params(Recipe((Rule(scheme=zeros(), kind="bias"),)), model, KEY,
                              loaded={"weight"})  # fmt: skip
    assert [entry.status for entry in ledger.entries] == ["loaded", "initialized"]
    assert new.weight is model.weight


def test_arrays_are_sharded_as_their_shapes_say():
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    sharding = NamedSharding(mesh, P("x"))
    tree = {"w": jax.ShapeDtypeStruct((8, 6), jnp.float32, sharding=sharding)}
    recipe = Recipe((Rule(scheme=orthogonal(), axes=Axes("in out")),))
    new, _ = init_params(recipe, tree, KEY)
    plain, _ = init_params(recipe, {"w": jax.ShapeDtypeStruct((8, 6), jnp.float32)}, KEY)
    assert {s.data.shape for s in new["w"].addressable_shards} == {(2, 6)}
    np.testing.assert_allclose(new["w"], plain["w"], atol=1e-6)


def test_a_sharding_of_an_explicit_mesh_is_kept_within_jit():
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu"))
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    with jax.set_mesh(mesh):
        tree = {"w": jax.device_put(jnp.zeros((8, 6)), NamedSharding(mesh, P("x")))}
        new = jax.jit(lambda tree, key: init_params(recipe, tree, key)[0])(tree, KEY)
    assert new["w"].sharding.spec[0] == "x"
    plain, _ = init_params(recipe, {"w": jnp.zeros((8, 6))}, KEY)
    np.testing.assert_allclose(new["w"], plain["w"], rtol=1e-6)


def test_equal_shapes_of_a_sharding_are_compiled_once(caplog):
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    shape = jax.ShapeDtypeStruct((44, 6), jnp.float32, sharding=NamedSharding(mesh, P("x")))
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    with jax.log_compiles():
        init_params(recipe, {str(i): shape for i in range(5)}, KEY)
    compiled = [r for r in caplog.records if "Finished XLA compilation of jit(_drawn)" in r.message]
    assert len(compiled) == 1


def test_the_device_that_a_shape_says_is_kept():
    other = jax.devices("cpu")[2]
    sharding = SingleDeviceSharding(other)
    tree = {"w": jax.ShapeDtypeStruct((3, 4), jnp.float32, sharding=sharding)}
    new, _ = init_params(Recipe((Rule(scheme=normal(std=1.0)),)), tree, KEY)
    assert new["w"].devices() == {other}


@pytest.mark.parametrize(
    ("sharding", "message"),
    [(lambda mesh: NamedSharding(mesh, P("x")), "divi"),
     (lambda mesh: NamedSharding(mesh.abstract_mesh, P("x")), "within jax.set_mesh")],
)  # fmt: skip
def test_a_sharding_that_cannot_be_is_an_error_with_the_path(sharding, message):
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    tree = {"w": jax.ShapeDtypeStruct((7, 6), jnp.float32, sharding=sharding(mesh))}
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    with pytest.raises(ValueError, match=message) as found:
        init_params(recipe, tree, KEY)
    assert "parameter: w" in found.value.__notes__


def test_arrays_stay_on_the_device_that_they_were_put_on():
    device = jax.devices("cpu")[3]
    tree = {"put": jax.device_put(jnp.zeros((4, 4)), device), "free": jnp.zeros((4, 4))}
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    new, _ = init_params(recipe, tree, KEY)
    assert new["put"].devices() == {device}
    assert new["free"].devices() == {jax.devices()[0]}


def test_every_array_has_its_own_dtype():
    tree = {name: jax.ShapeDtypeStruct((64, 64), name) for name in ("bfloat16", "complex64")}
    recipe = Recipe((Rule(scheme=he_normal(), axes=Axes("in out")),))
    new, ledger = init_params(recipe, tree, KEY)
    assert [entry.plan.field for entry in ledger.entries] == ["real", "complex"]
    for name, array in new.items():
        assert array.dtype == name
        std = float(jnp.sqrt((jnp.abs(array.astype("complex64")) ** 2).mean()))
        assert std == pytest.approx(math.sqrt(2 / 64), rel=0.06)


def test_a_bias_may_take_its_weights_fans():
    model, _ = init_params(Recipe((Rule(scheme=lecun_uniform(gain=3**-0.5)),)),
                           eqx.nn.Linear(16, 20_000, key=KEY), KEY)  # fmt: skip
    assert 0.2499 < float(jnp.abs(model.bias).max()) <= 0.25


@pytest.mark.parametrize(
    ("tree", "recipe", "options", "error", "message"),
    [
        (eqx.nn.LayerNorm(3), Recipe((Rule(scheme=he_normal()),)), {}, FanError, "fan"),
        (eqx.nn.Linear(4, 3, key=KEY), Recipe((Rule(scheme=he_normal(), match="w*"),)), {},
         RecipeError, "none for 'bias'"),
        (eqx.nn.Linear(4, 3, key=KEY), Recipe((*HE.rules, Rule(scheme=ones(), kind="norm"))), {},
         RecipeError, "every rule must be the first"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": {"kernel": Declaration()}}, RecipeError,
         r"`declarations` must be of arrays of the tree, got \['kernel'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": {"kernel"}}, RecipeError,
         r"`loaded` must be names in the model, got \['kernel'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": "weight"}, RecipeError, "must be a collection of names, got"),
        ({"w": jnp.zeros(3, "float16")}, Recipe((Rule(scheme=normal(std=1e5)),)), {}, DtypeError,
         "float16"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": None}, RecipeError, "names, got None"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": ["weight"]}, RecipeError,
         r"`declarations` must be a mapping by path, got \['weight'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": {"weight": Axes("out in")}},
         RecipeError, r"`declarations` must be Declarations, got Axes\('out in'\) for 'weight'"),
        (jnp.ones((3, 4)), HE, {}, RecipeError, "`tree` must have arrays in it, got an array"),
        (nn.Dense(3), HE, {}, RecipeError, "`tree` must have arrays"),
        ({}, HE, {}, RecipeError, "`tree` must have arrays"),
        (eqx.nn.Linear(4, 3, key=KEY), "he", {}, RecipeError, "`recipe` must be a Recipe"),
    ],
)  # fmt: skip
def test_errors(tree, recipe, options, error, message):
    with pytest.raises(error, match=message):
        init_params(recipe, tree, KEY, **options)


def test_a_ledger_of_another_model_is_an_error():
    ledger = plan_params(HE, eqx.nn.Linear(4, 3, key=KEY))
    with pytest.raises(RecipeError, match="a ledger of this model"):
        init_params(ledger, eqx.nn.Linear(4, 5, key=KEY), KEY)


def test_only_a_key_is_a_key():
    with pytest.raises(SourceError, match="`key` must be a key"):
        init_params(HE, eqx.nn.Linear(4, 3, key=KEY), 0)
