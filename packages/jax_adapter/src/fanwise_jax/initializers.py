"""Replace `jax.nn.initializers`: the same names, signatures and laws, drawn correctly.

Change ``from jax.nn import initializers`` to ``from fanwise_jax import initializers``. Axis
arguments and fans are JAX's. To use a layer's own fans, call `initializer` with axes.

The initializers differ where JAX is wrong:

- In bfloat16, float16 and float8, draws are unbiased, take all their values and stay within their
  bounds.
- A complex truncated normal has the variance it claims.
- `orthogonal` and `delta_orthogonal` take every dtype and sharding.

Longer than most modules, because it documents each of its names.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer, constant, ones, zeros

from . import _core as core
from ._array import SchemeInitializer, Shape
from ._sharded import Sharding

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
    """Return an initializer that draws from the uniform distribution on ``[0, scale)``.

    Parameters
    ----------
    scale : float or array, default 0.01
        The end of the interval that is not 0. It may be negative. An array is broadcast.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    The draws of JAX are biased in float16 and bfloat16. In bfloat16, their mean is
    ``0.496 * scale``.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax, jnp
    >>> w = initializers.uniform(1.0)(jax.random.key(0), (1000,), jnp.bfloat16)
    >>> bool((w < 1).all())
    True
    """

    def law(scale: float) -> core.Scheme:
        return core.uniform(low=min(0.0, scale), high=max(0.0, scale))

    return _scaled(law, scale, dtype, ends=(0.0, 1.0))


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Return an initializer that draws from the normal distribution with std `stddev`.

    For a complex dtype, ``stddev**2`` is ``E|w|**2``.

    Parameters
    ----------
    stddev : float or array, default 0.01
        Standard deviation. An array is broadcast.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    JAX draws only 128 values in bfloat16, and their mean is not 0. In float8, some are nan. In
    float32, the draws of JAX end at 5.42 standard deviations.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax, jnp
    >>> w = initializers.normal(1.0)(jax.random.key(0), (1000,), jnp.bfloat16)
    >>> len(jnp.unique(w)) > 128
    True
    """

    def law(std: float) -> core.Scheme:
        return core.normal(std=abs(std))

    return _scaled(law, stddev, dtype)


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: float = -2.0, upper: float = 2.0
) -> Initializer:
    """Return an initializer that draws from a normal distribution cut at two bounds.

    The bounds are ``lower * stddev`` and ``upper * stddev``.

    Parameters
    ----------
    stddev : float or array, default 0.01
        Standard deviation before the cut. With the default bounds, the standard deviation after the
        cut is ``0.88 * stddev``. An array is broadcast.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.
    lower, upper : float, default -2 and 2
        Bounds in units of `stddev`. Infinite bounds cut nothing.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    `fanwise.truncated_normal` takes the standard deviation after the cut.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax
    >>> w = initializers.truncated_normal(0.02)(jax.random.key(0), (1000,))
    >>> bool((abs(w) <= 0.04).all())
    True
    """
    low, high = float(lower), float(upper)

    def law(std: float) -> core.Scheme:
        if math.isinf(low) and math.isinf(high):
            return core.normal(std=abs(std))
        ends = (low, high) if std > 0 else (-high, -low)
        return core.truncated_normal(parent_std=abs(std), low=ends[0], high=ends[1])

    return _scaled(law, stddev, dtype, ends=(low, high))


