"""The embedded backend: NumPy arrays from NumPy's own generators, keyed by seed and path.

Every stream is a `numpy.random.Generator` of its own; NumPy's global state is neither read nor
advanced. Needs NumPy, and ml_dtypes for bfloat16 and float8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

try:
    import numpy as np
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the embedded backend needs NumPy") from error

from . import samplers
from ._axes import Axes
from ._draw import draw
from ._dtypes import (
    check_dtype,
    component_dtype,
    compute_dtype,
    field_of,
    for_field,
    inner_bounds,
    rounding,
)
from ._errors import DtypeError, SourceError
from ._fans import Fans
from ._ledger import Ledger, Measured
from ._measure import measure as measure_parts
from ._plan import Part, Plan, resolve
from ._schemes import Scheme
from ._source import Region
from ._stream import Path, check_seed, parse_path, stream_key

Array = np.ndarray[Any, Any]

# Elements drawn at a time: in cache, and for samplers with their many temporaries small enough that
# the allocator keeps them.
_CHUNK = 1 << 15
_SAMPLER_CHUNK = 1 << 13

__all__ = ["NumpySource", "init", "init_params", "measure"]


class NumpySource:
    """A source of NumPy arrays.

    Parameters
    ----------
    seed : int
        From 0 up to 2**64 - 1.
    path : str or sequence of str, default ()
        The parameter's path: the stream is a function of seed and path, and of nothing else.

    Raises
    ------
    SourceError
        If the seed is not an integer of 64 bits, or a segment of the path is empty.

    Examples
    --------
    >>> NumpySource(1).child("layers").child("0")
    NumpySource(1, 'layers.0')
    """

    xp = np
    device = "cpu"
    indexed = False

    def __init__(self, seed: int, path: str | Sequence[str] = (), /) -> None:
        self.seed = check_seed(seed)
        self.path: Path = parse_path(path)

    def __repr__(self) -> str:
        return f"NumpySource({self.seed}, {'.'.join(self.path)!r})"

    def child(self, name: str, /) -> NumpySource:
        """The source of an independent stream."""
        return NumpySource(self.seed, (*self.path, *parse_path([name])))

    def uniform(
        self, region: Region, dtype: str, /, *, low: float, high: float, out: Array | None = None
    ) -> Array:
        """Uniform on [low, high); on the disc of radius `high` for a complex dtype."""
        if field_of(dtype) == "complex":
            modulus = partial(samplers.disc_modulus, np, bound=high)
            return self._isotropic(region, dtype, modulus, out)
        inner = inner_bounds(low, high, dtype, half_open=True)
        generator = self._generator("value")

        def values(chunk: Array) -> None:
            generator.random(dtype=chunk.dtype, out=chunk)
            chunk *= high - low
            chunk += low
            np.clip(chunk, *inner, out=chunk)

        return _fill(region, dtype, out, values)

    def normal(
        self, region: Region, dtype: str, /, *, mean: float, std: float, out: Array | None = None
    ) -> Array:
        """Normal."""
        generator = self._generator("value")
        scale = std / math.sqrt(2) if field_of(dtype) == "complex" else std

        def values(chunk: Array) -> None:
            real = chunk.view(component_dtype(chunk.dtype.name))
            generator.standard_normal(dtype=real.dtype, out=real)
            real *= scale
            if mean:
                chunk += mean

        return _fill(region, dtype, out, values)

    def truncated_normal(
        self,
        region: Region,
        dtype: str,
        /,
        *,
        parent_mean: float,
        parent_std: float,
        low: float,
        high: float,
        out: Array | None = None,
    ) -> Array:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        if field_of(dtype) == "complex":
            modulus = partial(samplers.truncated_modulus, np, parent_std=parent_std, bound=high)
            return self._isotropic(region, dtype, modulus, out)
        inner = inner_bounds(low, high, dtype)
        generator = self._generator("value")

        def values(chunk: Array) -> None:
            u, complement = _uniforms(generator, chunk.shape, chunk.dtype)
            chunk[...] = samplers.truncated_normal(
                np,
                u,
                complement,
                parent_mean=parent_mean,
                parent_std=parent_std,
                low=low,
                high=high,
            )
            np.clip(chunk, *inner, out=chunk)

        return _fill(region, dtype, out, values, _SAMPLER_CHUNK)

    def permutation(self, count: int, size: int, /) -> Array:
        """`count` independent permutations of range(`size`)."""
        table = np.broadcast_to(np.arange(size, dtype=np.int32), (count, size))
        return self._generator("permutation").permuted(table, axis=1)

    def empty(self, shape: tuple[int, ...], dtype: str, /) -> Array:
        """An array to write into."""
        return np.empty(shape, _native(dtype))

    def cast(self, array: Array, dtype: str, /) -> Array:
        """The array in a storage dtype, rounded to nearest."""
        return array.astype(_native(dtype), copy=False)

    def _isotropic(
        self,
        region: Region,
        dtype: str,
        modulus: Callable[[Array], Array],
        out: Array | None,
    ) -> Array:
        # Two streams, so that the sizes of chunks make no difference.
        first, second = self._generator("value"), self._generator("phase")
        real = np.dtype(component_dtype(dtype))

        def values(chunk: Array) -> None:
            u, _ = _uniforms(first, chunk.shape, real)
            turn, _ = _uniforms(second, chunk.shape, real)
            chunk[...] = samplers.isotropic(np, modulus(u), turn, chunk.dtype)

        return _fill(region, dtype, out, values, _SAMPLER_CHUNK)

    def _generator(self, purpose: str) -> np.random.Generator:
        # SFC64 is NumPy's fastest; SeedSequence spreads the key's 64 bits over its state.
        return np.random.Generator(np.random.SFC64(stream_key(self.seed, self.path, purpose)))


def init(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    seed: int,
    path: str | Sequence[str],
    dtype: Any = "float32",
    fans: Fans | None = None,
    out: Array | None = None,
) -> Array:
    """Initialize one parameter.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        Shape of the parameter.
    axes : Axes, optional
        The role of each of its axes; may be left out if the scheme asks for none.
    seed : int
        From 0 up to 2**64 - 1.
    path : str or sequence of str
        The parameter's path. It has no default: parameters of equal seeds and different paths are
        independent, and those of equal paths are equal.
    dtype : dtype or str, default "float32"
        Any NumPy or ml_dtypes floating-point or complex dtype.
    fans : Fans, optional
        Fans to take instead of those that `axes` defines.
    out : numpy.ndarray, optional
        Array of `shape` to write into, contiguous or not; its dtype is taken.

    Returns
    -------
    numpy.ndarray
        The parameter; `out`, if it was given.

    Raises
    ------
    AxesError, FanError, LawError, SchemeError, DtypeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> w = init(glorot_uniform(), (300, 700), Axes("out in"), seed=0, path="encoder.weight")
    >>> round(float(w.var()), 4)  # 2 / (300 + 700)
    0.002
    """
    if out is not None and not (isinstance(out, np.ndarray) and out.flags.writeable):
        raise SourceError(f"`out` must be a writable array, got {type(out).__name__} {out!r}")
    name = dtype_name(dtype if out is None else out.dtype)
    plan = resolve(scheme, shape, axes, fans=fans, field=field_of(name))
    array: Array = draw(plan, NumpySource(seed, path), dtype=name, out=out)
    return array


def init_params(
    ledger: Ledger, /, *, seed: int, dtype: Any = "float32"
) -> Iterator[tuple[str, Array]]:
    """Initialize the parameters of a whole model, one after the other.

    Parameters
    ----------
    ledger : Ledger
        What `plan_model` decided for each parameter.
    seed : int
        From 0 up to 2**64 - 1.
    dtype : dtype or str, default "float32"
        Storage dtype of all parameters; complex ones are in complex128 beside float64, and in
        complex64 beside any other.

    Yields
    ------
    path, array : str and numpy.ndarray
        Each parameter that the ledger has as initialized, in its order.

    Raises
    ------
    DtypeError, SourceError
        Before anything is drawn.
    """
    name, seed = dtype_name(dtype), check_seed(seed)
    ledger.check_draws(name)
    return (
        (entry.path, _draw_entry(entry.plan, NumpySource(seed, entry.stream), name))
        for entry in ledger.entries
        if entry.plan is not None
    )


def _draw_entry(plan: Plan, source: NumpySource, dtype: str) -> Array:
    array: Array = draw(plan, source, dtype=for_field(dtype, plan.field))
    return array


def measure(plan: Plan, array: Array, /) -> Measured:
    """Compare a drawn parameter's mean and std with its laws'.

    Parameters
    ----------
    plan : Plan
        What was drawn.
    array : numpy.ndarray
        What came out.

    Returns
    -------
    Measured
        Mean and std, and how many of their standard errors they are off.

    Examples
    --------
    >>> plan = resolve(he_normal(), (256, 256), Axes("out in"))
    >>> found = measure(plan, draw(plan, NumpySource(0)))
    >>> abs(found.mean_z) < 4 and abs(found.std_z) < 4
    True
    """
    if array.shape != plan.shape:
        raise SourceError(f"`array` must have the plan's shape {plan.shape}, got {array.shape}")
    dtype = dtype_name(array.dtype)

    def sums(part: Part) -> tuple[float, float]:
        box = array[tuple(slice(b, b + n) for b, n in zip(part.start, part.shape, strict=True))]
        total = square = 0.0
        for tile in _tiles(box):
            wide = tile.astype(np.complex128 if plan.field == "complex" else np.float64)
            wide -= part.law.mean
            total += float(wide.real.sum())
            square += float((wide.real**2).sum() + (wide.imag**2).sum())
        return total, square

    return measure_parts(plan, sums, rounding=rounding(dtype))


def dtype_name(dtype: Any) -> str:
    """The name of a NumPy or ml_dtypes floating-point or complex dtype, or of its name."""
    if dtype is None:
        raise DtypeError("`dtype` must be given, got None")
    return _native(dtype if isinstance(dtype, str) else np.dtype(dtype).name).name


def _native(name: str) -> np.dtype[Any]:
    check_dtype(name)
    if name != "bfloat16" and not name.startswith("float8"):
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise DtypeError(f"`dtype` {name} must have ml_dtypes installed, got none") from None
    native: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return native


def _fill(
    region: Region,
    dtype: str,
    out: Array | None,
    values: Callable[[Array], None],
    chunk: int = _CHUNK,
) -> Array:
    """Fill an array chunk by chunk, in row-major order, whatever its memory layout."""
    native = _native(dtype)
    if out is None:
        out = np.empty(region.shape, native)
    elif out.dtype != native:
        raise SourceError(f"`out` must be of dtype {native}, got {out.dtype}")
    computing = np.dtype(compute_dtype(dtype))
    for tile in _tiles(out, chunk):
        if tile.dtype == computing and tile.flags.c_contiguous:
            values(tile.reshape(-1))
        else:
            buffer = np.empty(tile.size, computing)
            values(buffer)
            tile[...] = buffer.reshape(tile.shape)
    return out


def _tiles(array: Array, chunk: int = _CHUNK) -> Iterator[Array]:
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
        yield from _tiles(array[tuple(index)], chunk)


def _uniforms(
    generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """Uniform numbers above 0 and their complements, each with its full relative precision."""
    bits = 32 if dtype == np.float32 else 64
    unsigned = np.uint32 if bits == 32 else np.uint64
    words = generator.integers(0, 1 << bits, size=shape, dtype=unsigned)
    half, scale = dtype.type(0.5), dtype.type(math.ldexp(1.0, -bits))
    u, complement = ((w.astype(dtype) + half) * scale for w in (words, ~words))
    return u, complement
