"""Draw: from a plan and a source to an array. The only array code, with `matrices`."""

from __future__ import annotations

import functools
import math
from typing import Any

from .._axes import Shape
from .._errors import DtypeError, SourceError
from .._laws.real import Law, Values
from .._schemes.plan import Part, Plan
from .dtypes import check_dtype, check_representable, compute_dtype, field_of, inner_bounds
from .matrices import draw_matrices
from .source import Array, Box, RandomSource, parse_window


def draw(
    plan: Plan,
    source: RandomSource,
    /,
    *,
    dtype: str = "float32",
    window: Any = None,
    out: Array | None = None,
) -> Array:
    """Draw the array that a plan describes.

    Parameters
    ----------
    plan : Plan
        What to draw.
    source : RandomSource
        Where randomness comes from, and thereby the array type and the device. Each block of a
        fused axis is drawn from a child of its own, as a separate parameter would be.
    dtype : str, default "float32"
        Storage dtype, by its usual name. Values are drawn in float32 or wider, and rounded once.
    window : sequence of (int, int), optional
        Start and stop along every axis of the box to draw; the whole by default. A source that
        computes elements from their indices draws any box as the whole array has it.
    out : array, optional
        An array of the shape of the box and of `dtype`, to write into. The source must be a
        `MutableSource`.

    Returns
    -------
    array
        The values; `out`, if it was given.

    Raises
    ------
    DtypeError
        If `dtype` is unknown, does not fit the field of the plan, or cannot hold the values.
    SourceError
        If `window` or `out` does not fit, or the source lacks what the scheme needs. Nothing is
        drawn before these checks.

    Examples
    --------
    >>> from fanwise import resolve, uniform
    >>> from fanwise.adapting import draw
    >>> from fanwise.numpy import NumpySource
    >>> plan = resolve(uniform(bound=0.5), (2, 3))
    >>> array = draw(plan, NumpySource(0, "encoder.weight"), dtype="float16")
    >>> array.shape, bool(abs(array).max() <= 0.5)
    ((2, 3), True)
    """
    check_draw(plan, dtype)
    start, shape = parse_window(window, plan.shape)
    if shape != plan.shape and not source.indexed:
        raise SourceError(
            f"`window` must be the whole of {plan.shape} for a sequential source, got {window}"
        )
    mutable: Any = source if source.mutable else None
    if out is not None:
        _check_out(out, mutable, source, shape, dtype)
    elif mutable is not None:  # every block goes straight to its place
        out = mutable.empty(shape, dtype)
    pieces = []
    for index, part in enumerate(plan.parts):
        box = _overlap(part, start, shape)
        if box is None:
            continue
        begin, extent = box
        stream: Any = source if len(plan.parts) == 1 else source.child(str(index))
        within = tuple(b - s for b, s in zip(begin, part.start, strict=True))
        target = None if out is None else out[_slices(begin, extent, offset=start)]
        pieces.append((begin, _draw_part(part, stream, dtype, within, extent, target)))
    if out is None:
        # None is drawn for an empty parameter or window.
        out = _assemble(source.xp, pieces) if pieces else full(source, shape, 0.0, dtype)
    return out if plan.padding is None else _pad(plan, plan.padding, out, source, start)


def check_draw(plan: Plan, dtype: str, /) -> None:
    """Raise unless a plan can be drawn in a storage dtype.

    Parameters
    ----------
    plan : Plan
        What would be drawn.
    dtype : str
        Storage dtype, by its usual name.

    Raises
    ------
    DtypeError
        If `dtype` is unknown, does not fit the field of the plan, or cannot hold the values.

    Examples
    --------
    >>> from fanwise import normal, resolve
    >>> from fanwise.adapting import check_draw
    >>> check_draw(resolve(normal(std=0.02), (3,)), "bfloat16")
    """
    check_dtype(dtype)
    if field_of(dtype) != plan.field:
        raise DtypeError(f"`dtype` must be {plan.field}, as the plan is, got {dtype}")
    for part in plan.parts:
        _check_law(part.law, dtype)  # type: ignore[arg-type]  # every law is frozen, and so hashable


@functools.lru_cache(maxsize=4096)  # the layers of a model have few laws
def _check_law(law: Law, dtype: str) -> None:
    check_representable(law, dtype)
    if law.std > 0 and not isinstance(law, Values):
        inner_bounds(*law.support, dtype, half_open=law.half_open)


