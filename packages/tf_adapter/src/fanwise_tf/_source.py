"""Where randomness comes from: the stateless functions of TensorFlow, keyed by seed and path."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import tensorflow as tf

from . import _namespace
from ._core import (
    DTYPES,
    Box,
    DtypeError,
    SampledSource,
    SourceError,
    field_of,
    inner_bounds,
    parse_path,
    path_words,
    stream_key,
)

F = TypeVar("F", bound=Callable[..., Any])

# Of the others, TensorFlow has the names alone.
_CASTABLE = [name for name in DTYPES if "fnuz" not in name]


class TfSource(SampledSource):
    """A source of TensorFlow tensors, on the device that computes them.

    Parameters
    ----------
    seed : int or tf.Tensor
        From 0 up to 2**64 - 1; or a seed of the stateless functions of TensorFlow, two integers,
        which may be a tensor of a graph: the path is then folded into it.
    path : str or sequence of str, default ()
        The path of the parameter: a stream is a function of seed and path, and of nothing else.

    Raises
    ------
    SourceError
        If the seed is of another type.

    Examples
    --------
    >>> from fanwise import Axes, he_normal, resolve
    >>> from fanwise.adapting import draw
    >>> from fanwise_tf import TfSource
    >>> plan = resolve(he_normal(), (8, 4), Axes("in out"))
    >>> tuple(draw(plan, TfSource(0, "dense.kernel"), dtype="float32").shape)
    (8, 4)
    """

    xp = _namespace
    device = None  # that of the context: tf.device

    def __init__(self, seed: Any, path: str | Sequence[str] = (), /) -> None:
        is_pair = getattr(seed, "shape", None) == (2,) and tf.as_dtype(seed.dtype).is_integer
        if not isinstance(seed, int) and not is_pair:
            raise SourceError(
                f"`seed` must be an integer or a tensor of two integers, got {seed!r}"
            )
        super().__init__(seed if isinstance(seed, int) else 0, path)
        self._pair = None if isinstance(seed, int) else seed

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""
        seed = self.seed if self._pair is None else self._pair
        return type(self)(seed, (*self.path, *parse_path([name])))

    def words(self, box: Box, bits: int, purpose: str, /) -> Any:
        """Random integers."""
        return _words(box.shape, self._key(purpose), bits)

    def uniforms(self, box: Box, number: str, purpose: str, /) -> tuple[Any, Any]:
        """Uniform numbers above 0 and their complements, each exact where it is small."""
        bits = 32 if number == "float32" else 64
        words = self.words(box, bits, purpose)
        u, complement = (
            (tf.cast(w, number) + 0.5) * math.ldexp(1.0, -bits)
            for w in (words, tf.bitwise.invert(words))
        )
        return u, complement

    def standard_normal(self, box: Box, number: str, purpose: str, /) -> Any:
        """Standard normal numbers."""
        drawn = _standard_normal if number == "float32" else _standard_normal_64
        shape = tf.constant(box.shape, tf.int32)
        return tf.ensure_shape(drawn(shape, self._key(purpose)), box.shape)

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
    ) -> Any:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        below = _share_below((low - parent_mean) / parent_std)
        above = _share_below((parent_mean - high) / parent_std)
        # Short of the tails, the `ndtri` of XLA is exact: a third of the time.
        if field_of(dtype) == "real" and 1 - below - above > 0.25 and min(below, above) > 0.01:
            least, most = inner_bounds(low, high, dtype)
            shares = {"below": below, "above": above}
            ends = {"mean": parent_mean, "std": parent_std, "least": least, "most": most}
            return self.fill(_central, box, dtype, **shares, **ends)
        return super().truncated_normal(
            box, dtype, parent_mean=parent_mean, parent_std=parent_std, low=low, high=high
        )

    def subsets(self, count: int, size: int, chosen: int, /) -> Any:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each."""
        words = tf.bitcast(self.words(Box.all_of((count, size)), 64, "subset"), tf.int64)
        # Each word ends in its own index: none are equal, so that the count is exact.
        bits = tf.constant((size - 1).bit_length(), tf.int64)
        words = tf.bitwise.left_shift(tf.bitwise.right_shift(words, bits), bits)
        words += tf.range(size, dtype=tf.int64)
        if chosen == 0:
            return tf.zeros((count, size), tf.bool)
        return words <= tf.sort(words, axis=1)[:, chosen - 1 : chosen]

    def cast(self, tensor: Any, dtype: str, /) -> Any:
        """The tensor in a storage dtype, rounded to nearest."""
        return tf.cast(tensor, dtype)

    def _key(self, purpose: str) -> Any:
        if self._pair is None:
            key = stream_key(self.seed, self.path, purpose)
            return tf.constant([key & 0xFFFFFFFF, key >> 32], tf.int64)
        # Halves of 32 bits: XLA reads other seeds differently.
        low, high = tf.unstack(tf.bitcast(tf.cast(self._pair, tf.int64), tf.uint32), axis=-1)
        a, b, c, d = path_words(self.path, purpose)
        seed = tf.cast(low, tf.int64)
        for pair in (high, tf.constant([a, b], tf.uint32), tf.constant([c, d], tf.uint32)):
            seed = tf.cast(tf.bitwise.bitwise_xor(_words((2,), seed, 32), pair), tf.int64)
        return seed


def _central(
    source: TfSource,
    box: Box,
    number: str,
    *,
    below: float,
    above: float,
    mean: float,
    std: float,
    least: float,
    most: float,
) -> Any:
    u, complement = source.uniforms(box, number, "value")
    mass = 1 - below - above
    values = _quantile(below + mass * u, above + mass * complement) * std + mean
    return _namespace.clip(values, least, most)


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
