"""Recipes: ordered rules from the parameters of a model to schemes, as data (spec: recipes)."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._axes import Axes, as_axes
from .._errors import RecipeError, integer, one_of
from .._json import (
    SCHEMA_VERSION,
    as_list,
    read_document,
    record_from_data,
    record_to_data,
)
from .._schemes.scheme import Scheme, as_scheme
from .parameter import LEFT_STATUSES, LeftStatus, Parameter

DRAWN_KINDS = ("weight", "embedding")  # what a scheme without `kind` is for
# What has no usual start, so that a scheme without `kind` is for it, too, if the rule names it.
NAMED_KINDS = (
    "unknown",
    "layer_scale",
    "offset",
    "position",
    "relative_bias",
    "scale",
    "temperature",
    "time_step",
    "token",
    "weight_scale",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to the parameters that it is the first to match.

    Attributes
    ----------
    scheme : Scheme or None
        How to initialize them; or
    left_as : {"frozen", "kept", "loaded", "skipped"} or None
        why to leave them as they are. What is kept has the values that the constructor of its
        layer gave it.
    match : str, default "*"
        Glob that the whole path must match; `*` also spans dots, and `[ab]` is one of a and b.
    kind : str, sequence of str, or None
        The kind, or one of the kinds, that a parameter must have; "*" is for all kinds. None is
        for weights and embeddings, and for all kinds if the rule leaves them as they are. A
        rule that names parameters by `match` or `layer` is for tokens, positions, scales and
        others without a usual start, too, and for what is "unknown": then all that it draws must
        be of one type of layer.
    layer : str, sequence of str, or None
        Name of the type of the layer that has the parameter, such as "Conv2d"; a glob, or one
        of several.
    role : str, sequence of str, or None
        The role, or one of the roles, that a parameter must have.
    axes : Axes or None
        Roles of the axes, instead of those that the parameter declares.
    fans_of : str or None
        Last segment of the name of the weight, beside the parameter, whose fans it takes;
        instead of the weight that the parameter declares.
    padding : int or None
        Position along the `in` axis whose weights are zero, as of the padding token of an
        embedding; instead of the position that the parameter declares.
    optional : bool, default False
        Whether a model may have no parameter for the rule, which is otherwise an error.
    note : str, default ""
        Why, or the source.

    Raises
    ------
    RecipeError
        If neither or both of `scheme` and `left_as` are given, or a value is of another type.

    Examples
    --------
    >>> from fanwise import Rule, normal
    >>> rule = Rule(normal(std=0.02).over_depth(12), match="*.c_proj.weight")
    """

    scheme: Scheme | None = None
    left_as: LeftStatus | None = None
    match: str = "*"
    kind: str | tuple[str, ...] | None = None
    layer: str | tuple[str, ...] | None = None
    role: str | tuple[str, ...] | None = None
    axes: Axes | None = None
    fans_of: str | None = None
    padding: int | None = None
    optional: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if (self.scheme is None) == (self.left_as is None):
            raise RecipeError(
                f"one of `scheme` and `left_as` must be given, "
                f"got {self.scheme} and {self.left_as} for {self.match!r}; a pattern is `match=`"
            )
        if self.scheme is not None:
            try:
                object.__setattr__(self, "scheme", as_scheme(self.scheme))
            except ValueError as error:
                raise RecipeError(str(error)) from None
        for name in ("match", "note"):
            if not isinstance(getattr(self, name), str):
                raise RecipeError(f"`{name}` must be a string, got {getattr(self, name)!r}")
        if not isinstance(self.optional, bool):
            raise RecipeError(f"`optional` must be true or false, got {self.optional!r}")
        if self.left_as is not None:
            one_of("left_as", self.left_as, LEFT_STATUSES, RecipeError)
        if self.axes is not None:
            object.__setattr__(self, "axes", as_axes(self.axes))
        for name in ("kind", "layer", "role"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                several = tuple(value) if isinstance(value, Iterable) else ()
                if not several or not all(isinstance(one, str) for one in several):
                    raise RecipeError(f"`{name}` must be a string or several, got {value!r}")
                object.__setattr__(self, name, several)
        if self.padding is not None:
            integer("padding", self.padding, RecipeError, minimum=0)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it is for; ("*",) is all."""
        if self.kind is None:
            return ("*",) if self.scheme is None else DRAWN_KINDS
        return _as_tuple(self.kind)

    def is_by_name(self, parameter: Parameter) -> bool:
        """Whether the rule is for a parameter only because it names it."""
        if self.scheme is None or parameter.kind in self.kinds:
            return False
        kinds = NAMED_KINDS if self.kind is None else ("unknown",) if self.kind == "*" else ()
        return parameter.kind in kinds

    @property
    def _names(self) -> bool:
        segments = self.match.split(".")
        return self.layer is not None or any(segment.strip("*") for segment in segments)

    def _is_for_kind(self, parameter: Parameter) -> bool:
        if self.is_by_name(parameter):
            return self._names
        every = "*" in self.kinds and (self.scheme is None or parameter.kind != "unknown")
        return every or parameter.kind in self.kinds

    def matches(self, parameter: Parameter) -> bool:
        """Whether the rule is for this parameter, unless an earlier one is."""
        if not self._is_for_kind(parameter):
            return False
        if self.role is not None:
            roles = (parameter.role or "").split(" ")
            if not {parameter.role, *roles} & set(_as_tuple(self.role)):
                return False
        if self.layer is not None and not any(
            fnmatch.fnmatchcase(parameter.layer, one) for one in _as_tuple(self.layer)
        ):
            return False
        return fnmatch.fnmatchcase(parameter.path, self.match)

    def to_data(self) -> dict[str, Any]:
        """The rule as plain JSON data, defaults left out."""
        return record_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Rule:
        """Read a rule back from the form of `to_data`."""
        return record_from_data(cls, data, {"axes": Axes.from_data, "scheme": Scheme.from_data})


@dataclass(frozen=True, slots=True, init=False)
class Recipe:
    """Rules for a whole model: each parameter is for the first rule that matches it.

    Parameters
    ----------
    rules : iterable of Rule
        In order.
    name : str, default ""
        What the recipe is called.
    reference : str, default ""
        Where it is from.

    Raises
    ------
    RecipeError
        If `rules` are not rules.

    Examples
    --------
    >>> from fanwise import Recipe, Rule, he_normal, zeros
    >>> recipe = Recipe([Rule(zeros(), match="head.*"), Rule(he_normal())])
    >>> Recipe.from_data(recipe.to_data()) == recipe
    True
    """

    rules: tuple[Rule, ...]
    name: str
    reference: str

    def __init__(self, rules: Iterable[Rule], *, name: str = "", reference: str = "") -> None:
        given = tuple(rules) if isinstance(rules, Iterable) else (rules,)
        own = tuple(map(_as_rule, given))
        if not isinstance(rules, Iterable):
            raise RecipeError(f"`rules` must be a list of rules, got {rules!r}")
        for word, value in (("name", name), ("reference", reference)):
            if not isinstance(value, str):
                raise RecipeError(f"`{word}` must be a string, got {value!r}")
        set_attribute = object.__setattr__  # the instance is frozen
        set_attribute(self, "rules", own)
        set_attribute(self, "name", name)
        set_attribute(self, "reference", reference)

    def to_data(self) -> dict[str, Any]:
        """The recipe as plain JSON data, with the version of the form."""
        return {
            "format": "recipe",
            "version": SCHEMA_VERSION,
            "name": self.name,
            "reference": self.reference,
            "rules": [rule.to_data() for rule in self.rules],
        }

    @classmethod
    def from_data(cls, data: Any) -> Recipe:
        """Read a recipe back from the form of `to_data`.

        Raises
        ------
        RecipeError
            If the form or its version is not this one, or a key is unknown or missing.
        SchemeError, AxesError
            If the scheme or the axes of a rule are not well formed.
        """
        document = read_document(data, "recipe", {"name", "reference", "rules"})
        rules = []
        for index, rule in enumerate(as_list("rules", document.get("rules"))):
            try:
                rules.append(Rule.from_data(rule))
            except (ValueError, TypeError) as error:
                error.add_note(f"rule {index}: {rule}")
                raise
        name, reference = document.get("name", ""), document.get("reference", "")
        return cls(rules, name=name, reference=reference)


def as_recipe(value: Any, /) -> Recipe:
    """The value as a recipe of this copy of the package; a scheme alone is a recipe of one rule.

    Raises
    ------
    RecipeError
        If it is no recipe.
    """
    if isinstance(value, Recipe):
        return value
    if isinstance(value, Scheme) or hasattr(value, "base_options"):
        return Recipe([Rule(as_scheme(value))])
    if hasattr(value, "rules") and hasattr(value, "to_data"):
        return Recipe.from_data(value.to_data())
    raise RecipeError(f"`recipe` must be a Recipe, a Ledger or a Scheme, got {value!r}")


def _as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _as_rule(value: Any) -> Rule:
    if isinstance(value, Rule):
        return value
    if hasattr(value, "matches") and hasattr(value, "to_data"):
        return Rule.from_data(value.to_data())
    raise RecipeError(f"`rules` must be Rules, such as Rule(he_normal()), got {value!r}")
