"""Where randomness comes from: TensorFlow's stateless generators, keyed by seed and path."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import tensorflow as tf

from . import _namespace
from ._core import (
    DTYPES,
    DtypeError,
    Region,
    SourceError,
    component_dtype,
    compute_dtype,
    field_of,
    inner_bounds,
    parse_path,
    path_words,
    samplers,
    stream_key,
)

Shape = tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])

# Of the others, TensorFlow has the names alone.
_CASTABLE = [name for name in DTYPES if "fnuz" not in name]


class TfSource:
    """A source of TensorFlow tensors, on the device that computes them.

    Parameters
    ----------
    seed : int or tf.Tensor
        From 0 up to 2**64 - 1; or a seed of TensorFlow's stateless functions, two integers, which
        may be a tensor of a graph: the path is then folded into it.
    path : str or sequence of str, default ()
        The parameter's path: a stream is a function of seed and path, and of nothing else.

    Raises
    ------
    SourceError
        If the seed is of another kind.

    Examples
    --------
    >>> plan = resolve(he_normal(), (8, 4), Axes("in out"))
    >>> tuple(draw(plan, TfSource(0, "dense.kernel"), dtype="float32").shape)
    (8, 4)
    """

    xp = _namespace
    device = None  # that of the context: tf.device
    indexed = False

    def __init__(self, seed: Any, path: str | Sequence[str] = (), /) -> None:
        pair = getattr(seed, "shape", None) == (2,) and tf.as_dtype(seed.dtype).is_integer
        if not isinstance(seed, int) and not pair:
            raise SourceError(
                f"`seed` must be an integer or a tensor of two integers, got {seed!r}"
            )
        self.seed = seed
        self.path = parse_path(path)

    def child(self, name: str, /) -> TfSource:
        """The source of an independent stream."""
        return TfSource(self.seed, (*self.path, *parse_path([name])))

    def uniform(
        self, region: Region, dtype: str, /, *, low: float, high: float, out: Any = None
    ) -> Any:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        if field_of(dtype) == "complex":
            modulus = partial(samplers.disc_modulus, _namespace, bound=high)
            return self._isotropic(region.shape, dtype, modulus)
        inner = inner_bounds(low, high, dtype, half_open=True)
        u, _ = self._uniforms(region.shape, compute_dtype(dtype), "value")
        return self.cast(_namespace.clip(u * (high - low) + low, *inner), dtype)

    def normal(
        self, region: Region, dtype: str, /, *, mean: float, std: float, out: Any = None
    ) -> Any:
        """Normal."""
        if field_of(dtype) == "complex":
            number, scale = component_dtype(dtype), std / math.sqrt(2)
            parts = (
                self._normal(region.shape, number, purpose) * scale
                for purpose in ("value", "phase")
            )
            return tf.complex(*parts) + mean
        values = self._normal(region.shape, compute_dtype(dtype), "value")
        return self.cast(values * std + mean, dtype)

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
        out: Any = None,
    ) -> Any:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        if field_of(dtype) == "complex":
            modulus = partial(
                samplers.truncated_modulus, _namespace, parent_std=parent_std, bound=high
            )
            return self._isotropic(region.shape, dtype, modulus)
        inner = inner_bounds(low, high, dtype)
        u, complement = self._uniforms(region.shape, compute_dtype(dtype), "value")
        below = _share_below((low - parent_mean) / parent_std)
        above = _share_below((parent_mean - high) / parent_std)
        mass = 1 - below - above
        # The same law in a third of the time, where XLA's `ndtri` is exact: short of the tails.
        if mass > 0.25 and min(below, above) > 0.01:
            values = _quantile(below + mass * u, above + mass * complement) * parent_std
            values += parent_mean
        else:
            values = samplers.truncated_normal(
                _namespace,
                u,
                complement,
                parent_mean=parent_mean,
                parent_std=parent_std,
                low=low,
                high=high,
            )
        return self.cast(_namespace.clip(values, *inner), dtype)

    def permutation(self, count: int, size: int, /) -> Any:
        """`count` independent permutations of range(`size`)."""
        words = _words((count, size), self._key("permutation"), 64)
        return tf.argsort(tf.bitcast(words, tf.int64), axis=1)

    def cast(self, tensor: Any, dtype: str, /) -> Any:
        """The tensor in a storage dtype, rounded to nearest."""
        return tf.cast(tensor, dtype)

    def _isotropic(self, shape: Shape, dtype: str, modulus: Callable[[Any], Any]) -> Any:
        number = component_dtype(dtype)
        u, turn = (self._uniforms(shape, number, purpose)[0] for purpose in ("value", "phase"))
        return samplers.isotropic(_namespace, modulus(u), turn, tf.as_dtype(dtype))

    def _normal(self, shape: Shape, number: str, purpose: str) -> Any:
        draw = _standard_normal if number == "float32" else _standard_normal_64
        return tf.ensure_shape(draw(tf.constant(shape, tf.int32), self._key(purpose)), shape)

    def _uniforms(self, shape: Shape, number: str, purpose: str) -> tuple[Any, Any]:
        """Uniform numbers above 0 and their complements, each with its full relative precision."""
        bits = 32 if number == "float32" else 64
        words = _words(shape, self._key(purpose), bits)
        u, complement = (
            (tf.cast(w, number) + 0.5) * math.ldexp(1.0, -bits)
            for w in (words, tf.bitwise.invert(words))
        )
        return u, complement

    def _key(self, purpose: str) -> Any:
        if isinstance(self.seed, int):
            key = stream_key(self.seed, self.path, purpose)
            return tf.constant([key & 0xFFFFFFFF, key >> 32], tf.int64)
        # Halves of 32 bits: XLA reads other seeds differently.
        low, high = tf.unstack(tf.bitcast(tf.cast(self.seed, tf.int64), tf.uint32), axis=-1)
        a, b, c, d = path_words(self.path, purpose)
        seed = tf.cast(low, tf.int64)
        for pair in (high, tf.constant([a, b], tf.uint32), tf.constant([c, d], tf.uint32)):
            seed = tf.cast(tf.bitwise.bitwise_xor(_words((2,), seed, 32), pair), tf.int64)
        return seed


def _words(shape: Any, seed: Any, bits: int) -> Any:
    """Random integers: of 32 bits, which are the same whether XLA compiles them or not."""
    if bits == 32:
        return tf.random.stateless_uniform(shape, seed, None, None, tf.uint32)
    return tf.bitcast(_words(tf.concat([shape, [2]], 0), seed, 32), tf.uint64)


def unconverted(function: F) -> F:
    """A function that AutoGraph leaves as it is, and warns of nothing; its type is kept."""
    kept: F = tf.autograph.experimental.do_not_convert(function)
    return kept


def shape_segment(shape: Sequence[int], /) -> str:
    """A shape as a segment of a path, for streams of their own."""
    return "x".join(["shape", *map(str, shape)])


def dtype_name(dtype: Any, /) -> str:
    """The name of a floating-point or complex dtype."""
    name: str = tf.as_dtype(dtype).name
    if name not in _CASTABLE:
        raise DtypeError(f"`dtype` must be one of {', '.join(_CASTABLE)}, got {name}")
    return name


_ARGUMENTS = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([2], tf.int64))


# Functions of a graph, traced once for all shapes: in eager mode each step would keep its memory.


@tf.function(input_signature=_ARGUMENTS, autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow is untyped
def _standard_normal(shape: Any, seed: Any) -> Any:
    return _box_muller(shape, seed, tf.float32)


@tf.function(input_signature=_ARGUMENTS, autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow is untyped
def _standard_normal_64(shape: Any, seed: Any) -> Any:
    return _box_muller(shape, seed, tf.float64)


def _box_muller(shape: Any, seed: Any, number: Any) -> Any:
    """Standard normal numbers, in pairs: a modulus and an angle (Box and Muller, 1958).

    Not `stateless_normal`, which ends at 5.68 in float32; nor `ndtri`, which is 1e-3 off at -4.9
    and infinite from -5.2 on if XLA compiles it.
    """
    bits, most = (32, 0x7FFFFFFF) if number == tf.float32 else (64, 0x7FFFFFFFFFFFFFFF)
    count = tf.reduce_prod(shape)
    words, turns = tf.unstack(_words(tf.stack([2, (count + 1) // 2]), seed, bits))
    # Of a word, one bit says whether the others are of a probability or of its complement, so that
    # great and small moduli are both exact.
    rest = tf.bitwise.bitwise_and(words, tf.constant(most, words.dtype))
    p = (tf.cast(rest, number) + 0.5) * math.ldexp(1.0, -bits)
    exponential = tf.where(tf.equal(rest, words), -tf.math.log(p), -tf.math.log1p(-p))
    modulus = tf.sqrt(2 * exponential)
    angle = tf.cast(turns, number) * math.ldexp(math.tau, -bits)
    pairs = tf.concat([modulus * tf.cos(angle), modulus * tf.sin(angle)], 0)
    return tf.reshape(pairs[:count], shape)


def _quantile(p: Any, q: Any) -> Any:
    """The normal quantile of a probability and its complement, from whichever is the smaller."""
    z = tf.math.ndtri(tf.minimum(p, q))
    return tf.where(p < q, z, -z)


def _share_below(x: float) -> float:
    """The share of the standard normal below `x`."""
    return math.erfc(-x / math.sqrt(2)) / 2
