"""Pytrees: their leaves, each with its path and the layers around it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ._core import RecipeError


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of a pytree, where it is, and the nodes around it with its path in each."""

    segments: tuple[str, ...]
    value: Any
    layers: list[tuple[str, Any]]

    @property
    def path(self) -> str:
        """Its name in the model."""
        return ".".join(self.segments)

    @property
    def variable(self) -> Any:
        """The Flax nnx variable that it is the value of, which layers may share."""
        return next((layer for _, layer in self.layers if is_a(layer, "flax", "Variable")), None)

    @property
    def layer_name(self) -> str:
        """The name of the type of the layer that has it; empty in a tree without layers."""
        for _, layer in reversed(self.layers):
            if any(is_a(layer, *kind) for kind in _LAYERS):
                return type(layer).__name__
        return ""


_LAYERS = (("flax.nnx", "Module"), ("equinox", "Module"))


def is_array(value: Any) -> bool:
    """Whether it is an array or a shape; a scalar of NumPy is a number, as one of Python."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic)


def is_shape(value: Any) -> bool:
    """Whether it is a shape without values."""
    return isinstance(value, jax.ShapeDtypeStruct)


def open_tree(tree: Any) -> tuple[list[Leaf], Callable[[list[Any]], Any]]:
    """The leaves of a tree, and how to make one of new leaves."""
    leaves = list(walk(tree))
    if all(leaf.variable is None for leaf in leaves):
        structure = jax.tree_util.tree_structure(tree)
        return leaves, lambda values: jax.tree_util.tree_unflatten(structure, values)

    from flax import nnx  # a variable of it is here, so it is too

    definition, state = nnx.split(tree)  # what layers share is there once, and stays shared
    kept = {leaf.path for leaf in walk(state)}
    fixed = [leaf.path for leaf in leaves if is_shape(leaf.value) and leaf.variable is None]
    if unfilled := [path for path in fixed if path not in kept]:
        raise RecipeError(
            f"`model` must have every shape in a variable of nnx, or a value for it, as nothing "
            f"else can be filled in, got {unfilled}"
        )

    def rebuild(values: list[Any]) -> Any:
        by_path = {leaf.path: value for leaf, value in zip(leaves, values, strict=True)}
        new = [by_path[leaf.path] for leaf in walk(state)]
        structure = jax.tree_util.tree_structure(state)
        return nnx.merge(definition, jax.tree_util.tree_unflatten(structure, new))

    return leaves, rebuild


def walk(
    node: Any, segments: tuple[str, ...] = (), around: tuple[tuple[int, Any], ...] = ()
) -> Iterator[Leaf]:
    """The leaves below a node, in their order."""
    if any(node is outer for _, outer in around):  # a module of nnx may know those around it
        return
    seen = itertools.count()  # one level: the node itself is asked for first
    children = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda _: next(seen) > 0)[0]
    if len(children) == 1 and not children[0][0]:
        layers = [(".".join(segments[depth:]), layer) for depth, layer in around]
        yield Leaf(segments, node, layers)
        return
    # Flax keeps an array in a box of one place, which is no step of the path.
    boxed = is_a(node, "flax", "Variable") or is_a(node, "flax", "AxisMetadata")
    around = (*around, (len(segments), node))
    for (step,), child in children:
        yield from walk(child, segments if boxed else (*segments, _segment(step)), around)


def abstract_init(
    init: Callable[..., Any], args: Any, kwargs: Any, look: Callable[[Any], None]
) -> None:
    """Trace `init` for a key and arguments, and look at what it returns while it is traced.

    What is kept of it must not outlive the trace: `jax.checking_leaks` sees that.
    """
    leaves, structure = jax.tree_util.tree_flatten((args, kwargs))

    def call(key: jax.Array, arrays: list[Any]) -> Any:
        given = iter(arrays)
        filled = [next(given) if is_array(leaf) else leaf for leaf in leaves]
        positional, named = jax.tree_util.tree_unflatten(structure, filled)
        found = init(key, *positional, **named)
        look(found)
        return found

    jax.eval_shape(call, jax.random.key(0), [leaf for leaf in leaves if is_array(leaf)])


def _segment(step: Any) -> str:
    """A step of a path as text, whichever kind of node it is within."""
    for attribute in ("key", "idx", "name"):
        if hasattr(step, attribute):
            return str(getattr(step, attribute))
    return str(step)


def is_a(node: Any, library: str, name: str) -> bool:
    """Whether a node is of a class of a library, which need not be installed."""
    return any(
        base.__name__ == name and f"{base.__module__}.".startswith(f"{library}.")
        for base in type(node).__mro__
    )
