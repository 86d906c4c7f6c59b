"""What a module holds: every parameter and buffer under every name, tied, frozen or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrize import ParametrizationList

from ._core import Declaration, Parameter, check_loaded, declared_in, noting_parameter, tie
from ._layers import declare
from ._memory import memory
from ._parametrized import computed_like, hooked, parametrized
from ._tensor import check_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A parameter or buffer, where it is in the module, and the tensor to draw it into."""

    parameter: Parameter
    layer: nn.Module
    name: str
    tensor: torch.Tensor
    through: ParametrizationList | None = None  # which assigns what is drawn into `tensor`
    declared_as: str = ""  # the name that its layer declares, which differs if a hook stores it

    @property
    def path(self) -> str:
        """Its name in the module."""
        return self.parameter.path

    @property
    def memory(self) -> object:
        """What is equal for slots that are the same memory."""
        return memory(self.tensor) if self.through is None else id(self.through)

    @property
    def stored(self) -> list[torch.Tensor]:
        """The tensors that change if it is written."""
        return [self.tensor] if self.through is None else _originals(self.through)

    @property
    def zero_row(self) -> int | None:
        """The row that is zero by its layer's rule, that of an embedding's padding."""
        layer = self.layer
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and self.declared_as == "weight":
            return layer.padding_idx
        return None

    @property
    def is_count(self) -> bool:
        """Whether it is a norm's count of batches, which is zero where its mean is drawn."""
        return isinstance(self.layer, _NormBase) and self.name == "num_batches_tracked"


def slots_of(module: nn.Module, loaded: Iterable[str]) -> list[Slot]:
    """Every parameter and buffer of a module under every name that it has."""
    slots = list(_slots(module, check_loaded(loaded, _names(module))))
    tied = tie([slot.parameter for slot in slots], [slot.memory for slot in slots])
    return [replace(slot, parameter=parameter) for slot, parameter in zip(slots, tied, strict=True)]


def _names(module: nn.Module) -> set[str]:
    """The names of a module's parameters and buffers, as a state dict has them, and of weights."""
    known = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    known |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    for prefix, layer in module.named_modules(remove_duplicate=False):
        known.add(_join(prefix, "_extra_state"))
        known |= {_join(prefix, name) for name in parametrized(layer)}
    return known


def _slots(module: nn.Module, loaded: frozenset[str]) -> Iterator[Slot]:
    """Every parameter and buffer under every name that it has."""
    for prefix, layer in module.named_modules(remove_duplicate=False):
        declarations, hooks = declare(layer), hooked(layer)
        stored = {computed: name for name, computed in hooks.items()}
        for slot, is_frozen in _own(layer, prefix):
            path, tensor = slot.path, slot.tensor
            is_buffer = slot.parameter.kind == "buffer"
            with noting_parameter(path):
                name = hooks.get(slot.name, slot.name)
                declared = declared_in(
                    declarations, name, slot.parameter.shape, owner=type(layer).__name__
                ) or Declaration.of_name(name)
                fans_of = stored.get(declared.fans_of or "", declared.fans_of)
                parameter = replace(
                    slot.parameter,
                    axes=declared.axes,
                    kind="buffer" if is_buffer else declared.kind,
                    fans_of=fans_of and _join(prefix, fans_of),
                    default=declared.default if is_buffer and tensor.is_meta else None,
                )
                within = _join(prefix, f"parametrizations.{slot.name}.")
                if path in loaded or (
                    slot.through is not None and any(name.startswith(within) for name in loaded)
                ):
                    parameter = replace(parameter, left_as="loaded")
                elif is_frozen:
                    parameter = replace(parameter, left_as="frozen")
                elif not (tensor.is_floating_point() or tensor.is_complex()):
                    parameter = replace(parameter, left_as="skipped")
            yield replace(slot, parameter=parameter, declared_as=name)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _own(layer: nn.Module, prefix: str) -> Iterator[tuple[Slot, bool]]:
    """A layer's own parameters and buffers, bare, and whether each is frozen."""

    def slot(
        name: str, tensor: torch.Tensor, is_buffer: bool, through: ParametrizationList | None = None
    ) -> Slot:
        if nn.parameter.is_lazy(tensor):
            with noting_parameter(_join(prefix, name)):
                check_tensor(tensor)
        shape, field = tuple(tensor.shape), "complex" if tensor.is_complex() else "real"
        kind = "buffer" if is_buffer else "weight"
        parameter = Parameter(_join(prefix, name), shape, kind=kind, field=cast(Any, field))
        return Slot(parameter, layer, name, tensor, through)

    if isinstance(layer, ParametrizationList):
        return  # what it makes a weight of: its owner has that one
    for name, parameter in layer.named_parameters(recurse=False, remove_duplicate=False):
        yield slot(name, parameter, False), not parameter.requires_grad
    for name, buffer in layer.named_buffers(recurse=False, remove_duplicate=False):
        yield slot(name, buffer, True), False
    for name, through in parametrized(layer).items():
        originals = list(through.parameters(recurse=False))
        with noting_parameter(_join(prefix, name)):
            tensor = computed_like(through)
        frozen = not all(original.requires_grad for original in originals)
        yield slot(name, tensor, not originals, through), frozen


def _originals(through: ParametrizationList) -> list[torch.Tensor]:
    """The tensors from which a weight is computed."""
    return [*through.parameters(recurse=False), *through.buffers(recurse=False)]
