"""The layers of Equinox."""

from __future__ import annotations

import equinox as eqx

from ._core import Axes, Declaration
from ._layers import (
    BUFFER,
    Declarations,
    bias,
    bias_of_norm,
    declare,
    repeat,
    scale_of_norm,
)


@declare.register
def _(layer: eqx.nn.Linear) -> Declarations:
    return {"weight": Declaration(Axes("out in")), "bias": bias("weight")}


@declare.register
def _(layer: eqx.nn.Conv) -> Declarations:
    axes = Axes(
        f"out in {repeat('kernel', layer.num_spatial_dims)}",
        groups=layer.groups,
        stride=layer.stride,
    )
    return {"weight": Declaration(axes), "bias": _channel_bias(layer.num_spatial_dims)}


@declare.register
def _(layer: eqx.nn.ConvTranspose) -> Declarations:
    spatial = layer.num_spatial_dims
    roles = f"out in {repeat('kernel', spatial)}"
    # Its kernel has the units of all groups along `out`, as a convolution's.
    if layer.groups == 1:
        axes = Axes(roles, stride=layer.stride, transposed=True)
    elif all(step == 1 for step in layer.stride):
        axes = Axes(roles, groups=layer.groups)
    else:  # grouped and strided: no axes say it, and to guess would be worse
        return {"bias": _channel_bias(spatial, fans_of=None)}
    return {"weight": Declaration(axes), "bias": _channel_bias(spatial)}


@declare.register
def _(layer: eqx.nn.Embedding) -> Declarations:
    return {"weight": Declaration(Axes("in out", one_hot=True), "embedding")}


@declare.register
def _(layer: eqx.nn.GRUCell) -> Declarations:
    gates = Axes("out in", blocks={"out": 3})
    return {
        "weight_ih": Declaration(gates),
        "weight_hh": Declaration(gates),
        "bias": bias("weight_ih", Axes("out", blocks={"out": 3})),
        "bias_n": Declaration(Axes("out"), "bias"),
    }


@declare.register
def _(layer: eqx.nn.LSTMCell) -> Declarations:
    gates = Axes("out in", blocks={"out": 4})
    return {
        "weight_ih": Declaration(gates),
        "weight_hh": Declaration(gates),
        "bias": bias("weight_ih", Axes("out", blocks={"out": 4})),
    }


@declare.register(eqx.nn.LayerNorm)
@declare.register(eqx.nn.RMSNorm)
@declare.register(eqx.nn.GroupNorm)
@declare.register(eqx.nn.BatchNorm)
def _(layer: eqx.Module) -> Declarations:
    return {"weight": scale_of_norm, "bias": bias_of_norm}


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
