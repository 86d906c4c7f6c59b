"""Schemes of independent weights: fixed laws, and laws scaled by a fan (spec: schemes/4 to 6).

Each function checks its options. The function for a special case returns the scheme that it is a
case of. Longer than most modules for the documentation of the twelve names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from .._errors import LawError, SchemeError, finite, one_of, positive, real
from .._fans import FAN_CHOICES, Fan
from .._laws.complex import ComplexNormal, ComplexTruncatedNormal, ComplexUniform
from .._laws.joint import Field
from .._laws.real import Constant, Law, Normal, TruncatedNormal, Uniform, Values, bisect
from .gains import gain as gain_of
from .scheme import Base, Gain, Options, Scheme, Setting, as_scheme, define

Family: TypeAlias = Literal["normal", "truncated_normal", "uniform"]
Bounds: TypeAlias = Literal["parent_std", "absolute"]

FAMILIES: tuple[Family, ...] = get_args(Family)
BOUNDS: tuple[Bounds, ...] = get_args(Bounds)
SQRT2 = math.sqrt(2)


@define()
def zeros() -> Scheme:
    """Set every weight to 0.

    Examples
    --------
    >>> from fanwise import constant, zeros
    >>> zeros() == constant(value=0)
    True
    """
    return constant(value=0.0)


@define()
def ones() -> Scheme:
    """Set every weight to 1.

    Examples
    --------
    >>> from fanwise import constant, ones
    >>> ones() == constant(value=1)
    True
    """
    return constant(value=1.0)


def _constant_law(scheme: Scheme, setting: Setting) -> Law:
    value = scheme["value"]
    if not isinstance(value, tuple):
        return Constant(value)
    values, shape = _flat(value), _shape_of(value)
    fits = len(shape) <= len(setting.shape) and all(
        n in (1, size) for n, size in zip(shape[::-1], setting.shape[::-1], strict=False)
    )
    if not fits:
        raise SchemeError(f"`value` must broadcast to {setting.shape}, got the shape {shape}")
    return Values(values, shape)


def _flat(value: Any) -> tuple[float, ...]:
    """The numbers of nested tuples, in row-major order."""
    if not isinstance(value, tuple):
        return (value,)
    return tuple(number for item in value for number in _flat(item))


def _shape_of(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape_of(value[0])) if isinstance(value, tuple) else ()


def _array(value: Any) -> Any:
    """Numbers as nested tuples of finite floats, rectangular and not empty."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        return finite("value", listed, SchemeError)
    items = tuple(map(_array, listed))
    if not items or len({_shape_of(item) for item in items}) != 1:
        raise SchemeError(f"`value` must be rectangular and not empty, got {value!r}")
    return items


@define(Base(_constant_law, is_random=False), scales=("value",))
def constant(*, value: float | Sequence[Any]) -> Options:
    """Set every weight to `value`, or the weights to the values of an array.

    Parameters
    ----------
    value : float or array of float
        A finite number; or an array of them, as nested lists or with a `tolist`, that broadcasts
        to the shape of the parameter as in NumPy.

    Raises
    ------
    SchemeError
        If a value is not finite, or the array is empty or not rectangular; when it is resolved,
        if it does not broadcast to the shape.

    Notes
    -----
    JAX's `constant` and Keras' `Constant` take arrays, too; PyTorch's `constant_` does not.

    Examples
    --------
    >>> import math
    >>> from fanwise import constant
    >>> constant(value=-4.5)
    constant(value=-4.5)

    The start of the state matrix of a Mamba, the same in every row:

    >>> constant(value=[math.log(n) for n in (1, 2, 4)])
    constant(value=(0.0, 0.6931471805599453, 1.3862943611198906))
    """
    return {"value": _array(value)}


def _normal_law(scheme: Scheme, setting: Setting) -> Law:
    if setting.field == "real":
        return Normal(scheme["mean"], scheme["std"])
    if scheme["mean"] != 0:
        raise SchemeError(f"`mean` must be 0 for complex weights, got {scheme['mean']}")
    return ComplexNormal(scheme["std"])


