"""Parameters: what a model declares of itself (spec: recipes/5, recipes/6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from ._axes import Axes, Shape, check_shape
from ._errors import RecipeError, one_of
from ._joint_laws import FIELDS, Field
from ._records import SCHEMA_VERSION, as_list, read_document, record_from_data, record_to_data
from ._schemes import Scheme
from ._stream import parse_path

LeftAs: TypeAlias = Literal["frozen", "loaded", "skipped"]

LEFT_AS: tuple[LeftAs, ...] = get_args(LeftAs)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a type of layer declares of one of its parameters or buffers.

    Attributes
    ----------
    axes : Axes or None
        The roles of its axes, if the layer knows them.
    kind : str
        What rules may select by, as in `Parameter`.
    fans_of : str or None
        Name, within the layer, of the weight whose fans a bias takes.
    default : Scheme or None
        What a buffer that has no values yet starts from, unless a rule is for it.

    Examples
    --------
    >>> weight = Declaration(Axes("out in"))
    >>> Declaration(Axes("out"), kind="bias", fans_of="weight").fans_of
    'weight'
    """

    axes: Axes | None = None
    kind: str = "weight"
    fans_of: str | None = None
    default: Scheme | None = None

    @classmethod
    def of_name(cls, name: str) -> Declaration:
        """What is assumed of a parameter that its layer does not declare.

        No axes; a "bias" if its name ends so, else a "weight".
        """
        return cls(kind="bias" if name.endswith("bias") else "weight")


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
        Buffers are for rules of kind "buffer" alone, and are skipped where there is none.
    fans_of : str or None
        Path of the weight whose fans a bias takes.
    tied_to : str or None
        Path of the parameter that it shares its storage with.
    left_as : {"frozen", "loaded", "skipped"} or None
        Why it is not to be initialized, whatever the recipe says.
    field : {"real", "complex"}
        Whether its entries are complex.
    default : Scheme or None
        What a buffer that has no values yet starts from, unless a rule is for it.
    """

    path: str
    shape: Shape
    axes: Axes | None = None
    kind: str = "weight"
    fans_of: str | None = None
    tied_to: str | None = None
    left_as: LeftAs | None = None
    field: Field = "real"
    default: Scheme | None = None

    def __post_init__(self) -> None:
        parse_path(self.path)
        object.__setattr__(self, "shape", check_shape(self.shape))
        check_left_as(self.left_as)
        if not isinstance(self.kind, str):
            raise RecipeError(f"`kind` must be a string, got {self.kind!r}")
        if self.tied_to is not None and self.left_as is not None:
            raise RecipeError(
                f"one of `tied_to` and `left_as` may be given, got both for {self.path!r}"
            )
        one_of("field", self.field, FIELDS, RecipeError)
        if self.default is not None and self.kind != "buffer":
            raise RecipeError(f"`default` must be of a buffer, got a {self.kind} for {self.path!r}")

    def to_data(self) -> dict[str, Any]:
        """The parameter as plain JSON data, defaults left out."""
        return record_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Parameter:
        """Read a parameter back from `to_data`'s form."""
        return record_from_data(cls, data, {"axes": Axes.from_data, "default": Scheme.from_data})


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


def declared_in(declarations: Any, name: str, shape: Shape, /, owner: str) -> Declaration | None:
    """What a layer declares of one of its parameters, if it does.

    Parameters
    ----------
    declarations : mapping of str to Declaration, or to a function from a shape to one
        What the layer declares, by name.
    name : str
        The parameter's name in the layer.
    shape : tuple of int
        Its shape.
    owner : str
        What the layer is called in an error.

    Returns
    -------
    Declaration or None
        What it declares.

    Raises
    ------
    RecipeError
        If the declarations are of another kind.

    Examples
    --------
    >>> declared_in({"weight": Declaration(Axes("out in"))}, "weight", (8, 4), owner="Linear").axes
    Axes('out in')
    """
    if not isinstance(declarations, Mapping):
        raise RecipeError(f"`declare` must return a mapping for {owner}, got {declarations!r}")
    declared = declarations.get(name)
    if callable(declared):
        declared = declared(shape)
    if declared is not None and not hasattr(declared, "fans_of"):
        raise RecipeError(
            f"`declare` must return Declarations for {owner}, got {declared!r} for {name!r}"
        )
    return declared


def tie(parameters: Iterable[Parameter], storages: Iterable[object], /) -> list[Parameter]:
    """Declare as tied the parameters that are one in memory, and all left if one is.

    The first parameter with axes is drawn, else the first parameter, else the first buffer.

    Parameters
    ----------
    parameters : iterable of Parameter
        In the model's order.
    storages : iterable of hashable
        For each, what is equal for those that are one in memory.

    Returns
    -------
    list of Parameter
        In the same order.

    Examples
    --------
    >>> embedding = Parameter("embedding", (50, 8), Axes("in out", one_hot=True), "embedding")
    >>> head = Parameter("head.weight", (50, 8), Axes("out in"), left_as="loaded")
    >>> embedding, head = tie([embedding, head], [0, 0])
    >>> embedding.left_as, head.tied_to
    ('loaded', 'embedding')
    """
    parameters, storages = list(parameters), list(storages)
    groups: dict[object, list[Parameter]] = {}
    for parameter, storage in zip(parameters, storages, strict=True):
        groups.setdefault(storage, []).append(parameter)
    tied = []
    for parameter, storage in zip(parameters, storages, strict=True):
        same = groups[storage]
        first = min(same, key=lambda p: (p.kind == "buffer", p.axes is None))
        reasons = {p.left_as for p in same} - {None}
        reason = "loaded" if "loaded" in reasons else next(iter(reasons), None)
        tied.append(
            replace(parameter, left_as=reason)
            if parameter is first
            else replace(parameter, tied_to=first.path, left_as=None, default=None)
        )
    return tied


def check_loaded(loaded: Any, known: Iterable[str], /) -> frozenset[str]:
    """The names of what is loaded, if the model has them.

    Parameters
    ----------
    loaded : iterable of str
        What a user says is loaded from a checkpoint.
    known : iterable of str
        The names in the model.

    Returns
    -------
    frozenset of str
        The names.

    Raises
    ------
    RecipeError
        If `loaded` is not names, or one is not known.

    Examples
    --------
    >>> sorted(check_loaded(["b", "a"], {"a", "b", "c"}))
    ['a', 'b']
    """
    given = list(loaded) if isinstance(loaded, Iterable) else [None]
    if isinstance(loaded, str) or not all(isinstance(name, str) for name in given):
        raise RecipeError(f"`loaded` must be a collection of names, got {loaded!r}")
    names = frozenset(map(str, given))
    unknown = sorted(names - frozenset(known))
    if unknown:
        raise RecipeError(f"`loaded` must be names in the model, got {unknown}")
    return names


def check_left_as(left_as: Any) -> None:
    """Raise unless `left_as` is None or one of the reasons to leave a parameter."""
    if left_as is not None:
        one_of("left_as", left_as, LEFT_AS, RecipeError)
