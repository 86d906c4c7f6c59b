"""The errors, and the checks of numbers that raise them.

Every message names the argument, the rule and the value it got (spec: errors/1).
"""

from __future__ import annotations

import contextlib
import math
import numbers
import operator
from collections.abc import Iterator
from typing import Any


class AxesError(ValueError):
    """The roles of a parameter's axes are not well formed, or do not fit its shape."""


class FanError(ValueError):
    """A fan is undefined, or not a positive count."""


class LawError(ValueError):
    """A probability law's parameters do not define a law."""


class SchemeError(ValueError):
    """A scheme's options are out of range, or do not fit the parameter."""


class GainError(ValueError):
    """An activation has no gain: unknown, not elementwise, or not square integrable."""


class DtypeError(TypeError):
    """A storage dtype is unknown, unsupported, or cannot hold the law's values."""


class SourceError(ValueError):
    """A random source cannot do what a draw asks of it."""


class RecipeError(ValueError):
    """A recipe, a parameter list or a ledger is not well formed, or they do not fit."""


@contextlib.contextmanager
def annotate_errors(path: str) -> Iterator[None]:
    """Add the path of a parameter to the notes of the errors that are raised within.

    Parameters
    ----------
    path : str
        Its name in the model.

    Examples
    --------
    >>> from fanwise import Axes, AxesError
    >>> from fanwise.adapting import annotate_errors
    >>> try:
    ...     with annotate_errors("head.weight"):
    ...         Axes("in up")
    ... except AxesError as error:
    ...     print(error.__notes__)
    ['parameter: head.weight']
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        error.add_note(f"parameter: {path}")
        raise


def finite(name: str, value: Any, error: type[Exception]) -> float:
    """Return `value` as a float; raise `error` unless it is a finite real number."""
    number = real(name, value, error)
    if not math.isfinite(number):
        raise error(f"`{name}` must be finite, got {number}")
    return number


def positive(name: str, value: Any, error: type[Exception]) -> float:
    """Return `value` as a float; raise `error` unless it is finite and above zero."""
    number = finite(name, value, error)
    if number <= 0:
        raise error(f"`{name}` must be positive, got {number}")
    return number


def real(name: str, value: Any, error: type[Exception]) -> float:
    """Return `value` as a float, infinities allowed; raise `error` if it is no number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise error(f"`{name}` must be a real number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise error(f"`{name}` must be finite, got a number above the largest float") from None
    if math.isnan(number):
        raise error(f"`{name}` must be a number, got nan")
    return number + 0.0  # never -0.0: equal schemes draw equal values


def plain(value: Any) -> Any:
    """The value, or its name if it is an infinity, which JSON has not."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def integer(name: str, value: Any, error: type[Exception], *, minimum: int | None = None) -> int:
    """Return `value` as an int; raise `error` unless it is a whole number, at least `minimum`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise error(f"`{name}` must be a whole number, got {value!r}") from None
    if minimum is not None and number < minimum:
        raise error(f"`{name}` must be at least {minimum}, got {number}")
    return number


def one_of(name: str, value: Any, choices: tuple[Any, ...], error: type[Exception]) -> None:
    """Raise `error` unless `value` is one of `choices`."""
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise error(f"`{name}` must be one of {listed}, got {value!r}")