@define(Base(_normal_law), scales=("mean", "std"))
def normal(*, std: float, mean: float = 0.0) -> Options:
    """Draw independent normal weights with `mean` and `std`.

    Parameters
    ----------
    std : float
        Standard deviation. For complex weights, it is the square root of ``E|w|**2``.
    mean : float, default 0
        Mean. It must be 0 for complex weights.

    Raises
    ------
    SchemeError
        If `std` is not positive and finite, or `mean` is not finite.

    Notes
    -----
    The default `std` is 1 in PyTorch, 0.01 in JAX and 0.05 in Keras. Here there is no default.

    Examples
    --------
    >>> from fanwise import normal
    >>> normal(std=0.02)
    normal(std=0.02)
    """
    return {
        "std": positive("std", std, SchemeError),
        "mean": finite("mean", mean, SchemeError),
    }


def _uniform_law(scheme: Scheme, setting: Setting) -> Law:
    if setting.field == "real":
        return Uniform(scheme["low"], scheme["high"])
    return ComplexUniform(_modulus_bound(scheme["low"], scheme["high"]))


@define(Base(_uniform_law), scales=("bound", "low", "high"))
def uniform(
    *, bound: float | None = None, low: float | None = None, high: float | None = None
) -> Options:
    """Draw independent weights, uniform on ``[-bound, bound)`` or on ``[low, high)``.

    Parameters
    ----------
    bound : float, optional
        Bound of a law that is symmetric about zero. Complex weights are uniform on the disc of
        this radius.
    low, high : float, optional
        Bounds of any other law. `high` itself is never drawn.

    Raises
    ------
    SchemeError
        If the bounds are crossed, equal or not finite, or neither or both forms are given.

    Notes
    -----
    In JAX, ``uniform(scale)`` draws from ``[0, scale)``. In low precision, PyTorch, Keras and JAX
    may return `high`.

    Examples
    --------
    >>> from fanwise import uniform
    >>> uniform(bound=0.5) == uniform(low=-0.5, high=0.5)
    True
    """
    if (bound is None) == (low is None and high is None) or (low is None) != (high is None):
        raise SchemeError(
            f"`bound`, or `low` and `high`, must be given, got {bound}, {low} and {high}"
        )
    if bound is not None:
        high = positive("bound", bound, SchemeError)
        low = -high
    low, high = finite("low", low, SchemeError), finite("high", high, SchemeError)
    if not low < high:
        raise SchemeError(f"`low` must be below `high`, got {low} and {high}")
    return {"low": low, "high": high}


def _truncated_law(scheme: Scheme, setting: Setting) -> Law:
    return _truncated(dict(scheme.base_options), setting.field)


def _scales_of_truncated(options: Options) -> tuple[str, ...]:
    bounds = ("low", "high") if options["bounds"] == "absolute" else ()
    return ("std", "parent_std", "parent_mean", *bounds)


@define(Base(_truncated_law), scales=_scales_of_truncated)
def truncated_normal(
    *,
    std: float | None = None,
    parent_std: float | None = None,
    parent_mean: float = 0.0,
    low: float = -2.0,
    high: float = 2.0,
    bounds: Bounds = "parent_std",
) -> Options:
    """Draw independent normal weights, given that they are within bounds.

    A weight is ``parent_mean + parent_std * z``. The law of ``z`` is N(0, 1), given that ``z`` is
    between `low` and `high`.

    Parameters
    ----------
    std : float, optional
        Standard deviation of the weights after truncation. `parent_std` follows from it.
    parent_std : float, optional
        Standard deviation of the normal before truncation. Give either `std` or `parent_std`.
    parent_mean : float, default 0
        Mean of the normal before truncation.
    low, high : float, default -2 and 2
        Bounds. One of them may be infinite.
    bounds : {"parent_std", "absolute"}, default "parent_std"
        What `low` and `high` mean. With ``"parent_std"``, they count parent standard deviations
        from the parent mean. With ``"absolute"``, they bound the weights themselves. For complex
        weights, they bound the modulus and must be symmetric.

    Raises
    ------
    SchemeError
        If not exactly one std is given, a number is out of range, or the bounds are crossed.

    Notes
    -----
    ``torch.nn.init.trunc_normal_(std=s, a=a, b=b)`` is ``truncated_normal(parent_std=s, low=a,
    high=b, bounds="absolute")``. With its default bounds and ``s = 0.02``, it truncates at 100
    standard deviations. ``jax.nn.initializers.truncated_normal(s)`` and Keras'
    ``TruncatedNormal(stddev=s)`` are ``truncated_normal(parent_std=s)``. The std of these weights
    is ``0.88 * s``.

    Examples
    --------
    >>> from fanwise import truncated_normal
    >>> truncated_normal(std=0.02)
    truncated_normal(std=0.02)
    """
    if (std is None) == (parent_std is None):
        raise SchemeError(
            f"one of `std` and `parent_std` must be given, got {std} and {parent_std}"
        )
    if std is not None:
        std = positive("std", std, SchemeError)
    if parent_std is not None:
        parent_std = positive("parent_std", parent_std, SchemeError)
    one_of("bounds", bounds, BOUNDS, SchemeError)
    low, high = real("low", low, SchemeError), real("high", high, SchemeError)
    if not low < high:
        raise SchemeError(f"`low` must be below `high`, got {low} and {high}")
    if low == math.inf or high == -math.inf or (low, high) == (-math.inf, math.inf):
        raise SchemeError(f"one of `low` and `high` must be finite, got {low} and {high}")
    return {
        "std": std,
        "parent_std": parent_std,
        "parent_mean": finite("parent_mean", parent_mean, SchemeError),
        "low": low,
        "high": high,
        "bounds": bounds,
    }


