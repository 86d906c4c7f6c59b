"""The layers of Haiku."""

from __future__ import annotations

from typing import Any

import haiku as hk

from ._core import Axes, Declaration
from ._layers import (
    Declarations,
    bias,
    bias_of_norm,
    declare,
    layers_around,
    look_up,
    repeat,
    scale_of_norm,
)
from ._tree import abstract_init, walk


@declare.register
def _(layer: hk.Linear) -> Declarations:
    return {"w": Declaration(Axes("in out")), "b": bias("w")}


@declare.register
def _(layer: hk.ConvND) -> Declarations:
    axes = Axes(
        f"{repeat('kernel', layer.num_spatial_dims)} in out",
        groups=layer.feature_group_count,
        stride=layer.stride,
    )
    return {"w": Declaration(axes), "b": _channel_bias}


@declare.register
def _(layer: hk.ConvNDTranspose) -> Declarations:
    axes = Axes(
        f"{repeat('kernel', layer.num_spatial_dims)} out in",
        stride=layer.stride,
        transposed=True,
    )
    return {"w": Declaration(axes), "b": _channel_bias}


@declare.register(hk.DepthwiseConv1D)
@declare.register(hk.DepthwiseConv2D)
@declare.register(hk.DepthwiseConv3D)
def _(layer: Any) -> Declarations:
    def depthwise(shape: tuple[int, ...]) -> Declaration:
        roles = f"{repeat('kernel', layer.num_spatial_dims)} in out"
        groups = shape[-1] // layer.channel_multiplier
        return Declaration(Axes(roles, groups=groups, stride=layer.stride))

    return {"w": depthwise, "b": _channel_bias}


@declare.register
def _(layer: hk.Embed) -> Declarations:
    return {"embeddings": Declaration(Axes("in out", one_hot=True), "embedding")}


@declare.register
def _(layer: hk.LSTM) -> Declarations:
    gates = {"out": 4}
    return {
        "linear.w": Declaration(Axes("in out", blocks=gates)),  # input and state, concatenated
        "linear.b": bias("linear.w", Axes("out", blocks=gates)),
    }


@declare.register(hk.Conv1DLSTM)
@declare.register(hk.Conv2DLSTM)
@declare.register(hk.Conv3DLSTM)
def _(layer: Any) -> Declarations:
    kernel = Axes(f"{repeat('kernel', layer.num_spatial_dims)} in out", blocks={"out": 4})
    declared: dict[str, Declaration] = {}
    for part in ("input_to_hidden", "hidden_to_hidden"):
        declared[f"{part}.w"] = Declaration(kernel)
        declared[f"{part}.b"] = bias(f"{part}.w", Axes("out", blocks={"out": 4}))
    return declared


@declare.register
def _(layer: hk.GRU) -> Declarations:
    gates = Axes("in out", blocks={"out": 3})
    return {
        "w_i": Declaration(gates),
        "w_h": Declaration(gates),
        "b": bias("w_i", Axes("out", blocks={"out": 3})),
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
    return {"b": bias_of_norm}


def trace(
    model: hk.Transformed | hk.TransformedWithState, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Declaration]:
    """What the modules that a transformed function calls declare of its parameters, by path."""
    modules: dict[tuple[str, ...], hk.Module] = {}
    around: list[str] = []  # of a lifted function, as of `layer_stack`, whose names are its own

    def record(
        call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], context: hk.MethodContext
    ) -> Any:
        lifts = context.method_name == "__call__" and _is_lifted(context.module)
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

    with hk.intercept_methods(record):
        found = abstract_init(model.init, args, kwargs)
    params = found[0] if isinstance(found, tuple) else found  # the other is the state
    declared = {}
    for leaf in walk(params):
        module_name, name = leaf.segments
        layers = layers_around(module_name.split("/"), name, modules)
        shape = leaf.value.shape
        declared[leaf.path] = look_up(name, shape, layers) or Declaration.of_name(name)
    return declared


def _is_lifted(module: Any) -> bool:
    """Whether it is what Haiku makes of a lifted function, a class that it does not export."""
    kind = type(module)
    return kind.__name__ == "LiftingModule" and kind.__module__.startswith("haiku.")


def _channel_bias(shape: tuple[int, ...]) -> Declaration:
    sizes = [i for i, n in enumerate(shape) if n > 1] or [0]
    return bias("w", Axes("out" if i == sizes[0] else "stack" for i in range(len(shape))))
