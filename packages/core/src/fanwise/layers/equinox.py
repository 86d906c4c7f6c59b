"""The layers of Equinox: output units first."""

from __future__ import annotations

from .._axes import Axes
from .._errors import AxesError
from ._shared import Stride, embedding, fused, norm, outputs_first, roles

__all__ = ["bias", "conv", "conv_transpose", "embedding", "gru", "linear", "lstm", "norm"]


def linear() -> Axes:
    """Return the axes of ``Linear.weight``: (out, in)."""
    return Axes("out in")


def conv(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of ``Conv.weight``: (out, in / groups, taps ...)."""
    return outputs_first(dimensions, groups=groups, stride=stride)


def conv_transpose(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of ``ConvTranspose.weight``: (out, in / groups, taps ...).

    The kernel counts the units of all groups along `out`, as the kernel of a convolution does.

    Raises
    ------
    AxesError
        If the layer is grouped and strided, for which no axes say the fans.
    """
    strided = any(step != 1 for step in ([stride] if isinstance(stride, int) else stride))
    if groups == 1:
        return outputs_first(dimensions, stride=stride, transposed=True)
    if strided:
        raise AxesError(f"`stride` must be 1 for a grouped transposed convolution, got {stride}")
    return outputs_first(dimensions, groups=groups)


def bias(dimensions: int = 0, /) -> Axes:
    """Return the axes of a bias: (units,), followed by so many spatial dimensions of size 1."""
    return Axes(f"out {roles('stack', dimensions)}")


def lstm() -> Axes:
    """Return the axes of the weights of ``LSTMCell``: gates i, f, g and o, fused."""
    return fused("out in", 4)


def gru() -> Axes:
    """Return the axes of the weights of ``GRUCell``: gates r, z and n, fused."""
    return fused("out in", 3)