def _law_of_fan(scheme: Scheme, setting: Setting) -> Law:
    fans, field, family = setting.fans, setting.field, scheme["family"]
    if fans is None:
        raise SchemeError(f"`fans` must be known for {scheme}, got None")
    std = scheme["gain"] / math.sqrt(fans.value(scheme["fan"]))
    if family == "normal":
        return Normal(0.0, std) if field == "real" else ComplexNormal(std)
    if family == "uniform":
        if field == "complex":
            return ComplexUniform(SQRT2 * std)
        bound = math.sqrt(3) * std
        return Uniform(-bound, bound)
    return _truncated({"std": std, "low": -scheme["cut"], "high": scheme["cut"]}, field)


@define(Base(_law_of_fan, needs="fans"), scales=("gain",))
def variance_scaling(
    *,
    gain: Gain = 1.0,
    fan: Fan = "in",
    family: Family = "truncated_normal",
    cut: float = 2.0,
) -> Options:
    """Draw independent weights of mean 0 and variance ``gain**2 / fan``.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Factor on the standard deviation, or the activation whose gain to use: ``"gelu"``, or
        ``("leaky_relu", 0.2)`` with its parameters. See the function `gain`.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which fan divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "truncated_normal"
        Family of the law. The bound of the uniform law is ``sqrt(3)`` standard deviations. Complex
        uniform weights are uniform on a disc, with a bound of ``sqrt(2)`` standard deviations.
    cut : float, default 2
        Where the truncated normal is cut, in parent standard deviations. The other families ignore
        it. The variance is the variance after the cut.

    Raises
    ------
    SchemeError
        If `gain` or `cut` is not positive and finite, or a choice is unknown.
    GainError
        If `gain` names no activation that has a gain.

    Notes
    -----
    The `scale` of JAX and Keras is ``gain**2``. ``"normal"`` of Keras and ``"truncated_normal"`` of
    JAX are the truncated family here.

    Examples
    --------
    >>> from fanwise import variance_scaling
    >>> variance_scaling(gain="tanh", fan="out", family="uniform")
    variance_scaling(gain='tanh', fan='out', family='uniform')
    """
    one_of("fan", fan, FAN_CHOICES, SchemeError)
    one_of("family", family, FAMILIES, SchemeError)
    cut = positive("cut", cut, SchemeError)
    return {
        "gain": checked_gain(gain),
        "fan": fan,
        "family": family,
        # Elsewhere it makes no difference, and so must not make schemes differ.
        "cut": cut if family == "truncated_normal" else None,
    }


