"""Models in JAX: plain trees, Flax, Equinox and Haiku, and each of their layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
from flax import nnx

from .case import Case

KEY = jax.random.key(0)
WIDTH, HEADS, EXPERTS, LAYERS = 32, 4, 4, 3
TOKENS = jnp.zeros((2, 5), "int32")
ROWS, IMAGES, SEQUENCES = jnp.ones((2, 6)), jnp.ones((2, 8, 8, 4)), jnp.ones((2, 5, 6))


def cases() -> Iterator[Case]:
    """Whole models first, then layers."""
    for name, (build, *args) in {**_models(), **_linen(), **_equinox(), **_haiku()}.items():
        yield Case(name, build, lambda _, args=tuple(args): args)  # type: ignore[misc]


class Block(nn.Module):
    """A block of a GPT, for `nn.scan`."""

    @nn.compact
    def __call__(self, x: Any, _: Any) -> Any:
        h = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(HEADS, qkv_features=WIDTH)(h, h)
        h = nn.gelu(nn.Dense(4 * WIDTH)(nn.LayerNorm()(x)))
        return x + nn.Dense(WIDTH)(h), None


class GPT(nn.Module):
    """A GPT whose blocks are scanned."""

    @nn.compact
    def __call__(self, tokens: Any) -> Any:
        embed = nn.Embed(50, WIDTH)
        x = embed(tokens) + self.param("position", nn.initializers.normal(0.02), (5, WIDTH))
        blocks = nn.scan(
            Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=LAYERS
        )
        x, _ = blocks()(x, None)
        return embed.attend(nn.LayerNorm()(x))


class Expert(nn.Module):
    """A gated expert of linen."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(WIDTH)(nn.silu(nn.Dense(4 * WIDTH)(x)) * nn.Dense(4 * WIDTH)(x))


class LinenMixture(nn.Module):
    """Experts under `nn.vmap`, mixed by a router."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        weights, chosen = jax.lax.top_k(jax.nn.softmax(nn.Dense(EXPERTS)(x)), 2)
        experts = nn.vmap(
            Expert, in_axes=None, out_axes=0, axis_size=EXPERTS,
            variable_axes={"params": 0}, split_rngs={"params": True},
        )  # fmt: skip
        shares = jnp.sum(jax.nn.one_hot(chosen, EXPERTS) * weights[..., None], -2)
        return x + jnp.einsum("ebd,be->bd", experts()(x), shares)


class NnxExpert(nnx.Module):
    """A gated expert of nnx."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.gate = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.down(nnx.silu(self.gate(x)) * self.up(x))


