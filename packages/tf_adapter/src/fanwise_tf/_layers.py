"""What Keras' layers mean by the axes of their variables: by type, never by rank."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from keras import layers
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from ._core import Axes, Declaration, kernels

# Also for LoRA's second factor: it is zero, whatever law weights have, so that nothing changes yet.
BUFFER = Declaration(kind="buffer")


@functools.singledispatch
def declare(layer: Any, /) -> Mapping[str, Declaration]:
    """Declare what a layer's own variables are, by their names.

    A layer of another type is declared by registering a function for it:

    >>> class Experts(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.kernel = self.add_weight(shape=(8, shape[-1], 256), name="kernel")
    >>> _ = declare.register(Experts, lambda layer: {"kernel": Declaration(Axes("stack in out"))})
    >>> declare(Experts())["kernel"].axes
    Axes('stack in out')

    Parameters
    ----------
    layer : keras.Layer
        The layer, of a type whose base may be the registered one.

    Returns
    -------
    mapping of str to Declaration
        By name. What is not declared has no axes, and is a "bias" if its name ends so, else a
        "weight"; or a "buffer", if it is not trainable in a layer that is.
    """
    return {}


def _bias(of: str = "kernel", axes: Axes = kernels.BIAS) -> Declaration:
    return Declaration(axes, "bias", fans_of=of)


@declare.register
def _(layer: layers.Dense) -> Mapping[str, Declaration]:
    return {**_with_lora("kernel", kernels.KERAS_DENSE), "bias": _bias()}


def _with_lora(name: str, axes: Axes, kind: str = "weight") -> dict[str, Declaration]:
    """A weight and the factors of its change of low rank."""
    first = Axes(axes.roles, one_hot=axes.one_hot)  # the last axis being the rank
    return {
        name: Declaration(axes, kind),
        f"lora_{name}_a": Declaration(first, kind),
        f"lora_{name}_b": BUFFER,
    }


@declare.register
def _(layer: layers.EinsumDense) -> Mapping[str, Declaration]:
    axes = Axes.from_einsum(layer.equation)
    rank = 0 if layer.bias is None else len(layer.bias.shape)
    return {
        **_with_lora("kernel", axes),
        "bias": _bias(axes=Axes(_repeat("out", rank))),
    }


@declare.register
def _(layer: BaseConv) -> Mapping[str, Declaration]:
    roles = f"{_repeat('kernel', layer.rank)} in out"
    axes = Axes(roles, groups=layer.groups, stride=tuple(layer.strides))
    return {**_with_lora("kernel", axes), "bias": _bias()}


@declare.register
def _(layer: BaseConvTranspose) -> Mapping[str, Declaration]:
    roles = f"{_repeat('kernel', layer.rank)} out in"
    axes = Axes(roles, stride=tuple(layer.strides), transposed=True)
    return {"kernel": Declaration(axes), "bias": _bias()}


@declare.register
def _(layer: BaseDepthwiseConv) -> Mapping[str, Declaration]:
    return {"kernel": Declaration(_depthwise(layer)), "bias": Declaration(kernels.BIAS, "bias")}


@declare.register
def _(layer: BaseSeparableConv) -> Mapping[str, Declaration]:
    pointwise = Axes(f"{_repeat('kernel', layer.rank)} in out")
    return {
        "depthwise_kernel": Declaration(_depthwise(layer)),
        "pointwise_kernel": Declaration(pointwise),
        "bias": _bias("pointwise_kernel"),
    }


def _depthwise(layer: Any) -> Axes:
    """Each channel is convolved by small kernels of its own."""
    return Axes(f"{_repeat('kernel', layer.rank)} stack out", stride=tuple(layer.strides))


@declare.register
def _(layer: layers.Embedding) -> Mapping[str, Declaration]:
    return {
        **_with_lora("embeddings", kernels.KERAS_EMBEDDING, "embedding"),
        "reverse_embeddings": Declaration(kernels.KERAS_DENSE),  # from units back to tokens
    }


@declare.register
def _(layer: layers.SimpleRNNCell) -> Mapping[str, Declaration]:
    return _gates(Axes("in out"), kernels.BIAS)


@declare.register
def _(layer: layers.LSTMCell) -> Mapping[str, Declaration]:
    return _gates(kernels.KERAS_LSTM, Axes("out", blocks={"out": 4}))


@declare.register
def _(layer: layers.GRUCell) -> Mapping[str, Declaration]:
    roles = "stack out" if layer.reset_after else "out"  # then a bias each for input and state
    return _gates(kernels.KERAS_GRU, Axes(roles, blocks={"out": 3}))


@declare.register
def _(layer: ConvLSTMCell) -> Mapping[str, Declaration]:
    kernel = Axes(f"{_repeat('kernel', layer.rank)} in out", blocks={"out": 4})
    return _gates(kernel, Axes("out", blocks={"out": 4}))


def _gates(kernel: Axes, bias: Axes) -> dict[str, Declaration]:
    return {
        "kernel": Declaration(kernel),
        "recurrent_kernel": Declaration(kernel),
        "bias": _bias(axes=bias),
    }


@declare.register(layers.LayerNormalization)
@declare.register(layers.GroupNormalization)
@declare.register(layers.BatchNormalization)
@declare.register(layers.RMSNormalization)
def _(layer: Any) -> Mapping[str, Declaration]:
    axes = {v.name: Axes(_repeat("out", len(v.shape))) for v in layer.variables}
    return {
        "gamma": Declaration(axes.get("gamma"), "norm"),
        "scale": Declaration(axes.get("scale"), "norm"),
        "beta": Declaration(axes.get("beta"), "bias"),
        "moving_mean": BUFFER,
        "moving_variance": BUFFER,
    }


@declare.register
def _(layer: layers.PReLU) -> Mapping[str, Declaration]:
    return {"alpha": Declaration(kind="slope")}


def _repeat(role: str, count: int) -> str:
    return " ".join([role] * count)