@define(scales=("gain",))
def glorot_uniform(*, gain: Gain = 1.0, fan: Fan = "avg") -> Scheme:
    """Draw uniform weights of variance ``2 * gain**2 / (fan_in + fan_out)``.

    The bound is ``gain * sqrt(6 / (fan_in + fan_out))``.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Factor on the standard deviation, or the activation whose gain to use: ``"tanh"`` for
        layers that follow a tanh.
    fan : {"avg", "in", "out", "geometric", "max", "min"}, default "avg"
        Which fan divides the variance.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    This scheme is also called Xavier uniform. PyTorch, Keras and JAX agree on the law and differ in
    the fans.

    Examples
    --------
    >>> from fanwise import glorot_uniform, variance_scaling
    >>> glorot_uniform() == variance_scaling(fan="avg", family="uniform")
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 16.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@define(scales=("gain",))
def glorot_normal(*, gain: Gain = 1.0, fan: Fan = "avg", family: Family = "normal") -> Scheme:
    """Draw normal weights of variance ``2 * gain**2 / (fan_in + fan_out)``.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Factor on the standard deviation, or the activation whose gain to use.
    fan : {"avg", "in", "out", "geometric", "max", "min"}, default "avg"
        Which fan divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        Family of the law. `glorot_normal` of JAX and Keras has ``"truncated_normal"``.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    This scheme is also called Xavier normal. PyTorch draws a normal. JAX and Keras truncate it at
    two parent standard deviations and correct it to the same variance.

    Examples
    --------
    >>> from fanwise import glorot_normal, variance_scaling
    >>> glorot_normal() == variance_scaling(fan="avg", family="normal")
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 12.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


@define(scales=("gain",))
def he_uniform(*, gain: Gain = SQRT2, fan: Fan = "in") -> Scheme:
    """Draw uniform weights of variance ``gain**2 / fan_in``, by default ``2 / fan_in``.

    The bound is ``gain * sqrt(3 / fan_in)``.

    Parameters
    ----------
    gain : float, str or tuple, default sqrt(2)
        Factor on the standard deviation, or the activation whose gain to use. The default is
        the gain of the ReLU.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which fan divides the variance.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    This scheme is also called Kaiming uniform. In MLX, the default gain is 1.

    Examples
    --------
    >>> from fanwise import he_uniform, variance_scaling
    >>> he_uniform() == variance_scaling(gain=2**0.5, fan="in", family="uniform")
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@define(scales=("gain",))
def he_normal(*, gain: Gain = SQRT2, fan: Fan = "in", family: Family = "normal") -> Scheme:
    """Draw normal weights of variance ``gain**2 / fan_in``, by default ``2 / fan_in``.

    Parameters
    ----------
    gain : float, str or tuple, default sqrt(2)
        Factor on the standard deviation, or the activation whose gain to use. The default is
        the gain of the ReLU.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which fan divides the variance. ``"in"`` preserves activations, and ``"out"``
        preserves gradients.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        Family of the law. `he_normal` of JAX and Keras has ``"truncated_normal"``.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    This scheme is also called Kaiming normal. Some texts give ``2 / max(fan_in, fan_out)`` as the
    variance of this scheme. To get it, use ``he_normal(fan="max")``. The paper has fan_in or
    fan_out.

    Examples
    --------
    >>> from fanwise import he_normal, variance_scaling
    >>> he_normal() == variance_scaling(gain=2**0.5, fan="in", family="normal")
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852, eqs. 10 and 14.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


@define(scales=("gain",))
def lecun_uniform(*, gain: Gain = 1.0, fan: Fan = "in") -> Scheme:
    """Draw uniform weights of variance ``gain**2 / fan_in``.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Factor on the standard deviation, or the activation whose gain to use. With
        ``gain=3**-0.5``, the bound is ``1 / sqrt(fan_in)``. PyTorch has this bound by default for
        the weights and biases of linear and convolutional layers.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which fan divides the variance.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    PyTorch writes the default of its layers as ``kaiming_uniform_(a=sqrt(5))``.

    Examples
    --------
    >>> from fanwise import lecun_uniform, variance_scaling
    >>> lecun_uniform() == variance_scaling(fan="in", family="uniform")
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@define(scales=("gain",))
def lecun_normal(*, gain: Gain = 1.0, fan: Fan = "in", family: Family = "normal") -> Scheme:
    """Draw normal weights of variance ``gain**2 / fan_in``.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Factor on the standard deviation, or the activation whose gain to use.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which fan divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        Family of the law. `lecun_normal` of JAX and Keras has ``"truncated_normal"``.

    Raises
    ------
    SchemeError, GainError
        As in `variance_scaling`.

    Notes
    -----
    This is the scheme for SELU (Klambauer et al. 2017, arXiv:1706.02515), whose gain is 1.

    Examples
    --------
    >>> from fanwise import lecun_normal, variance_scaling
    >>> lecun_normal() == variance_scaling(fan="in", family="normal")
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


