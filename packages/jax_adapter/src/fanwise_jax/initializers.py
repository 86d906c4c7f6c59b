"""`jax.nn.initializers` under its own names, signatures and laws, drawn right.

Change ``from jax.nn import initializers`` to ``from fanwise_jax import initializers``. Axis
arguments and fans are JAX's; for a layer's own, use `initializer` with axes. What differs is what
JAX gets wrong: in bfloat16, float16 and float8, draws are unbiased, have all their values and stay
within their bounds; a complex truncated normal has the variance it claims; `orthogonal` and
`delta_orthogonal` take every dtype and sharding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import jax
from jax.nn.initializers import Initializer, constant, ones, zeros

from . import _core as core
from ._array import SchemeInitializer, Sharding
from ._source import dtype_name

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

AxisNumbers = int | Sequence[int]
Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution = Literal["truncated_normal", "normal", "uniform"]

_FANS: dict[str, core.Fan] = {
    "fan_in": "in",
    "fan_out": "out",
    "fan_avg": "avg",
    "fan_geo_avg": "geometric",
}


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Uniform on [0, `scale`)."""

    def of(scale: float) -> core.Scheme:
        return core.uniform(low=min(0.0, scale), high=max(0.0, scale))

    return _scaled(of, scale, dtype)


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Normal of std `stddev`."""

    def of(std: float) -> core.Scheme:
        return core.normal(std=abs(std))

    return _scaled(of, stddev, dtype)


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """Normal of std `stddev` before it is cut at `lower` and `upper` times that."""
    low, high = float(lower), float(upper)

    def of(std: float) -> core.Scheme:
        if math.isinf(low) and math.isinf(high):
            return core.normal(std=abs(std))
        ends = (low, high) if std > 0 else (-high, -low)
        return core.truncated_normal(parent_std=abs(std), low=ends[0], high=ends[1])

    return _scaled(of, stddev, dtype)


def _scaled(of: Callable[[float], core.Scheme], scale: Any, dtype: Any) -> Initializer:
    """An initializer of a law with a scale, which may be traced, or an array to broadcast."""
    if isinstance(scale, jax.core.Tracer) or getattr(scale, "ndim", 0) > 0:
        return _ArrayScaled(of(1.0), scale, dtype)
    if scale == 0:
        return constant(0.0, dtype)
    return SchemeInitializer(of(float(scale)), dtype=dtype)


@dataclass(frozen=True, slots=True)
class _ArrayScaled:
    scheme: core.Scheme  # of scale 1
    scale: Any
    dtype: Any

    def __call__(
        self, key: jax.Array, shape: Sequence[int], dtype: Any = None, out_sharding: Sharding = None
    ) -> jax.Array:
        name = dtype_name(dtype or self.dtype or float)
        wide = core.compute_dtype(name)
        values = SchemeInitializer(self.scheme)(key, shape, wide, out_sharding) * self.scale
        array: jax.Array = values.astype(name)
        return array


def variance_scaling(
    scale: Any,
    mode: Mode,
    distribution: Distribution,
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Variance `scale` / fan; a normal cut at two stds has it after the cut."""
    for name, value, known in (
        ("mode", mode, tuple(_FANS)),
        ("distribution", distribution, get_args(Distribution)),
    ):
        if value not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {value!r}")
    if scale == 0:
        return constant(0.0, dtype)
    scheme = core.variance_scaling(gain=_root(scale), fan=_FANS[mode], family=distribution)
    fans = _AxisFans(_axis_tuple(in_axis), _axis_tuple(out_axis), _axis_tuple(batch_axis))
    return SchemeInitializer(scheme, fans=fans, dtype=dtype)


def glorot_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Uniform of variance 2 / (fan_in + fan_out)."""
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Truncated normal of variance 2 / (fan_in + fan_out)."""
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Uniform of variance 1 / fan_in."""
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Truncated normal of variance 1 / fan_in."""
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Uniform of variance 2 / fan_in."""
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Truncated normal of variance 2 / fan_in."""
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """`scale` times a random matrix of orthonormal rows or columns, whichever are fewer."""
    if scale == 0:
        return constant(0.0, dtype)
    return _Orthogonal(core.orthogonal(gain=abs(float(scale))), column_axis, dtype)


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """A convolution that is `orthogonal` at the center of its kernel, and zero elsewhere."""
    if scale == 0:
        return constant(0.0, dtype)
    return _Orthogonal(core.delta_orthogonal(gain=abs(float(scale))), column_axis, dtype)


@dataclass(frozen=True, slots=True)
class _Orthogonal:
    scheme: core.Scheme
    column_axis: int  # of no consequence at the center of a convolution
    dtype: Any

    def __call__(
        self, key: jax.Array, shape: Sequence[int], dtype: Any = None, out_sharding: Sharding = None
    ) -> jax.Array:
        axes = self._axes(tuple(shape))
        dtype = self.dtype if dtype is None else dtype
        if 0 in shape:
            return zeros(key, shape, float if dtype is None else dtype, out_sharding)
        return SchemeInitializer(self.scheme, axes)(key, shape, dtype, out_sharding)

    def _axes(self, shape: tuple[int, ...]) -> core.Axes:
        rank = len(shape)
        if self.scheme.name == "orthogonal":
            if rank < 2:
                raise ValueError("orthogonal initializer requires at least a 2D shape")
            columns = range(rank)[self.column_axis]
            return core.Axes("out" if axis == columns else "in" for axis in range(rank))
        if rank not in (3, 4, 5):
            raise ValueError("Delta orthogonal initializer requires a 3D, 4D or 5D shape.")
        if shape[-1] < shape[-2]:
            raise ValueError("`fan_in` must be less or equal than `fan_out`. ")
        return core.Axes(" ".join(["kernel"] * (rank - 2) + ["in", "out"]))


@dataclass(frozen=True, slots=True)
class _AxisFans:
    """Fans as JAX counts them: axes of no list are the receptive field."""

    in_axis: tuple[int, ...]
    out_axis: tuple[int, ...]
    batch_axis: tuple[int, ...]

    def __call__(self, shape: tuple[int, ...]) -> core.Fans:
        shape = tuple(map(int, shape))
        if self.in_axis == (-2,) and len(shape) <= 1:
            raise ValueError(
                f"Can't compute input and output sizes of a {len(shape)}-dimensional"
                " weights tensor. Must be at least 2D, or `in_axis` be given."
            )
        count_in, count_out, copies = (
            math.prod(shape[axis] for axis in axes)
            for axes in (self.in_axis, self.out_axis, self.batch_axis)
        )
        if math.prod(shape) == 0:  # nothing will be drawn
            return core.Fans(1, 1)
        receptive_field = Fraction(math.prod(shape), count_in * count_out * copies)
        return core.Fans(count_in * receptive_field, count_out * receptive_field)


def _axis_tuple(axes: AxisNumbers) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _root(scale: Any) -> float:
    if scale < 0:
        raise ValueError(f"`scale` must be positive, got {scale}")
    return math.sqrt(scale)
