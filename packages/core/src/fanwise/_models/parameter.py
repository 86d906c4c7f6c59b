"""Parameters: what a model says of itself (spec: recipes/5, recipes/6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .._axes import Axes, Shape, as_axes, check_shape
from .._draws.dtypes import DTYPES, field_of
from .._draws.streams import parse_path
from .._errors import RecipeError, integer, one_of
from .._json import SCHEMA_VERSION, as_list, read_document, record_from_data, record_to_data
from .._laws.joint import FIELDS, Field
from .._schemes.scheme import Scheme, as_scheme
from .._structure.declaration import HOW_KNOWN, UNKNOWN, Declaration, Known

LeftStatus: TypeAlias = Literal["frozen", "kept", "loaded", "skipped"]

LEFT_STATUSES: tuple[LeftStatus, ...] = get_args(LeftStatus)


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
        PReLU), "buffer", or a word of your own. Of "unknown", nobody knows what it is for: only a
        rule that names it draws it.
    fans_of : str or None
        Path of the weight whose fans a bias takes.
    tied_to : str or None
        Path of the parameter that it shares its storage with.
    status : {"frozen", "kept", "loaded", "skipped"} or None
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
    role : str or None
        What the model does with it: "query", "key", "value", "attention_output", "gate", "up",
        "down", "router" or "head"; joined by "+" for the blocks of a fused axis, as in
        "query+key+value"; and "residual_end", after a space, at the end of a residual branch.
    branches : int or None
        Of a weight that ends a residual branch: how many such branches the model has.
    known : {"declared", "layer", "computation"}, default "declared"
        Who says what it is for: the user, the type of a framework's layer, or what is computed
        with it.
    valued : bool, default True
        Whether it has values yet. On PyTorch's device "meta", and as a shape alone, it has none.

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
    role: str | None = None
    branches: int | None = None
    known: Known = "declared"
    valued: bool = True

    def __post_init__(self) -> None:
        parse_path(self.path)
        object.__setattr__(self, "shape", check_shape(self.shape))
        if self.axes is not None:
            object.__setattr__(self, "axes", as_axes(self.axes))
        if self.default is not None:
            object.__setattr__(self, "default", as_scheme(self.default, "default"))
        if self.status is not None:
            one_of("status", self.status, LEFT_STATUSES, RecipeError)
        if not isinstance(self.kind, str):
            raise RecipeError(f"`kind` must be a string, got {self.kind!r}")
        if self.tied_to is not None and self.status is not None:
            raise RecipeError(
                f"one of `tied_to` and `status` may be given, got both for {self.path!r}"
            )
        one_of("field", self.field, FIELDS, RecipeError)
        one_of("known", self.known, HOW_KNOWN, RecipeError)
        if self.branches is not None:
            integer("branches", self.branches, RecipeError, minimum=1)
        if self.role is not None and not isinstance(self.role, str):
            raise RecipeError(f"`role` must be a string, got {self.role!r}")
        if not isinstance(self.valued, bool):
            raise RecipeError(f"`valued` must be true or false, got {self.valued!r}")
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
    declared: Declaration | None,
    /,
    *,
    frozen: bool = False,
    layer: str = "",
    is_buffer: bool = False,
    valued: bool = True,
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
    declared : Declaration or None
        What its layer declares of it, if it does; `fans_of` and `norms_of` are paths from that
        layer.
    frozen : bool, default False
        Whether it is not trained, and so left as it is.
    layer : str, default ""
        Name of the type of that layer.
    is_buffer : bool, default False
        Whether the model keeps it without training it. A default is then for one without values.
    valued : bool, default True
        Whether it has values yet.

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

    declared = UNKNOWN if declared is None else declared
    is_buffer = is_buffer or declared.kind == "buffer"
    drawable = dtype in DTYPES
    return Parameter(
        join(name),
        shape,
        declared.axes,
        "buffer" if is_buffer else declared.kind,
        None if declared.fans_of is None else join(declared.fans_of),
        status="skipped" if not drawable else "frozen" if frozen else None,
        field=field_of(dtype),
        default=declared.default if drawable and not (is_buffer and valued) else None,
        padding=declared.padding,
        layer=layer,
        norms_of=None if declared.norms_of is None else join(declared.norms_of),
        norm_axes=declared.norm_axes,
        role=declared.role,
        known=declared.known,
        valued=valued,
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
