"""Structured matrices in array code, with nothing but the Array API standard."""

from __future__ import annotations

from typing import Any

from .._axes import Axes, Shape
from .._errors import SourceError
from .._schemes.plan import Part
from .._schemes.scheme import Scheme
from .._schemes.structured import MatrixView, zeros_per_unit
from .dtypes import compute_dtype, field_of
from .source import Array, Box, RandomSource


def draw_matrices(part: Part, source: RandomSource, dtype: str, /) -> Array:
    """One block of a parameter under a structured scheme, in the computing dtype of `dtype`."""
    scheme, axes = part.scheme, part.axes
    if axes is None:
        raise SourceError(f"`plan` must have axes for {scheme}, got None")
    view = MatrixView.of(part.shape, axes)
    if scheme.base.matrix == "sparse":
        return _sparse(scheme, part.shape, axes, source, dtype)
    xp = source.xp
    columns = view.inputs if scheme.base.center_tap else view.columns
    if scheme.base.matrix == "haar":
        matrices = scheme["gain"] * haar(source, view.matrices, view.rows, columns, dtype)
    else:
        number = getattr(xp, compute_dtype(dtype))
        eye = xp.eye(view.rows, columns, dtype=number, device=source.device)
        shape = (view.matrices, view.rows, columns)
        matrices = xp.broadcast_to(scheme["gain"] * eye, shape)
    if scheme.base.center_tap:
        tap = xp.reshape(_center_tap(scheme, view, matrices.dtype, source), (1, 1, 1, view.taps))
        matrices = matrices[..., None] * tap + 0.0  # no negative zeros
    return _to_storage(xp, matrices, part.shape, axes)


def haar(source: RandomSource, count: int, rows: int, columns: int, dtype: str, /) -> Array:
    """Haar-random matrices with orthonormal rows or columns, whichever are fewer.

    QR of a Gaussian matrix, with the signs (phases) of the diagonal of R moved into Q: without
    that, Q is not Haar (Mezzadri 2006).
    """
    xp = source.xp
    if not hasattr(xp, "linalg"):
        raise SourceError(f"`source` must have the linalg extension for orthogonal, got {xp!r}")
    tall = (count, max(rows, columns), min(rows, columns))
    gaussian = source.normal(Box.all_of(tall), compute_dtype(dtype), mean=0.0, std=1.0)
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


def _sparse(scheme: Scheme, shape: Shape, axes: Axes, source: RandomSource, dtype: str) -> Array:
    xp, view = source.xp, MatrixView.of(shape, axes)
    zeros, weights = zeros_per_unit(scheme, view)
    box = Box.all_of(shape, axes.canonical_order)
    values = source.normal(box, compute_dtype(dtype), mean=0.0, std=scheme["std"])
    if zeros == 0:
        return values
    if scheme["per"] == "out":
        zero = source.subsets(view.matrices * view.rows, weights, zeros)
        zero = xp.reshape(zero, (view.matrices, view.rows, view.inputs, view.taps))
    else:
        zero = source.subsets(view.matrices * view.inputs, weights, zeros)
        zero = xp.reshape(zero, (view.matrices, view.inputs, view.rows, view.taps))
        zero = xp.permute_dims(zero, (0, 2, 1, 3))
    return xp.where(_to_storage(xp, zero, shape, axes), xp.zeros_like(values), values)


def _to_storage(xp: Any, matrices: Array, shape: Shape, axes: Axes, /) -> Array:
    """Matrices (copies x groups, rows, inputs, ...) as a block of `shape`, in its axes' order."""
    view = MatrixView.of(shape, axes)
    grid = xp.reshape(matrices, (view.copies, view.groups, view.rows, view.inputs, view.taps))
    # Groups lie along `out`, or along `in` if the kernel is transposed.
    order = (0, 2, 1, 3, 4) if axes.transposed else (0, 1, 2, 3, 4)
    canonical = tuple(shape[axis] for axis in axes.canonical_order)
    array = xp.reshape(xp.permute_dims(grid, order), canonical)
    inverse = sorted(range(len(shape)), key=axes.canonical_order.__getitem__)
    return xp.permute_dims(array, tuple(inverse))
