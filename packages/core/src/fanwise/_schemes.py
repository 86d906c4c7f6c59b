"""Schemes: rules for initial weights, as plain immutable data (spec: schemes/1, schemes/2)."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from ._errors import SchemeError, one_of, plain, positive

Option: TypeAlias = float | str | None
Factory: TypeAlias = Callable[..., "Scheme"]


@dataclass(frozen=True, slots=True, repr=False)
class Scheme:
    """A rule for the initial weights of a parameter, whatever its shape.

    Made by the functions named after the schemes, such as `he_normal`; compared, hashed and
    serialized as what it is: a name and options.

    Attributes
    ----------
    name : str
        The stable name of the rule.
    options : tuple of (str, float or str or None)
        All of its options, by name.

    Examples
    --------
    >>> Scheme.from_data({"name": "he_normal"})
    variance_scaling(family='normal', fan='in', gain=1.4142135623730951)
    """

    name: str
    options: tuple[tuple[str, Option], ...]

    def __post_init__(self) -> None:
        one_of("name", self.name, tuple(_SCALED_OPTIONS), SchemeError)

    def __getitem__(self, option: str) -> Any:
        return dict(self.options)[option]

    @property
    def is_random(self) -> bool:
        """Whether it draws at all, and so needs a source of randomness."""
        return self.name not in ("constant", "dirac", "identity")

    def to_data(self) -> dict[str, Any]:
        """The scheme as plain JSON data: no option of value None, infinities as "inf"."""
        options = {key: plain(value) for key, value in self.options if value is not None}
        return {"name": self.name} | options

    @classmethod
    def from_data(cls, data: Any) -> Scheme:
        """Make the scheme that plain data names, checking its options.

        Raises
        ------
        SchemeError
            If the name or an option is unknown, or an option out of range.
        """
        if isinstance(data, str):
            data = {"name": data}
        if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
            raise SchemeError(f"`scheme` must be a name or an object with a 'name', got {data!r}")
        infinities = {"inf": math.inf, "-inf": -math.inf}
        options = {
            key: infinities.get(value, value) if isinstance(value, str) else value
            for key, value in data.items()
            if key != "name"
        }
        factory = _FACTORIES.get(data["name"])
        if factory is None:
            known = ", ".join(sorted(_FACTORIES))
            raise SchemeError(f"`name` must be one of {known}, got {data['name']!r}")
        parameters = inspect.signature(factory).parameters
        for option in options:
            if option not in parameters:
                raise SchemeError(
                    f"`{data['name']}` must have only the options {sorted(parameters)}, "
                    f"got {option!r}"
                )
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and name not in options:
                raise SchemeError(f"`{data['name']}` must have the option `{name}`, got {data!r}")
        return factory(**options)

    def scaled(self, factor: float, /) -> Scheme:
        """The scheme whose weights are `factor` times this one's.

        Parameters
        ----------
        factor : float
            A positive number, such as 1/sqrt(2 L) in the L layers of a residual network.

        Examples
        --------
        >>> normal(std=0.02).scaled(0.5)
        normal(mean=0.0, std=0.01)
        """
        factor = positive("factor", factor, SchemeError)
        scaled = set(_SCALED_OPTIONS[self.name])
        if self.name == "truncated_normal" and self["bounds"] == "absolute":
            scaled |= {"low", "high"}
        options = {
            key: value * factor if key in scaled and isinstance(value, float) else value
            for key, value in self.options
            if value is not None
        }
        return _FACTORIES[self.name](**options)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options if value is not None)
        return f"{self.name}({options})"


# The options that are in units of the weights.
_SCALED_OPTIONS = {
    "constant": ("value",),
    "uniform": ("low", "high"),
    "normal": ("mean", "std"),
    "truncated_normal": ("parent_mean", "parent_std", "std"),
    "variance_scaling": ("gain",),
    "orthogonal": ("gain",),
    "delta_orthogonal": ("gain",),
    "identity": ("gain",),
    "dirac": ("gain",),
    "sparse": ("std",),
}

_FACTORIES: dict[str, Factory] = {}


F = TypeVar("F", bound=Factory)


def named(factory: F) -> F:
    """Let `Scheme.from_data` find a factory by its name."""
    _FACTORIES[factory.__name__] = factory
    return factory


def scheme_names() -> tuple[str, ...]:
    """The names that `Scheme.from_data` knows, in order of definition."""
    return tuple(_FACTORIES)


def factory_documentation(name: str) -> str:
    """The docstring of the factory of this name."""
    return inspect.getdoc(_FACTORIES[name]) or ""


def make(name: str, **options: Option) -> Scheme:
    """A scheme from options that were checked."""
    return Scheme(name, tuple(sorted(options.items())))
