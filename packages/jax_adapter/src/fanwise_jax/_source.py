"""Where randomness comes from: JAX's own keys, of any implementation."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import jax
import jax.numpy as jnp

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
)

Shape = tuple[int, ...]
Arguments = ParamSpec("Arguments")


def _jit(
    *static: str,
) -> Callable[[Callable[Arguments, jax.Array]], Callable[Arguments, jax.Array]]:
    """`jax.jit` that keeps a function's type."""
    return functools.partial(jax.jit, static_argnames=static)


class JaxSource:
    """A source of JAX arrays.

    Everything traces: under `jit` and `vmap`, `key` may be a tracer.

    Parameters
    ----------
    key : jax.Array
        A typed key of any implementation, or a legacy one of dtype uint32.
    path : str or sequence of str, default ()
        The parameter's path, which is folded into the key.

    Examples
    --------
    One parameter of a model, alone, as `init_params` draws it:

    >>> key, shapes = jax.random.key(0), {"fc": {"w": jax.ShapeDtypeStruct((4, 8), "float32")}}
    >>> model, _ = init_params(Recipe((Rule(scheme=normal(std=1.0)),)), shapes, key)
    >>> w = initializer(normal(std=1.0))(JaxSource(key, "fc.w").key, (4, 8))
    >>> bool((w == model["fc"]["w"]).all())
    True
    """

    xp = jnp
    device = None  # the default device, or the one that computes what is traced
    indexed = False

    def __init__(self, key: jax.Array, path: str | Sequence[str] = (), /) -> None:
        for segment in parse_path(path):
            key = _fold(key, jnp.asarray(path_words([segment], "value"), dtype=jnp.uint32))
        self.key = key

    def child(self, name: str, /) -> JaxSource:
        """The source of an independent stream."""
        return JaxSource(self.key, [name])

    def uniform(
        self, region: Region, dtype: str, /, *, low: float, high: float, out: Any = None
    ) -> jax.Array:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        key = self._stream("value")
        if field_of(dtype) == "complex":
            return _disc(key, region.shape, dtype, high)
        inner = inner_bounds(low, high, dtype, half_open=True)
        return _uniform(key, region.shape, dtype, low, high, inner)

    def normal(
        self, region: Region, dtype: str, /, *, mean: float, std: float, out: Any = None
    ) -> jax.Array:
        """Normal."""
        return _normal(self._stream("value"), region.shape, dtype, mean, std)

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
    ) -> jax.Array:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        key = self._stream("value")
        if field_of(dtype) == "complex":
            return _truncated_disc(key, region.shape, dtype, parent_std, high / parent_std)
        inner = inner_bounds(low, high, dtype)
        unit_law = (parent_mean / parent_std, low / parent_std, high / parent_std)
        return _truncated_normal(key, region.shape, dtype, unit_law, parent_std, inner)

    def permutation(self, count: int, size: int, /) -> jax.Array:
        """`count` independent permutations of range(`size`)."""
        table = jnp.broadcast_to(jnp.arange(size), (count, size))
        return jax.random.permutation(self._stream("permutation"), table, axis=1, independent=True)

    def cast(self, array: jax.Array, dtype: str, /) -> jax.Array:
        """The array in a storage dtype, rounded to nearest."""
        return array.astype(dtype)

    def _stream(self, purpose: str) -> jax.Array:
        if purpose == "value":
            return self.key  # a key is a stream already
        return _fold(self.key, jnp.asarray(path_words((), purpose), dtype=jnp.uint32))


# The scale of a law is an operand: one program for a shape draws all laws of one form.


@_jit()
def _fold(key: jax.Array, words: jax.Array) -> jax.Array:
    for word in words:
        key = jax.random.fold_in(key, word)
    return key


@_jit("shape", "dtype")
def _uniform(
    key: jax.Array,
    shape: Shape,
    dtype: str,
    low: float,
    high: float,
    inner: tuple[float, float],
) -> jax.Array:
    values = jax.random.uniform(key, shape, compute_dtype(dtype), low, high)
    return jnp.clip(values, *inner).astype(dtype)


@_jit("shape", "dtype")
def _normal(key: jax.Array, shape: Shape, dtype: str, mean: float, std: float) -> jax.Array:
    if field_of(dtype) == "complex":
        real, imaginary = (_standard_normal(k, shape, dtype) for k in jax.random.split(key))
        return jax.lax.complex(real, imaginary) * (std / math.sqrt(2)) + mean
    return (_standard_normal(key, shape, dtype) * std + mean).astype(dtype)


@_jit("shape", "dtype", "unit_law")
def _truncated_normal(
    key: jax.Array,
    shape: Shape,
    dtype: str,
    unit_law: tuple[float, float, float],
    std: float,
    inner: tuple[float, float],
) -> jax.Array:
    mean, low, high = unit_law
    values = _quantile(key, shape, dtype, mean, low, high) * std
    return jnp.clip(values, *inner).astype(dtype)


@_jit("shape", "dtype")
def _disc(key: jax.Array, shape: Shape, dtype: str, bound: float) -> jax.Array:
    u, turn = (_uniforms(k, shape, dtype)[0] for k in jax.random.split(key))
    return _turned(samplers.disc_modulus(jnp, u, bound=bound), turn, dtype)


@_jit("shape", "dtype", "unit_bound")
def _truncated_disc(
    key: jax.Array, shape: Shape, dtype: str, parent_std: float, unit_bound: float
) -> jax.Array:
    u, turn = (_uniforms(k, shape, dtype)[0] for k in jax.random.split(key))
    modulus = samplers.truncated_modulus(jnp, u, parent_std=1.0, bound=unit_bound)
    return _turned(modulus * parent_std, turn, dtype)


def _turned(modulus: jax.Array, turn: jax.Array, dtype: str) -> jax.Array:
    values: jax.Array = samplers.isotropic(jnp, modulus, turn, jnp.dtype(dtype))
    return values


def _standard_normal(key: jax.Array, shape: Shape, dtype: str) -> jax.Array:
    # Not `jax.random.normal`: in float32 it stops at 5.42, and bends from 5 on.
    return _quantile(key, shape, dtype, 0.0, -math.inf, math.inf)


def _quantile(
    key: jax.Array, shape: Shape, dtype: str, mean: float, low: float, high: float
) -> jax.Array:
    u, complement = _uniforms(key, shape, dtype)
    values: jax.Array = samplers.truncated_normal(
        jnp, u, complement, parent_mean=mean, parent_std=1.0, low=low, high=high
    )
    return values


def _uniforms(key: jax.Array, shape: Shape, dtype: str) -> tuple[jax.Array, jax.Array]:
    """Uniform numbers above 0 and their complements, each with its full relative precision."""
    number = component_dtype(compute_dtype(dtype))
    bits = 64 if number == "float64" else 32
    words = jax.random.bits(key, shape, f"uint{bits}")
    scale = math.ldexp(1.0, -bits)
    u, complement = ((w.astype(number) + 0.5) * scale for w in (words, ~words))
    return u, complement


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
    """The name of a floating-point or complex dtype; where x64 is off, its 32-bit counterpart's."""
    check_dtype(dtype)
    name: str = jnp.dtype(dtype).name
    if name in ("float64", "complex128"):
        name = jnp.empty((), dtype).dtype.name  # warns, as JAX does, if it was asked for by name
    return name
