"""What layers mean by the axes of their parameters: by type, never by rank.

The layers of Flax, Equinox and Haiku are known, and none of the three is imported before a layer of
it is seen.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ._core import (
    Axes,
    Declaration,
    Declarations,
    declarations_of,
    declared_in,
    layers,
    normal,
    ones,
    zeros,
)

Shape = tuple[int, ...]

BUFFER = Declaration(kind="buffer")
ZEROS = Declaration(kind="buffer", default=zeros())
ONES = Declaration(kind="buffer", default=ones())
SCALE = Declaration(layers.flax.norm(), "norm_scale")
SHIFT = Declaration(layers.flax.norm(), "norm_bias")
# Where the power iteration of spectral normalization starts; it is normalized at once.
VECTOR = Declaration(kind="buffer", default=normal(std=1.0))
# The second factor of LoRA: zero, so that nothing changes yet; a rule must name its kind.
LORA_B = Declaration(kind="lora_b", default=zeros())

LIBRARIES = {"equinox": "_equinox", "flax": "_flax", "haiku": "_haiku"}
_known: set[str] = set()


@functools.singledispatch
def declare(layer: Any, /) -> Declarations:
    """Declare what a layer's parameters are, by their names.

    Parameters
    ----------
    layer : object
        The layer, of a type whose base may be the registered one.

    Returns
    -------
    mapping of str to Declaration, or to a function from a shape to one
        By name; ``"inner.kernel"`` is the parameter of a layer within, which it then declares
        instead of that layer. What is not declared is "unknown". A subclass that computes
        something else, by a `__call__` of its own, is another type. A parameter of more axes
        than are declared is stacked along the first of them, as by `vmap` and `scan`.

    Examples
    --------
    A layer of another type is declared by registering a function for it; the type may be a Flax,
    Equinox or Haiku module, or any node of a pytree:

    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> from fanwise import Axes, Declaration
    >>> from fanwise_jax import declare
    >>> class Experts(eqx.Module):
    ...     weight: jax.Array
    >>> _ = declare.register(Experts, lambda layer: {"weight": Declaration(Axes("stack out in"))})
    >>> declare(Experts(jnp.empty((8, 256, 64))))["weight"].axes
    Axes('stack out in')
    """
    found = False
    for base in type(layer).__mro__:
        library = base.__module__.partition(".")[0]
        if library in LIBRARIES and library not in _known:
            _known.add(library)
            importlib.import_module(f".{LIBRARIES[library]}", __package__)
            found = True
    return declare(layer) if found else {}


def bias(of: str, axes: Axes | None = None) -> Declaration:
    """A bias of the axes, one by default, and with the fans of a weight of its layer."""
    return Declaration(layers.flax.bias() if axes is None else axes, "bias", fans_of=of)


def scale_of_norm(shape: Shape) -> Declaration:
    """The scale of a norm, of any rank."""
    return Declaration(layers.flax.norm(len(shape)), "norm_scale")


def bias_of_norm(shape: Shape) -> Declaration:
    """The bias of a norm, of any rank."""
    return Declaration(layers.flax.norm(len(shape)), "norm_bias")


def sized(declared: Declaration, own: Sequence[int]) -> Callable[[Shape], Declaration]:
    """What a layer declares of a parameter whose shape it knows: other axes are those of stacks.

    If they may be one or another, there are no axes: to guess would be worse.
    """

    def of_shape(shape: Shape) -> Declaration:
        places, axes = stacks(tuple(own), shape), declared.axes
        if not places:
            return replace(declared, shape=tuple(own))  # which is an error
        if axes is None or len(places) != 1:
            return replace(declared, axes=None)
        return replace(declared, axes=with_stacks(axes, places[0], len(shape)))

    return of_shape


def stacks(own: Shape, shape: Shape) -> list[tuple[int, ...]]:
    """Which axes a transform may have added to a shape: more than one choice if sizes are equal."""
    axes = range(len(shape))
    return [
        added
        for added in itertools.combinations(axes, max(0, len(shape) - len(own)))
        if tuple(shape[i] for i in axes if i not in added) == own
    ]


def with_stacks(axes: Axes, places: Collection[int], rank: int) -> Axes:
    """Axes with those of stacks added at their places."""
    own = iter(axes.roles)
    return replace(axes, roles=tuple("stack" if i in places else next(own) for i in range(rank)))


def layers_around(
    path: Sequence[str], name: str, modules: Mapping[tuple[str, ...], Any]
) -> list[tuple[str, Any]]:
    """The modules on the path to a parameter, outermost first, each with its path in it."""
    return [
        (".".join((*path[depth:], name)), modules[tuple(path[:depth])])
        for depth in range(len(path) + 1)
        if tuple(path[:depth]) in modules
    ]


def look_up(
    name: str,
    shape: Shape,
    around: list[tuple[str, Any]],
    stacked: Collection[int] | None = (),
) -> Declaration | None:
    """What the outermost layer that knows a parameter declares of it, if one does.

    Parameters
    ----------
    name : str
        The parameter's own name.
    shape : tuple of int
        Its shape.
    around : list of (str, layer)
        The layers around it, outermost first, each with the parameter's path in it.
    stacked : collection of int or None, default ()
        Which axes were added to those that its layer declares; the first ones by default, and
        with None it is not known.

    Returns
    -------
    Declaration or None
        With the name of the weight whose fans it takes relative to that layer.
    """
    own = tuple(n for i, n in enumerate(shape) if i not in (stacked or ()))
    for path, layer in around:
        declarations, known = declarations_of(layer, declare, ("__call__",), tuple(LIBRARIES))
        declared = declared_in(declarations, path, own, owner=type(layer).__name__, known=known)
        if declared is None:
            continue
        if declared.fans_of is not None:  # from the declaring layer to the parameter's own
            within = path.removesuffix(name)
            declared = replace(declared, fans_of=declared.fans_of.removeprefix(within))
        if declared.norms_of is not None:  # likewise, and out of it where it is within
            within = path.removesuffix(name)
            declared = replace(declared, norms_of="." * within.count(".") + declared.norms_of)
        axes = declared.axes
        added = 0 if axes is None else len(shape) - len(axes.roles)
        if axes is None or added <= 0:
            return declared
        if stacked is None:
            return replace(declared, axes=None, shape=None)
        places = stacked if len(stacked) == added else range(added)
        sizes = None
        if declared.shape is not None:
            inner = iter(declared.shape)
            sizes = tuple(None if i in places else next(inner) for i in range(len(shape)))
        return replace(declared, axes=with_stacks(axes, places, len(shape)), shape=sizes)
    return None
