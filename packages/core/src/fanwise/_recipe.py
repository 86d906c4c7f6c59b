"""Recipes: ordered rules from a model's parameters to schemes, as plain data (spec: recipes)."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from ._axes import Axes, Shape, check_shape
from ._errors import RecipeError, finite, integer, one_of, positive
from ._joint_laws import FIELDS, Field
from ._schemes import Scheme
from ._stream import parse_path

LeftAs: TypeAlias = Literal["frozen", "loaded", "skipped"]

LEFT_AS: tuple[LeftAs, ...] = get_args(LeftAs)
SCHEMA_VERSION = 1

_T = TypeVar("_T", bound="Parameter | Rule | Depth")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a model declares of one of its parameters or buffers.

    Attributes
    ----------
    path : str
        Its name, segments separated by dots.
    shape : tuple of int
        Its logical, global shape.
    axes : Axes or None
        The roles of its axes, if the model knows them.
    kind : str
        What rules may select by: "weight", "bias", "norm", "embedding", "buffer", or any other.
    fans_of : str or None
        Path of the weight whose fans a bias takes.
    tied_to : str or None
        Path of the parameter that it shares its storage with.
    left_as : {"frozen", "loaded", "skipped"} or None
        Why it is not to be initialized, whatever the recipe says.
    field : {"real", "complex"}
        Whether its entries are complex.
    """

    path: str
    shape: Shape
    axes: Axes | None = None
    kind: str = "weight"
    fans_of: str | None = None
    tied_to: str | None = None
    left_as: LeftAs | None = None
    field: Field = "real"

    def __post_init__(self) -> None:
        parse_path(self.path)
        object.__setattr__(self, "shape", check_shape(self.shape))
        _check_left_as(self.left_as)
        one_of("field", self.field, FIELDS, RecipeError)

    def to_data(self) -> dict[str, Any]:
        """The parameter as plain JSON data, defaults left out."""
        return _to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Parameter:
        """Read a parameter back from `to_data`'s form."""
        return _from_data(cls, data)


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
        return _to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Depth:
        """Read a factor back from `to_data`'s form."""
        return _from_data(cls, data)


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
        Glob that the whole path matches; `*` also spans dots.
    kind : str or None
        The kind that a parameter must have.
    depth : Depth or None
        Factor on the scheme's weights.
    axes : Axes or None
        Roles for parameters that declare none.
    fans_of : str or None
        For parameters that declare none, the last segment of the name of the weight, beside
        them, whose fans they take.
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
        _check_left_as(self.left_as)
        if self.depth is not None and self.scheme is None:
            raise RecipeError(f"`depth` must come with a scheme, got none for {self.match!r}")

    def matches(self, parameter: Parameter) -> bool:
        """Whether the rule is for this parameter, unless an earlier one is."""
        if self.kind is not None and parameter.kind != self.kind:
            return False
        return fnmatch.fnmatchcase(parameter.path, self.match)

    def scheme_for(self, path: str) -> Scheme | None:
        """The scheme, scaled for the depth of the parameter of this path."""
        if self.scheme is None or self.depth is None:
            return self.scheme
        return self.scheme.scaled(self.depth.factor(path))

    def to_data(self) -> dict[str, Any]:
        """The rule as plain JSON data, defaults left out."""
        return _to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Rule:
        """Read a rule back from `to_data`'s form."""
        return _from_data(cls, data)


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


def model_to_data(parameters: Iterable[Parameter], /, *, name: str = "") -> dict[str, Any]:
    """A model's parameters as plain JSON data, with the version of its form.

    Parameters
    ----------
    parameters : iterable of Parameter
        In the model's order.
    name : str, default ""
        What the model is called.

    Returns
    -------
    dict
        JSON data, which `model_from_data` reads.

    Examples
    --------
    >>> model_to_data([Parameter("weight", (3, 4), Axes("out in"))])["parameters"]
    [{'path': 'weight', 'shape': [3, 4], 'axes': 'out in'}]
    """
    return {
        "format": "model",
        "version": SCHEMA_VERSION,
        "name": name,
        "parameters": [parameter.to_data() for parameter in parameters],
    }


def model_from_data(data: Any, /) -> tuple[Parameter, ...]:
    """Read a model's parameters back from `model_to_data`'s form.

    Parameters
    ----------
    data : mapping
        A JSON object.

    Returns
    -------
    tuple of Parameter
        In the model's order.

    Raises
    ------
    RecipeError
        If the form or its version is not this one, or a key is unknown or missing.

    Examples
    --------
    >>> parameters = (Parameter("weight", (3, 4), Axes("out in")),)
    >>> model_from_data(model_to_data(parameters)) == parameters
    True
    """
    document = read_document(data, "model", {"name", "reference", "parameters"})
    return tuple(map(Parameter.from_data, as_list("parameters", document.get("parameters"))))


def read_document(data: Any, form: str, keys: set[str]) -> Mapping[str, Any]:
    """Check a JSON document's format, version and keys."""
    if not isinstance(data, Mapping) or data.get("format") != form:
        got = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        raise RecipeError(f"`format` must be {form!r}, got {got!r}")
    if type(data.get("version")) is not int or data["version"] != SCHEMA_VERSION:
        raise RecipeError(f"`version` must be {SCHEMA_VERSION}, got {data.get('version')!r}")
    check_keys(form, data, keys | {"format", "version"})
    for key in ("name", "reference"):
        if not isinstance(data.get(key, ""), str):
            raise RecipeError(f"`{key}` must be a string, got {data[key]!r}")
    return data


def check_keys(name: str, data: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise unless `data` has only these keys."""
    unknown = sorted(set(data) - set(keys))
    if unknown:
        raise RecipeError(f"`{name}` must have only the keys {sorted(keys)}, got {unknown}")


def as_list(name: str, value: Any) -> Sequence[Any]:
    """Return `value`; raise unless it is a list."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RecipeError(f"`{name}` must be a list, got {value!r}")
    return value


def _check_left_as(left_as: Any) -> None:
    if left_as is not None:
        one_of("left_as", left_as, LEFT_AS, RecipeError)


def _to_data(record: Parameter | Rule | Depth) -> dict[str, Any]:
    data = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value == field.default:
            continue
        if hasattr(value, "to_data"):
            value = value.to_data()
        data[field.name] = list(value) if isinstance(value, tuple) else value
    return data


def _from_data(cls: type[_T], data: Any) -> _T:
    name = cls.__name__.lower()
    if not isinstance(data, Mapping):
        raise RecipeError(f"`{name}` must be an object, got {data!r}")
    fields = dataclasses.fields(cls)
    check_keys(name, data, {field.name for field in fields})
    for field in fields:
        if field.default is dataclasses.MISSING and field.name not in data:
            raise RecipeError(f"`{name}` must have the key {field.name!r}, got {dict(data)}")
    readers = {"axes": Axes.from_data, "scheme": Scheme.from_data, "depth": Depth.from_data}
    values: dict[str, Any] = {
        key: readers[key](value) if key in readers and value is not None else value
        for key, value in data.items()
    }
    for key in ("path", "match", "kind", "fans_of", "tied_to", "note"):
        if values.get(key) is not None and not isinstance(values[key], str):
            raise RecipeError(f"`{key}` must be a string, got {values[key]!r}")
    return cls(**values)
