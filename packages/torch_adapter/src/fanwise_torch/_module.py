"""A whole module: planned from its layers' types, then each parameter written once, where it is."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

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
    plan_model,
    stream_key,
)
from ._layers import declare
from ._source import dtype_name
from ._tensor import check_tensor, write


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter or buffer, where it is in the module, and the tensor to draw it into."""

    parameter: Parameter
    layer: nn.Module
    name: str
    tensor: torch.Tensor

    def finish(self) -> None:
        """Do what the layer needs once the tensor has been drawn."""
        layer = self.layer
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.padding_idx is not None:
            self.tensor[layer.padding_idx].zero_()
        if self.name == "running_mean" and isinstance(layer, _NormBase):
            assert layer.num_batches_tracked is not None  # as it tracks a mean
            layer.num_batches_tracked.zero_()
        if _is_parametrized(layer, self.name):
            setattr(layer, self.name, self.tensor)


def init_module_(
    module: nn.Module,
    recipe: Recipe | Ledger,
    /,
    *,
    seed: int,
    loaded: Container[str] = (),
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
    loaded : container of str, default ()
        Names of parameters and buffers that are loaded from a checkpoint and must be left alone.

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
    The roles of axes are those of the layer's type; see `declare`. The weight of a parametrized
    layer is assigned, through the parametrization's `right_inverse`. The row at an embedding's
    `padding_idx` is zero, as in PyTorch. Buffers are left as they are unless a rule is of kind
    "buffer"; the running statistics of norms may have one, and their counts are then zero.

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
    slots, ledger = _plan(module, recipe, loaded)
    drawn = {entry.path for entry in ledger.entries if entry.plan is not None}
    for slot, entry in zip(slots, ledger.entries, strict=True):
        if entry.plan is not None:
            write(slot.tensor, entry.plan, seed, entry.stream)
        if entry.path in drawn or entry.parameter.tied_to in drawn:
            with torch.no_grad():
                slot.finish()
    return ledger


def plan_module(module: nn.Module, recipe: Recipe, /, *, loaded: Container[str] = ()) -> Ledger:
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
    module: nn.Module, recipe: Recipe | Ledger, loaded: Container[str]
) -> tuple[list[Slot], Ledger]:
    if not isinstance(module, nn.Module):
        raise SourceError(f"`module` must be a torch.nn.Module, got {type(module).__name__}")
    slots = _tie(_slots(module, loaded))
    parameters = [slot.parameter for slot in slots]
    if isinstance(recipe, Ledger):
        ledger = recipe
        _check_same([entry.parameter for entry in ledger.entries], parameters)
    else:
        ledger = plan_model(recipe, parameters)
    drawn = [slot for slot, e in zip(slots, ledger.entries, strict=True) if e.plan is not None]
    for slot in drawn:
        with _noting(slot.parameter.path):
            check_tensor(slot.tensor)
    _check_apart(drawn)
    ledger.check_draws({slot.parameter.path: dtype_name(slot.tensor.dtype) for slot in drawn})
    return slots, ledger


def _slots(module: nn.Module, loaded: Container[str]) -> Iterator[Slot]:
    """Every parameter and buffer under every name that it has."""
    for prefix, layer in module.named_modules(remove_duplicate=False):
        declarations = declare(layer)
        for name, tensor, is_buffer, is_frozen in _own(layer, prefix):
            path = _join(prefix, name)
            with _noting(path):
                if nn.parameter.is_lazy(tensor):
                    check_tensor(tensor)
                default = Declaration(kind="bias" if name.endswith("bias") else "weight")
                declared = declarations.get(name, default)
                fans_of = declared.fans_of and _join(prefix, declared.fans_of)
                drawable = tensor.is_floating_point() or tensor.is_complex()
                parameter = Parameter(
                    path,
                    tuple(tensor.shape),
                    declared.axes,
                    "buffer" if is_buffer else declared.kind,
                    fans_of,
                    field="complex" if tensor.is_complex() else "real",
                )
                if path in loaded:
                    parameter = replace(parameter, left_as="loaded")
                elif is_frozen:
                    parameter = replace(parameter, left_as="frozen")
                elif not drawable:
                    parameter = replace(parameter, left_as="skipped")
            yield Slot(parameter, layer, name, tensor)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _own(layer: nn.Module, prefix: str) -> Iterator[tuple[str, torch.Tensor, bool, bool]]:
    """A layer's own tensors: name, tensor, whether it is a buffer, whether it is frozen."""
    if isinstance(layer, ParametrizationList):
        return  # the tensors that it makes another of: the layer has that one
    for name, parameter in layer.named_parameters(recurse=False, remove_duplicate=False):
        yield name, parameter, False, not parameter.requires_grad
    for name, buffer in layer.named_buffers(recurse=False, remove_duplicate=False):
        yield name, buffer, True, False
    if is_parametrized(layer):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        for name, parametrizations in layer.parametrizations.items():
            originals = list(parametrizations.parameters(recurse=False))
            frozen = bool(originals) and not any(p.requires_grad for p in originals)
            with _noting(_join(prefix, name)):
                tensor = _parametrized(parametrizations)
            yield name, tensor, not originals, frozen


