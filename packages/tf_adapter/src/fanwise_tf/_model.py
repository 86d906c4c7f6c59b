"""A whole Keras model: planned from its layers' types, then each variable assigned once."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras.src.utils.naming import to_snake_case

from ._core import (
    DTYPES,
    Declaration,
    Ledger,
    LeftAs,
    Parameter,
    Recipe,
    SourceError,
    check_loaded,
    declared_in,
    draw,
    noting_parameter,
    plan_model,
    stream_key,
    tie,
)
from ._layers import declare
from ._source import TfSource, dtype_name, unconverted
from ._tensor import check_backend


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable of a model, under one of its names."""

    parameter: Parameter
    variable: Any


@unconverted
def init_model(
    model: Any, recipe: Recipe | Ledger, /, *, seed: int, loaded: Iterable[str] = ()
) -> Ledger:
    """Initialize the variables of a Keras model in place.

    The values of a variable are a function of `seed` and of its path in the model.

    Parameters
    ----------
    model : keras.Layer or keras.Model
        The model, built.
    recipe : Recipe or Ledger
        The rules; or what `plan_keras_model` made of them.
    seed : int
        From 0 up to 2**64 - 1.
    loaded : iterable of str, default ()
        Paths of variables that are loaded from a checkpoint and must be left alone.

    Returns
    -------
    Ledger
        What happened to each variable. One that layers share is drawn once; those of layers that
        are not trainable are frozen and left as they are.

    Raises
    ------
    RecipeError
        If rules and variables do not fit each other, all faults in one error; or a ledger is
        another model's.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the variable's path in the notes. Nothing is assigned before all checks.

    Notes
    -----
    A path is that of the layers' names. A name as Keras gives, like ``dense_3``, is replaced by the
    type and a count within the layer around, like ``Dense_0``: Keras' count depends on what was
    built before. The roles of axes are those of the layer's type; see `declare`. Variables that are
    not trained, as the moving averages of norms, are left as they are unless a rule is of kind
    "buffer". The second factor of LoRA is zero, whatever law weights have.

    Examples
    --------
    >>> layers = [keras.layers.Dense(8), keras.layers.Dense(2)]
    >>> model = keras.Sequential([keras.Input((4,)), *layers])
    >>> recipe = Recipe((Rule(scheme=zeros(), kind="bias"), Rule(scheme=he_normal())))
    >>> print(init_model(model, recipe, seed=0))
    path            shape   axes    fans    law       std
    Dense_0.kernel  (4, 8)  in out  (4, 8)  normal    0.707107
    Dense_0.bias    (8)     out     (4, 8)  constant  = 0
    Dense_1.kernel  (8, 2)  in out  (8, 2)  normal    0.5
    Dense_1.bias    (2)     out     (8, 2)  constant  = 0
    """
    stream_key(seed, ())  # raises unless it is a seed
    seed = operator.index(seed)
    slots, ledger = _plan(model, recipe, loaded)
    for slot, entry in zip(slots, ledger.entries, strict=True):
        if entry.plan is not None:
            source = TfSource(seed, entry.stream)
            slot.variable.assign(draw(entry.plan, source, dtype=dtype_name(slot.variable.dtype)))
    return ledger


def plan_keras_model(model: Any, recipe: Recipe, /, *, loaded: Iterable[str] = ()) -> Ledger:
    """Decide what `init_model` would do, from shapes alone.

    Parameters
    ----------
    model, recipe, loaded
        As in `init_model`.

    Returns
    -------
    Ledger
        What would happen to each variable.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_model`.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, use_bias=False)])
    >>> ledger = plan_keras_model(model, Recipe((Rule(scheme=glorot_uniform()),)))
    >>> ledger == init_model(model, ledger, seed=0)
    True
    """
    _, ledger = _plan(model, recipe, loaded)
    return ledger


def _plan(model: Any, recipe: Recipe | Ledger, loaded: Iterable[str]) -> tuple[list[Slot], Ledger]:
    check_backend()
    if not isinstance(model, keras.Layer):
        raise SourceError(f"`model` must be a Keras layer or model, got {type(model).__name__}")
    if not model.built:
        raise SourceError(f"`model` must be built, or called once, got {model.name!r} that is not")
    slots = list(_slots(model, ()))
    names = check_loaded(loaded, {slot.parameter.path for slot in slots})
    parameters = tie(
        (
            replace(slot.parameter, left_as="loaded")
            if slot.parameter.path in names
            else slot.parameter
            for slot in slots
        ),
        (id(slot.variable) for slot in slots),
    )
    if isinstance(recipe, Ledger):
        ledger = recipe
        ledger.check_model(parameters)
    else:
        ledger = plan_model(recipe, parameters)
    ledger.check_draws(
        {
            slot.parameter.path: slot.variable.dtype
            for slot, entry in zip(slots, ledger.entries, strict=True)
            if entry.plan is not None
        }
    )
    return slots, ledger


def _slots(layer: Any, path: tuple[str, ...]) -> Iterator[Slot]:
    """A layer's variables, and then those of the layers within it."""
    if not layer.built and type(layer).build is not keras.Layer.build:  # it makes variables
        where = ".".join(path) or layer.name
        raise SourceError(f"`model` must be built, or called once, got {where!r} that is not")
    declarations = declare(layer)
    inner = _layers_within(layer)
    variables = _own_variables(layer, inner)
    names = _names((variable.name, "Variable") for variable in variables)
    for name, variable in zip(names, variables, strict=True):
        with noting_parameter(".".join((*path, name))):
            parameter = _parameter(path, name, variable, layer, declarations)
        yield Slot(parameter, variable)
    for name, child in zip(_names((c.name, type(c).__name__) for c in inner), inner, strict=True):
        yield from _slots(child, (*path, name))


def _parameter(
    around: tuple[str, ...], name: str, variable: Any, layer: Any, declarations: Any
) -> Parameter:
    shape = tuple(variable.shape)
    declared = declared_in(declarations, variable.name, shape, owner=type(layer).__name__)
    if declared is None:
        is_buffer = layer.trainable and not variable.trainable
        declared = Declaration(kind="buffer") if is_buffer else Declaration.of_name(name)
    left_as: LeftAs | None = None
    if str(variable.dtype) not in DTYPES:
        left_as = "skipped"
    elif not variable.trainable and (declared.kind != "buffer" or declared.default):
        left_as = "frozen"
    return Parameter(
        ".".join((*around, name)),
        shape,
        declared.axes,
        declared.kind,
        declared.fans_of and ".".join((*around, declared.fans_of)),
        left_as=left_as,
        field="complex" if str(variable.dtype).startswith("complex") else "real",
        default=declared.default,
    )


def _own_variables(layer: Any, inner: list[Any]) -> list[Any]:
    """The variables of a layer that are of no layer within it."""
    others = {id(variable) for child in inner for variable in child.variables}
    return [variable for variable in layer.variables if id(variable) not in others]


def _layers_within(layer: Any) -> list[Any]:
    # `Model.layers` has no layers within layers; this has the next level of both.
    return list(layer._flatten_layers(include_self=False, recursive=False))


def _names(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The names of layers or variables, and those that Keras counted, by type, counted anew."""
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
