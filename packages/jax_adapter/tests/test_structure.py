"""What functions compute says what their parameters are for, whatever tree holds them."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from fanwise_jax import declare, init_model, plan_model, structure
from flax import linen as nn, nnx

from fanwise import (
    Axes,
    Declaration,
    Recipe,
    RecipeError,
    Rule,
    Structure,
    fans,
    he_normal,
    normal,
    zeros,
)

pytestmark = pytest.mark.clause("recipes/17")

KEY = jax.random.key(3)
TOKENS = jnp.zeros((2, 7), int)
WIDTH = 16


def block(p, x):
    normed = x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6) * (1 + p["norm"])
    q, k, v = jnp.split(normed @ p["qkv"], 3, -1)
    weights = jax.nn.softmax(jnp.einsum("btd,bsd->bts", q, k) / 4)
    x = x + weights @ v @ p["out"]
    gated = jax.nn.silu(x @ p["gate"]) * (x @ p["up"] + p["bias"])
    return x + p["gamma"] * (gated @ p["down"])


def parameters():
    shapes = {
        "norm": (WIDTH,), "qkv": (WIDTH, 3 * WIDTH), "out": (WIDTH, WIDTH), "gate": (WIDTH, 32),
        "up": (WIDTH, 32), "bias": (32,), "down": (32, WIDTH), "gamma": (WIDTH,),
    }  # fmt: skip
    return {name: jnp.full(shape, 0.5) for name, shape in shapes.items()}


MODEL = {"embed": jnp.zeros((50, WIDTH)), "blocks": [parameters(), parameters()]}


def apply(p, tokens):
    x = p["embed"][tokens]
    for own in p["blocks"]:
        x = jax.checkpoint(block)(own, x)
    return x @ p["embed"].T


EXPECTED = {
    "norm": ("out", "norm_scale", None),
    "qkv": ("in out, blocks={out: 3}", "weight", "query+key+value"),
    "out": ("in out", "weight", "attention_output residual_end"),
    "gate": ("in out", "weight", "gate"),
    "up": ("in out", "weight", "up"),
    "bias": ("out", "bias", None),
    "down": ("in out", "weight", "down residual_end"),
    "gamma": ("out", "layer_scale", None),
}


def seen(found):
    assert found.faults == []
    return {p.path: (str(p.axes), p.kind, p.role) for p in found.parameters}


def test_a_transformer_of_plain_dictionaries():
    found = structure(MODEL, TOKENS, apply=apply)
    kinds = seen(found)
    assert kinds.pop("embed") == ("in out, one_hot=True", "embedding", None)
    assert kinds == {f"blocks.{i}.{name}": what for i in (0, 1) for name, what in EXPECTED.items()}
    by_path = {p.path: p for p in found.parameters}
    assert by_path["blocks.1.bias"].fans_of == "blocks.1.up"
    assert by_path["blocks.1.norm"].default == zeros()
    assert by_path["blocks.1.down"].branches == 4
    assert Structure.from_data(found.to_data()) == found
    assert "# " not in found.explain("blocks.0.qkv")
    assert "dot" not in found.explain("blocks.0.qkv")


def scanned(p, tokens):
    x = p["embed"][tokens]
    x, _ = jax.lax.scan(lambda x, own: (block(own, x), None), x, p["blocks"])
    return x @ p["embed"].T


def in_vmap(p, tokens):
    return jax.vmap(lambda one: apply(p, one[None])[0])(tokens)


def jitted(p, tokens):
    return jax.jit(apply)(p, tokens)


def in_cond(p, tokens):
    return jax.lax.cond(tokens.sum() > 0, apply, apply, p, tokens)


@pytest.mark.parametrize("function", [in_vmap, jitted, in_cond])
def test_transforms_are_taken_apart(function):
    assert seen(structure(MODEL, TOKENS, apply=function)) == seen(
        structure(MODEL, TOKENS, apply=apply)
    )


def test_scanned_layers_are_stacks():
    stacked = {**MODEL, "blocks": jax.tree.map(lambda *x: jnp.stack(x), *MODEL["blocks"])}
    found = structure(stacked, TOKENS, apply=scanned)
    kinds = {path: what for path, what in seen(found).items() if path != "embed"}
    expected = {
        f"blocks.{name}": (f"stack {axes}", kind, role)
        for name, (axes, kind, role) in EXPECTED.items()
    }
    assert kinds == expected
    assert {p.branches for p in found.parameters} == {None, 4}


def test_experts_under_vmap_are_stacks():
    def experts(p, x):
        chosen = jax.lax.top_k(jax.nn.softmax(x @ p["router"]), 2)[1]
        each = jax.vmap(lambda up, down: jax.nn.relu(x @ up) @ down)(p["up"], p["down"])
        return jnp.take_along_axis(each.transpose(1, 0, 2), chosen[..., None], 1).sum(1)

    shapes = {"router": (8, 4), "up": (4, 8, 16), "down": (4, 16, 8)}
    model = {name: jax.ShapeDtypeStruct(shape, "float32") for name, shape in shapes.items()}
    found = seen(structure(model, jax.ShapeDtypeStruct((5, 8), "float32"), apply=experts))
    assert found == {
        "down": ("stack in out", "weight", None),
        "router": ("in out", "weight", "router"),
        "up": ("stack in out", "weight", None),
    }


def test_a_whole_tree_is_started_in_one_line():
    with pytest.warns(UserWarning, match=r"'blocks\.0\.norm', .* held 0\.5 and starts at 0"):
        model, ledger = init_model(MODEL, he_normal(), key=KEY, example=TOKENS, apply=apply)
    assert (model["blocks"][0]["norm"] == 0).all()
    assert (model["blocks"][0]["bias"] == 0).all()
    assert (model["blocks"][0]["gamma"] == 0.5).all()
    status = {entry.path: entry.status for entry in ledger.entries}
    assert status["blocks.0.gamma"] == "kept"
    assert model["blocks"][0]["qkv"].std() == pytest.approx((2 / WIDTH) ** 0.5, rel=0.1)
    with pytest.raises(RecipeError, match="must be known"):
        plan_model(MODEL, he_normal())


def of_linen(module, *args):
    variables = module.init(KEY, *args)
    return variables, args, module.apply


def of_nnx(module, *args):
    return module, args, lambda model, *x: model(*x)


def of_equinox(module, *args):
    return module, args, lambda model, *x: model(*x)


def of_haiku(function, *args):
    model = hk.transform(function)
    return model.init(KEY, *args), args, lambda p, *x: model.apply(p, KEY, *x)


X, IMAGE = jnp.ones((2, 6)), jnp.ones((2, 8, 8, 4))
LAYERS = [
    of_linen(nn.Dense(3), X),
    of_linen(nn.DenseGeneral((2, 5), axis=(-2, -1)), jnp.ones((2, 3, 4))),
    of_linen(nn.Conv(6, (3, 3), strides=2), IMAGE),
    of_linen(nn.Conv(8, (3, 3), feature_group_count=2), IMAGE),
    of_linen(nn.ConvTranspose(6, (3, 3), strides=(2, 2)), IMAGE),
    of_linen(nn.Embed(9, 4), TOKENS),
    of_linen(nn.MultiHeadDotProductAttention(2), jnp.ones((2, 5, 6)), jnp.ones((2, 5, 6))),
    of_linen(nn.LayerNorm(), X),
    of_linen(nn.RMSNorm(), X),
    of_linen(nn.GroupNorm(2), X),
    of_linen(nn.RNN(nn.LSTMCell(5)), jnp.ones((2, 3, 6))),  # whose carry has keys in it
    of_linen(nn.RNN(nn.GRUCell(5)), jnp.ones((2, 3, 6))),
    of_nnx(nnx.Linear(6, 3, rngs=nnx.Rngs(0)), X),
    of_nnx(nnx.LinearGeneral(6, (2, 5), rngs=nnx.Rngs(0)), X),
    of_nnx(nnx.Conv(4, 6, (3, 3), strides=2, rngs=nnx.Rngs(0)), IMAGE),
    of_nnx(nnx.Embed(9, 4, rngs=nnx.Rngs(0)), TOKENS),
    of_nnx(nnx.LayerNorm(6, rngs=nnx.Rngs(0)), X),
    of_nnx(nnx.RMSNorm(6, rngs=nnx.Rngs(0)), X),
    of_equinox(eqx.nn.Linear(6, 3, key=KEY), X[0]),
    of_equinox(eqx.nn.Conv2d(4, 6, 3, groups=2, key=KEY), jnp.ones((4, 8, 8))),
    of_equinox(eqx.nn.ConvTranspose2d(4, 6, 3, stride=2, key=KEY), jnp.ones((4, 8, 8))),
    of_equinox(eqx.nn.Embedding(9, 4, key=KEY), jnp.asarray(3)),
    of_equinox(eqx.nn.LayerNorm(6), X[0]),
    of_equinox(eqx.nn.RMSNorm(6), X[0]),
    of_equinox(eqx.nn.GRUCell(6, 5, key=KEY), X[0], jnp.ones(5)),
    of_equinox(eqx.nn.LSTMCell(6, 5, key=KEY), X[0], (jnp.ones(5), jnp.ones(5))),
    of_equinox(
        eqx.nn.MultiheadAttention(2, 6, use_query_bias=True, key=KEY), *(jnp.ones((5, 6)),) * 3
    ),
    of_haiku(lambda x: hk.Linear(3)(x), X),
    of_haiku(lambda x: hk.Conv2D(6, 3, stride=2)(x), IMAGE),
    of_haiku(lambda x: hk.Embed(9, 4)(x), TOKENS),
    of_haiku(lambda x: hk.LayerNorm(-1, True, True)(x), X),
    of_haiku(lambda x: hk.RMSNorm(-1)(x), X),
    of_haiku(lambda x: hk.GRU(5)(x, jnp.ones((2, 5)))[0], X),
    of_haiku(lambda x: hk.LSTM(5)(x, hk.LSTMState(jnp.ones((2, 5)), jnp.ones((2, 5))))[0], X),
]


@pytest.mark.parametrize(("model", "args", "function"), LAYERS)
def test_the_computation_says_what_the_type_of_the_layer_says(model, args, function):
    bare, inner = jax.tree_util.tree_flatten(model)
    bare = {f"{i:02}": leaf for i, leaf in enumerate(bare)}  # without its layers, in their order

    def run(leaves, *x):
        values = [leaves[name] for name in sorted(leaves)]
        return function(jax.tree_util.tree_unflatten(inner, values), *x)

    found = structure(bare, args, apply=run)
    declared = {p.path: p for p in structure(model, args, apply=function).parameters}
    assert found.faults == []
    for one, other in zip(found.parameters, declared.values(), strict=True):
        if other.kind == "unknown":
            continue
        assert one.kind == other.kind, other.path
        if one.kind in ("weight", "embedding"):
            assert fans(one.shape, one.axes) == fans(other.shape, other.axes), other.path


def test_uses_that_disagree_are_an_error_that_shows_both():
    model = {"w": jnp.zeros((6, 4))}
    both = lambda p, x: jnp.tanh(x @ p["w"]) @ p["w"].T  # noqa: E731
    with pytest.raises(RecipeError, match="used as 'in out' of a contraction and as 'out in'"):
        plan_model(model, he_normal(), example=jnp.zeros((2, 6)), apply=both)
    declared = {"w": Declaration(Axes("in out"))}
    ledger = plan_model(
        model, he_normal(), example=jnp.zeros((2, 6)), apply=both, declarations=declared
    )
    assert ledger.entries[0].known == "declared"


def test_what_the_call_does_not_reach_is_unknown():
    model = {"used": jnp.zeros((6, 4)), "unused": jnp.zeros((6, 4))}
    with pytest.raises(RecipeError, match="must be known, got 'unused'"):
        plan_model(
            model, normal(std=1.0), example=jnp.zeros((2, 6)), apply=lambda p, x: x @ p["used"]
        )


@pytest.mark.filterwarnings("ignore:constants of the model are replaced")  # recipes/18
def test_a_layer_of_ones_own_that_is_called():
    class Norm(eqx.Module):
        weight: jax.Array

        def __call__(self, x):
            return x / jnp.sqrt(jnp.mean(x**2) + 1e-6) * (1 + self.weight)

    model, ledger = init_model(Norm(jnp.ones(6)), Recipe(()), key=KEY, example=X[0])
    assert (model.weight == 0).all()
    assert ledger.entries[0].known == "computation"
    declare.register(Norm, lambda layer: {"weight": Declaration(Axes("out"), "norm_scale")})
    model, ledger = init_model(Norm(jnp.zeros(6)), Recipe(()), key=KEY, example=X[0])
    assert (model.weight == 1).all()
    assert ledger.entries[0].known == "declared"


@pytest.mark.parametrize(
    ("model", "example", "options", "message"),
    [
        (
            {"w": jnp.zeros((4, 3))},
            X,
            {},
            "`apply` must be given for a model that cannot be called",
        ),
        (
            {"w": jnp.zeros((4, 3))},
            X,
            {"apply": lambda p, x: x @ p["w"]},
            "`example` must be what the model takes, got TypeError",
        ),
        (eqx.nn.Linear(6, 3, key=KEY), {"y": X}, {}, "got TypeError: .*y"),
    ],
)
def test_errors(model, example, options, message):
    with pytest.raises(RecipeError, match=message):
        structure(model, example, **options)


def test_rules_for_what_is_seen():
    rules = Recipe(
        [Rule(normal(std=0.02).over_depth("branches"), role="residual_end"),
         Rule(normal(std=0.02), kind=("weight", "embedding"))]
    )  # fmt: skip
    ledger = plan_model(MODEL, rules, example=TOKENS, apply=apply)
    stds = {e.path: e.plan.law.std for e in ledger.entries if e.rule is not None}
    assert stds["blocks.0.down"] == pytest.approx(0.01)
    assert stds["blocks.0.up"] == pytest.approx(0.02)
