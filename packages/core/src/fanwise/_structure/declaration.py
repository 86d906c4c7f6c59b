"""Declarations: what a type of layer says of its parameters (spec: recipes/5, recipes/12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from .._axes import Axes, Shape
from .._errors import RecipeError
from .._schemes.scheme import Scheme

Known: TypeAlias = Literal["declared", "layer", "computation"]

HOW_KNOWN: tuple[Known, ...] = get_args(Known)


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
    role : str or None
        What the layer does with it, as in `Parameter`.
    shape : tuple of int or None, or None
        The shape that the layer's own sizes say it has, None for an axis that they say nothing
        of. Another shape is an error.
    known : {"declared", "layer", "computation"}, default "declared"
        Who says so: the user, the type of a framework's layer, or what is computed with it.

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
    role: str | None = None
    shape: tuple[int | None, ...] | None = None
    known: Known = "declared"


Declared: TypeAlias = Declaration | Callable[[Shape], Declaration]
Declarations: TypeAlias = Mapping[str, Declared]

# Of what neither a declaration nor a known layer says anything: only a rule that names it draws it.
UNKNOWN = Declaration(kind="unknown")


def declarations_of(
    layer: Any,
    declare: Any,
    methods: Sequence[str],
    frameworks: Sequence[str],
    /,
    root: type = object,
) -> tuple[Declarations, Known]:
    """Return what a layer declares, unless it computes something else than the declared type.

    Parameters
    ----------
    layer : object
        The layer.
    declare : callable
        A `functools.singledispatch` function from layers to declarations.
    methods : sequence of str
        The methods that compute, such as "forward".
    frameworks : sequence of str
        Names of the packages whose own layers `declare` knows.
    root : type, default object
        The framework's base of all layers, which computes nothing.

    Returns
    -------
    declarations : mapping of str to Declaration, or to a function from a shape to one
        Empty for a subclass with a computation of its own, which is another type of layer.
    known : {"declared", "layer"}
        "layer" if the type that is registered is a framework's own.

    Examples
    --------
    >>> import functools
    >>> from fanwise import Declaration
    >>> from fanwise.adapting import declarations_of
    >>> class Norm:
    ...     def forward(self, x): return x * self.scale
    >>> class ZeroCentred(Norm):
    ...     def forward(self, x): return x * (1 + self.scale)
    >>> declare = functools.singledispatch(lambda layer: {})
    >>> _ = declare.register(Norm, lambda layer: {"scale": Declaration(kind="norm_scale")})
    >>> declarations_of(Norm(), declare, ["forward"], ["torch"])[1]
    'declared'
    >>> declarations_of(ZeroCentred(), declare, ["forward"], ["torch"])[0]
    {}
    """
    bases = type(layer).__mro__

    def is_own(base: type) -> bool:
        return base.__module__.partition(".")[0] in frameworks

    declarations = declare(layer)  # first: it may import what knows the layer
    registered = next(base for base in bases if base in declare.registry)
    known: Known = "layer" if is_own(registered) else "declared"
    if not isinstance(declarations, Mapping):
        raise RecipeError(
            f"`declare` must return a mapping for {type(layer).__name__}, got {declarations!r}"
        )
    # A framework registers bases, such as that of all convolutions, which compute nothing.
    reference = next(filter(is_own, bases)) if known == "layer" else registered
    for method in methods:
        defines = [base for base in bases if method in vars(base)]
        expected = [base for base in reference.__mro__ if method in vars(base)]
        if known == "declared" and (not expected or expected[0] in root.__mro__):
            continue  # the registered type leaves the computation to its subclasses
        if defines[:1] != expected[:1]:
            return {}, known
    return declarations, known


def declared_in(
    declarations: Any, name: str, shape: Shape, /, owner: str, known: Known = "declared"
) -> Declaration | None:
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
    known : {"declared", "layer"}, default "declared"
        Who declares it, as `declarations_of` says.

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
    declared: Any = declarations.get(name)
    if callable(declared):
        declared = declared(shape)
    if declared is not None and not hasattr(declared, "fans_of"):
        raise RecipeError(
            f"`declare` must return Declarations for {owner}, got {declared!r} for {name!r}"
        )
    if known == "layer" and declared is not None and declared.known == "declared":
        declared = replace(declared, known=known)
    found: Declaration | None = declared
    return found
