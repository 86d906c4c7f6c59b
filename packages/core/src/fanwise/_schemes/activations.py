"""Activation functions by the names that PyTorch, Keras and JAX give them (spec: gains/2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .._errors import GainError
from .._laws import normal as _normal

Function: TypeAlias = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Activation:
    """A function, its derivative where there is one, and the points where there is none."""

    value: Function
    slope: Function
    kinks: tuple[float, ...] = ()


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _linear() -> Activation:
    return Activation(lambda x: x, lambda x: 1.0)


def _relu() -> Activation:
    return _leaky_relu(0.0)


def _leaky_relu(slope: float) -> Activation:
    return Activation(lambda x: x if x > 0 else slope * x, lambda x: 1.0 if x > 0 else slope, (0,))


def _relu6() -> Activation:
    return _hardtanh(0.0, 6.0)


def _relu_squared() -> Activation:
    return Activation(lambda x: max(x, 0.0) ** 2, lambda x: 2 * max(x, 0.0), (0,))


def _elu(alpha: float) -> Activation:
    return Activation(
        lambda x: x if x > 0 else alpha * math.expm1(x),
        lambda x: 1.0 if x > 0 else alpha * math.exp(x),
        (0,),
    )


def _celu(alpha: float) -> Activation:
    return Activation(
        lambda x: x if x > 0 else alpha * math.expm1(x / alpha),
        lambda x: 1.0 if x > 0 else math.exp(x / alpha),
        (0,),
    )


def _selu() -> Activation:
    # The fixed point of Klambauer et al. (2017), arXiv:1706.02515, eq. 14.
    alpha, scale = 1.6732632423543772848, 1.0507009873554804934
    elu = _elu(alpha)
    return Activation(lambda x: scale * elu.value(x), lambda x: scale * elu.slope(x), (0,))


def _gelu() -> Activation:
    return Activation(
        lambda x: x * _normal.cdf(x), lambda x: _normal.cdf(x) + x * _normal.density(x)
    )


def _gelu_tanh() -> Activation:
    a, b = math.sqrt(2 / math.pi), 0.044715  # Hendrycks and Gimpel (2016), arXiv:1606.08415

    def slope(x: float) -> float:
        t = math.tanh(a * (x + b * x**3))
        return (1 + t) / 2 + x * (1 - t * t) * a * (1 + 3 * b * x * x) / 2

    return Activation(lambda x: x * (1 + math.tanh(a * (x + b * x**3))) / 2, slope)


def _silu() -> Activation:
    return Activation(
        lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    )


def _mish() -> Activation:
    def slope(x: float) -> float:
        t = math.tanh(_softplus(x))
        return t + x * (1 - t * t) * _sigmoid(x)

    return Activation(lambda x: x * math.tanh(_softplus(x)), slope)


def _sigmoid_activation() -> Activation:
    return Activation(_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x))


def _log_sigmoid() -> Activation:
    return Activation(lambda x: -_softplus(-x), lambda x: _sigmoid(-x))


def _hardsigmoid() -> Activation:
    return Activation(lambda x: _clip(x / 6 + 0.5, 0.0, 1.0), lambda x: (abs(x) < 3) / 6, (-3, 3))


def _hardswish() -> Activation:
    def slope(x: float) -> float:
        return float(x > 0) if abs(x) > 3 else x / 3 + 0.5

    return Activation(lambda x: x * _clip(x / 6 + 0.5, 0.0, 1.0), slope, (-3, 3))


def _tanh() -> Activation:
    return Activation(math.tanh, lambda x: 1 / math.cosh(x) ** 2)


def _hardtanh(low: float, high: float) -> Activation:
    if not low < high:
        raise GainError(f"`parameters` of hardtanh must be increasing, got ({low}, {high})")
    return Activation(lambda x: _clip(x, low, high), lambda x: float(low < x < high), (low, high))


def _tanhshrink() -> Activation:
    return Activation(lambda x: x - math.tanh(x), lambda x: math.tanh(x) ** 2)


def _softshrink(cut: float) -> Activation:
    return Activation(
        lambda x: math.copysign(max(abs(x) - cut, 0.0), x),
        lambda x: float(abs(x) > cut),
        (-cut, cut),
    )


def _hardshrink(cut: float) -> Activation:
    return Activation(
        lambda x: x if abs(x) > cut else 0.0, lambda x: float(abs(x) > cut), (-cut, cut)
    )


def _threshold(cut: float, value: float) -> Activation:
    return Activation(lambda x: x if x > cut else value, lambda x: float(x > cut), (cut,))


def _softsign() -> Activation:
    return Activation(lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, (0,))


def _softplus_activation(beta: float) -> Activation:
    return Activation(lambda x: _softplus(beta * x) / beta, lambda x: _sigmoid(beta * x))


def _squareplus(b: float) -> Activation:
    return Activation(
        lambda x: (x + math.sqrt(x * x + b)) / 2, lambda x: (1 + x / math.sqrt(x * x + b)) / 2
    )


def _sparse_plus() -> Activation:
    return Activation(
        lambda x: _clip(x + 1, 0.0, 2.0) ** 2 / 4 if x < 1 else x,
        lambda x: _clip(x + 1, 0.0, 2.0) / 2,
        (-1, 1),
    )


def _sparse_sigmoid() -> Activation:
    return Activation(lambda x: _clip(x + 1, 0.0, 2.0) / 2, lambda x: (abs(x) < 1) / 2, (-1, 1))


def _exponential() -> Activation:
    return Activation(math.exp, math.exp)


def _sine() -> Activation:
    return Activation(math.sin, math.cos)


# Name without underscores -> how to make it, and its parameters' names and defaults (None: none).
_ACTIVATIONS: dict[str, tuple[Callable[..., Activation], dict[str, float | None]]] = {
    "linear": (_linear, {}),
    "relu": (_relu, {}),
    "leakyrelu": (_leaky_relu, {"negative_slope": 0.01}),
    "prelu": (_leaky_relu, {"negative_slope": 0.25}),
    "relu6": (_relu6, {}),
    "relusquared": (_relu_squared, {}),
    "elu": (_elu, {"alpha": 1.0}),
    "celu": (_celu, {"alpha": 1.0}),
    "selu": (_selu, {}),
    "gelu": (_gelu, {}),
    "gelutanh": (_gelu_tanh, {}),
    "silu": (_silu, {}),
    "mish": (_mish, {}),
    "sigmoid": (_sigmoid_activation, {}),
    "logsigmoid": (_log_sigmoid, {}),
    "hardsigmoid": (_hardsigmoid, {}),
    "hardswish": (_hardswish, {}),
    "tanh": (_tanh, {}),
    "hardtanh": (_hardtanh, {"low": -1.0, "high": 1.0}),
    "tanhshrink": (_tanhshrink, {}),
    "softshrink": (_softshrink, {"threshold": 0.5}),
    "hardshrink": (_hardshrink, {"threshold": 0.5}),
    "threshold": (_threshold, {"threshold": None, "value": None}),
    "softsign": (_softsign, {}),
    "softplus": (_softplus_activation, {"beta": 1.0}),
    "squareplus": (_squareplus, {"b": 4.0}),
    "sparseplus": (_sparse_plus, {}),
    "sparsesigmoid": (_sparse_sigmoid, {}),
    "exponential": (_exponential, {}),
    "sine": (_sine, {}),
}

_ALIASES = {
    "identity": "linear",
    "swish": "silu",
    "hardsilu": "hardswish",
    "exp": "exponential",
    "sin": "sine",
} | {f"conv{kind}{rank}d": "linear" for kind in ("", "transpose") for rank in (1, 2, 3)}

# The product of a linear branch and a gate; the value is the gate's activation.
GATED = {
    "bilinear": "linear",
    "glu": "sigmoid",
    "reglu": "relu",
    "geglu": "gelu",
    "swiglu": "silu",
}

_NOT_ELEMENTWISE = {"softmax", "logsoftmax", "softmin", "softmax2d", "sparsemax", "standardize"}


def plain_name(name: str) -> str:
    """The name without case and underscores, aliases resolved."""
    plain = name.replace("_", "").lower()
    return _ALIASES.get(plain, plain)


def named_activations(name: str, parameters: tuple[float, ...]) -> tuple[Activation, ...]:
    """The activation of a name; several, equally likely, if it is random.

    Examples
    --------
    >>> from fanwise._schemes.activations import named_activations
    >>> named_activations("LeakyReLU", (0.2,))[0].value(-1.0)
    -0.2
    """
    plain = plain_name(name)
    values = parameters
    if plain in _NOT_ELEMENTWISE:
        raise GainError(f"`activation` must act on each unit by itself, got {name!r}")
    if plain == "rrelu":
        return _randomized_leaky_relu(values)
    if plain not in _ACTIVATIONS:
        known = ", ".join(sorted([*_ACTIVATIONS, *_ALIASES, *GATED, "rrelu"]))
        raise GainError(f"`activation` must be one of {known}, or a callable, got {name!r}")
    make, defaults = _ACTIVATIONS[plain]
    if len(values) > len(defaults):
        raise GainError(f"`parameters` of {name!r} must be {list(defaults)}, got {values}")
    filled = (*values, *list(defaults.values())[len(values) :])
    if None in filled:
        raise GainError(f"`parameters` of {name!r} must be {list(defaults)}, got {values}")
    return (make(*filled),)


def _randomized_leaky_relu(values: tuple[float, ...]) -> tuple[Activation, ...]:
    """Leaky ReLU with a slope uniform between two bounds (Xu et al. 2015, arXiv:1505.00853).

    Two slopes with the uniform law's mean and variance stand for it: moments up to the second
    are exact.
    """
    low, high = values if len(values) == 2 else (1 / 8, 1 / 3)
    if len(values) not in (0, 2) or not low <= high:
        raise GainError(f"`parameters` of 'rrelu' must be ['low', 'high'], got {values}")
    middle, spread = (low + high) / 2, (high - low) / math.sqrt(12)
    return (_leaky_relu(middle - spread), _leaky_relu(middle + spread))
