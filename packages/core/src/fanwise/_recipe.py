"""Recipes: ordered rules from a model's parameters to schemes, as plain data (spec: recipes)."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ._axes import Axes
from ._errors import RecipeError, finite, integer, positive
from ._parameter import LeftAs, Parameter, check_left_as
from ._records import (
    SCHEMA_VERSION,
    as_list,
    read_document,
    record_from_data,
    record_to_data,
)
from ._schemes import Scheme
from ._stream import parse_path


@dataclass(frozen=True, slots=True)
class Depth:
    """A factor that depends on depth: (`branches` x layers) ** `power`.

    Attributes
    ----------
    layers : int or "index"
        The number of layers; or, layer by layer, one more than the first whole number in the
        parameter's path.
    branches : float
        Residual branches in a layer.
    power : float
        -0.5 keeps the variance of the sum of all branches.

    Examples
    --------
    >>> Depth(layers=8).factor("h.3.attn.c_proj.weight")
    0.25
    >>> Depth(layers="index", branches=1).factor("h.3.attn.c_proj.weight")
    0.5
    """

    layers: int | Literal["index"]
    branches: float = 2.0
    power: float = -0.5

    def __post_init__(self) -> None:
        if self.layers != "index":
            integer("layers", self.layers, RecipeError, minimum=1)
        positive("branches", self.branches, RecipeError)
        finite("power", self.power, RecipeError)

    def factor(self, path: str) -> float:
        """The factor for the parameter of this path."""
        if self.layers != "index":
            return self._power(self.layers)
        numbers = [int(segment) for segment in parse_path(path) if segment.isdecimal()]
        if not numbers:
            raise RecipeError(f"`layers` 'index' needs a number in the path, got {path!r}")
        return self._power(numbers[0] + 1)

    def _power(self, layers: int) -> float:
        base = self.branches * layers
        # The square root is exact to rounding on every platform; `pow` need not be.
        try:
            factor = 1 / math.sqrt(base) if self.power == -0.5 else float(base**self.power)
        except OverflowError:
            factor = math.inf
        return positive("depth", factor, RecipeError)

    def to_data(self) -> dict[str, Any]:
        """The factor as plain JSON data, defaults left out."""
        return record_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Depth:
        """Read a factor back from `to_data`'s form."""
        return record_from_data(cls, data, {})


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to the parameters that it is the first to match.

    Attributes
    ----------
    scheme : Scheme or None
        How they are initialized; or
    left_as : {"frozen", "loaded", "skipped"} or None
        why they are not.
    match : str
        Glob that the whole path matches; `*` also spans dots, and `[ab]` is one of a and b.
    kind : str or None
        The kind that a parameter must have; None is for all kinds but "buffer".
    depth : Depth or None
        Factor on the scheme's weights.
    axes : Axes or None
        Roles for parameters that declare none.
    fans_of : str or None
        For parameters that declare none, the last segment of the name of the weight, beside
        them, whose fans they take.
    optional : bool
        Whether a model may have no parameter for it, which is otherwise an error.
    note : str
        Why, or the source.
    """

    scheme: Scheme | None = None
    left_as: LeftAs | None = None
    match: str = "*"
    kind: str | None = None
    depth: Depth | None = None
    axes: Axes | None = None
    fans_of: str | None = None
    optional: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if (self.scheme is None) == (self.left_as is None):
            raise RecipeError(
                f"one of `scheme` and `left_as` must be given, "
                f"got {self.scheme} and {self.left_as} for {self.match!r}"
            )
        if self.scheme is not None and not hasattr(self.scheme, "options"):
            raise RecipeError(
                f"`scheme` must be a Scheme, such as he_normal(), got {self.scheme!r}"
            )
        for name in ("match", "note"):
            if not isinstance(getattr(self, name), str):
                raise RecipeError(f"`{name}` must be a string, got {getattr(self, name)!r}")
        if not isinstance(self.optional, bool):
            raise RecipeError(f"`optional` must be true or false, got {self.optional!r}")
        check_left_as(self.left_as)
        if self.depth is not None and not hasattr(self.depth, "factor"):
            raise RecipeError(
                f"`depth` must be a Depth, such as Depth(layers=12), got {self.depth!r}"
            )
        if self.kind is not None and not isinstance(self.kind, str):
            raise RecipeError(f"`kind` must be a string, got {self.kind!r}")
        if self.depth is not None and self.scheme is None:
            raise RecipeError(f"`depth` must come with a scheme, got none for {self.match!r}")

    def matches(self, parameter: Parameter) -> bool:
        """Whether the rule is for this parameter, unless an earlier one is."""
        if parameter.kind != self.kind and (self.kind is not None or parameter.kind == "buffer"):
            return False
        return fnmatch.fnmatchcase(parameter.path, self.match)

    def scheme_for(self, path: str) -> Scheme | None:
        """The scheme, scaled for the depth of the parameter of this path."""
        if self.scheme is None or self.depth is None:
            return self.scheme
        return self.scheme.scaled(self.depth.factor(path))

    def to_data(self) -> dict[str, Any]:
        """The rule as plain JSON data, defaults left out."""
        return record_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Rule:
        """Read a rule back from `to_data`'s form."""
        readers = {"axes": Axes.from_data, "scheme": Scheme.from_data, "depth": Depth.from_data}
        return record_from_data(cls, data, readers)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Rules for a whole model: each parameter is for the first that matches it.

    Attributes
    ----------
    rules : tuple of Rule
        In order.
    name : str
        What the recipe is called.
    reference : str
        Where it is from.

    Examples
    --------
    >>> recipe = Recipe((
    ...     Rule(scheme=zeros(), kind="bias"),
    ...     Rule(scheme=he_normal()),
    ... ))
    >>> Recipe.from_data(recipe.to_data()) == recipe
    True
    """

    rules: tuple[Rule, ...]
    name: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        rules = self.rules if isinstance(self.rules, Iterable) else (self.rules,)
        for rule in rules:
            if not hasattr(rule, "matches"):
                raise RecipeError(f"`rules` must be Rules, such as Rule(scheme=...), got {rule!r}")
        object.__setattr__(self, "rules", tuple(rules))

    def to_data(self) -> dict[str, Any]:
        """The recipe as plain JSON data, with the version of its form."""
        return {
            "format": "recipe",
            "version": SCHEMA_VERSION,
            "name": self.name,
            "reference": self.reference,
            "rules": [rule.to_data() for rule in self.rules],
        }

    @classmethod
    def from_data(cls, data: Any) -> Recipe:
        """Read a recipe back from `to_data`'s form.

        Raises
        ------
        RecipeError
            If the form or its version is not this one, or a key is unknown or missing.
        SchemeError, AxesError
            If a rule's scheme or axes are not well formed.
        """
        document = read_document(data, "recipe", {"name", "reference", "rules"})
        rules = []
        for index, rule in enumerate(as_list("rules", document.get("rules"))):
            try:
                rules.append(Rule.from_data(rule))
            except (ValueError, TypeError) as error:
                error.add_note(f"rule {index}: {rule}")
                raise
        return cls(tuple(rules), document.get("name", ""), document.get("reference", ""))
