"""Draw: from a plan and a source to an array. The only array code, with `_matrices`."""

from __future__ import annotations

import math
from typing import Any

from ._axes import Shape
from ._dtypes import check_dtype, check_representable, compute_dtype, field_of, inner_bounds
from ._elementwise import ELEMENTWISE
from ._errors import DtypeError, SourceError
from ._matrices import draw_structured
from ._plan import Part, Plan
from ._source import Array, RandomSource, Region, parse_window


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
        Storage dtype, by its usual name; values are drawn in float32 or wider, and rounded once.
    window : sequence of (int, int), optional
        Start and stop along every axis of the box to draw; the whole by default. A source that
        computes elements from their indices draws any box as the whole array has it.
    out : array, optional
        A mutable array of the box's shape and of `dtype` to write into.

    Returns
    -------
    array
        The values; `out`, if it was given.

    Raises
    ------
    DtypeError
        If `dtype` is unknown, does not fit the plan's field, or cannot hold the law's values.
    SourceError
        If the window does not fit, or the source lacks what the scheme needs. Nothing is drawn
        before these checks.

    Examples
    --------
    >>> from .numpy import NumpySource
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
    if out is not None:
        _check_out(out, shape, _full(source, (), 0.0, dtype).dtype)
    elif hasattr(source, "empty"):  # mutable arrays: every block goes straight to its place
        out = source.empty(shape, dtype)
    pieces = []
    for index, part in enumerate(plan.parts):
        stream = source if len(plan.parts) == 1 else source.child(str(index))
        box = _overlap(part, start, shape)
        if box is None:
            continue
        begin, extent = box
        target = None
        if out is not None:
            target = out[_slices(begin, extent, offset=start)]
        region_start = tuple(b - s for b, s in zip(begin, part.start, strict=True))
        pieces.append((begin, _draw_part(plan, part, stream, dtype, region_start, extent, target)))
    if out is not None:
        return out
    if not pieces:  # an empty window
        return _full(source, shape, 0.0, dtype)
    return _assemble(source.xp, pieces)


def check_draw(plan: Plan, dtype: str) -> None:
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
        If `dtype` is unknown, does not fit the plan's field, or cannot hold the law's values.

    Examples
    --------
    >>> check_draw(resolve(normal(std=0.02), (3,)), "bfloat16")
    """
    check_dtype(dtype)
    if field_of(dtype) != plan.field:
        raise DtypeError(f"`dtype` must be {plan.field}, as the plan is, got {dtype}")
    for part in plan.parts:
        check_representable(part.law, dtype)
        if part.law.family in ("truncated_normal", "uniform"):
            inner_bounds(*part.law.support, dtype, half_open=part.law.family == "uniform")


def _check_out(out: Array, shape: Shape, dtype: Any) -> None:
    if tuple(out.shape) != shape:
        raise SourceError(f"`out` must have the shape {shape}, got {tuple(out.shape)}")
    if out.dtype != dtype:
        raise SourceError(f"`out` must be of dtype {dtype}, got {out.dtype}")


def _draw_part(
    plan: Plan,
    part: Part,
    source: RandomSource,
    dtype: str,
    start: Shape,
    extent: Shape,
    out: Array | None,
) -> Array:
    if plan.scheme.name in ELEMENTWISE:
        order = part.axes.canonical_order if part.axes else tuple(range(len(part.shape)))
        region = Region(part.shape, start, extent, order)
        return _elementwise(part.law, source, region, dtype, out)
    whole = draw_structured(plan.scheme, part, source, dtype)
    box = source.cast(whole[_slices(start, extent)], dtype)
    if out is None:
        return box
    out[...] = box
    return out


def _elementwise(
    law: Any, source: RandomSource, region: Region, dtype: str, out: Array | None
) -> Array:
    # By family, not by class: the plan may be another copy's of this package (spec: schemes/3).
    match law.family:
        case "constant":
            if out is None:
                return _full(source, region.shape, law.value, dtype)
            out[...] = law.value
            return out
        case "normal" | "complex_normal":
            return source.normal(region, dtype, mean=law.mean, std=law.std, out=out)
        case "uniform":
            return source.uniform(region, dtype, low=law.low, high=law.high, out=out)
        case "complex_uniform":
            return source.uniform(region, dtype, low=-law.bound, high=law.bound, out=out)
        case "truncated_normal":
            mean, low, high = law.parent_mean, law.low, law.high
        case "complex_truncated_normal":
            mean, low, high = 0.0, -law.bound, law.bound
        case _:
            raise AssertionError(f"no primitive draws {law}")
    return source.truncated_normal(
        region,
        dtype,
        parent_mean=mean,
        parent_std=law.parent_std,
        low=low,
        high=high,
        out=out,
    )


def _full(source: RandomSource, shape: Shape, value: float, dtype: str) -> Array:
    number = getattr(source.xp, compute_dtype(dtype))
    return source.cast(source.xp.full(shape, value, dtype=number, device=source.device), dtype)


def _overlap(part: Part, start: Shape, shape: Shape) -> tuple[Shape, Shape] | None:
    """The box that a part and a window share, from the parameter's origin; None if empty."""
    begin = tuple(max(a, b) for a, b in zip(part.start, start, strict=True))
    end = tuple(
        min(a + n, b + m) for a, n, b, m in zip(part.start, part.shape, start, shape, strict=True)
    )
    extent = tuple(e - b for b, e in zip(begin, end, strict=True))
    if any(n < 0 for n in extent) or (math.prod(extent) == 0 and math.prod(part.shape) > 0):
        return None
    return begin, extent


def _slices(start: Shape, shape: Shape, *, offset: Shape | None = None) -> tuple[Any, ...]:
    if not start:
        return (...,)  # a 0-d array stays one
    offsets = offset or (0,) * len(start)
    return tuple(slice(b - o, b - o + n) for b, n, o in zip(start, shape, offsets, strict=True))


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
