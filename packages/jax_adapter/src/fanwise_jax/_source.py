"""Where randomness comes from: keys of JAX, of any implementation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from ._core import (
    DTYPES,
    Box,
    DtypeError,
    SampledSource,
    SourceError,
    compute_dtype,
    parse_path,
    path_words,
)

Values = Callable[..., jax.Array]


class JaxSource(SampledSource):
    """A source of JAX arrays.

    Everything traces: under `jit` and `vmap`, `key` may be a tracer.

    Parameters
    ----------
    key : jax.Array
        A typed key of any implementation, or a legacy one of dtype uint32.
    path : str or sequence of str, default ()
        The path of the parameter, which is folded into the key.

    Examples
    --------
    One parameter of a model, alone, as `init_model` draws it:

    >>> import jax
    >>> from fanwise import Recipe, Rule, normal
    >>> from fanwise_jax import JaxSource, init_model, initializer
    >>> key, shapes = jax.random.key(0), {"fc": {"w": jax.ShapeDtypeStruct((4, 8), "float32")}}
    >>> recipe = Recipe([Rule(normal(std=1.0), match="fc.w")])
    >>> model, _ = init_model(shapes, recipe, key=key)
    >>> w = initializer(normal(std=1.0))(JaxSource(key, "fc.w").key, (4, 8))
    >>> bool((w == model["fc"]["w"]).all())
    True
    """

    xp = jnp
    device = None  # the default device, or the one that computes what is traced

    def __init__(self, key: jax.Array, path: str | Sequence[str] = (), /) -> None:
        for segment in parse_path(path):
            key = _fold(key, jnp.asarray(path_words([segment], "value"), dtype=jnp.uint32))
        self.key = key

    def __repr__(self) -> str:
        return f"JaxSource({self.key!r})"

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""
        return type(self)(self.key, [name])

    def words(self, box: Box, bits: int, purpose: str, /) -> jax.Array:
        """Random integers."""
        return jax.random.bits(self._stream(purpose), box.shape, f"uint{bits}")

    def subsets(self, count: int, size: int, chosen: int, /) -> jax.Array:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each."""
        table = jnp.broadcast_to(jnp.arange(size) < chosen, (count, size))
        key = self._stream("subset")
        return jax.random.permutation(key, table, axis=1, independent=True)

    def cast(self, array: jax.Array, dtype: str, /) -> jax.Array:
        """The array in a storage dtype, rounded to nearest."""
        return array.astype(dtype)

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> jax.Array:
        """Draw by a compiled program, of which the scales are operands."""
        filled: jax.Array = _fill(self.key, scales, values, box, dtype, form)
        return filled

    def _stream(self, purpose: str) -> jax.Array:
        if purpose == "value":
            return self.key  # a key is a stream already
        words = jnp.asarray(path_words((), purpose), dtype=jnp.uint32)
        folded: jax.Array = _fold(self.key, words)
        return folded


@jax.jit
def _fold(key: jax.Array, words: jax.Array) -> jax.Array:
    for word in words:
        key = jax.random.fold_in(key, word)
    return key


@functools.partial(jax.jit, static_argnames=("values", "box", "dtype", "form"))
def _fill(
    key: jax.Array,
    scales: dict[str, Any],
    values: Values,
    box: Box,
    dtype: str,
    form: tuple[float, ...],
) -> jax.Array:
    return values(JaxSource(key), box, compute_dtype(dtype), *form, **scales).astype(dtype)


def check_key(key: Any, /) -> None:
    """Raise unless it is one key, typed or legacy."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if shape != ():
            raise SourceError(f"`key` must be one key, got an array of shape {shape}: use jax.vmap")
        return
    try:
        if dtype != jnp.uint32:
            raise TypeError
        wrapped = jax.random.wrap_key_data(key)  # raises unless its size is the default one
    except TypeError:
        what = type(key).__name__ if dtype is None else f"{dtype} of shape {shape}"
        raise SourceError(f"`key` must be a key, such as jax.random.key(0), got {what}") from None
    check_key(wrapped)


def check_dtype(dtype: Any, /) -> None:
    """Raise unless it is a floating-point or complex dtype."""
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in DTYPES:
        raise DtypeError(f"`dtype` must be one of {', '.join(DTYPES)}, got {name}")


def dtype_name(dtype: Any, /) -> str:
    """The name of a floating-point or complex dtype; where x64 is off, that of 32 bits."""
    check_dtype(dtype)
    name: str = jnp.dtype(dtype).name
    if name in ("float64", "complex128"):
        name = jnp.empty((), dtype).dtype.name  # warns, as JAX does, if it was asked for by name
    return name
