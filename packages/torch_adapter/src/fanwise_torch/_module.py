"""A whole module: planned from its layers' types, then each parameter written once, where it is."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ._core import (
    Ledger,
    Recipe,
    RecipeError,
    SourceError,
    noting_parameter,
    plan_model,
    stream_key,
)
from ._memory import overlaps
from ._parametrized import assign, check_assignable, check_drawn_alone, rehearse
from ._slots import Slot, slots_of
from ._source import dtype_name
from ._tensor import check_tensor, write


def init_module_(
    module: nn.Module,
    recipe: Recipe | Ledger,
    /,
    *,
    seed: int,
    loaded: Iterable[str] = (),
) -> Ledger:
    """Initialize the parameters of a module in place.

    The values of a parameter are a function of `seed` and of its name in the module.

    Parameters
    ----------
    module : torch.nn.Module
        The model. If it is on the device `meta`, it is planned and left as it is; call again
        after `to_empty`.
    recipe : Recipe or Ledger
        The rules; or what `plan_module` made of them, possibly on the device `meta`.
    seed : int
        From 0 up to 2**64 - 1.
    loaded : iterable of str, default ()
        Names of parameters and buffers that are loaded from a checkpoint and must be left alone,
        such as the keys of a state dict. What is tied to one of them is left, too.

    Returns
    -------
    Ledger
        What happened to each parameter and buffer. Tied parameters are drawn once; those that do
        not require a gradient are frozen and left as they are.

    Raises
    ------
    RecipeError
        If rules and parameters do not fit each other, all faults in one error; or a ledger is
        another module's.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the parameter's name in the notes. Nothing is written before all checks.

    Notes
    -----
    The roles of axes are those of the layer's type, strides included; see `declare`. The weight of
    a parametrized layer is assigned, through the parametrization's `right_inverse`; what that makes
    of it is its own, and may be of another law. The row at an embedding's
    `padding_idx` is zero, as in PyTorch. Buffers are left as they are unless a rule is of kind
    "buffer". On `meta` they have no values: a ledger that is planned there starts the running
    statistics of norms anew, and others must be named in `loaded`, and be computed by the model.
    Names are those within the module that is given: `torch.compile` and `DistributedDataParallel`
    add a prefix to them, so give the module within.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> recipe = Recipe((Rule(scheme=zeros(), kind="bias"), Rule(scheme=he_normal())))
    >>> print(init_module_(model, recipe, seed=0))
    path      shape   axes    fans    law       std
    0.weight  (8, 4)  out in  (4, 8)  normal    0.707107
    0.bias    (8)     out     (4, 8)  constant  = 0
    2.weight  (2, 8)  out in  (8, 2)  normal    0.5
    2.bias    (2)     out     (8, 2)  constant  = 0
    """
    stream_key(seed, ())  # raises unless it is a seed
    seed = operator.index(seed)
    slots, ledger = _plan(module, recipe, loaded)
    planned = {
        slot: (entry.plan, seed, entry.stream)
        for slot, entry in zip(slots, ledger.entries, strict=True)
        if entry.plan is not None
    }
    _check_all_or_none_on_meta(planned)
    zeros: dict[str, set[int]] = defaultdict(set)  # rows, by who is drawn
    for slot in slots:
        if slot.zero_row is not None:
            zeros[slot.parameter.tied_to or slot.path].add(slot.zero_row)

    def prepare(copies: dict[int, Any]) -> None:  # the parameters of a parametrization
        for slot, how in planned.items():
            if isinstance(copied := copies.get(id(slot.tensor)), torch.Tensor):
                write(copied, *how)

    # To a copy first, so that every error comes before anything is written.
    assigned = []
    for slot, how in planned.items():
        if slot.through is not None and not slot.tensor.is_meta:
            key = stream_key(seed, how[2], "parametrization")
            with noting_parameter(slot.path):
                write(slot.tensor, *how, zeros[slot.path])
                rehearse(slot.through, slot.tensor, key, prepare)
            assigned.append((slot.through, slot.tensor, key))
    for slot, how in planned.items():
        if slot.through is None:
            write(slot.tensor, *how, zeros[slot.path])
    for through, tensor, key in assigned:
        assign(through, tensor, key)
    drawn = {slot.path for slot in planned}
    for slot in slots:
        mean = slot.path.removesuffix(slot.name) + "running_mean"
        if slot.is_count and slot.parameter.left_as != "loaded" and mean in drawn:
            slot.tensor.zero_()
    return ledger


def plan_module(module: nn.Module, recipe: Recipe, /, *, loaded: Iterable[str] = ()) -> Ledger:
    """Decide what `init_module_` would do, from shapes alone.

    Parameters
    ----------
    module, recipe, loaded
        As in `init_module_`.

    Returns
    -------
    Ledger
        What would happen to each parameter and buffer.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_module_`.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     model = nn.Linear(4, 8, bias=False)
    >>> ledger = plan_module(model, Recipe((Rule(scheme=he_normal()),)))
    >>> ledger == init_module_(model.to_empty(device="cpu"), ledger, seed=0)
    True
    """
    _, ledger = _plan(module, recipe, loaded)
    return ledger


def _plan(
    module: nn.Module, recipe: Recipe | Ledger, loaded: Iterable[str]
) -> tuple[list[Slot], Ledger]:
    if not isinstance(module, nn.Module):
        raise SourceError(f"`module` must be a torch.nn.Module, got {type(module).__name__}")
    slots = slots_of(module, loaded)
    parameters = [slot.parameter for slot in slots]
    if isinstance(recipe, Ledger):
        ledger = recipe
        ledger.check_model(parameters)
    else:
        ledger = plan_model(recipe, parameters)
        _check_valued(slots, ledger)
    statuses = {entry.path: entry.status for entry in ledger.entries}
    dtypes = {}
    for slot in slots:
        if statuses[slot.path] == "initialized":
            with noting_parameter(slot.path):
                check_tensor(slot.tensor)
                check_drawn_alone(slot.layer, slot.name)
                dtypes[slot.path] = dtype_name(slot.tensor.dtype)
                if slot.through is not None:
                    check_assignable(slot.through, slot.tensor)
    _check_apart(slots, statuses)
    ledger.check_draws(dtypes)
    return slots, ledger


def _check_all_or_none_on_meta(slots: Iterable[Slot]) -> None:
    by_place = {slot.tensor.is_meta: slot.path for slot in slots}
    if len(by_place) > 1:
        raise RecipeError(
            f"`module` must be on meta as a whole or not at all, "
            f"got {by_place[True]!r} on it and {by_place[False]!r} not"
        )


def _check_apart(slots: list[Slot], statuses: Mapping[str, str]) -> None:
    """Raise if memory would be written twice, or written although it is to be left."""
    kept = ("initialized", "loaded", "frozen")
    held = [
        (slot.path, tensor)
        for slot in slots
        if statuses[slot.path] in kept
        for tensor in slot.stored
    ]
    for one, other in overlaps([tensor for _, tensor in held]):
        paths = [held[index][0] for index in (one, other)]
        if any(statuses[path] == "initialized" for path in paths):
            raise RecipeError(
                f"`module` must have parameters that are apart or tied, "
                f"got {paths[0]!r} and {paths[1]!r} that share memory"
            )


def _check_valued(slots: list[Slot], ledger: Ledger) -> None:
    """Raise if a buffer on `meta`, which has no values, would get none."""
    for slot, entry in zip(slots, ledger.entries, strict=True):
        left = entry.status == "skipped" and entry.rule is None and slot.tensor.is_meta
        if left and not slot.is_count:
            raise RecipeError(
                f"`module` must have values where nothing is drawn, got the buffer "
                f"{entry.path!r} on meta: name it in `loaded`, or give a rule of kind 'buffer'"
            )
