"""A whole module: planned from its layers' types, then each parameter written once, where it is."""

from __future__ import annotations

import copy
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from ._core import (
    Declaration,
    Ledger,
    Parameter,
    Recipe,
    RecipeError,
    SourceError,
    noting_parameter,
    plan_model,
    stream_key,
)
from ._layers import declare
from ._memory import memory, overlaps
from ._source import dtype_name
from ._tensor import check_tensor, write


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter or buffer, where it is in the module, and the tensor to draw it into."""

    parameter: Parameter
    layer: nn.Module
    name: str
    tensor: torch.Tensor
    memory: object  # equal for tensors that are the same memory

    @property
    def parametrized(self) -> bool:
        """Whether it is assigned, through a parametrization."""
        return _is_parametrized(self.layer, self.name)

    @property
    def is_count(self) -> bool:
        """Whether it is a norm's count of batches, which is zero where its mean is drawn."""
        return isinstance(self.layer, _NormBase) and self.name == "num_batches_tracked"

    def finish(self) -> None:
        """Do what the layer needs once the tensor has been drawn."""
        layer: Any = self.layer
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.padding_idx is not None:
            self.tensor[layer.padding_idx].zero_()
        counted = isinstance(layer, _NormBase) and layer.num_batches_tracked is not None
        if self.name == "running_mean" and counted:
            layer.num_batches_tracked.zero_()
        if self.parametrized:
            setattr(layer, self.name, self.tensor)


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
    drawn = {entry.path for entry in ledger.entries if entry.plan is not None}
    pairs = zip(slots, ledger.entries, strict=True)
    # What is assigned comes last: its parametrizations may have parameters of their own.
    for slot, entry in sorted(pairs, key=lambda pair: pair[0].parametrized):
        if entry.plan is not None:
            write(slot.tensor, entry.plan, seed, entry.stream)
        if entry.path in drawn or entry.parameter.tied_to in drawn:
            with torch.no_grad():
                slot.finish()
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
    slots = _tie(list(_slots(module, _checked_names(module, loaded))))
    parameters = [slot.parameter for slot in slots]
    if isinstance(recipe, Ledger):
        ledger = recipe
        _check_same([entry.parameter for entry in ledger.entries], parameters)
    else:
        ledger = plan_model(recipe, parameters)
    _check_valued(slots, ledger)
    statuses = {entry.path: entry.status for entry in ledger.entries}
    dtypes = {}
    for slot in slots:
        path = slot.parameter.path
        if statuses[path] == "initialized":
            with noting_parameter(path):
                check_tensor(slot.tensor)
                dtypes[path] = dtype_name(slot.tensor.dtype)
                if slot.parametrized:
                    _check_assignable(slot)
    _check_apart(slots, statuses)
    ledger.check_draws(dtypes)
    return slots, ledger


def _checked_names(module: nn.Module, loaded: Iterable[str]) -> set[str]:
    """The names that are loaded, if they are names of the module."""
    if isinstance(loaded, str):
        raise RecipeError(f"`loaded` must be names, not one string, got {loaded!r}")
    names = set(loaded)
    known = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    known |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    for prefix, layer in module.named_modules(remove_duplicate=False):
        known.add(_join(prefix, "_extra_state"))
        if is_parametrized(layer):
            assert isinstance(layer.parametrizations, nn.ModuleDict)
            known |= {_join(prefix, name) for name in layer.parametrizations}
    unknown = sorted(map(str, names - known))
    if unknown:
        raise RecipeError(f"`loaded` must be names in the module, got {unknown}")
    return names


def _slots(module: nn.Module, loaded: set[str]) -> Iterator[Slot]:
    """Every parameter and buffer under every name that it has."""
    for prefix, layer in module.named_modules(remove_duplicate=False):
        declarations = declare(layer)
        for name, tensor, is_buffer, is_frozen, place in _own(layer, prefix):
            path = _join(prefix, name)
            with noting_parameter(path):
                if nn.parameter.is_lazy(tensor):
                    check_tensor(tensor)
                declared = _declaration(declarations, name, layer)
                parameter = Parameter(
                    path,
                    tuple(tensor.shape),
                    declared.axes,
                    "buffer" if is_buffer else declared.kind,
                    declared.fans_of and _join(prefix, declared.fans_of),
                    field="complex" if tensor.is_complex() else "real",
                    default=declared.default if is_buffer and tensor.is_meta else None,
                )
                if path in loaded or (
                    _is_parametrized(layer, name)
                    and any(
                        other.startswith(_join(prefix, f"parametrizations.{name}."))
                        for other in loaded
                    )
                ):
                    parameter = replace(parameter, left_as="loaded")
                elif is_frozen:
                    parameter = replace(parameter, left_as="frozen")
                elif not (tensor.is_floating_point() or tensor.is_complex()):
                    parameter = replace(parameter, left_as="skipped")
            yield Slot(parameter, layer, name, tensor, place)


