"""Draw a plan, each device its own shard where that is possible."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from ._core import Box, Plan, SourceError, compute_dtype, draw
from ._source import JaxSource, Values

Sharding: TypeAlias = NamedSharding | PartitionSpec | None


def draw_sharded(
    plan: Plan, key: jax.Array, path: Sequence[str], dtype: str, sharding: Any
) -> jax.Array:
    """Draw a plan; its values depend on the sharding by no more than rounding."""
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
    is_traced = isinstance(key, jax.core.Tracer) and isinstance(sharding, NamedSharding)
    explicit = mesh.explicit_axes if of_context or is_traced else ()
    calls: list[_Call] = []
    jax.eval_shape(lambda: draw(plan, _Recorder(calls), dtype=dtype))
    form = (_form(plan), tuple(call[0] for call in calls))
    program = _compiled(_Drawing(form, dtype, sharding, tuple(explicit), plan))
    placed: jax.Array = program(key, [call[1] for call in calls])
    return placed


_Call: TypeAlias = tuple[tuple[Values, Box, str, tuple[float, ...]], dict[str, float]]


class _Recorder(JaxSource):
    """A source that draws nothing, and notes what it is asked for: the form and the scales."""

    def __init__(self, calls: list[_Call]) -> None:
        self._calls = calls

    def child(self, name: str, /) -> _Recorder:
        return _Recorder(self._calls)

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> jax.Array:
        self._calls.append(((values, box, dtype, form), scales))
        return jnp.zeros(box.shape, dtype)

    def subsets(self, count: int, size: int, chosen: int, /) -> jax.Array:
        return jnp.zeros((count, size), bool)


class _Player(JaxSource):
    """A source that draws with the scales of an earlier record, which may be traced."""

    def __init__(self, key: jax.Array, scales: list[dict[str, Any]]) -> None:
        super().__init__(key)
        self._scales = scales

    def child(self, name: str, /) -> _Player:
        return _Player(JaxSource(self.key, [name]).key, self._scales)

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> jax.Array:
        given = self._scales.pop(0)
        source = JaxSource(self.key)
        return values(source, box, compute_dtype(dtype), *form, **given).astype(dtype)


def _form(plan: Plan) -> Any:
    """What decides, besides the calls of a source, what is drawn for a plan."""
    return (
        plan.shape,
        plan.axes,
        plan.padding,
        tuple(
            (part.start, part.shape)
            if part.law.primitive is not None
            else (part.start, part.shape, part.scheme)
            for part in plan.parts
        ),
    )


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What a compiled program draws: equal for plans that differ in nothing but scales."""

    form: Any
    dtype: str
    sharding: Any
    explicit: tuple[Any, ...]
    plan: Plan = field(compare=False)


@functools.lru_cache(maxsize=1024)
def _compiled(drawing: _Drawing) -> Any:
    def drawn(key: jax.Array, scales: list[dict[str, Any]]) -> jax.Array:
        source = _Player(key, list(scales))
        array: jax.Array = draw(drawing.plan, source, dtype=drawing.dtype)
        return array

    sharding, explicit = drawing.sharding, drawing.explicit
    if not explicit:
        return jax.jit(drawn, out_shardings=sharding)
    return jax.jit(jax.sharding.auto_axes(drawn, axes=explicit, out_sharding=sharding))
