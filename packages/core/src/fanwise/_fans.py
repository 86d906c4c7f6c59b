"""Fans: how many inputs feed one output unit, and how many outputs one input unit feeds."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

from ._axes import Axes, Shape, as_axes, check_shape, split_blocks
from ._errors import FanError, one_of

Fan: TypeAlias = Literal["in", "out", "avg", "geometric", "max", "min"]
Count: TypeAlias = int | Fraction

FAN_CHOICES: tuple[Fan, ...] = get_args(Fan)


@dataclass(frozen=True, slots=True)
class Fans:
    """The fans of one independent block of a parameter.

    Parameters
    ----------
    fan_in : int or Fraction
        Number of inputs that feed one output unit.
    fan_out : int or Fraction
        Number of outputs that one input unit feeds.

    Raises
    ------
    FanError
        If a count is not rational, or negative.

    Examples
    --------
    >>> from fanwise import Fans
    >>> Fans(12, 34).value("avg")
    23
    """

    fan_in: Count
    fan_out: Count

    def __post_init__(self) -> None:
        for name in ("fan_in", "fan_out"):
            object.__setattr__(self, name, _count(name, getattr(self, name)))

    def value(self, fan: Fan) -> Count | float:
        """One number from the two.

        Parameters
        ----------
        fan : {"in", "out", "avg", "geometric", "max", "min"}
            The fan itself, the arithmetic or geometric mean of both, the larger or smaller.

        Returns
        -------
        int, Fraction or float
            Exact, but for the geometric mean.

        Raises
        ------
        FanError
            If `fan` is unknown, or the number is zero.
        """
        one_of("fan", fan, FAN_CHOICES, FanError)
        value: Count | float
        if fan == "in":
            value = self.fan_in
        elif fan == "out":
            value = self.fan_out
        elif fan == "avg":
            value = _plain(Fraction(self.fan_in + self.fan_out) / 2)
        elif fan == "geometric":
            value = math.sqrt(self.fan_in) * math.sqrt(self.fan_out)
        else:
            value = (max if fan == "max" else min)(self.fan_in, self.fan_out)
        if value <= 0:
            raise FanError(f"`fan` {fan!r} must be a positive count, got {value} of {self}")
        return value

    def to_data(self) -> list[str]:
        """The two counts as plain JSON data, exact: a Fraction is text."""
        return [str(self.fan_in), str(self.fan_out)]

    @classmethod
    def from_data(cls, data: Any) -> Fans:
        """Read fans back from `to_data`'s form."""
        try:
            fan_in, fan_out = map(Fraction, data)
        except (TypeError, ValueError):
            raise FanError(f"`fans` must be a pair of counts, got {data!r}") from None
        return cls(fan_in, fan_out)

    def __str__(self) -> str:
        return f"({self.fan_in}, {self.fan_out})"


def fans(shape: Iterable[int], axes: Axes, /) -> Fans:
    """Count the fans of one independent block of a parameter.

    With n_in, n_out and n_kernel the numbers of positions along the axes of those roles, within
    one group and one block, and s the product of the `stride`::

        fan_in = n_in * n_kernel
        fan_out = n_out * n_kernel / s

    If the layer is `transposed`, s divides the fan_in instead; if its input is `one_hot`,
    n_in is 1. `stack` axes do not count (spec: fans/1 to fans/5).

    Parameters
    ----------
    shape : iterable of int
        The logical, global shape of the parameter; never that of a shard.
    axes : Axes
        The role of each of its axes.

    Returns
    -------
    Fans
        Exact integers or rationals.

    Raises
    ------
    AxesError
        If `axes` does not fit `shape`.
    FanError
        If there is neither an `in` nor a `kernel` axis, as in a bias, or if the blocks of a
        fused axis differ in their fans (`block_fans` has them all).

    Notes
    -----
    Differences: PyTorch and Keras swap the fans of transposed kernels; PyTorch, Keras and JAX
    multiply a grouped kernel's fan_out by the number of groups, and Keras a depthwise kernel's
    fan_in by the channels; all take stacked axes and fused blocks for a part of one kernel.

    Examples
    --------
    >>> from fanwise import Axes, fans
    >>> fans((128, 16, 3, 3), Axes("out in kernel kernel", groups=4))
    Fans(fan_in=144, fan_out=288)
    >>> fans((64, 32, 3, 3), Axes("in out kernel kernel", transposed=True, stride=2))
    Fans(fan_in=144, fan_out=288)

    References
    ----------
    Glorot and Bengio (2010), AISTATS; He, Zhang, Ren and Sun (2015), arXiv:1502.01852, sec. 2.2.
    """
    found = one_if_equal(block_fans(shape, axes))
    if len(found) > 1:
        listed = ", ".join(map(str, dict.fromkeys(found)))
        raise FanError(f"`blocks` must share their fans to have one answer, got {listed}")
    return found[0]


def block_fans(shape: Iterable[int], axes: Axes, /) -> tuple[Fans, ...]:
    """Count the fans of every independent block of a parameter, in row-major order.

    Parameters
    ----------
    shape : iterable of int
        The logical, global shape of the parameter.
    axes : Axes
        The role of each of its axes.

    Returns
    -------
    tuple of Fans
        One for each block; one alone if no axis is fused.

    Raises
    ------
    AxesError, FanError
        As for `fans`.

    Examples
    --------
    >>> from fanwise import Axes, block_fans
    >>> [str(f) for f in block_fans((768, 1024), Axes("in out", blocks={"out": (768, 128, 128)}))]
    ['(768, 768)', '(768, 128)', '(768, 128)']
    """
    blocks = split_blocks(check_shape(shape), as_axes(axes))
    return tuple(one_block_fans(block.shape, block.axes) for block in blocks)


def one_if_equal(fans: Sequence[Fans], /) -> tuple[Fans, ...]:
    """The fans of all blocks as one, if they share them."""
    different = tuple(dict.fromkeys(fans))
    return different if len(different) == 1 else tuple(fans)


def one_block_fans(shape: Shape, axes: Axes) -> Fans:
    """The fans of a shape that `axes` fits and does not split further."""
    if not axes.has_inputs:
        raise FanError(
            f"`axes` must have an 'in' or a 'kernel' axis to define a fan, "
            f"got {' '.join(axes.roles)!r}; a bias takes the fans of its weight: give `fans`"
        )
    units = {"in": axes.size("in", shape), "out": axes.size("out", shape)}
    units[axes.grouped_role] //= axes.groups
    if axes.one_hot:
        units["in"] = min(units["in"], 1)
    taps = axes.size("kernel", shape)
    strided = Fraction(taps, math.prod(axes.stride))
    return Fans(
        _plain(units["in"] * (strided if axes.transposed else taps)),
        _plain(units["out"] * (taps if axes.transposed else strided)),
    )


def _count(name: str, value: Any) -> Count:
    if isinstance(value, bool) or not isinstance(value, numbers.Rational):
        raise FanError(f"`{name}` must be an integer or a Fraction, got {value!r}")
    if value < 0:
        raise FanError(f"`{name}` must not be negative, got {value}")
    return _plain(Fraction(int(value.numerator), int(value.denominator)))


def _plain(value: Count) -> Count:
    return int(value) if value.denominator == 1 else value
