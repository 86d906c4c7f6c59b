"""Every law from one primitive: random words (spec: laws, dtypes, randomness/5).

The functions of values compute a law from uniform numbers, in the Array API alone. Scales are
arguments of theirs, and only `form`, a law in units of its scale, decides which operations run: a
host that compiles can take scales as operands, and so compile one program for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self, TypeAlias

from . import samplers
from .dtypes import compute_dtype, field_of, inner_bounds, real_dtype
from .source import Array, Box
from .streams import check_seed, parse_path, stream_key

Values: TypeAlias = Callable[..., Array]


class SampledSource:
    """A source for a host that has nothing but random words, keyed by seed and path.

    A subclass sets `xp` and defines `words`, or `unit` if its host has no generator of integers.
    It overrides any other method that the host does natively.

    Parameters
    ----------
    seed : int
        From 0 up to 2**64 - 1.
    path : str or sequence of str, default ()
        The path of the parameter: the stream is a function of seed and path, and of nothing else.

    Raises
    ------
    SourceError
        If the seed is not an integer of 64 bits, or a segment of the path is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from fanwise import Axes, he_normal, resolve
    >>> from fanwise.adapting import SampledSource, draw
    >>> class HostSource(SampledSource):
    ...     xp = np
    ...     def words(self, box, bits, purpose):
    ...         generator = np.random.Generator(np.random.PCG64(self.stream_key(purpose)))
    ...         return generator.integers(0, 1 << bits, size=box.shape, dtype=f"uint{bits}")
    >>> plan = resolve(he_normal(), (300, 200), Axes("out in"))
    >>> weights = draw(plan, HostSource(0, "encoder.weight"))
    >>> round(float(weights.std()), 2)  # sqrt(2 / 200)
    0.1
    """

    xp: Any
    device: Any = None
    indexed: ClassVar[bool] = False
    mutable: ClassVar[bool] = False

    def __init__(self, seed: int, path: str | Sequence[str] = (), /) -> None:
        self.seed = check_seed(seed)
        self.path = parse_path(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.seed}, {'.'.join(self.path)!r})"

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""
        return type(self)(self.seed, (*self.path, *parse_path([name])))

    def stream_key(self, purpose: str, /) -> int:
        """The 64-bit key of the stream for a purpose, to seed a generator of the host with."""
        return stream_key(self.seed, self.path, purpose)

    def words(self, box: Box, bits: int, purpose: str, /) -> Array:
        """Random integers of 32 or 64 bits, unsigned, of the shape of a box.

        Equal arguments must give equal words; purposes must be independent of each other. By
        default, words of 32 bits are made of `unit`, and words of 64 bits of 53 random ones.
        """
        xp = self.xp
        parts = 2 if bits == 32 else 4
        total = None
        for part in range(parts):
            digits = 16 if bits == 32 or part else 5
            unit = self.unit(box, f"{purpose} {part}")
            digit = xp.astype(xp.floor(unit * (1 << digits)), xp.int64)
            total = digit if total is None else total * (1 << digits) + digit
        return total

    def unit(self, box: Box, purpose: str, /) -> Array:
        """Uniform numbers on [0, 1), with 16 random bits or more, of the shape of a box."""
        raise NotImplementedError(f"{type(self).__name__} must define `words` or `unit`")

    def uniforms(self, box: Box, number: str, purpose: str, /) -> tuple[Array, Array]:
        """Uniform numbers above 0 and their complements, each exact where it is small.

        Parameters
        ----------
        box : Box
            Of the shape that is asked for.
        number : {"float32", "float64"}
            The dtype.
        purpose : str
            What the numbers are for.
        """
        xp, bits = self.xp, 32 if number == "float32" else 64
        words = self.words(box, bits, purpose)
        if xp.isdtype(words.dtype, "unsigned integer"):
            others = xp.bitwise_invert(words)
        else:  # signed ones that hold 32 or 53 bits
            bits = 32 if number == "float32" else 53
            others = (1 << bits) - 1 - words
        dtype, scale = getattr(xp, number), math.ldexp(1.0, -bits)
        u, complement = ((xp.astype(w, dtype) + 0.5) * scale for w in (words, others))
        return u, complement

    def standard_normal(self, box: Box, number: str, purpose: str, /) -> Array:
        """Standard normal numbers of dtype float32 or float64."""
        u, complement = self.uniforms(box, number, purpose)
        return samplers.truncated_normal(
            self.xp, u, complement, mean=0.0, low=-math.inf, high=math.inf
        )

    # The primitives.

    def uniform(self, box: Box, dtype: str, /, *, low: float, high: float) -> Array:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        if field_of(dtype) == "complex":
            return self.fill(disc_values, box, dtype, bound=high)
        least, most = inner_bounds(low, high, dtype, half_open=True)
        return self.fill(
            uniform_values, box, dtype, low=low, width=high - low, least=least, most=most
        )

    def normal(self, box: Box, dtype: str, /, *, mean: float, std: float) -> Array:
        """Normal."""
        if field_of(dtype) == "complex":
            return self.fill(complex_normal_values, box, dtype, mean=mean, std=std)
        return self.fill(normal_values, box, dtype, mean=mean, std=std)

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
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        if field_of(dtype) == "complex":
            return self.fill(
                truncated_disc_values, box, dtype, (high / parent_std,), std=parent_std
            )
        least, most = inner_bounds(low, high, dtype)
        form = (parent_mean / parent_std, low / parent_std, high / parent_std)
        return self.fill(truncated_values, box, dtype, form, std=parent_std, least=least, most=most)

    def subsets(self, count: int, size: int, chosen: int, /) -> Array:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each."""
        xp = self.xp
        words = self.words(Box.all_of((count, size)), 64, "subset")
        if chosen == 0:
            return xp.zeros((count, size), dtype=xp.bool, device=self.device)
        # Each word ends in its own index: none are equal, so that the count is exact.
        bits = (size - 1).bit_length()
        index = xp.arange(size, dtype=words.dtype, device=self.device)
        words = xp.bitwise_left_shift(xp.bitwise_right_shift(words, bits), bits) + index
        return words <= xp.sort(words, axis=1)[:, chosen - 1 : chosen]

    def cast(self, array: Array, dtype: str, /) -> Array:
        """The array in a storage dtype, rounded to nearest."""
        return self.xp.astype(array, getattr(self.xp, dtype))

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> Array:
        """An array of a storage dtype, of values that a function computes.

        A source that draws in chunks, into memory that is there, or compiles overrides this.

        Parameters
        ----------
        values : callable
            From a source, a box, a computing dtype, `form` and `scales` to an array.
        box : Box
            What to fill.
        dtype : str
            Storage dtype.
        form : tuple of float, default ()
            What decides which operations `values` runs.
        **scales : float
            What does not.
        """
        return self.cast(values(self, box, compute_dtype(dtype), *form, **scales), dtype)