def _no_law(scheme: Scheme, setting: Setting) -> Law:
    raise SchemeError(f"`schemes` must be resolved one by one, got {scheme}")


@define(Base(_no_law), scales=("schemes",))
def by_block(*, schemes: Sequence[Scheme]) -> Options:
    """Give every block of a fused axis a scheme of its own.

    Start the forget gate of an LSTM at 1 and its other biases at 0, or scale the value projection
    of a fused q, k and v alone.

    Parameters
    ----------
    schemes : sequence of Scheme
        One scheme for each block that the axes of the parameter have, in order.

    Raises
    ------
    SchemeError
        If `schemes` is empty, or one of them is not a scheme, is by block, or is by the index of a
        layer. On resolving: if there are not as many blocks as schemes.

    Examples
    --------
    >>> from fanwise import Axes, by_block, ones, resolve, zeros
    >>> bias = Axes("out", blocks={"out": 4})  # gates i, f, g, o
    >>> plan = resolve(by_block(schemes=(zeros(), ones(), zeros(), zeros())), (1024,), bias)
    >>> [part.law.mean for part in plan.parts]
    [0.0, 1.0, 0.0, 0.0]
    """
    if not isinstance(schemes, Sequence) or not schemes:
        raise SchemeError(f"`schemes` must be one or more schemes, got {schemes!r}")
    checked = tuple(as_scheme(scheme, "schemes") for scheme in schemes)
    for scheme in checked:
        if scheme.of_blocks or (scheme.depth is not None and not scheme.depth.is_known):
            raise SchemeError(
                f"`schemes` must not be by block or by the index of a layer, got {scheme}"
            )
    return {"schemes": checked}


def checked_gain(value: Any) -> float:
    """Return the gain as a number; an activation is given by its name."""
    if isinstance(value, str):
        return gain_of(value)
    if isinstance(value, Sequence) and value and isinstance(value[0], str):
        return gain_of(value[0], parameters=tuple(value[1:]))
    return positive("gain", value, SchemeError)


def _truncated(options: Any, field: Field) -> Law:
    """Make the law from the options of `truncated_normal`."""
    mean, low, high = options.get("parent_mean", 0.0), options["low"], options["high"]
    absolute = options.get("bounds") == "absolute"

    def law(parent_std: float) -> Law:
        if field == "complex":
            bound = _modulus_bound(low, high, mean)
            return ComplexTruncatedNormal(parent_std, bound if absolute else bound * parent_std)
        if absolute:
            return TruncatedNormal(mean, parent_std, low, high)
        return TruncatedNormal.in_std_units(low, high, parent_std=parent_std, parent_mean=mean)

    if options.get("parent_std") is not None:
        return law(options["parent_std"])
    std: float = options["std"]
    if not absolute:
        unit: Law = (
            ComplexTruncatedNormal(1.0, _modulus_bound(low, high, mean))
            if field == "complex"
            else TruncatedNormal.in_std_units(low, high, parent_std=1.0)
        )
        return law(std / unit.std)
    widest = high / SQRT2 if field == "complex" else (high - low) / math.sqrt(12)
    if std >= widest:
        raise SchemeError(
            f"`std` must be below {widest}, that of the uniform law on the bounds, got {std}"
        )
    upper = std  # truncation narrows, so the parent's std is larger
    while law(upper).std < std and upper < 1e8 * std:
        upper *= 2
    return law(bisect(lambda parent_std: law(parent_std).std - std, std, upper))


def _modulus_bound(low: float, high: float, mean: float = 0.0) -> float:
    if low != -high or mean != 0 or not math.isfinite(high):
        raise LawError(
            f"`low` and `high` must be finite and symmetric about a mean of 0 for complex weights, "
            f"got {low} and {high}"
        )
    return float(high)
