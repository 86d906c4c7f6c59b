"""The layers of Equinox."""

from __future__ import annotations

import equinox as eqx

from ._core import Axes, Declaration
from ._layers import (
    BUFFER,
    SCALE,
    SHIFT,
    Declarations,
    bias,
    bias_of_norm,
    declare,
    repeat,
    scale_of_norm,
    sized,
)


@declare.register
def _(layer: eqx.nn.Linear) -> Declarations:
    sizes = (1 if n == "scalar" else n for n in (layer.out_features, layer.in_features))
    return {"weight": sized(Declaration(Axes("out in")), tuple(sizes)), "bias": bias("weight")}


def _kernel(layer: eqx.nn.Conv | eqx.nn.ConvTranspose, axes: Axes) -> Declarations:
    inputs = layer.in_channels // layer.groups
    own = (layer.out_channels, inputs, *layer.kernel_size)
    declared = Declaration(axes)
    return {"weight": sized(declared, own), "bias": _channel_bias(layer.num_spatial_dims)}


@declare.register
def _(layer: eqx.nn.Conv) -> Declarations:
    roles = f"out in {repeat('kernel', layer.num_spatial_dims)}"
    return _kernel(layer, Axes(roles, groups=layer.groups, stride=layer.stride))


@declare.register
def _(layer: eqx.nn.ConvTranspose) -> Declarations:
    roles = f"out in {repeat('kernel', layer.num_spatial_dims)}"
    # Its kernel has the units of all groups along `out`, as a convolution's.
    if layer.groups == 1:
        return _kernel(layer, Axes(roles, stride=layer.stride, transposed=True))
    if all(step == 1 for step in layer.stride):
        return _kernel(layer, Axes(roles, groups=layer.groups))
    # Grouped and strided: no axes say it, and to guess would be worse.
    return {"bias": _channel_bias(layer.num_spatial_dims, fans_of=None)}


@declare.register
def _(layer: eqx.nn.Embedding) -> Declarations:
    own = (layer.num_embeddings, layer.embedding_size)
    return {"weight": sized(Declaration(Axes("in out", one_hot=True), "embedding"), own)}


@declare.register
def _(layer: eqx.nn.GRUCell) -> Declarations:
    # The bias of the new state's gate is added to what comes of the state.
    return {**_gates(layer, 3), "bias_n": bias("weight_hh")}


@declare.register
def _(layer: eqx.nn.LSTMCell) -> Declarations:
    return _gates(layer, 4)


def _gates(layer: eqx.nn.GRUCell | eqx.nn.LSTMCell, count: int) -> Declarations:
    units = count * layer.hidden_size
    gates = Declaration(Axes("out in", blocks={"out": count}))
    return {
        "weight_ih": sized(gates, (units, layer.input_size)),
        "weight_hh": sized(gates, (units, layer.hidden_size)),
        "bias": sized(bias("weight_ih", Axes("out", blocks={"out": count})), (units,)),
    }


@declare.register(eqx.nn.LayerNorm)
@declare.register(eqx.nn.RMSNorm)
def _(layer: eqx.nn.LayerNorm | eqx.nn.RMSNorm) -> Declarations:
    return {"weight": scale_of_norm(layer.shape), "bias": bias_of_norm(layer.shape)}


@declare.register(eqx.nn.GroupNorm)
@declare.register(eqx.nn.BatchNorm)
def _(layer: eqx.Module) -> Declarations:
    return {"weight": SCALE, "bias": SHIFT}


@declare.register(eqx.nn.StateIndex)
def _(layer: eqx.Module) -> Declarations:
    return {"init": BUFFER, "init.0": BUFFER, "init.1": BUFFER}


@declare.register
def _(layer: eqx.nn.PReLU) -> Declarations:
    return {"negative_slope": Declaration(kind="slope")}


@declare.register(eqx.nn.WeightNorm)
def _(layer: eqx.Module) -> Declarations:
    return {"g": scale_of_norm}


def _channel_bias(spatial: int, fans_of: str | None = "weight") -> Declaration:
    return Declaration(Axes(f"out {repeat('stack', spatial)}"), "bias", fans_of)
