"""The part of the Array API standard that the core draws with, on `tf.Tensor`.

TensorFlow has no namespace of the standard: its functions have other names, argument orders and
promotion rules. These keep the standard's names, and its semantics for what the core passes to
them; `device` is a TensorFlow device string.
"""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

float32 = tf.float32
float64 = tf.float64
complex64 = tf.complex64
complex128 = tf.complex128
int32 = tf.int32
int64 = tf.int64
bool = tf.bool  # the standard's name
inf = math.inf
pi = math.pi

exp = tf.exp
sqrt = tf.sqrt
log = tf.math.log
log1p = tf.math.log1p
cos = tf.cos
sin = tf.sin
abs = tf.abs
matrix_transpose = tf.linalg.matrix_transpose
ones_like = tf.ones_like
zeros_like = tf.zeros_like


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Any:
    """Evenly spaced numbers of a half-open interval."""
    with _on(device):
        limits = (0, start) if stop is None else (start, stop)
        return tf.range(*limits, step, dtype=dtype)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    """A tensor of an object."""
    with _on(device):
        return tf.convert_to_tensor(obj, dtype=dtype)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, dtype: Any = float32, device: Any = None
) -> Any:
    """Ones on the diagonal, zeros elsewhere."""
    with _on(device):
        return tf.eye(n_rows, n_cols, dtype=dtype)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """A tensor of one value."""
    with _on(device):
        return tf.fill(shape, tf.constant(fill_value, dtype=dtype))


def astype(x: Any, dtype: Any, /) -> Any:
    """The tensor in another dtype."""
    return tf.cast(x, dtype)


def broadcast_to(x: Any, /, shape: Any) -> Any:
    """The tensor, repeated along axes of size one and new first axes."""
    return tf.broadcast_to(x, shape)


def clip(x: Any, /, min: float, max: float) -> Any:
    """Values no less than `min` and no more than `max`."""
    return tf.clip_by_value(x, tf.constant(min, x.dtype), tf.constant(max, x.dtype))


def concat(arrays: Any, /, *, axis: int = 0) -> Any:
    """Tensors joined along an axis."""
    return tf.concat(arrays, axis)


def copysign(x1: Any, x2: Any, /) -> Any:
    """The magnitude of `x1` with the sign of `x2`."""
    negative = (x2 < 0) | ((x2 == 0) & (1 / x2 < 0))
    return tf.where(negative, -tf.abs(x1), tf.abs(x1))


def minimum(x1: Any, x2: Any, /) -> Any:
    """The lesser of each two elements."""
    return tf.minimum(x1, x2)


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    """The tensor with its axes in another order."""
    return tf.transpose(x, axes)


def reshape(x: Any, /, shape: tuple[int, ...]) -> Any:
    """The tensor in another shape, in row-major order."""
    return tf.reshape(x, shape)


def where(condition: Any, x1: Any, x2: Any, /) -> Any:
    """Elements of `x1` where the condition holds, else of `x2`."""
    return tf.where(condition, x1, x2)


def finfo(dtype: Any, /) -> Any:
    """Limits of a floating-point dtype."""
    return np.finfo(dtype.as_numpy_dtype)


def _qr(x: Any, /, *, mode: str = "reduced") -> Any:
    return tf.linalg.qr(x, full_matrices=mode == "complete")


linalg = SimpleNamespace(qr=_qr, diagonal=tf.linalg.diag_part)


def _on(device: str | None) -> Any:
    return contextlib.nullcontext() if device is None else tf.device(device)
