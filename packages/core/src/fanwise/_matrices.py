"""Structured matrices in array code, with nothing but the Array API standard."""

from __future__ import annotations

from typing import Any

from ._axes import Axes, Shape
from ._dtypes import compute_dtype, field_of
from ._errors import SourceError
from ._plan import Part
from ._schemes import Scheme
from ._source import Array, RandomSource, Region
from ._structured import MatrixView, zeros_per_unit


def draw_structured(scheme: Scheme, part: Part, source: RandomSource, dtype: str, /) -> Array:
    """One block of a parameter under a structured scheme, in the computing dtype of `dtype`."""
    assert part.axes is not None  # resolve's promise
    view = MatrixView.of(part.shape, part.axes)
    if scheme.name == "sparse":
        return _sparse(scheme, part, view, source, dtype)
    xp = source.xp
    if scheme.name in ("orthogonal", "delta_orthogonal"):
        columns = view.columns if scheme.name == "orthogonal" else view.inputs
        matrices = scheme["gain"] * haar(
            source, view.copies * view.groups, view.rows, columns, dtype
        )
    else:
        number = getattr(xp, compute_dtype(dtype))
        eye = xp.eye(view.rows, view.inputs, dtype=number, device=source.device)
        shape = (view.copies * view.groups, view.rows, view.inputs)
        matrices = xp.broadcast_to(scheme["gain"] * eye, shape)
    if scheme.name in ("dirac", "delta_orthogonal"):
        tap = xp.reshape(_center_tap(scheme, view, matrices.dtype, source), (1, 1, 1, view.taps))
        matrices = matrices[..., None] * tap + 0.0  # no negative zeros
    return to_storage(xp, matrices, part.shape, part.axes)


def haar(source: RandomSource, count: int, rows: int, columns: int, dtype: str, /) -> Array:
    """Haar-random matrices with orthonormal rows or columns, whichever are fewer.

    QR of a Gaussian matrix, with the signs (phases) of R's diagonal moved into Q: without that,
    Q is not Haar (Mezzadri 2006).
    """
    xp = source.xp
    if not hasattr(xp, "linalg"):
        raise SourceError(f"`source` must have the linalg extension for orthogonal, got {xp!r}")
    tall = (count, max(rows, columns), min(rows, columns))
    gaussian = source.normal(Region.all_of(tall), compute_dtype(dtype), mean=0.0, std=1.0)
    q, r = xp.linalg.qr(gaussian, mode="reduced")
    diagonal = xp.linalg.diagonal(r)
    if field_of(dtype) == "complex":
        modulus = xp.abs(diagonal)
        modulus = xp.where(modulus > 0, modulus, xp.ones_like(modulus))
        one = xp.ones_like(diagonal)
        phase = xp.where(xp.abs(diagonal) > 0, diagonal / xp.astype(modulus, diagonal.dtype), one)
    else:  # never the sign function: an exact zero would make a column zero
        one = xp.ones_like(diagonal)
        phase = xp.where(diagonal < 0, -one, one)
    q = q * phase[:, None, :]
    return q if rows >= columns else xp.matrix_transpose(q)


def _center_tap(scheme: Scheme, view: MatrixView, number: Any, source: RandomSource) -> Array:
    """One at the center of the receptive field, zero elsewhere; flattened."""
    xp, index = source.xp, 0
    for size in view.kernel:
        index = index * size + ((size - 1) // 2 if scheme["center"] == "lower" else size // 2)
    taps = xp.arange(view.taps, device=source.device)
    return xp.astype(taps == index, number)


def _sparse(
    scheme: Scheme, part: Part, view: MatrixView, source: RandomSource, dtype: str
) -> Array:
    xp = source.xp
    zeros, weights = zeros_per_unit(scheme, view)
    matrices = view.copies * view.groups
    per_out = scheme["per"] == "out"
    units = view.rows if per_out else view.inputs
    zero = source.permutation(matrices * units, weights) < zeros
    if per_out:
        zero = xp.reshape(zero, (matrices, view.rows, view.inputs, view.taps))
    else:
        zero = xp.reshape(zero, (matrices, view.inputs, view.rows, view.taps))
        zero = xp.permute_dims(zero, (0, 2, 1, 3))
    assert part.axes is not None  # resolve's promise
    region = Region.all_of(part.shape, part.axes.canonical_order)
    values = source.normal(region, compute_dtype(dtype), mean=0.0, std=scheme["std"])
    return xp.where(to_storage(xp, zero, part.shape, part.axes), xp.zeros_like(values), values)


def to_storage(xp: Any, matrices: Array, shape: Shape, axes: Axes, /) -> Array:
    """Matrices (copies x groups, rows, inputs, ...) as a block of `shape`, in its axes' order."""
    view = MatrixView.of(shape, axes)
    grid = xp.reshape(matrices, (view.copies, view.groups, view.rows, view.inputs, view.taps))
    # Groups lie along `out`, or along `in` if the kernel is transposed.
    order = (0, 2, 1, 3, 4) if axes.transposed else (0, 1, 2, 3, 4)
    canonical = tuple(shape[axis] for axis in axes.canonical_order)
    array = xp.reshape(xp.permute_dims(grid, order), canonical)
    inverse = sorted(range(len(shape)), key=axes.canonical_order.__getitem__)
    return xp.permute_dims(array, tuple(inverse))
