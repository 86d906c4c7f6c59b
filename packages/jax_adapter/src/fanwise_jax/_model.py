"""A whole model, as a pytree: planned from shapes and layers, then every array drawn once.

Longer than most modules, for the documentation of the four verbs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ._core import (
    DTYPES,
    UNKNOWN,
    AxesError,
    Declaration,
    Found,
    Ledger,
    Measured,
    Plan,
    Recipe,
    RecipeError,
    Scheme,
    Structure,
    annotate_errors,
    describe,
    measure_entries,
    measure_host,
    norms_in,
    prepare,
    warn_of_replaced,
)
from ._layers import look_up
from ._sharded import draw_sharded
from ._source import JaxSource, check_key, dtype_name
from ._trace import trace
from ._tree import Leaf, is_a, is_array, is_shape, open_tree

Tree = TypeVar("Tree")


def plan_model(
    model: Any,
    recipe: Recipe | Scheme,
    /,
    *,
    example: Any = None,
    apply: Callable[..., Any] | None = None,
    declarations: Mapping[str, Declaration] | None = None,
    loaded: Iterable[str] = (),
) -> Ledger:
    """Decide what `init_model` would do, from shapes alone.

    Parameters
    ----------
    model, recipe, example, apply, declarations, loaded
        As in `init_model`.

    Returns
    -------
    Ledger
        What would happen to each array.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_model`.

    Examples
    --------
    >>> import jax
    >>> from fanwise import Axes, Recipe, Rule, glorot_normal
    >>> from fanwise_jax import plan_model
    >>> shapes = {"kernel": jax.ShapeDtypeStruct((4, 8), "bfloat16")}
    >>> recipe = Recipe([Rule(glorot_normal(), match="kernel", axes=Axes("in out"))])
    >>> print(plan_model(shapes, recipe))
    path    shape   axes    known  fans    law     std
    kernel  (4, 8)  in out  rule   (4, 8)  normal  0.408248
    """
    leaves, _ = open_tree(model)
    return _prepare(model, leaves, recipe, example, apply, declarations, loaded)


def init_model(
    model: Tree,
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    key: jax.Array,
    example: Any = None,
    apply: Callable[..., Any] | None = None,
    declarations: Mapping[str, Declaration] | None = None,
    loaded: Iterable[str] = (),
) -> tuple[Tree, Ledger]:
    """Initialize the parameters of a model.

    The values of a parameter are a function of `key` and of its path in the tree.

    Parameters
    ----------
    model : pytree
        Arrays, or their shapes and dtypes as `jax.eval_shape` gives them: the variables of Flax
        linen, the parameters of Haiku, or modules of Flax nnx or Equinox. If a leaf was put on a
        device or a sharding, its array is put there. Collections of Flax linen other than
        "params", and what is no `nnx.Param` of a module of nnx, are buffers unless
        `declarations` say other.
    recipe : Recipe, Ledger or Scheme
        The rules; or what `plan_model` made of them; or one scheme for all weights and
        embeddings. Without a rule, biases start at 0 and the scales of norms at 1.
    key : jax.Array
        One key, typed or legacy.
    example : object, optional
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, or their shapes. What the model computes with each parameter then says
        what it is for: see `structure`.
    apply : callable, optional
        From the model and its arguments to what it returns, as `Module.apply` of Flax linen; by
        default, the model is called.
    declarations : mapping of str to Declaration, optional
        What parameters are, by path, for trees without layers in them: `trace_declarations` has
        it for Flax linen and Haiku; ``variables["params"]`` alone will do, whose paths, and so
        values, are without "params". By default, the types of the layers in `model` say it.
    loaded : iterable of str, default ()
        Paths of arrays that are loaded from a checkpoint and must be left alone.

    Returns
    -------
    model : pytree
        As `model`, with new arrays. Leaves that are no arrays, and leaves that the ledger leaves
        as they are, are the same. The shape of a buffer, such as a running mean, becomes an array
        of the default of its layer; the shape of a random stream of Flax nnx becomes a stream
        that is keyed by its path.
    ledger : Ledger
        What happened to each array. A variable that layers of Flax nnx share is drawn once.

    Raises
    ------
    RecipeError
        If rules and parameters do not fit each other, all faults in one error; a ledger is of
        another model; or a shape would be left without values, although it is not `loaded`.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the path of the parameter. Nothing is drawn before all checks.

    Examples
    --------
    >>> import equinox as eqx, jax
    >>> from fanwise import he_normal
    >>> from fanwise_jax import init_model
    >>> model = eqx.nn.MLP(4, 2, 8, depth=1, key=jax.random.key(0))
    >>> model, ledger = init_model(model, he_normal(), key=jax.random.key(1))
    >>> print(ledger)
    path             shape   axes    known  fans    law       std
    layers.0.weight  (8, 4)  out in  layer  (4, 8)  normal    0.707107
    layers.0.bias    (8)     out     layer          constant  = 0
    layers.1.weight  (2, 8)  out in  layer  (8, 2)  normal    0.5
    layers.1.bias    (2)     out     layer          constant  = 0
    """
    check_key(key)
    leaves, rebuild = open_tree(model)
    ledger = _prepare(model, leaves, recipe, example, apply, declarations, loaded)
    arrays = {leaf.path: leaf for leaf in leaves if is_array(leaf.value)}
    warn_of_replaced(ledger, lambda path: _flat(arrays[path].value))
    values: dict[str, Any] = _undrawn(key, arrays, ledger)
    for entry in ledger.entries:
        leaf = arrays[entry.path]
        if entry.plan is not None:
            with annotate_errors(entry.path):
                dtype, placed = dtype_name(leaf.value.dtype), _placed(leaf.value)
                values[entry.path] = draw_sharded(entry.plan, key, entry.stream, dtype, placed)
        elif entry.parameter.tied_to in values:
            values[entry.path] = values[entry.parameter.tied_to]
    for one in norms_in(ledger):
        like, weight = arrays[one.path].value, values.get(one.weight, arrays[one.weight].value)
        norms = _norms(weight, one.axes).reshape(one.shape).astype(like.dtype)
        values[one.path] = jax.device_put(norms, _placed(like))
    return rebuild([values.get(leaf.path, leaf.value) for leaf in leaves]), ledger


def measure_model(model: Any, ledger: Ledger, /) -> dict[str, Measured]:
    """Compare the mean and std of the parameters of a model with their laws.

    Parameters
    ----------
    model : pytree
        The model, as `init_model` returned it.
    ledger : Ledger
        What `init_model` returned with it.

    Returns
    -------
    dict of str to Measured
        For each parameter that the ledger has as initialized: mean, std, and how many of their
        standard errors they are off. ``ledger.table(measured)`` prints them.

    Raises
    ------
    RecipeError
        If the ledger is of another model.

    Examples
    --------
    >>> import jax
    >>> from fanwise import Recipe, Rule, normal
    >>> from fanwise_jax import init_model, measure_model
    >>> shapes = {"w": jax.ShapeDtypeStruct((256, 256), "float32")}
    >>> recipe = Recipe([Rule(normal(std=0.02), match="w")])
    >>> measured = measure_model(*init_model(shapes, recipe, key=jax.random.key(0)))
    >>> abs(measured["w"].std_z) < 4
    True
    """
    arrays = {leaf.path: leaf.value for leaf in open_tree(model)[0] if is_array(leaf.value)}
    return measure_entries(ledger, arrays, _measure_array)


def _measure_array(plan: Plan, array: jax.Array) -> Measured:
    host = np.asarray(array)
    return measure_host(plan, host, host.dtype.name)


def _norms(weight: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    magnitudes = jnp.abs(weight)
    wide = magnitudes.astype(jnp.promote_types(magnitudes.dtype, jnp.float32))
    return jnp.sqrt((wide**2).sum(axes))


def _undrawn(key: jax.Array, arrays: Mapping[str, Leaf], ledger: Ledger) -> dict[str, jax.Array]:
    """Values for what has a shape alone and is not drawn: random streams, counts and flags."""
    values: dict[str, jax.Array] = {}
    shapes = [
        entry
        for entry in ledger.entries
        if entry.status == "skipped" and entry.rule is None and is_shape(arrays[entry.path].value)
    ]
    starts = _starts_of_states(arrays.values()) if shapes else {}
    for entry in shapes:
        leaf = arrays[entry.path]
        start = starts.get(id(leaf.value))
        if is_a(leaf.variable, "flax", "RngCount"):
            values[entry.path] = jnp.zeros(leaf.value.shape, leaf.value.dtype)
        elif isinstance(start, int):
            values[entry.path] = jnp.full(leaf.value.shape, start, leaf.value.dtype)
        else:  # of random streams: others without values are errors
            values[entry.path] = _keys_like(leaf.value, JaxSource(key, entry.stream).key)
    return values


def _starts_of_states(leaves: Iterable[Leaf]) -> dict[int, Scheme | int]:
    """Where the layers of Equinox start their state, which lies apart from them, by leaf."""
    for leaf in leaves:
        if any(is_a(layer, "equinox", "State") for _, layer in leaf.layers):
            from ._equinox import starts_of_states  # a state of it is here, so it is too

            return starts_of_states(leaf.layers[0][1])
    return {}


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


def _prepare(
    model: Any,
    leaves: list[Leaf],
    recipe: Recipe | Ledger | Scheme,
    example: Any,
    apply: Callable[..., Any] | None,
    declarations: Mapping[str, Declaration] | None,
    loaded: Iterable[str],
) -> Ledger:
    found, unknown_variables = _all_found(leaves, declarations)
    computation = None
    if example is not None:
        computation = trace(model, example, apply, _paths(found))
    try:
        return prepare(found, recipe, loaded=loaded, computation=computation)
    except (AxesError, RecipeError) as error:
        if unknown_variables and computation is None:
            error.add_note(
                "variables do not know their layers: give an `example` with apply=module.apply, "
                "or declarations=trace_declarations(module, ...)"
            )
        raise


def _all_found(
    leaves: list[Leaf], declarations: Mapping[str, Declaration] | None
) -> tuple[list[Found], bool]:
    """Every array of a tree; and whether there are variables of linen that nobody knows."""
    arrays = [leaf for leaf in leaves if is_array(leaf.value)]
    if not arrays:
        raise RecipeError(
            "`model` must have arrays or their shapes in it, as jax.eval_shape gives, got none: "
            "the model comes first, then the recipe"
        )
    if not arrays[0].segments:
        raise RecipeError("`model` must have arrays in it, got an array: use init or initializer")
    given = _within_params(
        {} if declarations is None else declarations, {leaf.path for leaf in arrays}
    )
    is_variables = any(leaf.segments[0] == "params" for leaf in arrays)  # of Flax linen
    starts = _starts_of_states(arrays)
    found = []
    for leaf in arrays:
        with annotate_errors(leaf.path):
            found.append(_found(leaf, given, is_variables, starts))
    unknown = "unknown" in {one.parameter.kind for one in found}
    return found, is_variables and not given and unknown


def _paths(found: Iterable[Found]) -> dict[str, str]:
    """The parameters of a model that are no buffers, by path."""
    paths = [one.parameter.path for one in found if one.parameter.kind != "buffer"]
    return dict(zip(paths, paths, strict=True))


def structure(
    model: Any,
    example: Any,
    /,
    *,
    apply: Callable[..., Any] | None = None,
    declarations: Mapping[str, Declaration] | None = None,
) -> Structure:
    """Read what a model computes with each of its parameters.

    Parameters
    ----------
    model : pytree
        As in `init_model`; shapes will do.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, or their shapes.
    apply : callable, optional
        From the model and its arguments to what it returns, as `Module.apply` of Flax linen; by
        default, the model is called.
    declarations : mapping of str to Declaration, optional
        What parameters are, by path, where layers or users say so.

    Returns
    -------
    Structure
        Print it to see the axes, kind and role of each parameter; its `explain` has the
        operations from which they follow.

    Raises
    ------
    RecipeError
        If the model does not run on the example, or there is nothing to call.

    Notes
    -----
    The jaxpr of the call is read, and nothing is computed. Loops and calls are taken apart:
    `scan`, `while_loop`, `cond`, `jit`, `checkpoint`, `custom_jvp`, `custom_vjp`, `shard_map`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from fanwise_jax import structure
    >>> params = {"w": jnp.zeros((4, 8)), "b": jnp.zeros(8)}
    >>> print(structure(params, jnp.zeros((2, 4)), apply=lambda p, x: x @ p["w"] + p["b"]))
    path  shape   axes    kind    role  known
    b     (8)     out     bias          computation
    w     (4, 8)  in out  weight  head  computation
    """
    leaves, _ = open_tree(model)
    found, _ = _all_found(leaves, declarations)
    return Structure.of(
        [one.parameter for one in found], trace(model, example, apply, _paths(found))
    )


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


def _found(
    leaf: Leaf,
    declarations: Mapping[str, Declaration],
    is_variables: bool,
    starts: Mapping[int, Scheme | int],
) -> Found:
    *around, name = leaf.segments
    shape, dtype = tuple(leaf.value.shape), leaf.value.dtype
    given = declarations.get(leaf.path)
    declared = given or look_up(name, shape, leaf.layers)
    is_state = given is None and (
        _is_state(leaf, declared) or (is_variables and leaf.segments[0] != "params")
    )
    dtype_of = "" if jnp.issubdtype(dtype, jax.dtypes.extended) else jnp.dtype(dtype).name
    is_buffer = is_state or dtype_of not in DTYPES
    start = starts.get(id(leaf.value))
    if is_buffer and isinstance(start, Scheme):
        declared = replace(declared or UNKNOWN, default=(declared or UNKNOWN).default or start)
    parameter = describe(
        ".".join(around),
        name,
        shape,
        dtype_of,
        declared,
        layer=leaf.layer_name,
        is_buffer=is_buffer,
        valued=not is_shape(leaf.value) or isinstance(start, int) or _is_stream(leaf),
    )
    # A leaf that is of no variable is one of its own, even if its array is another's.
    storage = id(leaf if leaf.variable is None else leaf.variable)
    return Found(
        parameter,
        dtype_of if dtype_of not in DTYPES else dtype_name(dtype),
        storage,
        layer_shape=None if declared is None else declared.shape,
    )


def _is_stream(leaf: Leaf) -> bool:
    """Whether it is of a stream of random numbers, which `init_model` makes anew."""
    return any(is_a(leaf.variable, "flax", name) for name in ("RngCount", "RngKey"))


def _is_state(leaf: Leaf, declared: Declaration | None) -> bool:
    """Whether a model keeps it without training it, as far as its libraries say."""
    if leaf.variable is not None:
        return not is_a(leaf.variable, "flax", "Param")
    if any(is_a(layer, "equinox", "State") for _, layer in leaf.layers):
        return True
    return declared is None and any(is_a(layer, "flax.nnx", "Module") for _, layer in leaf.layers)


def _flat(value: Any) -> Any:
    """The numbers of an array, if it has some and one process has them."""
    if not isinstance(value, jax.Array) or isinstance(value, jax.core.Tracer):
        return None
    return value.reshape(-1) if value.is_fully_addressable else None


def _placed(value: Any) -> Any:
    """Where an array was put, or its shape says it should be; None if nobody said."""
    if isinstance(value, jax.core.Tracer):
        sharding = jax.typeof(value).sharding
        return sharding if sharding.mesh.explicit_axes else None
    said = value.committed if isinstance(value, jax.Array) else True
    return getattr(value, "sharding", None) if said else None
