"""One array: an initializer as JAX and Flax call them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from ._core import Axes, Fans, Plan, Scheme, SourceError, draw, field_of, resolve
from ._source import JaxSource, check_dtype, check_key, dtype_name

Shape = tuple[int, ...]
Sharding = NamedSharding | PartitionSpec | None


@dataclass(frozen=True, slots=True)
class SchemeInitializer:
    """An initializer of JAX's protocol that draws a scheme; made by `initializer`.

    It is data: equal if made from equal parts, hashable, and so a static argument of `jit` and an
    attribute of a Flax module.

    Attributes
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, function of a shape, or None
        The role of each axis.
    fans : Fans, function of a shape, or None
        Fans to take instead of those that `axes` defines.
    dtype : dtype or None
        The dtype of calls that give none.
    """

    scheme: Scheme
    axes: Axes | Callable[[Shape], Axes] | None = None
    fans: Fans | Callable[[Shape], Fans] | None = None
    dtype: Any = None

    def __call__(
        self,
        key: jax.Array,
        shape: Sequence[int],
        dtype: Any = None,
        out_sharding: Sharding = None,
    ) -> jax.Array:
        """Draw an array.

        Parameters
        ----------
        key : jax.Array
            One key, typed or legacy. Equal keys give equal arrays.
        shape : sequence of int
            The array's shape.
        dtype : dtype, optional
            Any floating-point or complex dtype; the initializer's by default, and else JAX's.
        out_sharding : jax.sharding.NamedSharding or jax.sharding.PartitionSpec, optional
            How the array is laid out; its values do not depend on that.

        Returns
        -------
        jax.Array
            The array.
        """
        axes = self.axes(tuple(shape)) if callable(self.axes) else self.axes
        fans = self.fans(tuple(shape)) if callable(self.fans) else self.fans
        name = self.dtype_of_call(dtype)
        if getattr(self.scheme, "is_random", True):
            check_key(key)
        plan = resolve(self.scheme, shape, axes, fans=fans, field=field_of(name))
        return draw_sharded(plan, key, (), name, out_sharding)

    def dtype_of_call(self, dtype: Any) -> str:
        """The name of the dtype that a call draws in: its own, the initializer's, or JAX's."""
        chosen = self.dtype if dtype is None else dtype
        return dtype_name(float if chosen is None else chosen)


def initializer(
    scheme: Scheme,
    /,
    axes: Axes | None = None,
    *,
    fans: Fans | None = None,
    dtype: Any = None,
) -> SchemeInitializer:
    """Make an initializer of JAX's protocol, for a scheme and the roles of a kernel's axes.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis; may be left out if the scheme asks for none.
    fans : Fans, optional
        Fans to take instead of those that `axes` defines.
    dtype : dtype, optional
        The dtype of calls that give none; JAX's default one by default.

    Returns
    -------
    SchemeInitializer
        A function of a key, a shape, a dtype and a sharding, as `jax.nn.initializers.Initializer`.

    Raises
    ------
    DtypeError
        If `dtype` is of another kind.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        When it is called, before anything is drawn.

    Notes
    -----
    Values are drawn in float32 or wider and rounded once; JAX draws in the array's dtype, of
    which bfloat16 has 128 values. Orthogonal schemes take every dtype and sharding.

    Examples
    --------
    >>> init = initializer(he_normal(), Axes("kernel kernel in out", groups=4))
    >>> kernel = init(jax.random.key(0), (3, 3, 16, 128), jnp.bfloat16)
    >>> round(float(kernel.std()), 2)  # sqrt(2 / 144)
    0.12
    """
    if dtype is not None:
        check_dtype(dtype)
    return SchemeInitializer(scheme, axes, fans, dtype)


def draw_sharded(
    plan: Plan, key: jax.Array, path: Sequence[str], dtype: str, sharding: Any
) -> jax.Array:
    """Draw a plan, each device its own shard where that is possible."""
    if sharding is None:
        array: jax.Array = draw(plan, JaxSource(key, path), dtype=dtype)
        return array
    context = jax.sharding.get_abstract_mesh()
    mesh = sharding.mesh if isinstance(sharding, NamedSharding) else context
    of_context = isinstance(sharding, PartitionSpec) or (
        isinstance(sharding, NamedSharding) and isinstance(mesh, AbstractMesh)
    )
    if of_context and context.empty:
        raise SourceError(
            f"`out_sharding` must name a mesh, or be used within jax.set_mesh, got {sharding}"
        )
    if plan.scheme.is_random:
        key = JaxSource(key, path).key
    placed: jax.Array
    is_traced = isinstance(key, jax.core.Tracer) and isinstance(sharding, NamedSharding)
    if mesh.explicit_axes and (of_context or is_traced):
        placed = _compiled(plan, dtype, sharding, mesh.explicit_axes)(key)
        return placed
    placed = _compiled(plan, dtype, sharding)(key)
    return placed


@functools.lru_cache(maxsize=1024)
def _compiled(plan: Plan, dtype: str, sharding: Any, explicit: tuple[Any, ...] = ()) -> Any:
    drawn = functools.partial(_drawn, plan=plan, dtype=dtype)
    if not explicit:
        return jax.jit(drawn, out_shardings=sharding)
    return jax.jit(jax.sharding.auto_axes(drawn, axes=explicit, out_sharding=sharding))


def _drawn(key: jax.Array, *, plan: Plan, dtype: str) -> jax.Array:
    array: jax.Array = draw(plan, JaxSource(key), dtype=dtype)
    return array
