"""A whole model: the ledger, ties, buffers, shardings, errors."""

import math

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fanwise_jax import (
    JaxSource,
    init_model,
    initializer,
    measure_model,
    plan_model,
    trace_declarations,
)
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


@pytest.mark.clause("randomness/1")
def test_values_are_those_of_key_and_path_alone():
    """An nnx model of other layers has other values in JAX."""
    shape = jax.ShapeDtypeStruct((6, 6), jnp.float32)
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    one, _ = init_model({"a": shape, "b": shape}, recipe, key=KEY)
    other, _ = init_model({"c": shape, "b": shape, "a": shape}, recipe, key=KEY)
    assert jnp.array_equal(one["a"], other["a"])
    assert not jnp.isin(one["a"], one["b"]).any()
    legacy, _ = init_model({"a": shape}, recipe, key=jax.random.PRNGKey(5))
    assert jnp.array_equal(legacy["a"], one["a"])


def test_a_whole_model_in_jit_is_eager():
    shapes = jax.eval_shape(lambda: {"w": jnp.zeros((6, 6)), "b": jnp.zeros(6)})
    declarations = {"w": Declaration(Axes("in out")),
                    "b": Declaration(Axes("out"), "bias", fans_of="w")}  # fmt: skip
    eager, ledger = init_model(shapes, HE, key=KEY, declarations=declarations)
    jitted = jax.jit(lambda key: init_model(shapes, ledger, key=key, declarations=declarations)[0])(
        KEY
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), eager, jitted)


def test_leaves_that_are_no_arrays_stay():
    model = eqx.nn.MLP(4, 2, 8, depth=1, key=KEY)
    new, ledger = init_model(model, HE, key=KEY)
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
        new, ledger = init_model(model, HE, key=KEY)
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
    new, ledger = init_model(model, Recipe(()), key=KEY, loaded={"two.kernel"})
    assert [entry.status for entry in ledger.entries] == ["loaded", "tied"]
    assert jnp.array_equal(new.one.kernel[...], model.one.kernel[...])
    frozen = Rule(left_as="frozen", match="two.*")
    with pytest.raises(RecipeError, match=r"must leave what it is tied to, got 'one\.kernel'"):
        init_model(model, Recipe((frozen, HE.rules[1])), key=KEY)


def test_variables_of_linen_without_declarations_ask_for_them():
    shapes = jax.eval_shape(nn.Dense(3).init, jax.random.key(0), jnp.ones((1, 4)))
    with pytest.raises(RecipeError, match=r"must be known.*'params\.kernel'") as caught:
        init_model(shapes, he_normal(), key=jax.random.key(0))
    assert "trace_declarations(module, ...)" in caught.value.__notes__[-1]


def test_what_linen_does_not_train_is_a_buffer():
    class Averaged(nn.Module):
        @nn.compact
        def __call__(self, x):
            self.variable("stats", "mean", jnp.zeros, 3)
            return nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)

    x = jnp.ones((2, 4))
    variables = Averaged().init(KEY, x)
    known = Recipe((Rule(zeros(), kind="bias"), Rule(normal(std=0.02))))
    named = Recipe((Rule(zeros(), match="*.bias"), Rule(normal(std=0.02), match="*.kernel")))
    for declarations, recipe in ((trace_declarations(Averaged(), x), known), (None, named)):
        new, ledger = init_model(variables, recipe, key=KEY, declarations=declarations)
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

    new, ledger = init_model(Rotary(nnx.Rngs(0)), HE, key=KEY)
    assert (new.frequencies == jnp.arange(4.0)).all()
    assert {e.path: e.status for e in ledger.entries}["frequencies"] == "skipped"


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_random_streams_are_made_by_a_key_of_any_implementation(impl):
    shapes = nnx.eval_shape(lambda: Normed(nnx.Rngs(0)))
    model, _ = init_model(shapes, EVERY, key=jax.random.key(1, impl=impl))
    assert model(jnp.ones((3, 4))).shape == (3, 4)
    legacy, _ = init_model(shapes, EVERY, key=jax.random.PRNGKey(1))
    assert legacy(jnp.ones((3, 4))).shape == (3, 4)


def test_a_module_of_nnx_may_know_the_one_around_it():
    class Node(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 4, rngs=rngs)
            self.me = self

    new, ledger = init_model(Node(nnx.Rngs(0)), HE, key=KEY)
    assert [entry.path for entry in ledger.entries] == ["linear.bias", "linear.kernel"]
    assert new.me is new


