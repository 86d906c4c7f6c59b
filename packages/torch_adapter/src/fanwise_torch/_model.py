"""A whole module: planned from its layers, then each parameter written once, where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ._core import (
    Ledger,
    Measured,
    Plan,
    Recipe,
    RecipeError,
    Scheme,
    Slices,
    SourceError,
    Structure,
    annotate_errors,
    check_seed,
    measure,
    measure_entries,
    norms_in,
    prepare,
    rounding,
    stream_key,
    warn_of_replaced,
)
from ._eager import check_tensor, is_distributed, write
from ._memory import overlaps
from ._meta import is_mark, is_untouched, unwritten
from ._parametrized import assign, check_assignable, check_drawn_alone, dry_run
from ._private import has_values
from ._source import dtype_name
from ._targets import Target, other_names, targets_of
from ._trace import trace


def plan_model(
    model: nn.Module,
    recipe: Recipe | Scheme,
    /,
    *,
    example: Any = None,
    loaded: Iterable[str] = (),
) -> Ledger:
    """Decide what `init_model_` would do, from shapes alone.

    Parameters
    ----------
    model, recipe, example, loaded
        As in `init_model_`.

    Returns
    -------
    Ledger
        What would happen to each parameter and buffer.

    Raises
    ------
    RecipeError, AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        As `init_model_`.

    Examples
    --------
    >>> import torch
    >>> from fanwise import he_normal
    >>> from fanwise_torch import init_model_, plan_model
    >>> with torch.device("meta"):
    ...     model = torch.nn.Linear(4, 8, bias=False)
    >>> ledger = plan_model(model, he_normal())
    >>> ledger == init_model_(model.to_empty(device="cpu"), ledger, seed=0)
    True
    """
    _, ledger = _prepare(model, recipe, example, loaded)
    return ledger


def init_model_(
    model: nn.Module,
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    seed: int,
    example: Any = None,
    loaded: Iterable[str] = (),
) -> Ledger:
    """Initialize the parameters of a module in place.

    The values of a parameter are a function of `seed` and of its name in the module.

    Parameters
    ----------
    model : torch.nn.Module
        The model. If it is on the device `meta`, it is planned and left as it is; call again
        after `materialize_` or `to_empty`.
    recipe : Recipe, Ledger or Scheme
        The rules; or what `plan_model` made of them, possibly on the device `meta`; or one scheme
        for all weights and embeddings. Without a rule, biases start at 0 and the scales of norms
        at 1.
    seed : int
        From 0 up to 2**64 - 1.
    example : object, optional
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument. What the model computes with each parameter then says what it is for: see
        `structure`. Without it, the types of the layers do.
    loaded : iterable of str, default ()
        Names of parameters and buffers that are loaded from a checkpoint and must be left alone,
        such as the keys of a state dict. What is tied to one of them is left, too.

    Returns
    -------
    Ledger
        What happened to each parameter and buffer. Tied parameters are drawn once; parameters
        that do not require a gradient are frozen and left as they are.

    Raises
    ------
    RecipeError
        If rules and parameters do not fit each other, all faults in one error; or a ledger is
        of another module.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        With the name of the parameter. Nothing is written before all checks.

    Notes
    -----
    The type of a layer says the roles of the axes, strides included; see `declare`. The weight
    of a parametrized layer is assigned through the `right_inverse` of the parametrization, which
    may make another law of it. The row at the `padding_idx` of an embedding is zero, as in
    PyTorch. Buffers are left as they are unless a rule is of kind "buffer". On `meta` they have
    no values: a ledger that is planned there starts the running statistics of norms anew. Name
    other buffers in `loaded`, and let the model compute them before the ledger is carried out:
    what nothing has written by then is an error. Names are names within the module
    that is given: `torch.compile` and `DistributedDataParallel` add a prefix to them, so give
    the module within.

    Examples
    --------
    >>> from torch import nn
    >>> from fanwise import he_normal
    >>> from fanwise_torch import init_model_
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> print(init_model_(model, he_normal(), seed=0))
    path      shape   axes    known  fans    law       std
    0.weight  (8, 4)  out in  layer  (4, 8)  normal    0.707107
    0.bias    (8)     out     layer          constant  = 0
    2.weight  (2, 8)  out in  layer  (8, 2)  normal    0.5
    2.bias    (2)     out     layer          constant  = 0
    """
    seed = check_seed(seed)
    targets, ledger = _prepare(model, recipe, example, loaded)
    planned = {
        target: (entry.plan, seed, entry.stream)
        for target, entry in zip(targets, ledger.entries, strict=True)
        if entry.plan is not None
    }
    _check_all_or_none_on_meta(planned)
    _check_written(targets, ledger)
    by_path = {target.path: target.tensor for target in targets}
    parameters = [one.tensor for one in planned if isinstance(one.tensor, nn.Parameter)]
    if not all(map(is_untouched, parameters)):  # as they are after `to_empty`
        warn_of_replaced(ledger, lambda path: _flat(by_path[path]))

    def prepare_parts(copies: dict[int, Any]) -> None:  # the parameters of a parametrization
        for target, how in planned.items():
            if isinstance(copied := copies.get(id(target.tensor)), torch.Tensor):
                write(copied, *how)

    # To a copy first, so that every error comes before anything is written.
    assigned = []
    for target, how in planned.items():
        if target.parametrization is not None and not target.tensor.is_meta:
            key = stream_key(seed, how[2], "parametrization")
            with annotate_errors(target.path):
                write(target.tensor, *how)
                dry_run(target.parametrization, target.tensor, key, prepare_parts)
            assigned.append((target.parametrization, target.tensor, key))
    for target, how in planned.items():
        if target.parametrization is None:
            write(target.tensor, *how)
    for parametrization, tensor, key in assigned:
        assign(parametrization, tensor, key)
    _write_norms(by_path, ledger)
    drawn = {target.path for target in planned}
    statuses = {entry.path: entry.status for entry in ledger.entries}
    for target in targets:
        mean = target.path.removesuffix(target.name) + "running_mean"
        if target.is_count and statuses[target.path] != "loaded" and mean in drawn:
            target.tensor.zero_()
    return ledger


def _write_norms(tensors: Mapping[str, torch.Tensor], ledger: Ledger) -> None:
    for one in norms_in(ledger):
        magnitudes, holder = tensors[one.weight].detach().abs(), tensors[one.path].detach()
        wide = magnitudes.to(torch.promote_types(magnitudes.dtype, torch.float32))
        squares = wide.square().sum(one.axes) if one.axes else wide.square()
        if not holder.is_meta:
            holder.copy_(squares.sqrt().reshape(one.shape))


def structure(model: nn.Module, example: Any, /) -> Structure:
    """Read what a module computes with each of its parameters.

    Parameters
    ----------
    model : torch.nn.Module
        The model, on any device, `meta` included. It is left as it was.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument.

    Returns
    -------
    Structure
        Print it to see the axes, kind and role of each parameter; its `explain` has the
        operations from which they follow.

    Raises
    ------
    RecipeError
        If the model does not run on the example.

    Notes
    -----
    The forward pass runs on tensors without values. Where its course depends on the example or
    on buffers, those are computed, too; where it depends on parameters, as the routing of experts
    does, every choice is taken. A model that needs more values than these runs once on its own.
    Parameters that the example does not lead to stay as their layers declare them.

    Examples
    --------
    >>> import torch
    >>> from fanwise_torch import structure
    >>> class Stored(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = torch.nn.Parameter(torch.empty(4, 8))
    ...     def forward(self, x):
    ...         return x @ self.weight
    >>> print(structure(Stored(), torch.empty(2, 4)))
    path    shape   axes    kind    role  known
    weight  (4, 8)  in out  weight  head  computation
    """
    if not isinstance(model, nn.Module):
        raise SourceError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    parameters = [target.found.parameter for target in targets_of(model)]
    return Structure.of(parameters, trace(model, example))


def measure_model(model: nn.Module, ledger: Ledger, /) -> dict[str, Measured]:
    """Compare the mean and std of the parameters of a module with their laws.

    Parameters
    ----------
    model : torch.nn.Module
        The model, as it was initialized.
    ledger : Ledger
        What `init_model_` returned.

    Returns
    -------
    dict of str to Measured
        For each parameter that the ledger has as initialized: mean, std, and how many of their
        standard errors they are off. ``ledger.table(measured)`` prints them.

    Raises
    ------
    RecipeError
        If the ledger is of another module.

    Examples
    --------
    >>> from torch import nn
    >>> from fanwise import he_normal
    >>> from fanwise_torch import init_model_, measure_model
    >>> model = nn.Linear(256, 256)
    >>> measured = measure_model(model, init_model_(model, he_normal(), seed=0))
    >>> abs(measured["weight"].std_z) < 4
    True
    """
    targets = {target.path: target for target in targets_of(model)}

    def measure_target(plan: Plan, target: Target) -> Measured:
        parametrization = target.parametrization
        return measure_tensor(plan, target.tensor if parametrization is None else parametrization())

    with torch.no_grad():
        return measure_entries(ledger, targets, measure_target)


def measure_tensor(plan: Plan, tensor: torch.Tensor, /) -> Measured:
    """Compare the mean and std of one drawn tensor with its laws."""
    whole: Any = tensor.detach()
    if is_distributed(whole):
        whole = whole.full_tensor()
    wide = torch.complex128 if whole.is_complex() else torch.float64

    def sums(slices: Slices, mean: float) -> tuple[float, float]:
        total = square = 0.0
        for chunk in whole[slices].reshape(-1).split(1 << 24):
            off = chunk.to("cpu").to(wide) - mean  # not every device has float64
            total += float(off.real.sum()) if off.is_complex() else float(off.sum())
            square += float((off.abs() ** 2).sum())
        return total, square

    name = dtype_name(tensor.dtype)
    return measure(plan, tuple(whole.shape), sums, rounding=rounding(name))


def _prepare(
    model: nn.Module, recipe: Recipe | Ledger | Scheme, example: Any, loaded: Iterable[str]
) -> tuple[list[Target], Ledger]:
    if not isinstance(model, nn.Module):
        raise SourceError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    targets = targets_of(model)
    found = [target.found for target in targets]
    computation = None if example is None else trace(model, example)
    ledger = prepare(
        found, recipe, loaded=loaded, ignored=other_names(model), computation=computation
    )
    statuses = {entry.path: entry.status for entry in ledger.entries}
    for target in targets:
        if statuses[target.path] == "initialized":
            with annotate_errors(target.path):
                check_tensor(target.tensor)
                check_drawn_alone(target.layer, target.name)
                if target.parametrization is not None:
                    check_assignable(target.parametrization, target.tensor)
    _check_apart(targets, statuses)
    return targets, ledger


def _flat(tensor: torch.Tensor) -> torch.Tensor | None:
    """The numbers of a tensor, if it has some and one process has them."""
    if not has_values(tensor) or is_distributed(tensor) or is_mark(tensor):
        return None
    return tensor.detach().reshape(-1)


def _check_written(targets: list[Target], ledger: Ledger) -> None:
    """Raise if nothing has written what was on `meta`, and is left as it is."""
    left, drawn = [], []
    for target, entry in zip(targets, ledger.entries, strict=True):
        if entry.parameter.valued or target.tensor.is_meta:
            continue
        if entry.plan is not None:
            drawn.append(target.tensor)
        elif entry.status in ("loaded", "frozen", "kept", "skipped"):
            is_buffer = target.name in target.layer._buffers
            left.append((target.path, target.tensor, is_buffer))
    if missing := unwritten(left, drawn):
        raise RecipeError(
            f"`model` must have values where nothing is drawn, got what nothing has written since "
            f"it was on meta: {missing}; write it in place, or make the memory by `materialize_`, "
            f"which marks what is not written"
        )


def _check_all_or_none_on_meta(targets: Iterable[Target]) -> None:
    by_place = {target.tensor.is_meta: target.path for target in targets}
    if len(by_place) > 1:
        raise RecipeError(
            f"`model` must be on meta as a whole or not at all, "
            f"got {by_place[True]!r} on it and {by_place[False]!r} not"
        )


def _check_apart(targets: list[Target], statuses: Mapping[str, str]) -> None:
    """Raise if memory would be written twice, or written although it is to be left."""
    left_or_drawn = ("initialized", "derived", "loaded", "frozen")
    stored = [
        (target.path, tensor)
        for target in targets
        if statuses[target.path] in left_or_drawn
        for tensor in target.stored
    ]
    for one, other in overlaps([tensor for _, tensor in stored]):
        paths = [stored[index][0] for index in (one, other)]
        if any(statuses[path] == "initialized" for path in paths):
            raise RecipeError(
                f"`model` must have parameters that are apart or tied, "
                f"got {paths[0]!r} and {paths[1]!r} that share memory"
            )
