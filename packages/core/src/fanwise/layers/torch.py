"""The layers of PyTorch: output units first."""

from __future__ import annotations

from .._axes import Axes
from ._shared import Stride, bias, embedding, fused, norm, outputs_first, roles

__all__ = [
    "attention_in_proj",
    "bias",
    "bilinear",
    "conv",
    "conv_transpose",
    "embedding",
    "experts",
    "gru",
    "linear",
    "lstm",
    "norm",
    "rnn",
]


def linear() -> Axes:
    """Return the axes of ``Linear.weight``: (out, in)."""
    return Axes("out in")


def experts() -> Axes:
    """Return the axes of a stack of linear layers: (experts, out, in)."""
    return Axes("stack out in")


def bilinear() -> Axes:
    """Return the axes of ``Bilinear.weight``: (out, in1, in2)."""
    return Axes("out in in")


def conv(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of ``Conv{dimensions}d.weight``: (out, in / groups, taps ...).

    Parameters
    ----------
    dimensions : int
        Number of spatial dimensions.
    groups : int, default 1
        Groups of channels.
    stride : int or sequence of int, default 1
        The stride. At the default, fans are the conventional counts.

    Examples
    --------
    >>> from fanwise import layers
    >>> layers.torch.conv(2, groups=4)
    Axes('out in kernel kernel', groups=4)
    """
    return outputs_first(dimensions, groups=groups, stride=stride)


def conv_transpose(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of ``ConvTranspose{dimensions}d.weight``: (in, out / groups, taps ...)."""
    text = f"in out {roles('kernel', dimensions)}"
    return Axes(text, groups=groups, stride=stride, transposed=True)


def attention_in_proj() -> Axes:
    """Return the axes of ``MultiheadAttention.in_proj_weight``: q, k and v, fused."""
    return fused("out in", 3)


def rnn() -> Axes:
    """Return the axes of the weights of ``RNN`` and ``RNNCell``."""
    return Axes("out in")


def lstm() -> Axes:
    """Return the axes of the weights of ``LSTM`` and ``LSTMCell``: gates i, f, g and o, fused."""
    return fused("out in", 4)


def gru() -> Axes:
    """Return the axes of the weights of ``GRU`` and ``GRUCell``: gates r, z and n, fused."""
    return fused("out in", 3)
