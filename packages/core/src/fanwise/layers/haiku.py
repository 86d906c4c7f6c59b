"""The layers of Haiku: output units last."""

from __future__ import annotations

from .._axes import Axes
from ._shared import Stride, bias, embedding, fused, inputs_last, norm, outputs_last, roles

__all__ = [
    "bias",
    "conv",
    "conv_lstm",
    "conv_transpose",
    "embedding",
    "gru",
    "linear",
    "lstm",
    "norm",
]


def linear() -> Axes:
    """Return the axes of ``Linear``'s w: (in, out)."""
    return Axes("in out")


def conv(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of the w of ``ConvND``: (taps ..., in / groups, out)."""
    return outputs_last(dimensions, groups=groups, stride=stride)


def conv_transpose(dimensions: int, /, *, stride: Stride = 1) -> Axes:
    """Return the axes of the w of ``ConvNDTranspose``: (taps ..., out, in)."""
    return inputs_last(dimensions, stride=stride)


def conv_lstm(dimensions: int, /) -> Axes:
    """Return the axes of both w of ``Conv{dimensions}DLSTM``: gates i, g, f and o, fused."""
    return fused(f"{roles('kernel', dimensions)} in out", 4)


def lstm() -> Axes:
    """Return the axes of the w of ``LSTM``: input and state, one after the other; four gates.

    To treat the two halves apart, say their sizes:
    ``Axes("in out", blocks={"in": (inputs, hidden), "out": 4})``.
    """
    return fused("in out", 4)


def gru() -> Axes:
    """Return the axes of w_i and w_h of ``GRU``: gates z, r and a, fused."""
    return fused("in out", 3)
