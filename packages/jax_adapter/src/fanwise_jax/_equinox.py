"""The layers of Equinox."""

from __future__ import annotations

import contextlib
from typing import Any

import equinox as eqx
import jax

from ._core import (
    Axes,
    AxesError,
    Declaration,
    Declarations,
    Declared,
    Scheme,
    constant,
    layers,
    normal,
    ones,
    zeros,
)
from ._layers import (
    BUFFER,
    SCALE,
    SHIFT,
    bias,
    bias_of_norm,
    declare,
    scale_of_norm,
    sized,
)


@declare.register
def _(layer: eqx.nn.Linear) -> Declarations:
    units, inputs = (1 if n == "scalar" else n for n in (layer.out_features, layer.in_features))
    return {
        "weight": sized(Declaration(layers.equinox.linear()), (units, inputs)),
        "bias": sized(bias("weight"), (units,)),
    }


@declare.register
def _(layer: eqx.nn.Conv) -> Declarations:
    axes = layers.equinox.conv(layer.num_spatial_dims, groups=layer.groups, stride=layer.stride)
    return _convolution(layer, axes)


@declare.register
def _(layer: eqx.nn.ConvTranspose) -> Declarations:
    taps, groups, stride = layer.num_spatial_dims, layer.groups, layer.stride
    try:
        axes = layers.equinox.conv_transpose(taps, groups=groups, stride=stride)
    except AxesError:  # grouped and strided: no axes say it, and to guess would be worse
        units = Declaration(layers.equinox.bias(layer.num_spatial_dims), "bias")
        return {"weight": Declaration(), "bias": units}
    return _convolution(layer, axes)


def _convolution(layer: eqx.nn.Conv | eqx.nn.ConvTranspose, axes: Axes) -> Declarations:
    inputs = layer.in_channels // layer.groups
    own = (layer.out_channels, inputs, *layer.kernel_size)
    spatial = (1,) * layer.num_spatial_dims
    channels = layers.equinox.bias(layer.num_spatial_dims)
    return {
        "weight": sized(Declaration(axes), own),
        "bias": sized(bias("weight", channels), (layer.out_channels, *spatial)),
    }


@declare.register
def _(layer: eqx.nn.Embedding) -> Declarations:
    own = (layer.num_embeddings, layer.embedding_size)
    return {"weight": sized(Declaration(layers.equinox.embedding(), "embedding"), own)}


@declare.register
def _(layer: eqx.nn.GRUCell) -> Declarations:
    # The bias of the gate of the new state is added to what comes of the state.
    bias_n = sized(bias("weight_hh"), (layer.hidden_size,))
    return {**_gates(layer, 3, layers.equinox.gru()), "bias_n": bias_n}


@declare.register
def _(layer: eqx.nn.LSTMCell) -> Declarations:
    return _gates(layer, 4, layers.equinox.lstm())


def _gates(layer: eqx.nn.GRUCell | eqx.nn.LSTMCell, count: int, axes: Axes) -> dict[str, Declared]:
    units, gates = count * layer.hidden_size, Declaration(axes)
    return {
        "weight_ih": sized(gates, (units, layer.input_size)),
        "weight_hh": sized(gates, (units, layer.hidden_size)),
        "bias": sized(bias("weight_ih", layers.torch.bias(count)), (units,)),
    }


@declare.register(eqx.nn.LayerNorm)
@declare.register(eqx.nn.RMSNorm)
def _(layer: eqx.nn.LayerNorm | eqx.nn.RMSNorm) -> Declarations:
    shape = layer.shape
    return {
        "weight": sized(scale_of_norm(shape), shape),
        "bias": sized(bias_of_norm(shape), shape),
    }


@declare.register
def _(layer: eqx.nn.GroupNorm) -> Declarations:
    own = (layer.channels or 0,)
    return {"weight": sized(SCALE, own), "bias": sized(SHIFT, own)}


@declare.register
def _(layer: eqx.nn.BatchNorm) -> Declarations:
    own = (layer.input_size,)
    return {"weight": sized(SCALE, own), "bias": sized(SHIFT, own)}


@declare.register(eqx.nn.StateIndex)
def _(layer: eqx.Module) -> Declarations:
    return {"init": BUFFER, "init.0": BUFFER, "init.1": BUFFER}


@declare.register
def _(layer: eqx.nn.PReLU) -> Declarations:
    return {"negative_slope": Declaration(kind="slope", default=constant(value=0.25))}


@declare.register(eqx.nn.WeightNorm)
def _(layer: Any) -> Declarations:
    norm_axes = tuple(axis for axis, size in enumerate(layer.g.shape) if size != 1)
    weight = f"layer.{layer.weight_name}"
    return {"g": Declaration(kind="weight_norm", norms_of=weight, norm_axes=norm_axes)}


def starts_of_states(tree: Any) -> dict[int, Scheme | int]:
    """Where the state of known layers starts, by the id of each leaf of an `equinox.nn.State`.

    A state has no names: a layer's index finds its part. What cannot be drawn has a number.
    """
    kinds = (eqx.nn.State, eqx.nn.BatchNorm, eqx.nn.SpectralNorm)
    nodes = jax.tree_util.tree_leaves(tree, is_leaf=lambda node: isinstance(node, kinds))
    starts: dict[int, Scheme | int] = {}
    for state in (node for node in nodes if isinstance(node, eqx.nn.State)):
        for layer in nodes:
            parts: list[tuple[Any, tuple[Scheme | int, ...]]] = []
            if isinstance(layer, eqx.nn.BatchNorm):
                parts = [
                    (layer.ema_first_time_index, (True,)),
                    (layer.ema_state_index, (zeros(), ones())),
                    (layer.batch_counter, (0,)),
                    (layer.batch_state_index, (zeros(), ones())),
                ]
            elif isinstance(layer, eqx.nn.SpectralNorm):
                parts = [(layer.uv_index, (normal(std=1.0), normal(std=1.0)))]
            for index, values in parts:
                if index is None:
                    continue
                with contextlib.suppress(KeyError):  # another state has it
                    leaves = jax.tree_util.tree_leaves(state.get(index))
                    starts.update(zip(map(id, leaves), values, strict=True))
    return starts