def variance_scaling(
    scale: Any,
    mode: Mode,
    distribution: Distribution,
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer that draws weights of variance ``scale / fan``.

    Here `mode` chooses ``fan``. A truncated normal is cut at two standard deviations, and has this
    variance after the cut.

    Parameters
    ----------
    scale : float
        Factor on the variance. The schemes of `fanwise` take the gain instead, ``sqrt(scale)``.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Fan that divides the variance.
    distribution : {"truncated_normal", "normal", "uniform"}
        Family of the distribution.
    in_axis, out_axis : int or sequence of int, default -2 and -1
        Axes of the inputs and of the outputs.
    batch_axis : int or sequence of int, default ()
        Axes of copies. All axes that you do not name belong to the receptive field.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Raises
    ------
    ValueError
        If `mode` or `distribution` is unknown, or `scale` is negative. The initializer raises it if
        the shape has too few axes.

    Notes
    -----
    A complex truncated normal has the variance that it claims. In JAX, it has 1.9 % more.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax, jnp
    >>> init = initializers.variance_scaling(2.0, "fan_out", "normal")
    >>> init(jax.random.key(0), (3, 3, 16, 32), jnp.bfloat16).shape
    (3, 3, 16, 32)
    """
    for name, value, known in (
        ("mode", mode, tuple(_FANS)),
        ("distribution", distribution, get_args(Distribution)),
    ):
        if value not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {value!r}")
    fans = _AxisFans(_axis_tuple(in_axis), _axis_tuple(out_axis), _axis_tuple(batch_axis))

    def law(gain: float) -> core.Scheme:
        return core.variance_scaling(gain=gain, fan=_FANS[mode], family=distribution)

    if _is_static(scale) and scale < 0:
        raise ValueError(f"`scale` must be positive, got {scale}")
    root = math.sqrt(scale) if _is_static(scale) else jnp.sqrt(scale)
    return _scaled(law, root, dtype, fans=fans)


def glorot_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of uniform weights with variance ``2 / (fan_in + fan_out)``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax
    >>> w = initializers.glorot_uniform()(jax.random.key(0), (3, 5))
    >>> bool((abs(w) <= (6 / (3 + 5)) ** 0.5).all())
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 16.
    """
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of truncated normal weights with variance ``2 / (fan_in + fan_out)``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    The normal is cut at two standard deviations, counted before the cut, as in Keras. PyTorch does
    not cut it.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> general = initializers.variance_scaling(1.0, "fan_avg", "truncated_normal")
    >>> initializers.glorot_normal() == general
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 12.
    """
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of uniform weights with variance ``1 / fan_in``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax
    >>> w = initializers.lecun_uniform()(jax.random.key(0), (3, 5))
    >>> bool((abs(w) <= (3 / 3) ** 0.5).all())
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of truncated normal weights with variance ``1 / fan_in``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    The normal is cut at two standard deviations, counted before the cut, as in Keras.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> general = initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
    >>> initializers.lecun_normal() == general
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of uniform weights with variance ``2 / fan_in``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax
    >>> w = initializers.he_uniform()(jax.random.key(0), (3, 5))
    >>> bool((abs(w) <= (6 / 3) ** 0.5).all())
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: AxisNumbers = -2,
    out_axis: AxisNumbers = -1,
    batch_axis: AxisNumbers = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer of truncated normal weights with variance ``2 / fan_in``.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        See `variance_scaling`.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Notes
    -----
    The normal is cut at two standard deviations, counted before the cut, as in Keras. PyTorch does
    not cut it.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> general = initializers.variance_scaling(2.0, "fan_in", "truncated_normal")
    >>> initializers.he_normal() == general
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer that draws a random matrix with orthonormal rows or columns.

    The rows are orthonormal if there are fewer rows than columns. Otherwise the columns are. The
    matrix is multiplied by `scale`.

    Parameters
    ----------
    scale : float, default 1
        Size of every singular value.
    column_axis : int, default -1
        Axis of the columns. All others are flattened into rows.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Raises
    ------
    ValueError
        If you call the initializer with a shape that has fewer than two axes.

    Notes
    -----
    The initializer takes every dtype and sharding. JAX raises in half precision and with
    a sharding.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax, jnp
    >>> w = initializers.orthogonal()(jax.random.key(0), (3, 5))
    >>> bool(jnp.allclose(w @ w.T, jnp.eye(3), atol=1e-6))
    True

    References
    ----------
    Saxe, McClelland and Ganguli (2013), arXiv:1312.6120.
    """
    return _scaled(_of_gain(core.orthogonal), scale, dtype, axes=_OrthogonalAxes(column_axis))


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer that draws a convolution kernel with an orthogonal center.

    The center of the kernel is a matrix as `orthogonal` draws it. All other elements are zero.

    Parameters
    ----------
    scale : float, default 1
        Size of every singular value.
    column_axis : int, default -1
        Axis of the columns. It has no effect: a random matrix and its transpose have the same law.
    dtype : dtype, optional
        Dtype of calls that give none. Without it, they use JAX's default dtype.

    Returns
    -------
    Initializer
        Function of a key, a shape, a dtype and a sharding. It returns an array.

    Raises
    ------
    ValueError
        If you call the initializer with a shape that does not have three, four or five axes, or
        that has more inputs than outputs.

    Notes
    -----
    An even kernel is centered at the lower of its two middle positions. The initializer takes every
    dtype and sharding.

    Examples
    --------
    >>> from fanwise_jax import initializers
    >>> from fanwise_jax.initializers import jax, jnp
    >>> w = initializers.delta_orthogonal()(jax.random.key(0), (3, 4, 4))
    >>> [bool(jnp.allclose(tap, 0)) for tap in w]
    [True, False, True]

    References
    ----------
    Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington (2018), arXiv:1806.05393.
    """
    return _scaled(_of_gain(core.delta_orthogonal), scale, dtype, axes=_delta_orthogonal_axes)


def _of_gain(scheme: Callable[..., core.Scheme]) -> Callable[[float], core.Scheme]:
    return lambda gain: scheme(gain=abs(gain))  # the law of a Haar matrix is that of its negative


def _is_static(scale: Any) -> bool:
    """Return whether a scale is one number that is not traced."""
    return not isinstance(scale, jax.core.Tracer) and np.ndim(scale) == 0


def _scaled(
    law: Callable[[float], core.Scheme],
    scale: Any,
    dtype: Any,
    *,
    axes: Callable[[Shape], core.Axes] | None = None,
    fans: Callable[[Shape], core.Fans] | None = None,
    ends: tuple[float, float] = (-math.inf, math.inf),
) -> Initializer:
    """Return an initializer that draws a law times a scale.

    The scale may be traced, or an array to broadcast. `ends` are the ends of the law of scale 1.
    """
    if not _is_static(scale):
        unit = SchemeInitializer(law(1.0), axes, fans, dtype)
        return functools.partial(_draw_scaled, unit, jnp.asarray(scale), ends)
    scheme = law(float(scale)) if scale != 0 else core.zeros()
    return SchemeInitializer(scheme, axes, fans, dtype)


def _draw_scaled(
    unit: SchemeInitializer,
    scale: jax.Array,
    ends: tuple[float, float],
    key: jax.Array,
    shape: Sequence[int],
    dtype: Any = None,
    out_sharding: Sharding = None,
) -> jax.Array:
    """Draw a law of scale 1 and scale it.

    A value that rounding would take beyond an end is kept short of it.
    """
    name = unit.dtype_of_call(dtype)
    wide = core.compute_dtype(name)
    array: jax.Array = (unit(key, shape, wide, out_sharding) * scale).astype(name)
    if core.field_of(name) == "complex" or all(map(math.isinf, ends)):
        return array
    first, second = (jnp.asarray(end * scale, wide) for end in ends)
    is_half_open = unit.scheme.name == "uniform"
    inner = [
        _within(end, other, name, excluded=is_half_open & (end != 0))
        for end, other in ((first, second), (second, first))
    ]
    clipped: jax.Array = jnp.clip(array.astype(wide), jnp.minimum(*inner), jnp.maximum(*inner))
    return clipped.astype(name)


def _within(end: jax.Array, other: jax.Array, name: str, excluded: jax.Array) -> jax.Array:
    """Return the number of a dtype that is nearest to an end of an interval and lies in it."""
    limits: Any = jnp.finfo(name)  # type: ignore[no-untyped-call]  # JAX's is untyped
    size = jnp.where(jnp.isinf(end), 0.0, abs(end))
    step = jnp.maximum(size * float(limits.eps), float(limits.smallest_subnormal))
    candidates = [  # less than one place apart
        (end + jnp.sign(other - end) * step * share).astype(name).astype(end.dtype)
        for share in (0.0, 0.5, 1.0)
    ]

    def is_out(number: jax.Array) -> jax.Array:
        beyond = jnp.where(end < other, number < end, number > end)
        return beyond | (excluded & (number == end))

    nearest, next_one, last = candidates
    return jnp.where(is_out(nearest), jnp.where(is_out(next_one), last, next_one), nearest)


@dataclass(frozen=True, slots=True)
class _OrthogonalAxes:
    """Take one axis for the columns and all others for the rows."""

    column_axis: int

    def __call__(self, shape: Shape) -> core.Axes:
        if len(shape) < 2:
            raise ValueError("orthogonal initializer requires at least a 2D shape")
        columns = range(len(shape))[self.column_axis]
        return core.Axes("out" if axis == columns else "in" for axis in range(len(shape)))


def _delta_orthogonal_axes(shape: Shape) -> core.Axes:
    if len(shape) not in (3, 4, 5):
        raise ValueError("Delta orthogonal initializer requires a 3D, 4D or 5D shape.")
    if shape[-1] < shape[-2]:
        raise ValueError("`fan_in` must be less or equal than `fan_out`. ")
    return core.Axes(" ".join(["kernel"] * (len(shape) - 2) + ["in", "out"]))


@dataclass(frozen=True, slots=True)
class _AxisFans:
    """Count fans as JAX does: axes in no list are the receptive field."""

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
