"""A whole Keras model: planned from its layers, then each variable assigned once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ._core import (
    DTYPES,
    Found,
    Ledger,
    Measured,
    Plan,
    Recipe,
    Scheme,
    SourceError,
    Structure,
    annotate_errors,
    check_seed,
    declarations_of,
    declared_in,
    describe,
    draw,
    measure_entries,
    measure_host,
    norms_in,
    prepare,
    warn_of_replaced,
)
from ._layers import declare
from ._private import Merge, layers_within, to_snake_case, was_run
from ._source import TfSource, dtype_name, unconverted
from ._tensor import check_backend
from ._trace import trace


@dataclass(frozen=True, slots=True)
class Target:
    """A variable of a model, under one of its names."""

    found: Found
    variable: Any


def plan_model(
    model: Any,
    recipe: Recipe | Scheme,
    /,
    *,
    example: Any = None,
    loaded: Iterable[str] = (),
    restart_statistics: bool = False,
) -> Ledger:
    """Decide what `init_model_` would do, from shapes alone.

    Parameters
    ----------
    model, recipe, example, loaded, restart_statistics
        As in `init_model_`.

    Returns
    -------
    Ledger
        What would happen to each variable.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_model_`.

    Examples
    --------
    >>> import keras
    >>> from fanwise import glorot_uniform
    >>> from fanwise_tf import init_model_, plan_model
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, use_bias=False)])
    >>> ledger = plan_model(model, glorot_uniform())
    >>> ledger == init_model_(model, ledger, seed=0)
    True
    """
    _, ledger = _prepare(model, recipe, example, loaded, restart_statistics)
    return ledger


@unconverted
def init_model_(
    model: Any,
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    seed: int,
    example: Any = None,
    loaded: Iterable[str] = (),
    restart_statistics: bool = False,
) -> Ledger:
    """Initialize the variables of a Keras model in place.

    The values of a variable are a function of `seed` and of its path in the model.

    Parameters
    ----------
    model : keras.Layer or keras.Model
        The model, built.
    recipe : Recipe, Ledger or Scheme
        The rules; or what `plan_model` made of them; or one scheme for all weights and
        embeddings. Without a rule, biases start at 0 and the scales of norms at 1.
    seed : int
        From 0 up to 2**64 - 1.
    example : object, optional
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, tensors or instances of `tf.TensorSpec`. What the model computes with
        each variable then says what it is for: see `structure`. Without it, the types of the
        layers do.
    loaded : iterable of str, default ()
        Paths of variables that are loaded from a checkpoint and must be left alone.
    restart_statistics : bool, default False
        Whether the moving averages of norms start anew: means at 0, variances at 1. By default
        they are left as they are.

    Returns
    -------
    Ledger
        What happened to each variable. A variable that layers share is drawn once; variables of
        layers that are not trainable are frozen and left as they are.

    Raises
    ------
    RecipeError
        If rules and variables do not fit each other, all faults in one error; or a ledger is of
        another model.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the path of the variable. Nothing is assigned before all checks.

    Notes
    -----
    A path is made of the names of the layers. A name that Keras gives, such as ``dense_3``,
    becomes the type and a count within the layer around, such as ``Dense_0``: the count of Keras
    depends on what was built before. The type of a layer says the roles of the axes; see
    `declare`. The second factor of LoRA is zero unless a rule is of kind "lora_b".

    Examples
    --------
    >>> import keras
    >>> from fanwise import he_normal
    >>> from fanwise_tf import init_model_
    >>> layers = [keras.layers.Dense(8), keras.layers.Dense(2)]
    >>> model = keras.Sequential([keras.Input((4,)), *layers])
    >>> print(init_model_(model, he_normal(), seed=0))
    path            shape   axes    known  fans    law       std
    Dense_0.kernel  (4, 8)  in out  layer  (4, 8)  normal    0.707107
    Dense_0.bias    (8)     out     layer          constant  = 0
    Dense_1.kernel  (8, 2)  in out  layer  (8, 2)  normal    0.5
    Dense_1.bias    (2)     out     layer          constant  = 0
    """
    seed = check_seed(seed)
    targets, ledger = _prepare(model, recipe, example, loaded, restart_statistics)
    variables = {target.found.parameter.path: target.variable for target in targets}
    warn_of_replaced(ledger, lambda path: np.asarray(variables[path].numpy()).reshape(-1))
    for target, entry in zip(targets, ledger.entries, strict=True):
        if entry.plan is not None:
            dtype = dtype_name(target.variable.dtype)
            target.variable.assign(draw(entry.plan, TfSource(seed, entry.stream), dtype=dtype))
    for one in norms_in(ledger):
        weight = keras.ops.abs(variables[one.weight])
        wide = keras.ops.cast(weight, keras.backend.result_type(weight.dtype, "float32"))
        norms = keras.ops.sqrt(keras.ops.sum(wide**2, axis=one.axes))
        variables[one.path].assign(keras.ops.reshape(norms, one.shape))
    return ledger


def measure_model(model: Any, ledger: Ledger, /) -> dict[str, Measured]:
    """Compare the mean and std of the variables of a model with their laws.

    Parameters
    ----------
    model : keras.Layer or keras.Model
        The model, as it was initialized.
    ledger : Ledger
        What `init_model_` returned.

    Returns
    -------
    dict of str to Measured
        For each variable that the ledger has as initialized: mean, std, and how many of their
        standard errors they are off. ``ledger.table(measured)`` prints them.

    Raises
    ------
    RecipeError
        If the ledger is of another model.

    Examples
    --------
    >>> import keras
    >>> from fanwise import he_normal
    >>> from fanwise_tf import init_model_, measure_model
    >>> model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(256)])
    >>> measured = measure_model(model, init_model_(model, he_normal(), seed=0))
    >>> abs(measured["Dense_0.kernel"].std_z) < 4
    True
    """
    targets = _targets(model, (), False)
    variables = {target.found.parameter.path: target.variable for target in targets}
    return measure_entries(ledger, variables, _measure_variable)


def _measure_variable(plan: Plan, variable: Any) -> Measured:
    return measure_host(plan, np.asarray(variable.numpy()), dtype_name(variable.dtype))


def structure(model: Any, example: Any, /) -> Structure:
    """Read what a Keras model computes with each of its variables.

    Parameters
    ----------
    model : keras.Layer or keras.Model
        The model, built. It is left as it was.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, tensors or instances of `tf.TensorSpec`.

    Returns
    -------
    Structure
        Print it to see the axes, kind and role of each variable; its `explain` has the
        operations from which they follow.

    Raises
    ------
    RecipeError
        If the model does not run on the example.
    SourceError
        If `model` is no Keras layer, or is not built.

    Notes
    -----
    The graph of a concrete function is read, and nothing is computed. Variables that the example
    does not lead to stay as their layers declare them.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from fanwise_tf import structure
    >>> class Own(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.w = self.add_weight(shape=(shape[-1], 8), name="w")
    ...     def call(self, x):
    ...         return x @ self.w
    >>> model = keras.Sequential([keras.Input((4,)), Own()])
    >>> print(structure(model, np.zeros((2, 4), "float32")))
    path     shape   axes    kind    role  known
    Own_0.w  (4, 8)  in out  weight  head  computation
    """
    _check_model(model)
    targets = list(_targets(model, (), False))
    parameters = [target.found.parameter for target in targets]
    return Structure.of(parameters, trace(model, example, _parameters(targets)))


def _parameters(targets: Iterable[Target]) -> dict[str, Any]:
    """The variables that are no buffers, by path."""
    found = {target.found.parameter.path: target for target in targets}
    return {
        path: target.variable
        for path, target in found.items()
        if target.found.parameter.kind != "buffer"
    }


def _check_model(model: Any) -> None:
    check_backend()
    if not isinstance(model, keras.Layer):
        raise SourceError(f"`model` must be a Keras layer or model, got {type(model).__name__}")
    if not was_run(model):
        _check_variables(model, ())


def _prepare(
    model: Any,
    recipe: Recipe | Ledger | Scheme,
    example: Any,
    loaded: Iterable[str],
    restart: bool,
) -> tuple[list[Target], Ledger]:
    _check_model(model)
    targets = list(_targets(model, (), restart))
    computation = None if example is None else trace(model, example, _parameters(targets))
    found = [target.found for target in targets]
    return targets, prepare(found, recipe, loaded=loaded, computation=computation)


def _check_variables(layer: Any, path: tuple[str, ...]) -> None:
    """Raise if a layer has yet to make its variables; in a model that was run, it is not used."""
    inner = layers_within(layer)
    makes_variables = type(layer).build is not keras.Layer.build and not isinstance(layer, Merge)
    if not layer.built and not layer.variables and (makes_variables or not path):
        where = ".".join(path) or layer.name
        raise SourceError(f"`model` must be built, or called once, got {where!r} that is not")
    for name, child in zip(_names((c.name, type(c).__name__) for c in inner), inner, strict=True):
        _check_variables(child, (*path, name))


def _targets(layer: Any, path: tuple[str, ...], restart: bool) -> Iterator[Target]:
    """The variables of a layer itself, and then those of the layers within it."""
    declarations = declarations_of(layer, declare, ("call",), ("keras",), keras.Layer)
    inner = layers_within(layer)
    variables = _own_variables(layer, inner)
    names = _names((variable.name, "Variable") for variable in variables)
    for name, variable in zip(names, variables, strict=True):
        with annotate_errors(".".join((*path, name))):
            found = _found(path, name, variable, layer, declarations, restart)
        yield Target(found, variable)
    for name, child in zip(_names((c.name, type(c).__name__) for c in inner), inner, strict=True):
        yield from _targets(child, (*path, name), restart)


def _found(
    around: tuple[str, ...],
    name: str,
    variable: Any,
    layer: Any,
    declarations: Any,
    restart: bool,
) -> Found:
    shape, owner = tuple(variable.shape), type(layer).__name__
    declarations, known = declarations
    declared = declared_in(declarations, variable.name, shape, owner=owner, known=known)
    is_buffer = layer.trainable and not variable.trainable if declared is None else False
    is_buffer = is_buffer or (declared is not None and declared.kind == "buffer")
    dtype, frozen = str(variable.dtype), not (variable.trainable or is_buffer)
    parameter = describe(
        ".".join(around),
        name,
        shape,
        dtype,
        declared,
        frozen=frozen,
        layer=owner,
        is_buffer=is_buffer,
        valued=not (is_buffer and restart and declared is not None and declared.default),
    )
    layer_shape = None if declared is None else declared.shape
    return Found(parameter, dtype if dtype in DTYPES else "", id(variable), layer_shape=layer_shape)


def _own_variables(layer: Any, inner: list[Any]) -> list[Any]:
    """The variables of a layer that are of no layer within it."""
    others = {id(variable) for child in inner for variable in child.variables}
    return [variable for variable in layer.variables if id(variable) not in others]


def _names(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The names of layers or variables; those that Keras counted, counted anew by type."""
    counts: Counter[str] = Counter()
    for name, kind in named:
        counted = re.fullmatch(
            rf"((?:forward_|backward_)?){re.escape(to_snake_case(kind))}(?:_\d+)?", name
        )
        if counted is None:
            yield name
        else:
            base = counted[1] + kind
            yield f"{base}_{counts[base]}"
            counts[base] += 1
