"""Parameters: what a model says of itself (spec: recipes/5, recipes/6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .._axes import Axes, Shape, as_axes, check_shape
from .._draws.dtypes import DTYPES, field_of
from .._draws.streams import parse_path
from .._errors import RecipeError, integer, one_of
from .._json import SCHEMA_VERSION, as_list, read_document, record_from_data, record_to_data
from .._laws.joint import FIELDS, Field
from .._schemes.scheme import Scheme, as_scheme

LeftStatus: TypeAlias = Literal["frozen", "loaded", "skipped"]

LEFT_STATUSES: tuple[LeftStatus, ...] = get_args(LeftStatus)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a type of layer declares of one of its parameters or buffers.

    Attributes
    ----------
    axes : Axes or None
        The roles of its axes, if the layer knows them.
    kind : str, default "weight"
        What rules may select by, as in `Parameter`.
    fans_of : str or None
        Path, from the layer, of the weight whose fans a bias takes. Each dot that it begins with
        leads to the layer around.
    default : Scheme or None
        Where the parameter starts if no rule is for it, as in `Parameter`.
    padding : int or None
        Position along the `in` axis whose weights are zero, as of the padding token of an
        embedding.
    norms_of : str or None
        Path, from the layer, of the weight whose norms it holds, as the scale of weight
        normalization does: the two together are then the weight that was drawn.
    norm_axes : tuple of int, default ()
        The axes of that weight along which each position has a norm of its own.

    Examples
    --------
    >>> from fanwise import Axes, Declaration
    >>> weight = Declaration(Axes("out in"))
    >>> bias = Declaration(Axes("out"), kind="bias", fans_of="weight")
    """

    axes: Axes | None = None
    kind: str = "weight"
    fans_of: str | None = None
    default: Scheme | None = None
    padding: int | None = None
    norms_of: str | None = None
    norm_axes: tuple[int, ...] = ()

    @classmethod
    def of_name(cls, name: str) -> Declaration:
        """Return what is assumed of a parameter that its layer does not declare.

        No axes; a "bias" if its name ends so, else a "weight".
        """
        return cls(kind="bias" if name.endswith("bias") else "weight")


