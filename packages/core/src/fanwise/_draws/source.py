"""The seam: where randomness comes from, and thereby which array type and which device.

The core draws through these few primitives alone (spec: randomness/4). `SampledSource` has them
all for a host that can give random words; a host overrides what it does faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

from .._axes import Shape
from .._errors import SourceError, integer

Array: TypeAlias = Any
ArrayNamespace: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Box:
    """The box of a logical array that one call of a primitive is to fill.

    A sequential source needs only `shape`, and can fill only whole arrays. A source that computes
    every element from its logical index fills any box by itself, wherever it runs.

    Attributes
    ----------
    whole : tuple of int
        Shape of the logical array that the stream is for.
    start, shape : tuple of int
        The box.
    order : tuple of int
        The axes of the logical array in canonical order (stack, out, in, kernel), in which an
        index-addressed source counts elements, so that storage order makes no difference.
    """

    whole: Shape
    start: Shape
    shape: Shape
    order: tuple[int, ...]

    @classmethod
    def all_of(cls, shape: Shape, order: tuple[int, ...] | None = None) -> Box:
        """The box that is the whole array."""
        rank = len(shape)
        return cls(shape, (0,) * rank, shape, tuple(range(rank)) if order is None else order)


class RandomSource(Protocol):
    """A stream of random arrays of one kind, on one device.

    A source is a value: calling a primitive twice gives the same array. Independent arrays come
    from children. A primitive returns an array of the shape of the box and of storage dtype
    `dtype`, drawn in ``compute_dtype(dtype)`` and rounded once. For a complex `dtype`, `std` is
    the root of ``E|w|**2``, the phase is uniform, and ``-high`` and ``high`` bound the modulus.
    """

    @property
    def xp(self) -> ArrayNamespace:
        """A namespace of the Array API standard."""

    @property
    def device(self) -> Any:
        """The device that creation functions of `xp` take."""

    @property
    def indexed(self) -> bool:
        """Whether it computes elements from their index, and so draws any box of an array."""

    @property
    def mutable(self) -> bool:
        """Whether it is a `MutableSource`, which writes into arrays that are there."""

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""

    def uniform(self, box: Box, dtype: str, /, *, low: float, high: float) -> Array:
        """Uniform on [`low`, `high`)."""

    def normal(self, box: Box, dtype: str, /, *, mean: float, std: float) -> Array:
        """Normal."""

    def truncated_normal(
        self,
        box: Box,
        dtype: str,
        /,
        *,
        parent_mean: float,
        parent_std: float,
        low: float,
        high: float,
    ) -> Array:
        """Normal, given that it is within the absolute bounds."""

    def subsets(self, count: int, size: int, chosen: int, /) -> Array:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each.

        Returns
        -------
        array
            Booleans of shape (`count`, `size`): whether each number is in the subset.
        """

    def cast(self, array: Array, dtype: str, /) -> Array:
        """The array of a computing dtype in storage dtype `dtype`, rounded to nearest."""


class MutableSource(RandomSource, Protocol):
    """A source of mutable arrays, which draws into memory that is there."""

    def empty(self, shape: Shape, dtype: str, /) -> Array:
        """An array to write into."""

    def native_dtype(self, dtype: str, /) -> Any:
        """What the `dtype` attribute of an array of storage dtype `dtype` is equal to."""

    def into(self, array: Array, /) -> Self:
        """The same stream, whose primitives write into `array` and return it.

        The array has the shape of the box that is asked for, and its storage dtype.
        """


def parse_window(window: Any, shape: Shape) -> tuple[Shape, Shape]:
    """Start and shape of a box of an array, given as one (start, stop) pair an axis."""
    if window is None:
        return (0,) * len(shape), shape
    pairs = [tuple(pair) for pair in window]
    if len(pairs) != len(shape) or any(len(pair) != 2 for pair in pairs):
        raise SourceError(
            f"`window` must have one (start, stop) pair for each axis of {shape}, got {window}"
        )
    for (start, stop), size in zip(pairs, shape, strict=True):
        integer("window", start, SourceError, minimum=0)
        if not start <= integer("window", stop, SourceError, minimum=0) <= size:
            raise SourceError(f"`window` must be within {shape}, got {window}")
    return tuple(pair[0] for pair in pairs), tuple(pair[1] - pair[0] for pair in pairs)
