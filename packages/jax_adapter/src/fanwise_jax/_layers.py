"""What layers mean by the axes of their parameters: by type, never by rank.

The layers of Flax, Equinox and Haiku are known, and none of the three is imported before a layer of
it is seen.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ._core import Axes, Declaration, ones, zeros

Shape = tuple[int, ...]
Declarations = Mapping[str, Declaration | Callable[[Shape], Declaration]]

BUFFER = Declaration(kind="buffer")
MEAN = Declaration(kind="buffer", default=zeros())
VARIANCE = Declaration(kind="buffer", default=ones())

_LIBRARIES = {"equinox": "_equinox", "flax": "_flax", "haiku": "_haiku"}
_known: set[str] = set()


@functools.singledispatch
def declare(layer: Any, /) -> Declarations:
    """Declare what a layer's parameters are, by their names.

    A layer of another type is declared by registering a function for it; the type may be a Flax,
    Equinox or Haiku module, or any node of a pytree:

    >>> class Experts(eqx.Module):
    ...     weight: jax.Array
    >>> _ = declare.register(Experts, lambda layer: {"weight": Declaration(Axes("stack out in"))})
    >>> declare(Experts(jnp.empty((8, 256, 64))))["weight"].axes
    Axes('stack out in')

    Parameters
    ----------
    layer : object
        The layer, of a type whose base may be the registered one.

    Returns
    -------
    mapping of str to Declaration, or to a function from a shape to one
        By name; ``"inner.kernel"`` is the parameter of a layer within, which it then declares
        instead of that layer. What is not declared has no axes, and is a "bias" if its name ends
        so, else a "weight". A parameter of more axes than are declared is stacked along the first
        of them, as by `vmap` and `scan`.
    """
    found = False
    for base in type(layer).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES and library not in _known:
            _known.add(library)
            importlib.import_module(f".{_LIBRARIES[library]}", __package__)
            found = True
    return declare(layer) if found else {}


def bias(of: str, axes: Axes | None = None) -> Declaration:
    """A bias of the axes, one by default, and with the fans of a weight of its layer."""
    return Declaration(Axes("out") if axes is None else axes, "bias", fans_of=of)


def repeat(role: str, count: int) -> str:
    """Roles of as many axes, all the same."""
    return " ".join([role] * count)


def scale_of_norm(shape: Shape) -> Declaration:
    """The scale of a norm, of any rank."""
    return Declaration(Axes(repeat("out", len(shape))), "norm")


def bias_of_norm(shape: Shape) -> Declaration:
    """The bias of a norm, of any rank."""
    return Declaration(Axes(repeat("out", len(shape))), "bias")


def look_up(
    name: str, shape: Shape, layers: list[tuple[str, Any]], stacked: Sequence[int] = ()
) -> Declaration:
    """What the outermost layer that knows a parameter declares of it.

    Parameters
    ----------
    name : str
        The parameter's own name.
    shape : tuple of int
        Its shape.
    layers : list of (str, layer)
        The layers around it, outermost first, each with the parameter's path in it.
    stacked : sequence of int, default ()
        Which axes were added to those that its layer declares; the first ones by default.

    Returns
    -------
    Declaration
        With the name of the weight whose fans it takes relative to that layer.
    """
    for path, layer in layers:
        declared = declare(layer).get(path)
        if declared is None:
            continue
        if callable(declared):
            declared = declared(shape)
        if declared.fans_of is not None:  # from the declaring layer to the parameter's own
            within = path.removesuffix(name)
            declared = replace(declared, fans_of=declared.fans_of.removeprefix(within))
        axes = declared.axes
        if axes is None or len(axes.roles) >= len(shape):
            return declared
        added = len(shape) - len(axes.roles)
        places = stacked if len(stacked) == added else range(added)
        own = iter(axes.roles)
        roles = tuple("stack" if i in places else next(own) for i in range(len(shape)))
        return replace(declared, axes=replace(axes, roles=roles))
    return Declaration.of_name(name)
