"""What the layers of several frameworks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .._axes import Axes
from .._errors import AxesError, integer

Stride: TypeAlias = int | Sequence[int]


def roles(role: str, count: int) -> str:
    """As many roles, all the same."""
    return " ".join([role] * integer("dimensions", count, AxesError, minimum=0))


def fused(text: str, count: int) -> Axes:
    """Axes whose `out` axis is fused of `count` blocks."""
    return Axes(text, blocks={"out": count})


def outputs_first(
    dimensions: int, *, groups: int = 1, stride: Stride = 1, transposed: bool = False
) -> Axes:
    """A convolution whose kernel has the output channels first."""
    text = f"out in {roles('kernel', dimensions)}"
    return Axes(text, groups=groups, stride=stride, transposed=transposed)


def outputs_last(
    dimensions: int, *, groups: int = 1, stride: Stride = 1, transposed: bool = False
) -> Axes:
    """A convolution whose kernel has the output channels last."""
    text = f"{roles('kernel', dimensions)} in out"
    return Axes(text, groups=groups, stride=stride, transposed=transposed)


def inputs_last(dimensions: int, *, stride: Stride = 1) -> Axes:
    """A transposed convolution whose kernel has the input channels last."""
    text = f"{roles('kernel', dimensions)} out in"
    return Axes(text, stride=stride, transposed=True)


def embedding() -> Axes:
    """Return the axes of an embedding table: (tokens, units)."""
    return Axes("in out", one_hot=True)


def bias(blocks: int = 1) -> Axes:
    """Return the axes of a bias: (units,), or of the biases of `blocks` fused gates."""
    return fused("out", blocks)


def norm(dimensions: int = 1) -> Axes:
    """Return the axes of the scale or bias of a norm over so many dimensions."""
    return Axes(roles("out", dimensions))