def test_one_parameter_alone_is_as_in_the_model():
    shapes = {"fc": {"w": jax.ShapeDtypeStruct((4, 12), jnp.float32)}}
    axes = Axes("in out", blocks={"out": 3})
    recipe = Recipe((Rule(orthogonal(), axes=axes, kind="unknown"),))
    model, _ = init_model(shapes, recipe, key=KEY)
    alone = initializer(orthogonal(), axes)(JaxSource(KEY, "fc.w").key, (4, 12))
    assert jnp.array_equal(alone, model["fc"]["w"])


def test_one_shape_may_stand_for_many_arrays():
    shape = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    tree, ledger = init_model({"a": shape, "b": shape}, recipe, key=KEY)
    assert [entry.status for entry in ledger.entries] == ["initialized"] * 2
    assert not jnp.array_equal(tree["a"], tree["b"])


def test_buffers_are_left_unless_a_rule_is_for_them():
    model = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    model.mean[...] = jnp.full(4, 5.0)
    rules = (Rule(zeros(), kind="norm_bias"), Rule(ones(), kind="norm_scale"))
    new, ledger = init_model(model, Recipe(rules), key=KEY)
    assert {e.path: e.status for e in ledger.entries}["mean"] == "skipped"
    assert (new.mean[...] == 5).all()
    buffers = (Rule(zeros(), kind="buffer", match="mean"),
               Rule(ones(), kind="buffer", match="var"))  # fmt: skip
    new, _ = init_model(model, Recipe((*buffers, *rules)), key=KEY)
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
    model, ledger = init_model(nnx.eval_shape(lambda: Normed(nnx.Rngs(0))), EVERY, key=KEY)
    again, _ = init_model(nnx.eval_shape(lambda: Normed(nnx.Rngs(1))), EVERY, key=KEY)
    assert (model.norm.mean[...] == 0).all()
    assert (model.norm.var[...] == 1).all()
    assert {e.path: e.rule for e in ledger.entries}["norm.var"] is None
    assert model(x).shape == (3, 4)
    assert jnp.array_equal(again.dropout.rngs.key[...], model.dropout.rngs.key[...])
    concrete, _ = init_model(Normed(nnx.Rngs(0)), EVERY, key=KEY)
    assert jnp.array_equal(concrete.linear.kernel[...], model.linear.kernel[...])

    class Linen(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.BatchNorm(use_running_average=True)(nn.Dense(3)(x))

    shapes = jax.eval_shape(Linen().init, KEY, x)
    declarations = trace_declarations(Linen(), x)
    variables, _ = init_model(shapes, EVERY, key=KEY, declarations=declarations)
    assert Linen().apply(variables, x).shape == (3, 3)
    params, _ = init_model(shapes["params"], EVERY, key=KEY, declarations=declarations)
    assert params["Dense_0"]["kernel"].shape == (4, 3)


def test_shapes_that_nothing_is_drawn_for_are_an_error():
    class Counted(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.zeros((2, 2)))
            self.count = nnx.BatchStat(jnp.zeros((), jnp.int32))

    model = nnx.eval_shape(Counted)
    recipe = Recipe((Rule(normal(std=1.0), kind="unknown"),))
    with pytest.raises(RecipeError, match=r"got none for 'count' of Counted x1.* in `loaded`"):
        init_model(model, recipe, key=KEY)
    new, _ = init_model(model, recipe, key=KEY, loaded={"count"})
    assert any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(nnx.state(new)))


def test_modules_of_nnx_in_containers_stay_shared():
    shared = nnx.Linear(4, 4, rngs=nnx.Rngs(0))
    tree = {"x": shared, "y": [shared, nnx.Linear(4, 4, rngs=nnx.Rngs(1))]}
    new, ledger = init_model(tree, HE, key=KEY)
    assert new["x"] is new["y"][0]
    assert {e.path: e.status for e in ledger.entries}["y.0.kernel"] == "tied"


def test_scalars_of_numpy_and_equinoxs_state_are_no_parameters():
    class Scaled(eqx.Module):
        linear: eqx.nn.Linear
        scale: float

    new, ledger = init_model(Scaled(eqx.nn.Linear(4, 3, key=KEY), np.float32(3.0)), HE, key=KEY)
    assert new.scale == 3
    assert len(ledger.entries) == 2
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode="batch")
    (_, left), ledger = init_model((norm, state), EVERY, key=KEY)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, left, state))
    assert {e.status for e in ledger.entries if e.path.startswith("1")} == {"skipped"}


def test_loaded_arrays_are_left():
    model = eqx.nn.Linear(4, 3, key=KEY)
    new, ledger = init_model(model, Recipe((Rule(zeros(), kind="bias"),)), key=KEY,
                              loaded={"weight"})  # fmt: skip
    assert [entry.status for entry in ledger.entries] == ["loaded", "initialized"]
    assert new.weight is model.weight


