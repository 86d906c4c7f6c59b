"""What Keras' layers mean by the axes of their variables: by type, never by rank."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from keras import layers
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from ._core import Axes, Declaration, kernels, zeros

Shape = tuple[int, ...]
Declarations = Mapping[str, Declaration | Callable[[Shape], Declaration]]

BUFFER = Declaration(kind="buffer")
# LoRA's second factor: zero, whatever law weights have, so that nothing changes yet.
ZERO = Declaration(kind="buffer", default=zeros())


@functools.singledispatch
def declare(layer: Any, /) -> Declarations:
    """Declare what a layer's own variables are, by their names.

    Parameters
    ----------
    layer : keras.Layer
        The layer, of a type whose base may be the registered one.

    Returns
    -------
    mapping of str to Declaration, or to a function from a shape to one
        By name. What is not declared has no axes, and is a "bias" if its name ends so, else a
        "weight"; or a "buffer", if it is not trainable in a layer that is.

    Examples
    --------
    A layer of another type is declared by registering a function for it:

    >>> class Experts(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.kernel = self.add_weight(shape=(8, shape[-1], 256), name="kernel")
    >>> _ = declare.register(Experts, lambda layer: {"kernel": Declaration(Axes("stack out in"))})
    >>> declare(Experts())["kernel"].axes
    Axes('stack out in')
    """
    return {}


def _bias(of: str = "kernel", axes: Axes = kernels.BIAS) -> Declaration:
    return Declaration(axes, "bias", fans_of=of)


@declare.register
def _(layer: layers.Dense) -> Declarations:
    return {**_weight("kernel", kernels.KERAS_DENSE), "bias": _bias()}


def _weight(name: str, axes: Axes, kind: str = "weight") -> dict[str, Declaration]:
    """A weight, the factors of its change of low rank, and what scales it in float8."""
    first = Axes(axes.roles, one_hot=axes.one_hot)  # the last axis being the rank
    return {
        name: Declaration(axes, kind),
        **{
            f"{scaled}_{what}": BUFFER
            for scaled in ("inputs", name, "outputs_grad")
            for what in ("scale", "amax_history")
        },
        f"lora_{name}_a": Declaration(first, kind),
        f"lora_{name}_b": ZERO,
    }


@declare.register
def _(layer: layers.EinsumDense) -> Declarations:
    axes = Axes.from_einsum(layer.equation)
    rank = 0 if layer.bias is None else len(layer.bias.shape)
    return {
        **_weight("kernel", axes),
        "bias": _bias(axes=Axes(_repeat("out", rank))),
    }


@declare.register
def _(layer: BaseConv) -> Declarations:
    roles = f"{_repeat('kernel', layer.rank)} in out"
    axes = Axes(roles, groups=layer.groups, stride=tuple(layer.strides))
    return {**_weight("kernel", axes), "bias": _bias()}


@declare.register
def _(layer: BaseConvTranspose) -> Declarations:
    roles = f"{_repeat('kernel', layer.rank)} out in"
    axes = Axes(roles, stride=tuple(layer.strides), transposed=True)
    return {"kernel": Declaration(axes), "bias": _bias()}


@declare.register
def _(layer: BaseDepthwiseConv) -> Declarations:
    return {"kernel": Declaration(_depthwise(layer)), "bias": _bias()}


@declare.register
def _(layer: BaseSeparableConv) -> Declarations:
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
def _(layer: layers.Embedding) -> Declarations:
    return {
        **_weight("embeddings", kernels.KERAS_EMBEDDING, "embedding"),
        "reverse_embeddings": Declaration(kernels.KERAS_DENSE),  # from units back to tokens
    }


@declare.register
def _(layer: layers.SimpleRNNCell) -> Declarations:
    return _gates(Axes("in out"), kernels.BIAS)


@declare.register
def _(layer: layers.LSTMCell) -> Declarations:
    return _gates(kernels.KERAS_LSTM, Axes("out", blocks={"out": 4}))


@declare.register
def _(layer: layers.GRUCell) -> Declarations:
    roles = "stack out" if layer.reset_after else "out"  # then a bias each for input and state
    return _gates(kernels.KERAS_GRU, Axes(roles, blocks={"out": 3}))


@declare.register
def _(layer: ConvLSTMCell) -> Declarations:
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
def _(layer: Any) -> Declarations:
    def scale(shape: Shape) -> Declaration:
        return Declaration(Axes(_repeat("out", len(shape))), "norm")

    def shift(shape: Shape) -> Declaration:
        return replace(scale(shape), kind="bias")

    return {
        "gamma": scale,
        "scale": scale,
        "beta": shift,
        "moving_mean": BUFFER,
        "moving_variance": BUFFER,
    }


@declare.register
def _(layer: layers.Attention) -> Declarations:
    factor = Declaration(kind="norm")  # of the scores, as a norm's of its units
    return {"scale": factor, "concat_score_weight": factor}


@declare.register
def _(layer: layers.AdditiveAttention) -> Declarations:
    return {"scale": Declaration(Axes("in"))}  # from units to one score, whatever its name


@declare.register
def _(layer: layers.STFTSpectrogram) -> Declarations:
    return {"real_kernel": BUFFER, "imag_kernel": BUFFER}  # a Fourier transform


@declare.register
def _(layer: layers.PReLU) -> Declarations:
    return {"alpha": Declaration(kind="slope")}


def _repeat(role: str, count: int) -> str:
    return " ".join([role] * count)
