"""The layers of Keras: output units last."""

from __future__ import annotations

from .._axes import Axes
from ._shared import Stride, bias, embedding, fused, inputs_last, norm, outputs_last, roles

__all__ = [
    "attention_output",
    "attention_projection",
    "bias",
    "conv",
    "conv_lstm",
    "conv_transpose",
    "dense",
    "depthwise_conv",
    "einsum_dense",
    "embedding",
    "gru",
    "lstm",
    "norm",
    "rnn",
]


def dense() -> Axes:
    """Return the axes of ``Dense.kernel``: (in, out)."""
    return Axes("in out")


def einsum_dense(equation: str, /) -> Axes:
    """Return the axes of ``EinsumDense.kernel`` for its equation."""
    return Axes.from_einsum(equation)


def conv(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of ``Conv{dimensions}D.kernel``: (taps ..., in / groups, out)."""
    return outputs_last(dimensions, groups=groups, stride=stride)


def depthwise_conv(dimensions: int, /, *, stride: Stride = 1) -> Axes:
    """Return the axes of ``DepthwiseConv{dimensions}D.kernel``: (taps ..., channels, multiplier).

    Each channel has a small kernel of its own: one input, `depth_multiplier` outputs.
    """
    return Axes(f"{roles('kernel', dimensions)} stack out", stride=stride)


def conv_transpose(dimensions: int, /, *, stride: Stride = 1) -> Axes:
    """Return the axes of ``Conv{dimensions}DTranspose.kernel``: (taps ..., out, in)."""
    return inputs_last(dimensions, stride=stride)


def conv_lstm(dimensions: int, /, *, stride: Stride = 1) -> Axes:
    """Return the axes of the kernel of ``ConvLSTM{dimensions}D``: gates i, f, c and o, fused.

    The stride is that of the convolution of the input; the recurrent kernel has none.
    """
    return Axes(f"{roles('kernel', dimensions)} in out", stride=stride, blocks={"out": 4})


def attention_projection() -> Axes:
    """Return the axes of the projections to query, key and value: (units, heads, head size)."""
    return Axes("in out out")


def attention_output() -> Axes:
    """Return the axes of the output projection of attention: (heads, head size, units)."""
    return Axes("in in out")


def rnn() -> Axes:
    """Return the axes of the kernels of ``SimpleRNN``."""
    return Axes("in out")


def lstm() -> Axes:
    """Return the axes of both kernels of ``LSTM``: gates i, f, c and o, fused."""
    return fused("in out", 4)


def gru() -> Axes:
    """Return the axes of both kernels of ``GRU``: gates z, r and h, fused."""
    return fused("in out", 3)
