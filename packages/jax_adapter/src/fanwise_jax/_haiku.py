"""The layers of Haiku."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import haiku as hk

from ._core import UNKNOWN, Axes, Declaration, Declarations, layers
from ._layers import (
    bias,
    bias_of_norm,
    declare,
    layers_around,
    look_up,
    scale_of_norm,
)
from ._private import is_lifted
from ._tree import abstract_init, walk


@declare.register
def _(layer: hk.Linear) -> Declarations:
    weight = Declaration(layers.haiku.linear(), shape=(None, layer.output_size))
    return {"w": weight, "b": replace(bias("w"), shape=(layer.output_size,))}


@declare.register
def _(layer: hk.ConvND) -> Declarations:
    taps, groups = layer.num_spatial_dims, layer.feature_group_count
    axes = layers.haiku.conv(taps, groups=groups, stride=layer.stride)
    shape = (*layer.kernel_shape, None, layer.output_channels)
    return {"w": Declaration(axes, shape=shape), "b": _channel_bias}


@declare.register
def _(layer: hk.ConvNDTranspose) -> Declarations:
    axes = layers.haiku.conv_transpose(layer.num_spatial_dims, stride=layer.stride)
    return {"w": Declaration(axes), "b": _channel_bias}


@declare.register(hk.DepthwiseConv1D)
@declare.register(hk.DepthwiseConv2D)
@declare.register(hk.DepthwiseConv3D)
def _(layer: Any) -> Declarations:
    def depthwise(shape: tuple[int, ...]) -> Declaration:
        taps, groups = layer.num_spatial_dims, shape[-1] // layer.channel_multiplier
        return Declaration(layers.haiku.conv(taps, groups=groups, stride=layer.stride))

    return {"w": depthwise, "b": _channel_bias}


@declare.register
def _(layer: hk.Embed) -> Declarations:
    shape = (layer.vocab_size, layer.embed_dim)
    return {"embeddings": Declaration(layers.haiku.embedding(), "embedding", shape=shape)}


@declare.register
def _(layer: hk.LSTM) -> Declarations:
    return {
        "linear.w": Declaration(layers.haiku.lstm()),
        "linear.b": bias("linear.w", layers.haiku.bias(4)),
    }


@declare.register(hk.Conv1DLSTM)
@declare.register(hk.Conv2DLSTM)
@declare.register(hk.Conv3DLSTM)
def _(layer: Any) -> Declarations:
    kernel = layers.haiku.conv_lstm(layer.num_spatial_dims)
    declared: dict[str, Declaration] = {}
    for part in ("input_to_hidden", "hidden_to_hidden"):
        declared[f"{part}.w"] = Declaration(kernel)
        declared[f"{part}.b"] = bias(f"{part}.w", layers.haiku.bias(4))
    return declared


@declare.register
def _(layer: hk.GRU) -> Declarations:
    gates = Declaration(layers.haiku.gru())
    return {
        "w_i": gates,
        "w_h": gates,
        "b": bias("w_i", layers.haiku.bias(3)),
    }


@declare.register(hk.LayerNorm)
@declare.register(hk.RMSNorm)
@declare.register(hk.GroupNorm)
@declare.register(hk.BatchNorm)
@declare.register(hk.InstanceNorm)
def _(layer: Any) -> Declarations:
    return {"scale": scale_of_norm, "offset": bias_of_norm}


@declare.register
def _(layer: hk.Bias) -> Declarations:
    return {"b": lambda shape: replace(bias_of_norm(shape), kind="bias")}


def trace(
    model: hk.Transformed | hk.TransformedWithState, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Declaration]:
    """What the modules that a transformed function calls declare of its parameters, by path."""
    modules: dict[tuple[str, ...], hk.Module] = {}
    around: list[str] = []  # of a lifted function, as of `layer_stack`, whose names are its own

    def record(
        call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], context: hk.MethodContext
    ) -> Any:
        lifts = context.method_name == "__call__" and is_lifted(context.module)
        lifted: Any = context.module
        prefix = [lifted.prefix_name] if lifts and lifted.prefix_name else []
        around.extend(prefix)
        result = call(*args, **kwargs)  # its constructor is called so, too
        del around[len(around) - len(prefix) :]
        if hk.running_init():  # a lifted function runs once more, to apply what it made
            modules[tuple("/".join([*around, context.module.module_name]).split("/"))] = (
                context.module
            )
        return result

    declared: dict[str, Declaration] = {}

    def declare_all(found: Any) -> None:
        params = found[0] if isinstance(found, tuple) else found  # the other is the state
        for leaf in walk(params):
            module_name, name = leaf.segments
            around = layers_around(module_name.split("/"), name, modules)
            known = look_up(name, leaf.value.shape, around)
            declared[leaf.path] = known or UNKNOWN
        modules.clear()  # they hold what was traced

    with hk.intercept_methods(record):
        abstract_init(model.init, args, kwargs, declare_all)
    return declared


def _channel_bias(shape: tuple[int, ...]) -> Declaration:
    sizes = [i for i, n in enumerate(shape) if n > 1] or [0]
    return bias("w", Axes("out" if i == sizes[0] else "stack" for i in range(len(shape))))