def test_arrays_are_sharded_as_their_shapes_say():
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    sharding = NamedSharding(mesh, P("x"))
    tree = {"w": jax.ShapeDtypeStruct((8, 6), jnp.float32, sharding=sharding)}
    recipe = Recipe((Rule(orthogonal(), axes=Axes("in out"), kind="unknown"),))
    new, _ = init_model(tree, recipe, key=KEY)
    plain, _ = init_model({"w": jax.ShapeDtypeStruct((8, 6), jnp.float32)}, recipe, key=KEY)
    assert {s.data.shape for s in new["w"].addressable_shards} == {(2, 6)}
    np.testing.assert_allclose(new["w"], plain["w"], atol=1e-6)


def test_a_sharding_of_an_explicit_mesh_is_kept_within_jit():
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu"))
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    with jax.set_mesh(mesh):
        tree = {"w": jax.device_put(jnp.zeros((8, 6)), NamedSharding(mesh, P("x")))}
        new = jax.jit(lambda tree, key: init_model(tree, recipe, key=key)[0])(tree, KEY)
    assert new["w"].sharding.spec[0] == "x"
    plain, _ = init_model({"w": jnp.zeros((8, 6))}, recipe, key=KEY)
    np.testing.assert_allclose(new["w"], plain["w"], rtol=1e-6)


def test_equal_shapes_of_a_sharding_are_compiled_once(caplog):
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    shape = jax.ShapeDtypeStruct((44, 6), jnp.float32, sharding=NamedSharding(mesh, P("x")))
    scheme = he_normal().over_depth("index")  # as many scales as arrays
    recipe = Recipe([Rule(scheme, axes=Axes("in out"), kind="unknown")])
    with jax.log_compiles():
        init_model({str(i): shape for i in range(5)}, recipe, key=KEY)
    compiled = [r for r in caplog.records if "Finished XLA compilation of jit(drawn)" in r.message]
    assert len(compiled) == 1


def test_the_device_that_a_shape_says_is_kept():
    other = jax.devices("cpu")[2]
    sharding = SingleDeviceSharding(other)
    tree = {"w": jax.ShapeDtypeStruct((3, 4), jnp.float32, sharding=sharding)}
    new, _ = init_model(tree, Recipe((Rule(normal(std=1.0), kind="unknown"),)), key=KEY)
    assert new["w"].devices() == {other}


@pytest.mark.parametrize(
    ("sharding", "message"),
    [(lambda mesh: NamedSharding(mesh, P("x")), "divi"),
     (lambda mesh: NamedSharding(mesh.abstract_mesh, P("x")), "within jax.set_mesh")],
)  # fmt: skip
def test_a_sharding_that_cannot_be_is_an_error_with_the_path(sharding, message):
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu"))
    tree = {"w": jax.ShapeDtypeStruct((7, 6), jnp.float32, sharding=sharding(mesh))}
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    with pytest.raises(ValueError, match=message) as found:
        init_model(tree, recipe, key=KEY)
    assert "parameter: w" in found.value.__notes__


def test_arrays_stay_on_the_device_that_they_were_put_on():
    device = jax.devices("cpu")[3]
    tree = {"put": jax.device_put(jnp.zeros((4, 4)), device), "free": jnp.zeros((4, 4))}
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    new, _ = init_model(tree, recipe, key=KEY)
    assert new["put"].devices() == {device}
    assert new["free"].devices() == {jax.devices()[0]}


def test_every_array_has_its_own_dtype():
    tree = {name: jax.ShapeDtypeStruct((64, 64), name) for name in ("bfloat16", "complex64")}
    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), kind="unknown"),))
    new, ledger = init_model(tree, recipe, key=KEY)
    assert [entry.plan.field for entry in ledger.entries] == ["real", "complex"]
    for name, array in new.items():
        assert array.dtype == name
        std = float(jnp.sqrt((jnp.abs(array.astype("complex64")) ** 2).mean()))
        assert std == pytest.approx(math.sqrt(2 / 64), rel=0.06)


def test_a_bias_may_take_its_weights_fans():
    model, _ = init_model(eqx.nn.Linear(16, 20_000, key=KEY),
                           Recipe((Rule(lecun_uniform(gain=3**-0.5), kind=("weight", "bias")),)), key=KEY)  # fmt: skip
    assert 0.2499 < float(jnp.abs(model.bias).max()) <= 0.25