Declared: TypeAlias = Declaration | Callable[[Shape], Declaration]
Declarations: TypeAlias = Mapping[str, Declared]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter or buffer of a model, under one of its names.

    Attributes
    ----------
    path : str
        Its name, segments separated by dots.
    shape : tuple of int
        Its logical, global shape.
    axes : Axes or None
        The roles of its axes, if the model knows them.
    kind : str, default "weight"
        What rules may select by: "weight", "embedding", "bias" (of a layer with a weight),
        "norm_scale", "norm_bias", "weight_norm" (the scale of weight normalization), "slope" (of a
        PReLU), "buffer", or a word of your own.
    fans_of : str or None
        Path of the weight whose fans a bias takes.
    tied_to : str or None
        Path of the parameter that it shares its storage with.
    status : {"frozen", "loaded", "skipped"} or None
        Why it is not to be initialized, whatever the recipe says.
    field : {"real", "complex"}, default "real"
        Whether its entries are complex.
    default : Scheme or None
        Where it starts if no rule is for it. Biases start at 0 and the scales of norms at 1
        without one. Of a buffer, only where it has no values yet.
    padding : int or None
        Position along the `in` axis whose weights are zero.
    layer : str, default ""
        Name of the type of the layer that it belongs to, for messages.
    norms_of : str or None
        Path of the weight whose norms it holds, unless a rule is for it.
    norm_axes : tuple of int, default ()
        The axes of that weight along which each position has a norm of its own.

    Examples
    --------
    >>> from fanwise import Axes, Parameter
    >>> Parameter("h.0.qkv.weight", (768, 2304), Axes("in out", blocks={"out": 3})).kind
    'weight'
    """

    path: str
    shape: Shape
    axes: Axes | None = None
    kind: str = "weight"
    fans_of: str | None = None
    tied_to: str | None = None
    status: LeftStatus | None = None
    field: Field = "real"
    default: Scheme | None = None
    padding: int | None = None
    layer: str = ""
    norms_of: str | None = None
    norm_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        parse_path(self.path)
        object.__setattr__(self, "shape", check_shape(self.shape))
        if self.axes is not None:
            object.__setattr__(self, "axes", as_axes(self.axes))
        if self.default is not None:
            object.__setattr__(self, "default", as_scheme(self.default, "default"))
        check_status(self.status)
        if not isinstance(self.kind, str):
            raise RecipeError(f"`kind` must be a string, got {self.kind!r}")
        if self.tied_to is not None and self.status is not None:
            raise RecipeError(
                f"one of `tied_to` and `status` may be given, got both for {self.path!r}"
            )
        one_of("field", self.field, FIELDS, RecipeError)
        if self.padding is not None:
            integer("padding", self.padding, RecipeError, minimum=0)
        axes = tuple(integer("norm_axes", axis, RecipeError) for axis in self.norm_axes)
        object.__setattr__(self, "norm_axes", axes)

    def to_data(self) -> dict[str, Any]:
        """The parameter as plain JSON data, defaults left out."""
        return record_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Parameter:
        """Read a parameter back from the form of `to_data`."""
        return record_from_data(
            cls,
            data,
            {
                "axes": Axes.from_data,
                "default": Scheme.from_data,
                "norm_axes": lambda value: as_list("norm_axes", value),
            },
        )


def describe(
    around: str,
    name: str,
    shape: Shape,
    dtype: str,
    declared: Declaration,
    /,
    *,
    frozen: bool = False,
    layer: str = "",
) -> Parameter:
    """Describe a parameter that an adapter found in a model.

    Parameters
    ----------
    around : str
        Path of the layer that it is in; empty for the model itself.
    name : str
        Its name in that layer.
    shape : tuple of int
        Its logical, global shape.
    dtype : str
        Its storage dtype, by its usual name. What has no floating-point or complex dtype is
        skipped.
    declared : Declaration
        What its layer declares of it; `fans_of` and `norms_of` are paths from that layer.
    frozen : bool, default False
        Whether it is not trained, and so left as it is.
    layer : str, default ""
        Name of the type of that layer.

    Returns
    -------
    Parameter
        The description.

    Examples
    --------
    >>> from fanwise import Axes, Declaration
    >>> from fanwise.adapting import describe
    >>> bias = Declaration(Axes("out"), "bias", fans_of="weight")
    >>> describe("mlp.fc", "bias", (8,), "float32", bias).fans_of
    'mlp.fc.weight'
    """

    def join(name: str) -> str:
        inner = name.lstrip(".")
        outer = around.split(".") if around else []
        return ".".join((*outer[: len(outer) - (len(name) - len(inner))], inner))

    drawable = dtype in DTYPES
    return Parameter(
        join(name),
        shape,
        declared.axes,
        declared.kind,
        None if declared.fans_of is None else join(declared.fans_of),
        status="skipped" if not drawable else "frozen" if frozen else None,
        field=field_of(dtype),
        default=declared.default if drawable else None,
        padding=declared.padding,
        layer=layer,
        norms_of=None if declared.norms_of is None else join(declared.norms_of),
        norm_axes=declared.norm_axes,
    )


def model_to_data(parameters: Iterable[Parameter], /, *, name: str = "") -> dict[str, Any]:
    """Write the parameters of a model as plain JSON data, with the version of the form.

    Parameters
    ----------
    parameters : iterable of Parameter
        In the order of the model.
    name : str, default ""
        What the model is called.

    Returns
    -------
    dict
        JSON data, which `model_from_data` reads.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, model_to_data
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
    """Read the parameters of a model back from the form of `model_to_data`.

    Parameters
    ----------
    data : mapping
        A JSON object.

    Returns
    -------
    tuple of Parameter
        In the order of the model.

    Raises
    ------
    RecipeError
        If the form or its version is not this one, or a key is unknown or missing.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, model_from_data, model_to_data
    >>> parameters = (Parameter("weight", (3, 4), Axes("out in")),)
    >>> model_from_data(model_to_data(parameters)) == parameters
    True
    """
    document = read_document(data, "model", {"name", "reference", "parameters"})
    return tuple(map(Parameter.from_data, as_list("parameters", document.get("parameters"))))


def declared_in(declarations: Any, name: str, shape: Shape, /, owner: str) -> Declaration | None:
    """Look up what a layer declares of one of its parameters.

    Parameters
    ----------
    declarations : mapping of str to Declaration, or to a function from a shape to one
        What the layer declares, by name.
    name : str
        The name of the parameter in the layer.
    shape : tuple of int
        Its shape.
    owner : str
        What the layer is called in an error.

    Returns
    -------
    Declaration or None
        The declaration, if there is one.

    Raises
    ------
    RecipeError
        If the declarations are of another type.

    Examples
    --------
    >>> from fanwise import Axes, Declaration
    >>> from fanwise.adapting import declared_in
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


def check_status(status: Any) -> None:
    """Raise unless `status` is None or one of the reasons to leave a parameter."""
    if status is not None:
        one_of("status", status, LEFT_STATUSES, RecipeError)
