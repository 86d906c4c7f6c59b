"""What the layers of Keras mean by the axes of their variables: by type, never by rank."""

from __future__ import annotations

import functools
from typing import Any

from keras import layers as keras_layers

from ._core import Axes, Declaration, Declarations, constant, layers, ones, zeros
from ._private import (
    BaseConv,
    BaseConvTranspose,
    BaseDepthwiseConv,
    BaseSeparableConv,
    ConvLSTMCell,
)

Shape = tuple[int, ...]

BUFFER = Declaration(kind="buffer")
# The second factor of LoRA: zero, so that nothing changes yet; a rule must name its kind.
LORA_B = Declaration(kind="lora_b", default=zeros())


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
        By name. What is not declared is "unknown", or a "buffer", if it is not trainable in
        a layer that is. A subclass that computes something else, by a
        `call` of its own, is another type of layer.

    Examples
    --------
    A layer of another type is declared by registering a function for it:

    >>> import keras
    >>> from fanwise import Axes, Declaration
    >>> from fanwise_tf import declare
    >>> class Experts(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.kernel = self.add_weight(shape=(8, shape[-1], 256), name="kernel")
    >>> _ = declare.register(Experts, lambda layer: {"kernel": Declaration(Axes("stack out in"))})
    >>> declare(Experts())["kernel"].axes
    Axes('stack out in')
    """
    return {}


Sizes = tuple[int | None, ...]


def _bias(
    of: str | None = "kernel", axes: Axes | None = None, shape: Sizes | None = None
) -> Declaration:
    return Declaration(axes or layers.keras.bias(), "bias", fans_of=of, shape=shape)


@declare.register
def _(layer: keras_layers.Dense) -> Declarations:
    units = layer.units
    weight = _weight("kernel", layers.keras.dense(), shape=(None, units))
    return {**weight, "bias": _bias(_unpacked(layer), shape=(units,))}


def _unpacked(layer: Any) -> str | None:
    """The kernel, unless two of its numbers are packed into one, so that its shape says no fans."""
    return None if getattr(layer, "quantization_mode", None) == "int4" else "kernel"


def _weight(
    name: str, axes: Axes, kind: str = "weight", shape: Sizes | None = None
) -> dict[str, Declaration]:
    """A weight, the factors of its change of low rank, and what scales it in float8."""
    first = Axes(axes.roles, one_hot=axes.one_hot)  # the last axis being the rank
    return {
        name: Declaration(axes, kind, shape=shape),
        **{
            f"{scaled}_{what}": BUFFER
            for scaled in ("inputs", name, "outputs_grad")
            for what in ("scale", "amax_history")
        },
        f"lora_{name}_a": Declaration(first, kind),
        f"lora_{name}_b": LORA_B,
    }


@declare.register
def _(layer: keras_layers.EinsumDense) -> Declarations:
    axes = layers.keras.einsum_dense(layer.equation)

    def bias(shape: Shape) -> Declaration:
        return _bias(_unpacked(layer), layers.keras.norm(len(shape)))

    return {**_weight("kernel", axes), "bias": bias}


@declare.register
def _(layer: BaseConv) -> Declarations:
    axes = layers.keras.conv(layer.rank, groups=layer.groups, stride=tuple(layer.strides))
    shape = (*layer.kernel_size, None, layer.filters)
    return {**_weight("kernel", axes, shape=shape), "bias": _bias(shape=(layer.filters,))}


@declare.register
def _(layer: BaseConvTranspose) -> Declarations:
    axes = layers.keras.conv_transpose(layer.rank, stride=tuple(layer.strides))
    shape = (*layer.kernel_size, layer.filters, None)
    return {"kernel": Declaration(axes, shape=shape), "bias": _bias(shape=(layer.filters,))}


@declare.register
def _(layer: BaseDepthwiseConv) -> Declarations:
    return {"kernel": _depthwise(layer), "bias": _bias()}


@declare.register
def _(layer: BaseSeparableConv) -> Declarations:
    return {
        "depthwise_kernel": _depthwise(layer),
        "pointwise_kernel": Declaration(
            layers.keras.conv(layer.rank), shape=(*(1,) * layer.rank, None, layer.filters)
        ),
        "bias": _bias("pointwise_kernel", shape=(layer.filters,)),
    }


def _depthwise(layer: Any) -> Declaration:
    axes = layers.keras.depthwise_conv(layer.rank, stride=tuple(layer.strides))
    return Declaration(axes, shape=(*layer.kernel_size, None, layer.depth_multiplier))


@declare.register
def _(layer: keras_layers.Embedding) -> Declarations:
    return {
        **_weight(
            "embeddings",
            layers.keras.embedding(),
            "embedding",
            (layer.input_dim, layer.output_dim),
        ),
        "reverse_embeddings": Declaration(layers.keras.dense()),  # from units back to tokens
    }


@declare.register
def _(layer: keras_layers.SimpleRNNCell) -> Declarations:
    return _gates(layer, 1, layers.keras.rnn(), layers.keras.bias())


@declare.register
def _(layer: keras_layers.LSTMCell) -> Declarations:
    return _gates(layer, 4, layers.keras.lstm(), layers.keras.bias(4))


@declare.register
def _(layer: keras_layers.GRUCell) -> Declarations:
    # With `reset_after`, a bias each for the input and the state.
    biases = Axes("stack out", blocks={"out": 3}) if layer.reset_after else layers.keras.bias(3)
    return _gates(layer, 3, layers.keras.gru(), biases)


@declare.register
def _(layer: ConvLSTMCell) -> Declarations:
    units = 4 * layer.filters
    kernel = Declaration(
        layers.keras.conv_lstm(layer.rank, stride=tuple(layer.strides)),
        shape=(*layer.kernel_size, None, units),
    )
    # The convolution of the state has a stride of 1.
    recurrent = Declaration(
        layers.keras.conv_lstm(layer.rank), shape=(*layer.kernel_size, layer.filters, units)
    )
    bias = _bias(axes=layers.keras.bias(4), shape=(units,))
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}


def _gates(layer: Any, count: int, kernel: Axes, bias: Axes) -> Declarations:
    units = count * layer.units
    return {
        "kernel": Declaration(kernel, shape=(None, units)),
        "recurrent_kernel": Declaration(kernel, shape=(layer.units, units)),
        "bias": _bias(axes=bias, shape=(units,) if len(bias.roles) == 1 else (2, units)),
    }


@declare.register(keras_layers.LayerNormalization)
@declare.register(keras_layers.GroupNormalization)
@declare.register(keras_layers.BatchNormalization)
@declare.register(keras_layers.RMSNormalization)
def _(layer: Any) -> Declarations:
    def scale(shape: Shape) -> Declaration:
        return Declaration(layers.keras.norm(len(shape)), "norm_scale")

    def shift(shape: Shape) -> Declaration:
        return Declaration(layers.keras.norm(len(shape)), "norm_bias")

    return {
        "gamma": scale,
        "scale": scale,
        "beta": shift,
        "moving_mean": Declaration(kind="buffer", default=zeros()),
        "moving_variance": Declaration(kind="buffer", default=ones()),
    }


@declare.register
def _(layer: keras_layers.Attention) -> Declarations:
    factor = Declaration(kind="score_scale", default=ones())  # of the scores before the softmax
    return {"scale": factor, "concat_score_weight": factor}


@declare.register
def _(layer: keras_layers.AdditiveAttention) -> Declarations:
    return {"scale": Declaration(Axes("in"))}  # from units to one score, whatever its name


@declare.register
def _(layer: keras_layers.STFTSpectrogram) -> Declarations:
    return {"real_kernel": BUFFER, "imag_kernel": BUFFER}  # a Fourier transform


@declare.register
def _(layer: keras_layers.PReLU) -> Declarations:
    return {"alpha": Declaration(kind="slope", default=constant(value=0.0))}
