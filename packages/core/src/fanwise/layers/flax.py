"""The layers of Flax, linen and nnx: output units last."""

from __future__ import annotations

from .._axes import Axes
from ._shared import Stride, bias, embedding, fused, inputs_last, norm, outputs_last, roles

__all__ = [
    "attention_output",
    "attention_projection",
    "bias",
    "conv",
    "conv_local",
    "conv_lstm",
    "conv_transpose",
    "dense",
    "dense_general",
    "einsum",
    "embedding",
    "gru",
    "lstm",
    "norm",
]


def dense() -> Axes:
    """Return the axes of the kernel of ``linen.Dense`` and ``nnx.Linear``: (in, out)."""
    return Axes("in out")


def dense_general(inputs: int = 1, outputs: int = 1, /, *, batch: int = 0) -> Axes:
    """Return the axes of the kernel of ``linen.DenseGeneral`` and ``nnx.LinearGeneral``.

    Parameters
    ----------
    inputs, outputs : int, default 1
        Numbers of axes that are contracted and of new axes.
    batch : int, default 0
        Number of batched axes, each position of which has weights of its own.

    Examples
    --------
    >>> from fanwise import layers
    >>> layers.flax.dense_general(1, 2, batch=1)
    Axes('stack in out out')
    """
    return Axes(f"{roles('stack', batch)} {roles('in', inputs)} {roles('out', outputs)}")


def einsum(equation: str, /) -> Axes:
    """Return the axes of the kernel of ``linen.Einsum`` and ``nnx.Einsum`` for its equation."""
    return Axes.from_einsum(equation)


def conv(dimensions: int, /, *, groups: int = 1, stride: Stride = 1) -> Axes:
    """Return the axes of the kernel of ``Conv``: (taps ..., in / groups, out)."""
    return outputs_last(dimensions, groups=groups, stride=stride)


def conv_local(dimensions: int, /) -> Axes:
    """Return the axes of the kernel of ``linen.ConvLocal``: each position has its own weights."""
    return Axes(f"{roles('stack', dimensions)} in out")


def conv_transpose(
    dimensions: int, /, *, stride: Stride = 1, transpose_kernel: bool = False
) -> Axes:
    """Return the axes of the kernel of ``ConvTranspose``: (taps ..., in, out).

    With `transpose_kernel`, (taps ..., out, in).
    """
    if transpose_kernel:
        return inputs_last(dimensions, stride=stride)
    return outputs_last(dimensions, stride=stride, transposed=True)


def conv_lstm(dimensions: int, /) -> Axes:
    """Return the axes of both kernels of ``linen.ConvLSTMCell``: four gates, fused."""
    return fused(f"{roles('kernel', dimensions)} in out", 4)


def attention_projection() -> Axes:
    """Return the axes of the projections to query, key and value: (units, heads, head size)."""
    return Axes("in out out")


def attention_output() -> Axes:
    """Return the axes of the output projection of attention: (heads, head size, units)."""
    return Axes("in in out")


def lstm() -> Axes:
    """Return the axes of the kernels of ``nnx.OptimizedLSTMCell``: gates i, f, g and o, fused."""
    return fused("in out", 4)


def gru() -> Axes:
    """Return the axes of the kernels of ``nnx.GRUCell``: gates r, z and n, fused."""
    return fused("in out", 3)