class NnxMixture(nnx.Module):
    """Experts under `nnx.vmap`, mixed by a router."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.router = nnx.Linear(WIDTH, EXPERTS, rngs=rngs)
        self.experts = nnx.vmap(NnxExpert)(rngs.fork(split=EXPERTS))

    def __call__(self, x: Any) -> Any:
        weights, chosen = jax.lax.top_k(jax.nn.softmax(self.router(x)), 2)
        shares = jnp.sum(jax.nn.one_hot(chosen, EXPERTS) * weights[..., None], -2)
        made = nnx.vmap(lambda expert, x: expert(x), in_axes=(0, None))(self.experts, x)
        return x + jnp.einsum("ebd,be->bd", made, shares)


def _plain() -> tuple[Any, Callable[..., Any]]:
    """A transformer whose parameters are a dictionary."""

    def norm(x: Any, scale: Any) -> Any:
        return x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6) * scale

    def apply(p: Any, tokens: Any) -> Any:
        x = p["embed"][tokens] + p["position"]
        for own in p["blocks"]:
            h = norm(x, own["norm"])
            q, k, v = (
                jnp.einsum("btd,dhk->bhtk", h, own[name]) for name in ("query", "key", "value")
            )
            scores = jax.nn.softmax(jnp.einsum("bhqk,bhsk->bhqs", q, k) / q.shape[-1] ** 0.5)
            x = x + jnp.einsum("bhqs,bhsk,hkd->bqd", scores, v, own["out"])
            h = norm(x, own["norm2"])
            x = x + (jax.nn.silu(h @ own["gate"]) * (h @ own["up"])) @ own["down"]
        return norm(x, p["norm"]) @ p["embed"].T

    head = (WIDTH, HEADS, WIDTH // HEADS)
    block = {
        "norm": (WIDTH,), "norm2": (WIDTH,), "query": head, "key": head, "value": head,
        "out": (HEADS, WIDTH // HEADS, WIDTH), "gate": (WIDTH, 64), "up": (WIDTH, 64),
        "down": (64, WIDTH),
    }  # fmt: skip
    shapes = {
        "embed": (50, WIDTH), "position": (5, WIDTH), "norm": (WIDTH,),
        "blocks": [block] * LAYERS,
    }  # fmt: skip
    return jax.tree.map(jnp.zeros, shapes, is_leaf=lambda n: isinstance(n, tuple)), apply


def _models() -> dict[str, tuple[Any, ...]]:
    x = jnp.ones((2, WIDTH))
    return {
        "plain transformer": (_plain, TOKENS),
        "linen GPT under nn.scan": (lambda: _of_linen(GPT(), TOKENS), TOKENS),
        "linen mixture of experts under nn.vmap": (lambda: _of_linen(LinenMixture(), x), x),
        "nnx mixture of experts under nnx.vmap": (
            lambda: (NnxMixture(nnx.Rngs(0)), None),
            x,
        ),
    }


def _of_linen(module: nn.Module, *args: Any) -> tuple[Any, Callable[..., Any]]:
    return module.init(KEY, *args), module.apply


def _linen() -> dict[str, tuple[Any, ...]]:
    layers: dict[str, tuple[Any, ...]] = {
        "Dense": (nn.Dense(3), ROWS),
        "DenseGeneral": (nn.DenseGeneral((2, 5)), ROWS),
        "Einsum": (nn.Einsum((6, 3), "bi,io->bo"), ROWS),
        "Conv": (nn.Conv(6, (3, 3)), IMAGES),
        "ConvTranspose": (nn.ConvTranspose(6, (3, 3)), IMAGES),
        "ConvLocal": (nn.ConvLocal(6, (3, 3)), IMAGES),
        "Embed": (nn.Embed(9, 4), TOKENS),
        "BatchNorm": (nn.BatchNorm(use_running_average=True), ROWS),
        "LayerNorm": (nn.LayerNorm(), ROWS),
        "RMSNorm": (nn.RMSNorm(), ROWS),
        "GroupNorm": (nn.GroupNorm(2), ROWS),
        "InstanceNorm": (nn.InstanceNorm(), IMAGES),
        "PReLU": (nn.PReLU(), ROWS),
        "MultiHeadDotProductAttention": (nn.MultiHeadDotProductAttention(2), SEQUENCES, SEQUENCES),
        "RNN(LSTMCell)": (nn.RNN(nn.LSTMCell(5)), SEQUENCES),
        "RNN(OptimizedLSTMCell)": (nn.RNN(nn.OptimizedLSTMCell(5)), SEQUENCES),
        "RNN(GRUCell)": (nn.RNN(nn.GRUCell(5)), SEQUENCES),
        "RNN(SimpleCell)": (nn.RNN(nn.SimpleCell(5)), SEQUENCES),
        "RNN(MGUCell)": (nn.RNN(nn.MGUCell(5)), SEQUENCES),
    }
    return {
        f"linen.{name}": (lambda module=module, args=args: _of_linen(module, *args), *args)
        for name, (module, *args) in layers.items()
    }


def _equinox() -> dict[str, tuple[Any, ...]]:
    layer, row, image = eqx.nn, ROWS[0], jnp.ones((4, 8, 8))
    line, cube, state = jnp.ones((4, 8)), jnp.ones((4, 6, 6, 6)), jnp.ones(5)
    sequence = SEQUENCES[0]
    layers: dict[str, tuple[Any, ...]] = {
        "Linear": (layer.Linear(6, 3, key=KEY), row),
        "Conv1d": (layer.Conv1d(4, 6, 3, key=KEY), line),
        "Conv2d": (layer.Conv2d(4, 6, 3, groups=2, key=KEY), image),
        "Conv3d": (layer.Conv3d(4, 6, 3, key=KEY), cube),
        "ConvTranspose1d": (layer.ConvTranspose1d(4, 6, 3, key=KEY), line),
        "ConvTranspose2d": (layer.ConvTranspose2d(4, 6, 3, stride=2, key=KEY), image),
        "ConvTranspose3d": (layer.ConvTranspose3d(4, 6, 3, key=KEY), cube),
        "Embedding": (layer.Embedding(9, 4, key=KEY), jnp.asarray(3)),
        "LayerNorm": (layer.LayerNorm(6), row),
        "RMSNorm": (layer.RMSNorm(6), row),
        "GroupNorm": (layer.GroupNorm(2, 4), image),
        "PReLU": (layer.PReLU(), row),
        "GRUCell": (layer.GRUCell(6, 5, key=KEY), row, state),
        "LSTMCell": (layer.LSTMCell(6, 5, key=KEY), row, (state, state)),
        "MultiheadAttention": (
            layer.MultiheadAttention(2, 6, use_query_bias=True, key=KEY),
            sequence, sequence, sequence,
        ),
        "MLP": (layer.MLP(6, 3, 16, 2, key=KEY), row),
        "WeightNorm": (layer.WeightNorm(layer.Linear(6, 3, key=KEY)), row),
    }  # fmt: skip
    return {
        f"eqx.nn.{name}": (lambda module=module: (module, None), *args)
        for name, (module, *args) in layers.items()
    }


def _haiku() -> dict[str, tuple[Any, ...]]:
    line, volume, state = jnp.ones((2, 8, 4)), jnp.ones((2, 6, 6, 6, 4)), jnp.ones((2, 5))
    key = hk.initializers.RandomNormal(0.1)
    layers: dict[str, tuple[Any, ...]] = {
        "Linear": (lambda x: hk.Linear(3)(x), ROWS),
        "Bias": (lambda x: hk.Bias()(x), ROWS),
        "Conv1D": (lambda x: hk.Conv1D(6, 3)(x), line),
        "Conv2D": (lambda x: hk.Conv2D(6, 3, stride=2)(x), IMAGES),
        "Conv3D": (lambda x: hk.Conv3D(6, 3)(x), volume),
        "Conv1DTranspose": (lambda x: hk.Conv1DTranspose(6, 3)(x), line),
        "Conv2DTranspose": (lambda x: hk.Conv2DTranspose(6, 3)(x), IMAGES),
        "Conv3DTranspose": (lambda x: hk.Conv3DTranspose(6, 3)(x), volume),
        "DepthwiseConv2D": (lambda x: hk.DepthwiseConv2D(2, 3)(x), IMAGES),
        "SeparableDepthwiseConv2D": (lambda x: hk.SeparableDepthwiseConv2D(2, 3)(x), IMAGES),
        "Embed": (lambda x: hk.Embed(9, 4)(x), TOKENS),
        "LayerNorm": (lambda x: hk.LayerNorm(-1, True, True)(x), ROWS),
        "RMSNorm": (lambda x: hk.RMSNorm(-1)(x), ROWS),
        "GroupNorm": (lambda x: hk.GroupNorm(2)(x), IMAGES),
        "InstanceNorm": (lambda x: hk.InstanceNorm(True, True)(x), IMAGES),
        "MultiHeadAttention": (
            lambda x: hk.MultiHeadAttention(2, 4, w_init=key)(x, x, x), SEQUENCES,
        ),
        "GRU": (lambda x: hk.GRU(5)(x, state)[0], ROWS),
        "LSTM": (lambda x: hk.LSTM(5)(x, hk.LSTMState(state, state))[0], ROWS),
        "VanillaRNN": (lambda x: hk.VanillaRNN(5)(x, state)[0], ROWS),
        "Conv2DLSTM": (
            lambda x: hk.Conv2DLSTM((8, 8), 5, 3)(
                x, hk.LSTMState(jnp.ones((2, 8, 8, 5)), jnp.ones((2, 8, 8, 5)))
            )[0], IMAGES,
        ),
        "nets.MLP": (lambda x: hk.nets.MLP([16, 3])(x), ROWS),
        "nets.ResNet18": (
            lambda x: hk.nets.ResNet18(10)(x, is_training=True), jnp.ones((1, 64, 64, 3)),
        ),
        "nets.MobileNetV1": (
            lambda x: hk.nets.MobileNetV1()(x, is_training=True), jnp.ones((1, 64, 64, 3)),
        ),
    }  # fmt: skip

    def build(function: Callable[..., Any], args: Any) -> tuple[Any, Callable[..., Any]]:
        model = hk.transform_with_state(function)
        params, state = jax.eval_shape(model.init, KEY, *args)
        return params, lambda p, *x: model.apply(
            p, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), state), KEY, *x
        )[0]

    return {
        f"hk.{name}": (lambda function=function, args=args: build(function, args), *args)
        for name, (function, *args) in layers.items()
    }
