"""Gains: the factor on a weight's std that makes up for an activation (spec: gains)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from .._errors import GainError, finite, one_of
from .._laws import normal as _normal
from .._laws.quadrature import adaptive, panel, panels
from .activations import GATED, Activation, Function, named_activations, plain_name

GainConvention: TypeAlias = Literal["second_moment", "variance", "backward", "torch"]

GAIN_CONVENTIONS: tuple[GainConvention, ...] = get_args(GainConvention)

_PRECISION = 1e-10
_TOLERANCE = 1e-13
_NOISE = 4e-12  # of numerical derivatives, which no refinement gets below
_GRID = (-38.0, -19.0, -10.0, -5.0, -2.5, 0.0, 2.5, 5.0, 10.0, 19.0, 38.0)

# For callables, so that no feature wider than 1/200 is between the nodes.
_FINE_GRID = tuple(i / 16 for i in range(-128, 129))

# Second moments whose gain has a closed form, to the last bit: schemes are compared by them.
_CLOSED = {"identity": 1.0, "linear": 1.0, "relu": math.sqrt(2)}

# torch.nn.init.calculate_gain, 2.13.
_TORCH = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def gain(
    activation: str | Callable[[float], float],
    /,
    *,
    parameters: float | Sequence[float] = (),
    convention: GainConvention = "second_moment",
    derivative: Callable[[float], float] | None = None,
) -> float:
    """Compute the gain of an activation: the factor on the std of the weights that follow it.

    With z from N(0, 1) and f the `activation`, the `convention` says

    - ``"second_moment"``: E[f(z)**2] ** -0.5 (He et al. 2015), the default;
    - ``"variance"``: Var[f(z)] ** -0.5 (Brock et al. 2021);
    - ``"backward"``: E[f'(z)**2] ** -0.5, which preserves gradients;
    - ``"torch"``: the table of `torch.nn.init.calculate_gain`, for the names that it has.

    For a gated product a * f(b) of independent a and b from N(0, 1) (GLU, ReGLU, GEGLU, SwiGLU),
    the moments are the moments of the product, and the square of the derivative is summed over
    both branches: E[f(b)**2] + E[a**2 * f'(b)**2].

    Parameters
    ----------
    activation : str or callable
        A name that PyTorch, Keras or JAX gives an activation, in any case and with or without
        underscores, or a function from float to float, in double precision, without features
        narrower than 1/200.
    parameters : float or sequence of float, default ()
        The named activation's own parameters, such as the negative slope of a leaky ReLU;
        those not given have PyTorch's defaults.
    convention : {"second_moment", "variance", "backward", "torch"}
        Which of the definitions above.
    derivative : callable, optional
        Derivative of a callable `activation`, for the backward convention; by default it is
        taken numerically, which an activation that jumps does not admit. A jump counts for
        nothing in it, as in automatic differentiation.

    Returns
    -------
    float
        The gain, to a relative precision of 1e-10.

    Raises
    ------
    GainError
        If the name is unknown or not that of an elementwise function, if the parameters do not
        fit, or if the moment is zero, infinite, or does not converge.

    Notes
    -----
    Differences: PyTorch gives tanh 5/3 and SELU 3/4, neither of which is a moment of the
    activation (1.5925 and 1), and 1 to the sigmoid. Keras and JAX name no gains. The default
    slope of Keras' `leaky_relu` is 0.2, and JAX' `gelu` is `"gelu_tanh"` by default.

    Examples
    --------
    >>> import math
    >>> from fanwise import gain
    >>> round(gain("relu"), 12)
    1.414213562373
    >>> round(gain("gelu"), 10), round(gain("tanh"), 10)
    (1.5335304412, 1.5925374197)
    >>> round(gain("tanh", convention="torch"), 4)
    1.6667
    >>> round(gain(lambda x: max(x, 0.0)), 12) == round(math.sqrt(2), 12)
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852; Brock, De, Smith and Simonyan (2021),
    arXiv:2101.08692; Shazeer (2020), arXiv:2002.05202 (gated products).
    """
    one_of("convention", convention, GAIN_CONVENTIONS, GainError)
    given = tuple(parameters) if isinstance(parameters, Sequence) else (parameters,)
    values = tuple(finite("parameters", value, GainError) for value in given)
    if isinstance(activation, str):
        if derivative is not None:
            raise GainError(f"`derivative` must be left out for a name, got {derivative!r}")
        return _named_gain(activation, values, convention)
    if not callable(activation):
        raise GainError(f"`activation` must be a name or a callable, got {activation!r}")
    if convention == "torch":
        raise GainError(f"`convention` 'torch' must have a name to look up, got {activation!r}")
    if values:
        raise GainError(f"`parameters` must be left out for a callable, got {values}")
    name, value = repr(activation), _checked(activation, "activation")
    if convention != "backward":
        return _moment_gain((Activation(value, value, _FINE_GRID),), convention, name=name)
    if derivative is not None:
        described = Activation(value, _checked(derivative, "derivative"), _FINE_GRID)
        return _moment_gain((described,), convention, name=name)
    described = Activation(value, _numerical_derivative(value, name), _FINE_GRID)
    return _moment_gain((described,), convention, name=name, tolerance=_NOISE)


@cache
def _named_gain(name: str, parameters: tuple[float, ...], convention: GainConvention) -> float:
    if convention == "torch":
        return _torch_gain(name, parameters)
    closed = _CLOSED.get(plain_name(name))
    if closed is not None and convention in ("second_moment", "backward") and not parameters:
        return closed
    gate = GATED.get(plain_name(name))
    if gate is None:
        return _moment_gain(named_activations(name, parameters), convention, name=name)
    if parameters:
        raise GainError(f"`parameters` of {name!r} must be left out, got {parameters}")
    (activation,) = named_activations(gate, ())
    # The linear branch has mean 0 and second moment 1, so the product's variance is its second
    # moment, which is the gate's.
    second = _expectation(lambda x: activation.value(x) ** 2, activation.kinks, name)
    if convention == "backward":
        second += _expectation(lambda x: activation.slope(x) ** 2, activation.kinks, name)
    return 1 / math.sqrt(second)


def _torch_gain(name: str, parameters: tuple[float, ...]) -> float:
    plain = plain_name(name)
    if len(parameters) > (plain == "leakyrelu"):
        raise GainError(
            f"`parameters` of {name!r} must be fewer in torch's table, got {parameters}"
        )
    if plain == "leakyrelu":
        slope = parameters[0] if parameters else 0.01
        return math.sqrt(2 / (1 + slope * slope))
    if plain not in _TORCH:
        known = ", ".join(sorted([*_TORCH, "leaky_relu"]))
        raise GainError(f"`activation` must be one of {known} for torch's table, got {name!r}")
    return _TORCH[plain]


def _moment_gain(
    activations: tuple[Activation, ...],
    convention: GainConvention,
    *,
    name: str,
    tolerance: float = _TOLERANCE,
) -> float:
    def average(function: Callable[[Activation], Function]) -> float:
        moments = [_expectation(function(a), a.kinks, name, tolerance) for a in activations]
        return math.fsum(moments) / len(moments)

    if convention == "backward":
        moment = average(lambda a: lambda x: a.slope(x) ** 2)
    else:
        moment = average(lambda a: lambda x: a.value(x) ** 2)
    if convention == "variance":
        mean, second_moment = average(lambda a: a.value), moment
        moment = average(lambda a: lambda x: (a.value(x) - mean) ** 2)
        if moment < 1e-20 * second_moment:  # a constant, but for the rounding of its mean
            moment = 0.0
    if not moment > 0:
        raise GainError(f"`activation` must have a positive {convention}, got {moment} for {name}")
    return 1 / math.sqrt(moment)


def _expectation(
    f: Function, kinks: tuple[float, ...], name: str, tolerance: float = _TOLERANCE
) -> float:
    """E[f(z)] of a standard normal z."""

    def weighted(x: float) -> float:
        try:
            return f(x) * _normal.density(x)
        except OverflowError as error:
            message = f"`activation` must be finite for every input, got {error} at {x} for {name}"
            raise GainError(message) from error

    points = sorted({*_GRID, *(float(kink) for kink in kinks if abs(kink) < _GRID[-1])})
    found = adaptive(weighted, points, tolerance=tolerance)
    tails = panels(lambda x: abs(weighted(x)) + abs(weighted(-x)), (_GRID[-2], _GRID[-1]))
    if not math.isfinite(found.value) or tails > _PRECISION or found.concentrated > 1e-4:
        raise GainError(
            f"`activation` must be square integrable under the normal law, "
            f"got {found.value} ({tails} in the far tails) for {name}"
        )
    if found.error > _PRECISION:
        raise GainError(
            f"`activation` must have fewer jumps or kinks for its moments to converge, "
            f"got {found.value} with a relative error of {found.error} for {name}"
        )
    return found.value


def _checked(function: Callable[[float], float], argument: str) -> Function:
    """The function with named errors; raise unless it maps floats to double precision."""

    def call(x: float) -> float:
        try:
            return float(function(x))
        except (OverflowError, ValueError, ZeroDivisionError) as error:
            raise GainError(
                f"`{argument}` must be finite for every input, got {error} at {x} for {function!r}"
            ) from error
        except (TypeError, AttributeError) as error:
            raise GainError(
                f"`{argument}` must map a float to a float, got {error!r} for {function!r}"
            ) from error

    values = [call(math.sqrt(k) - 2) for k in (2, 3, 5, 7, 11, 13, 17, 19)]
    if all(17 <= _significant_bits(value) <= 24 for value in values):
        raise GainError(
            f"`{argument}` must compute in double precision, got single for {function!r}"
        )
    return call


def _significant_bits(value: float) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    mantissa = int(math.ldexp(math.frexp(value)[0], 53))
    return 53 - ((mantissa & -mantissa).bit_length() - 1)


def _numerical_derivative(f: Function, name: str) -> Function:
    """One-sided differences, of the side and the step where halving the step changes least.

    A kink on one side of a point spoils the differences there, and only there.
    """
    # Weights of f(x), f(x + h), ... in the six-point forward difference, times 60.
    weights = (-137.0, 300.0, -300.0, 200.0, -75.0, 12.0)

    def difference(x: float, step: float) -> float:
        values = (weight * f(x + i * step) for i, weight in enumerate(weights))
        return math.fsum(values) / (60 * step)

    def derivative(x: float) -> float:
        sides = []
        for step in (2e-3, -2e-3, 2e-4, -2e-4):
            coarse, fine = difference(x, step), difference(x, step / 2)
            sides.append((abs(coarse - fine), fine))
        return min(sides)[1]

    _check_derivative(f, derivative, name)
    return derivative


def _check_derivative(f: Function, slope: Function, name: str) -> None:
    """Raise unless the slope adds up to the function's changes, over many short intervals."""
    intervals = list(pairwise(_FINE_GRID))
    changes = [f(b) - f(a) for a, b in intervals]
    scale = math.fsum(map(abs, changes))
    for (a, b), change in zip(intervals, changes, strict=True):
        found = panel(slope, a, b)
        if abs(found - change) > 1e-9 * scale:
            found = adaptive(slope, (a, b), tolerance=1e-10, most_panels=500).value
        if abs(found - change) > 1e-8 * scale:
            raise GainError(
                f"`derivative` must be given for an activation that jumps or has close kinks, "
                f"got a change of {change} from {a} to {b}, and {found} by differences, for {name}"
            )