def full(source: RandomSource, shape: Shape, value: float, dtype: str, /) -> Array:
    """An array of one value."""
    number = getattr(source.xp, compute_dtype(dtype))
    return source.cast(source.xp.full(shape, value, dtype=number, device=source.device), dtype)


def _check_out(out: Array, mutable: Any, source: RandomSource, shape: Shape, dtype: str) -> None:
    if mutable is None:
        raise SourceError(
            f"`out` must be left out for a source that makes new arrays, "
            f"got one for {type(source).__name__}"
        )
    if tuple(out.shape) != shape:
        raise SourceError(f"`out` must have the shape {shape}, got {tuple(out.shape)}")
    native = mutable.native_dtype(dtype)
    if out.dtype != native:
        raise SourceError(f"`out` must be of dtype {native}, got {out.dtype}")


def _draw_part(
    part: Part, source: Any, dtype: str, start: Shape, extent: Shape, out: Array | None
) -> Array:
    law = part.law
    if law.primitive is not None:
        order = part.axes.canonical_order if part.axes else tuple(range(len(part.shape)))
        target = source if out is None else source.into(out)
        box = Box(part.shape, start, extent, order)
        return getattr(target, law.primitive)(box, dtype, **law.primitive_options)
    if isinstance(law, Values):
        values = source.cast(_values(law, part.shape, source, dtype)[_slices(start, extent)], dtype)
        if out is None:
            return values
        out[...] = values
        return out
    if part.scheme.base.matrix is None:
        if out is None:
            return full(source, extent, law.mean, dtype)
        out[...] = law.mean
        return out
    whole = draw_matrices(part, source, dtype)
    piece = source.cast(whole[_slices(start, extent)], dtype)
    if out is None:
        return piece
    out[...] = piece
    return out


def _values(law: Values, shape: Shape, source: RandomSource, dtype: str) -> Array:
    """The values of a law as an array of a shape."""
    xp = source.xp
    number = getattr(xp, compute_dtype(dtype))
    values = xp.asarray(list(law.values), dtype=number, device=source.device)
    return xp.broadcast_to(xp.reshape(values, law.shape), shape)


def _pad(plan: Plan, padding: int, array: Array, source: RandomSource, start: Shape) -> Array:
    """The array with zeros at the position of the padding."""
    assert plan.axes is not None  # as `resolve` has it
    axis, xp = plan.axes.roles.index("in"), source.xp
    position = padding - start[axis]
    if not 0 <= position < array.shape[axis]:
        return array
    if source.mutable:
        array[(slice(None),) * axis + (position,)] = 0
        return array
    line = [1] * len(plan.shape)
    line[axis] = array.shape[axis]
    index = xp.reshape(xp.arange(array.shape[axis], device=source.device), tuple(line))
    return xp.where(index == position, xp.zeros_like(array), array)


def _overlap(part: Part, start: Shape, shape: Shape) -> tuple[Shape, Shape] | None:
    """The box that a part and a window share, from the origin of the parameter; None if empty."""
    begin = tuple(max(a, b) for a, b in zip(part.start, start, strict=True))
    end = tuple(
        min(a + n, b + m) for a, n, b, m in zip(part.start, part.shape, start, shape, strict=True)
    )
    extent = tuple(e - b for b, e in zip(begin, end, strict=True))
    if any(n < 0 for n in extent) or math.prod(extent) == 0:
        return None
    return begin, extent


def _slices(start: Shape, extent: Shape, offset: Shape | None = None) -> tuple[slice, ...]:
    shift = offset or (0,) * len(start)
    return tuple(slice(b - o, b - o + n) for b, o, n in zip(start, shift, extent, strict=True))


def _assemble(xp: Any, pieces: list[tuple[Shape, Array]]) -> Array:
    """Boxes that tile an array, each with its start, as one array."""
    axis = len(pieces[0][0]) - 1
    while len(pieces) > 1:
        rows: dict[tuple[Shape, Shape], list[tuple[Shape, Array]]] = {}
        for start, array in pieces:
            rows.setdefault((start[:axis], start[axis + 1 :]), []).append((start, array))
        pieces = [
            (row[0][0], row[0][1] if len(row) == 1 else xp.concat([a for _, a in row], axis=axis))
            for row in rows.values()
        ]
        axis -= 1
    return pieces[0][1]