@pytest.mark.parametrize(
    ("tree", "recipe", "options", "error", "message"),
    [
        (eqx.nn.LayerNorm(3), Recipe((Rule(he_normal(), kind="*"),)), {}, FanError, "fan"),
        (eqx.nn.Linear(4, 3, key=KEY), Recipe((Rule(he_normal(), match="v*"),)), {},
         RecipeError, "none for 'weight' of Linear"),
        (eqx.nn.Linear(4, 3, key=KEY), Recipe((*HE.rules, Rule(ones(), kind="norm_scale"))), {},
         RecipeError, "every rule must be the first"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": {"kernel": Declaration()}}, RecipeError,
         r"`declarations` must be of arrays of the tree, got \['kernel'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": {"kernel"}}, RecipeError,
         r"`loaded` must be names in the model, got \['kernel'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": "weight"}, RecipeError, "must be a collection of names, got"),
        ({"w": jnp.zeros(3, "float16")}, Recipe((Rule(normal(std=1e5), match="w"),)), {}, DtypeError,
         "float16"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"loaded": None}, RecipeError, "names, got None"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": ["weight"]}, RecipeError,
         r"`declarations` must be a mapping by path, got \['weight'\]"),
        (eqx.nn.Linear(4, 3, key=KEY), HE, {"declarations": {"weight": Axes("out in")}},
         RecipeError, r"`declarations` must be Declarations, got Axes\('out in'\) for 'weight'"),
        (jnp.ones((3, 4)), HE, {}, RecipeError, "`model` must have arrays in it, got an array"),
        (nn.Dense(3), HE, {}, RecipeError, "`model` must have arrays"),
        ({}, HE, {}, RecipeError, "`model` must have arrays"),
        (eqx.nn.Linear(4, 3, key=KEY), "he", {}, RecipeError, "`recipe` must be a Recipe"),
    ],
)  # fmt: skip
def test_errors(tree, recipe, options, error, message):
    with pytest.raises(error, match=message):
        init_model(tree, recipe, key=KEY, **options)


def test_a_ledger_of_another_model_is_an_error():
    ledger = plan_model(eqx.nn.Linear(4, 3, key=KEY), HE)
    with pytest.raises(RecipeError, match="a ledger of this model"):
        init_model(eqx.nn.Linear(4, 5, key=KEY), ledger, key=KEY)


def test_only_a_key_is_a_key():
    with pytest.raises(SourceError, match="`key` must be a key"):
        init_model(eqx.nn.Linear(4, 3, key=KEY), HE, key=0)


def test_what_was_drawn_is_measured():
    model = eqx.nn.MLP(30, 20, 80, depth=1, key=KEY)
    model, ledger = init_model(model, he_normal(), key=KEY)
    measured = measure_model(model, ledger)
    assert list(measured) == [e.path for e in ledger.entries if e.plan]
    assert all(abs(m.std_z) < 5 for m in measured.values() if m.std_z is not None)
    wider = jax.tree.map(lambda leaf: leaf * 1.2 if eqx.is_array(leaf) else leaf, model)
    assert measure_model(wider, ledger)["layers.0.weight"].std_z > 6
    with pytest.raises(RecipeError, match="`ledger` must be of this model, got one that has"):
        measure_model({"w": jnp.zeros(3)}, ledger)


def test_a_padding_row_is_zero():
    shapes = {"table": jax.ShapeDtypeStruct((2, 5, 3), jnp.float32)}
    rule = Rule(normal(std=1.0), axes=Axes("stack in out", one_hot=True), kind="unknown", padding=0)
    model, _ = init_model(shapes, Recipe([rule]), key=KEY)
    assert (model["table"] == 0).all(axis=2).tolist() == [[True, False, False, False, False]] * 2


def test_depth_of_scanned_layers_is_the_position_in_the_stack():
    shapes = {"kernel": jax.ShapeDtypeStruct((3, 200, 100), jnp.float32)}
    rule = Rule(normal(std=1.0).over_depth("index"), axes=Axes("stack in out"), kind="unknown")
    model, _ = init_model(shapes, Recipe([rule]), key=KEY)
    expected = [(2 * n) ** -0.5 for n in (1, 2, 3)]
    np.testing.assert_allclose(model["kernel"].std(axis=(1, 2)), expected, rtol=0.03)


def test_declarations_are_traced_without_a_leak():
    with jax.checking_leaks():
        declared = trace_declarations(nn.Dense(3), jnp.zeros((1, 4)))
        transformed = hk.transform(lambda x: hk.Linear(3)(x))
        assert trace_declarations(transformed, jnp.zeros((1, 4)))["linear.w"].axes == Axes("in out")
    assert declared["params.kernel"].axes == Axes("in out")


@pytest.mark.clause("recipes/18")
def test_constants_that_somebody_set_are_not_replaced_in_silence():
    dense = nnx.Linear(4, 8, bias_init=nnx.initializers.constant(-4.6), rngs=nnx.Rngs(0))
    with pytest.warns(UserWarning, match=r"'bias' of Linear held -4\.6 and starts at 0"):
        init_model(dense, he_normal(), key=jax.random.key(0))
    shapes = jax.eval_shape(lambda: dense)
    init_model(shapes, he_normal(), key=jax.random.key(0))  # no values, no warning
