"""A whole model, as a pytree: planned from shapes and layer types, then every array drawn once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ._array import draw_sharded
from ._core import (
    DTYPES,
    Declaration,
    Ledger,
    Parameter,
    Recipe,
    RecipeError,
    check_loaded,
    noting_parameter,
    plan_model,
    tie,
)
from ._layers import look_up
from ._source import JaxSource, check_key, dtype_name

Tree = TypeVar("Tree")


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
        return next((layer for _, layer in self.layers if _is_a(layer, "flax", "Variable")), None)


def init_params(
    recipe: Recipe | Ledger,
    tree: Tree,
    /,
    key: jax.Array,
    *,
    declarations: Mapping[str, Declaration] | None = None,
    loaded: Iterable[str] = (),
) -> tuple[Tree, Ledger]:
    """Initialize the parameters of a model.

    The values of a parameter are a function of `key` and of its path in the tree.

    Parameters
    ----------
    recipe : Recipe or Ledger
        The rules; or what `plan_params` made of them.
    tree : pytree
        Arrays, or their shapes and dtypes as `jax.eval_shape` gives them: the variables of Flax
        linen, the parameters of Haiku, or modules of Flax nnx or Equinox. A device or a sharding
        that a leaf was put on, its array is put on. Collections of Flax linen other than "params",
        and what is no `nnx.Param` of a module of nnx, are buffers unless `declarations` say other.
    key : jax.Array
        One key, typed or legacy.
    declarations : mapping of str to Declaration, optional
        What parameters are, by path, for trees without layers in them: `trace_declarations` has
        it for Flax linen and Haiku; ``variables["params"]`` alone will do, whose paths, and so
        values, are without "params". By default, the types of the layers in `tree` say it.
    loaded : iterable of str, default ()
        Paths of arrays that are loaded from a checkpoint and must be left alone.

    Returns
    -------
    tree : pytree
        As `tree`, with new arrays. Leaves that are no arrays, and those that the ledger leaves
        as they are, are the same. Of a buffer's shape, as of a running mean, an array of its
        layer's default is made; of a random stream's of Flax nnx, one that is keyed by its path.
    ledger : Ledger
        What happened to each array. A variable that layers of Flax nnx share is drawn once.

    Raises
    ------
    RecipeError
        If rules and parameters do not fit each other, all faults in one error; a ledger is
        another model's; or a shape would be left without values, although it is not `loaded`.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the parameter's path in the notes. Nothing is drawn before all checks.

    Examples
    --------
    >>> model = eqx.nn.MLP(4, 2, 8, depth=1, key=jax.random.key(0))
    >>> recipe = Recipe((Rule(scheme=zeros(), kind="bias"), Rule(scheme=he_normal())))
    >>> model, ledger = init_params(recipe, model, jax.random.key(1))
    >>> print(ledger)
    path             shape   axes    fans    law       std
    layers.0.weight  (8, 4)  out in  (4, 8)  normal    0.707107
    layers.0.bias    (8)     out     (4, 8)  constant  = 0
    layers.1.weight  (2, 8)  out in  (8, 2)  normal    0.5
    layers.1.bias    (2)     out     (8, 2)  constant  = 0
    """
    check_key(key)
    leaves, rebuild = _open(tree)
    ledger = _plan(recipe, leaves, declarations, loaded)
    arrays = {leaf.path: leaf for leaf in leaves if is_array(leaf.value)}
    values: dict[str, Any] = _random_streams(key, arrays, ledger)
    for entry in ledger.entries:
        leaf = arrays[entry.path]
        if entry.plan is not None:
            with noting_parameter(entry.path):
                dtype, placed = dtype_name(leaf.value.dtype), _placed(leaf.value)
                values[entry.path] = draw_sharded(entry.plan, key, entry.stream, dtype, placed)
        elif entry.parameter.tied_to in values:
            values[entry.path] = values[entry.parameter.tied_to]
    return rebuild([values.get(leaf.path, leaf.value) for leaf in leaves]), ledger


def _random_streams(
    key: jax.Array, arrays: Mapping[str, Leaf], ledger: Ledger
) -> dict[str, jax.Array]:
    """Values for what nothing is drawn for, but has a shape alone: random streams of Flax nnx."""
    values: dict[str, jax.Array] = {}
    for entry in ledger.entries:
        leaf = arrays[entry.path]
        if entry.status != "skipped" or entry.rule is not None or not _is_shape(leaf.value):
            continue
        if _is_a(leaf.variable, "flax", "RngCount"):
            values[entry.path] = jnp.zeros(leaf.value.shape, leaf.value.dtype)
        elif _is_a(leaf.variable, "flax", "RngKey"):
            values[entry.path] = _keys_like(leaf.value, JaxSource(key, entry.stream).key)
        else:
            raise RecipeError(
                f"`tree` must have values where nothing is drawn, got the shape alone "
                f"of {entry.path!r}: name it in `loaded`, or give a rule of kind 'buffer'"
            )
    return values


def _keys_like(like: Any, key: jax.Array) -> jax.Array:
    """Keys of the shape and implementation of others, whatever the one that they are made of."""
    impl = []

    def data(keys: Any) -> jax.Array:
        impl.append(jax.random.key_impl(keys))
        return jax.random.key_data(keys)

    words = jax.eval_shape(data, like)
    bits = jax.random.bits(key, words.shape, words.dtype)
    keys: jax.Array = jax.random.wrap_key_data(bits, impl=impl[0])
    return keys


def plan_params(
    recipe: Recipe,
    tree: Any,
    /,
    *,
    declarations: Mapping[str, Declaration] | None = None,
    loaded: Iterable[str] = (),
) -> Ledger:
    """Decide what `init_params` would do, from shapes alone.

    Parameters
    ----------
    recipe, tree, declarations, loaded
        As in `init_params`.

    Returns
    -------
    Ledger
        What would happen to each array.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_params`.

    Examples
    --------
    >>> tree = {"kernel": jax.ShapeDtypeStruct((4, 8), jnp.bfloat16)}
    >>> recipe = Recipe((Rule(scheme=glorot_normal(), axes=Axes("in out")),))
    >>> print(plan_params(recipe, tree))
    path    shape   axes    fans    law     std
    kernel  (4, 8)  in out  (4, 8)  normal  0.408248
    """
    leaves, _ = _open(tree)
    return _plan(recipe, leaves, declarations, loaded)


def _plan(
    recipe: Recipe | Ledger,
    leaves: list[Leaf],
    declarations: Mapping[str, Declaration] | None,
    loaded: Iterable[str],
) -> Ledger:
    arrays = [leaf for leaf in leaves if is_array(leaf.value)]
    if not arrays:
        raise RecipeError(
            "`tree` must have arrays or their shapes in it, as jax.eval_shape gives, got none"
        )
    if not arrays[0].segments:
        raise RecipeError("`tree` must have arrays in it, got an array: use initializer")
    paths = {leaf.path for leaf in arrays}
    given = _within_params({} if declarations is None else declarations, paths)
    names = check_loaded(loaded, paths)
    is_variables = any(leaf.segments[0] == "params" for leaf in arrays)  # of Flax linen
    parameters = []
    for leaf in arrays:
        with noting_parameter(leaf.path):
            parameter = _parameter(leaf, given, is_variables)
        if leaf.path in names:
            parameter = replace(parameter, left_as="loaded")
        parameters.append(parameter)
    # A leaf that is of no variable is one of its own, even if its array is another's.
    parameters = tie(parameters, [id(a if a.variable is None else a.variable) for a in arrays])
    if isinstance(recipe, Ledger):
        ledger = recipe
        ledger.check_model(parameters)
    else:
        ledger = plan_model(recipe, parameters)
    ledger.check_draws(
        {
            leaf.path: dtype_name(leaf.value.dtype)
            for leaf, entry in zip(arrays, ledger.entries, strict=True)
            if entry.plan is not None
        }
    )
    return ledger


def _within_params(declarations: Any, paths: set[str]) -> Mapping[str, Declaration]:
    """Declarations, or those of linen's collection "params" alone, if that is what the tree is."""
    if not isinstance(declarations, Mapping):
        raise RecipeError(f"`declarations` must be a mapping by path, got {declarations!r}")
    for path, declared in declarations.items():
        if not hasattr(declared, "fans_of"):
            raise RecipeError(f"`declarations` must be Declarations, got {declared!r} for {path!r}")
    inside = {
        path.removeprefix("params."): declared
        for path, declared in declarations.items()
        if path.startswith("params.")
    }
    if paths <= set(inside):
        return inside
    unknown = sorted(map(str, set(declarations) - paths))
    if unknown:
        raise RecipeError(f"`declarations` must be of arrays of the tree, got {unknown}")
    return declarations


def _parameter(
    leaf: Leaf, declarations: Mapping[str, Declaration], is_variables: bool
) -> Parameter:
    *around, name = leaf.segments
    shape, dtype = tuple(leaf.value.shape), leaf.value.dtype
    given = declarations.get(leaf.path)
    declared = given or look_up(name, shape, leaf.layers)
    is_state = given is None and (
        _is_state(leaf, declared) or (is_variables and leaf.segments[0] != "params")
    )
    known = declared or Declaration.of_name(name)
    drawable = not jnp.issubdtype(dtype, jax.dtypes.extended) and dtype.name in DTYPES
    kind = known.kind if drawable and not is_state else "buffer"
    # A parameter that its layer starts from a value of its own, as LoRA's second, always does.
    starts = _is_shape(leaf.value) or _is_a(leaf.variable, "flax", "Param")
    return Parameter(
        leaf.path,
        shape,
        known.axes,
        kind,
        known.fans_of and ".".join((*around, known.fans_of)),
        left_as=None if drawable else "skipped",
        field="complex" if jnp.issubdtype(dtype, jnp.complexfloating) else "real",
        default=known.default if kind == "buffer" and starts else None,
    )


def _is_state(leaf: Leaf, declared: Declaration | None) -> bool:
    """Whether a model keeps it without training it, as far as its libraries say."""
    if leaf.variable is not None:
        return not _is_a(leaf.variable, "flax", "Param")
    if any(_is_a(layer, "equinox", "State") for _, layer in leaf.layers):
        return True
    return declared is None and any(_is_a(layer, "flax.nnx", "Module") for _, layer in leaf.layers)


def _placed(value: Any) -> Any:
    """Where an array was put, or its shape says it should be; None if nobody said."""
    if isinstance(value, jax.core.Tracer):
        sharding = jax.typeof(value).sharding
        return sharding if sharding.mesh.explicit_axes else None
    said = value.committed if isinstance(value, jax.Array) else True
    return getattr(value, "sharding", None) if said else None


def is_array(value: Any) -> bool:
    """Whether it is an array or a shape; a scalar of NumPy is a number, as one of Python."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic)


def _is_shape(value: Any) -> bool:
    return isinstance(value, jax.ShapeDtypeStruct)


def _open(tree: Any) -> tuple[list[Leaf], Callable[[list[Any]], Any]]:
    """The leaves of a tree, and how to make one of new leaves."""
    leaves = list(walk(tree))
    if all(leaf.variable is None for leaf in leaves):
        structure = jax.tree_util.tree_structure(tree)
        return leaves, lambda values: jax.tree_util.tree_unflatten(structure, values)

    from flax import nnx  # a variable of it is here, so it is too

    definition, state = nnx.split(tree)  # what layers share is there once, and stays shared

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
    boxed = _is_a(node, "flax", "Variable") or _is_a(node, "flax", "AxisMetadata")
    around = (*around, (len(segments), node))
    for (step,), child in children:
        yield from walk(child, segments if boxed else (*segments, _segment(step)), around)


def abstract_init(init: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What `init` returns for a key and arguments, of which only the arrays are traced."""
    leaves, structure = jax.tree_util.tree_flatten((args, kwargs))

    def call(key: jax.Array, arrays: list[Any]) -> Any:
        given = iter(arrays)
        filled = [next(given) if is_array(leaf) else leaf for leaf in leaves]
        positional, named = jax.tree_util.tree_unflatten(structure, filled)
        return init(key, *positional, **named)

    return jax.eval_shape(call, jax.random.key(0), [leaf for leaf in leaves if is_array(leaf)])


def _segment(step: Any) -> str:
    """A step of a path as text, whichever kind of node it is within."""
    for attribute in ("key", "idx", "name"):
        if hasattr(step, attribute):
            return str(getattr(step, attribute))
    return str(step)


def _is_a(node: Any, library: str, name: str) -> bool:
    """Whether a node is of a class of a library, which need not be installed."""
    return any(
        base.__name__ == name and f"{base.__module__}.".startswith(f"{library}.")
        for base in type(node).__mro__
    )