def uniform_values(
    source: Any, box: Box, number: str, *, low: float, width: float, least: float, most: float
) -> Array:
    """Uniform from `low` on, within [`least`, `most`]."""
    u, _ = source.uniforms(box, number, "value")
    return source.xp.clip(u * width + low, least, most)


def normal_values(source: Any, box: Box, number: str, *, mean: float, std: float) -> Array:
    """Normal."""
    return source.standard_normal(box, number, "value") * std + mean


def truncated_values(
    source: Any,
    box: Box,
    number: str,
    mean: float,
    low: float,
    high: float,
    *,
    std: float,
    least: float,
    most: float,
) -> Array:
    """Truncated normal; `mean`, `low` and `high` are in parent standard deviations."""
    u, complement = source.uniforms(box, number, "value")
    units = samplers.truncated_normal(source.xp, u, complement, mean=mean, low=low, high=high)
    return source.xp.clip(units * std, least, most)


def complex_normal_values(source: Any, box: Box, number: str, *, mean: float, std: float) -> Array:
    """Complex normal."""
    part, scale = real_dtype(number), std / math.sqrt(2)
    real = source.standard_normal(box, part, "value") * scale + mean
    imaginary = source.standard_normal(box, part, "phase") * scale
    return samplers.to_complex(source.xp, real, imaginary, number)


def disc_values(source: Any, box: Box, number: str, *, bound: float) -> Array:
    """Uniform on a disc."""
    return _isotropic(source, box, number, lambda u: samplers.disc_modulus(source.xp, u), bound)


def truncated_disc_values(source: Any, box: Box, number: str, bound: float, *, std: float) -> Array:
    """Complex truncated normal; `bound` is in parent standard deviations."""

    def modulus(u: Array) -> Array:
        return samplers.truncated_modulus(source.xp, u, bound=bound)

    return _isotropic(source, box, number, modulus, std)


def _isotropic(
    source: Any, box: Box, number: str, modulus: Callable[[Array], Array], scale: float
) -> Array:
    """Complex numbers of a scaled modulus and a uniform phase."""
    part = real_dtype(number)
    u, _ = source.uniforms(box, part, "value")
    turn, _ = source.uniforms(box, part, "phase")
    xp, length, angle = source.xp, modulus(u) * scale, math.tau * turn
    return samplers.to_complex(xp, length * xp.cos(angle), length * xp.sin(angle), number)