def _declaration(declarations: Any, name: str, layer: nn.Module) -> Declaration:
    """What a layer declares of one of its parameters, or what is assumed where it does not."""
    if not isinstance(declarations, Mapping):
        raise RecipeError(
            f"`declare` must return a mapping for {type(layer).__name__}, got {declarations!r}"
        )
    declared = declarations.get(name, Declaration.of_name(name))
    if not hasattr(declared, "fans_of"):
        raise RecipeError(
            f"`declare` must return Declarations for {type(layer).__name__}, got {declared!r}"
        )
    return cast(Declaration, declared)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _own(layer: nn.Module, prefix: str) -> Iterator[tuple[str, torch.Tensor, bool, bool, object]]:
    """A layer's own tensors: name, tensor, whether a buffer, whether frozen, and which memory."""
    if isinstance(layer, ParametrizationList):
        return  # the tensors that it makes another of: the layer has that one
    for name, parameter in layer.named_parameters(recurse=False, remove_duplicate=False):
        yield name, parameter, False, not parameter.requires_grad, memory(parameter)
    for name, buffer in layer.named_buffers(recurse=False, remove_duplicate=False):
        yield name, buffer, True, False, memory(buffer)
    if is_parametrized(layer):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        for name, parametrizations in layer.parametrizations.items():
            originals = list(parametrizations.parameters(recurse=False))
            frozen = not all(original.requires_grad for original in originals)
            with noting_parameter(_join(prefix, name)):
                tensor = _parametrized(parametrizations)
            yield name, tensor, not originals, frozen, id(parametrizations)


def _is_parametrized(layer: nn.Module, name: str) -> bool:
    return is_parametrized(layer) and is_parametrized(layer, name)


def _parametrized(parametrizations: nn.Module) -> torch.Tensor:
    """A new tensor like the one that parametrizations compute, to be assigned."""
    modes = [(module, module.training) for module in parametrizations.modules()]
    parametrizations.eval()  # computing it must not change it, as spectral_norm does in training
    try:
        with torch.no_grad():
            return torch.empty_like(parametrizations())
    finally:
        for module, training in modes:
            module.training = training


def _check_assignable(slot: Slot) -> None:
    """Raise unless a parametrized tensor can be assigned; tried on a copy, which is not kept."""
    assert isinstance(slot.layer.parametrizations, nn.ModuleDict)
    trial: Any = copy.deepcopy(slot.layer.parametrizations[slot.name])
    for parametrization in trial.children():
        if not hasattr(parametrization, "right_inverse"):
            raise RecipeError(
                f"a parametrization must have a `right_inverse` to be assigned through, "
                f"got {type(parametrization).__name__}"
            )
    try:
        with torch.no_grad():
            trial.right_inverse(torch.zeros_like(slot.tensor))
    except (NotImplementedError, RuntimeError, ValueError) as error:
        raise RecipeError(
            f"a parametrization must be one to assign through, got {type(error).__name__}: {error}"
        ) from error


def _tie(slots: list[Slot]) -> list[Slot]:
    """Declare as tied what is the same memory as a parameter before it, and left if one is."""
    groups: dict[object, list[Slot]] = {}
    for slot in slots:
        groups.setdefault(slot.memory, []).append(slot)
    tied = []
    for slot in slots:
        same = groups[slot.memory]
        first = same[0]
        if slot is first:
            reasons = {other.parameter.left_as for other in same} - {None}
            left_as = "loaded" if "loaded" in reasons else next(iter(reasons), None)
            parameter = replace(slot.parameter, left_as=left_as)
        else:
            parameter = replace(slot.parameter, tied_to=first.parameter.path, left_as=None)
        tied.append(replace(slot, parameter=parameter))
    return tied


def _check_apart(slots: list[Slot], statuses: Mapping[str, str]) -> None:
    """Raise if memory would be written twice, or written although it is to be left."""
    kept = ("initialized", "loaded", "frozen")
    held = [slot for slot in slots if statuses[slot.parameter.path] in kept]
    for one, other in overlaps([slot.tensor for slot in held]):
        paths = [held[index].parameter.path for index in (one, other)]
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


def _check_same(planned: list[Parameter], found: list[Parameter]) -> None:
    """Raise if a module is not the one that was planned."""
    for expected, actual in itertools.zip_longest(planned, found):
        # A default is that of a buffer on `meta`, where the module may no longer be.
        pair = {replace(p, default=None) if p is not None else p for p in (expected, actual)}
        if len(pair) > 1:
            raise RecipeError(
                f"`recipe` must be a ledger of this module, got one of {expected} "
                f"where the module has {actual}"
            )
