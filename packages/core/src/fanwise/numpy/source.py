"""Where randomness comes from: generators of NumPy, keyed by seed and path."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from .._draws.dtypes import check_dtype, compute_dtype, field_of, inner_bounds, real_dtype
from .._draws.sampled import SampledSource, Values
from .._draws.source import Box
from .._draws.streams import parse_path
from .._errors import DtypeError

Array = np.ndarray[Any, Any]

# Elements drawn at a time: in cache, and for samplers with their many temporaries small enough that
# the allocator keeps them.
_CHUNK = 1 << 15
_SAMPLER_CHUNK = 1 << 13


class NumpySource(SampledSource):
    """A source of NumPy arrays. The global random state is neither read nor advanced.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        From 0 up to 2**64 - 1; or a generator, from which all streams are then drawn in turn.
    path : str or sequence of str, default ()
        The path of the parameter: with a seed, the stream is a function of seed and path, and of
        nothing else.

    Raises
    ------
    SourceError
        If the seed is not an integer of 64 bits, or a segment of the path is empty.

    Examples
    --------
    >>> from fanwise.numpy import NumpySource
    >>> NumpySource(1).child("layers").child("0")
    NumpySource(1, 'layers.0')
    """

    xp = np
    device = "cpu"
    mutable = True

    _target: Array | None = None  # where a primitive writes
    _place: Array  # where the chunk that is being drawn goes
    _open: dict[str, np.random.Generator] | None = None  # generators that go on from chunk to chunk

    def __init__(self, seed: int | np.random.Generator, path: str | Sequence[str] = (), /) -> None:
        self._rng = seed if isinstance(seed, np.random.Generator) else None
        super().__init__(0 if isinstance(seed, np.random.Generator) else seed, path)

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""
        return type(self)(self._rng or self.seed, (*self.path, *parse_path([name])))

    def into(self, array: Array, /) -> Self:
        """The same stream, whose primitives write into `array` and return it."""
        found = copy.copy(self)
        found._target = array
        return found

    def empty(self, shape: tuple[int, ...], dtype: str, /) -> Array:
        """An array to write into."""
        return np.empty(shape, self.native_dtype(dtype))

    def native_dtype(self, dtype: str, /) -> np.dtype[Any]:
        """The dtype of a name."""
        return native_dtype(dtype)

    def cast(self, array: Array, dtype: str, /) -> Array:
        """The array in a storage dtype, rounded to nearest."""
        return array.astype(native_dtype(dtype), copy=False)

    def words(self, box: Box, bits: int, purpose: str, /) -> Array:
        """Random integers."""
        dtype = np.uint32 if bits == 32 else np.uint64
        words: Array = self._generator(purpose).integers(0, 1 << bits, box.shape, dtype)
        return words

    def uniform(self, box: Box, dtype: str, /, *, low: float, high: float) -> Array:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        if field_of(dtype) == "complex":
            disc: Array = super().uniform(box, dtype, low=low, high=high)
            return disc
        least, most = inner_bounds(low, high, dtype, half_open=True)
        return self.fill(_uniform, box, dtype, low=low, width=high - low, least=least, most=most)

    def normal(self, box: Box, dtype: str, /, *, mean: float, std: float) -> Array:
        """Normal."""
        return self.fill(_normal, box, dtype, mean=mean, std=std)

    def subsets(self, count: int, size: int, chosen: int, /) -> Array:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each."""
        found = np.zeros((count, size), np.bool_)
        generator = self._generator("subset")
        index = np.arange(size, dtype=np.uint64)
        bits = np.uint64((size - 1).bit_length())
        rows = max(1, _CHUNK // max(size, 1))
        for start in range(0, count if chosen else 0, rows):
            row = found[start : start + rows]
            # Each word ends in its own index: none are equal, so that the count is exact.
            words = generator.integers(0, 1 << 64, size=row.shape, dtype=np.uint64)
            words = (words >> bits << bits) | index
            least = np.partition(words, chosen - 1, axis=1)[:, chosen - 1 : chosen]
            np.less_equal(words, least, out=row)
        return found

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> Array:
        """Fill an array chunk by chunk, in row-major order, whatever its memory layout."""
        out = self.empty(box.shape, dtype) if self._target is None else self._target
        number = compute_dtype(dtype)
        stream = copy.copy(self)
        stream._open = {}
        for tile in tiles(out, _CHUNK if values in (_uniform, _normal) else _SAMPLER_CHUNK):
            in_place = tile.dtype == number and tile.flags.c_contiguous
            stream._place = tile.reshape(-1) if in_place else np.empty(tile.size, number)
            drawn = values(stream, Box.all_of((tile.size,)), number, *form, **scales)
            if not (in_place and drawn is stream._place):
                tile[...] = drawn.reshape(tile.shape)
        return out

    def _generator(self, purpose: str) -> np.random.Generator:
        if self._rng is not None:
            return self._rng
        opened = {} if self._open is None else self._open
        if purpose not in opened:
            # SFC64 is the fastest of NumPy; SeedSequence spreads the 64 bits of the key over it.
            opened[purpose] = np.random.Generator(np.random.SFC64(self.stream_key(purpose)))
        return opened[purpose]


def _uniform(
    source: NumpySource,
    box: Box,
    number: str,
    *,
    low: float,
    width: float,
    least: float,
    most: float,
) -> Array:
    place = source._place
    source._generator("value").random(dtype=place.dtype.type, out=place)
    place *= width
    place += low
    return np.clip(place, least, most, out=place)


def _normal(source: NumpySource, box: Box, number: str, *, mean: float, std: float) -> Array:
    place = source._place
    is_complex = field_of(number) == "complex"
    real = place.view(real_dtype(number))
    source._generator("value").standard_normal(dtype=real.dtype.type, out=real)
    real *= std / math.sqrt(2) if is_complex else std
    if mean:
        place += mean
    return place


def native_dtype(name: str) -> np.dtype[Any]:
    """The dtype of a name."""
    check_dtype(name)
    if name != "bfloat16" and not name.startswith("float8"):
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise DtypeError(f"`dtype` {name} must have ml_dtypes installed, got none") from None
    native: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return native


def tiles(array: Array, chunk: int = _CHUNK) -> Iterator[Array]:
    """Views of at most a chunk that follow one another in row-major order."""
    if array.size <= chunk:
        if array.size:
            yield array
        return
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for start in range(0, flat.size, chunk):
            yield flat[start : start + chunk]
        return
    axis = next(i for i, size in enumerate(array.shape) if size > 1)
    rows = max(1, chunk // math.prod(array.shape[axis + 1 :]))
    index: list[Any] = [slice(None)] * array.ndim
    for start in range(0, array.shape[axis], rows):
        index[axis] = slice(start, start + rows)
        yield from tiles(array[tuple(index)], chunk)