def _is_parametrized(layer: nn.Module, name: str) -> bool:
    return is_parametrized(layer) and is_parametrized(layer, name)


def _parametrized(parametrizations: nn.Module) -> torch.Tensor:
    """A new tensor like the one that parametrizations compute, to be assigned."""
    for parametrization in parametrizations.children():
        if not hasattr(parametrization, "right_inverse"):
            raise RecipeError(
                f"a parametrization must have a `right_inverse` to be assigned through, "
                f"got {type(parametrization).__name__}"
            )
    training = parametrizations.training
    parametrizations.eval()  # computing it must not change it, as spectral_norm does in training
    try:
        with torch.no_grad():
            return torch.empty_like(parametrizations())
    finally:
        parametrizations.train(training)


def _tie(slots: Iterator[Slot]) -> list[Slot]:
    """Declare as tied what is the same memory as a parameter before it."""
    paths: dict[object, str] = {}
    tied = []
    for slot in slots:
        first = paths.setdefault(_memory(slot.tensor), slot.parameter.path)
        if first != slot.parameter.path:
            parameter = replace(slot.parameter, tied_to=first, left_as=None)
            slot = replace(slot, parameter=parameter)
        tied.append(slot)
    return tied


def _memory(tensor: torch.Tensor) -> object:
    if tensor.is_meta or tensor.numel() == 0 or tensor.layout != torch.strided:
        return id(tensor)
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride()


def _check_apart(slots: list[Slot]) -> None:
    """Raise if a part of memory would be written twice, by two parameters that are views of it."""
    storages: dict[object, list[Slot]] = {}
    for slot in slots:
        tensor = slot.tensor
        if not tensor.is_meta and tensor.numel():
            key = tensor.untyped_storage().data_ptr(), tensor.device
            storages.setdefault(key, []).append(slot)
    for shared in storages.values():
        for one, other in itertools.combinations(shared, 2):
            if _overlap(one.tensor, other.tensor):
                raise RecipeError(
                    f"`module` must have parameters that are apart or tied, got "
                    f"{one.parameter.path!r} and {other.parameter.path!r} that share memory"
                )


def _overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    size = one.untyped_storage().nbytes()
    written = torch.zeros(size, dtype=torch.bool)
    found = []
    for tensor in (one, other):
        item = tensor.element_size()
        view = written.as_strided(
            (*tensor.shape, item),
            (*(stride * item for stride in tensor.stride()), 1),
            tensor.storage_offset() * item,
        )
        found.append(bool(view.any()))
        view.fill_(True)
    return found[1]


def _check_same(planned: list[Parameter], found: list[Parameter]) -> None:
    """Raise if a module is not the one that was planned."""
    for expected, actual in itertools.zip_longest(planned, found):
        if expected != actual:
            raise RecipeError(
                f"`recipe` must be a ledger of this module, got one of {expected} "
                f"where the module has {actual}"
            )


@contextlib.contextmanager
def _noting(path: str) -> Iterator[None]:
    """Note a parameter's path on errors."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.add_note(f"parameter: {path}")
        raise
