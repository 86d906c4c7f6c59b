"""What is in a module: every parameter and buffer under every name, and where to draw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from ._core import DTYPES, Found, annotate_errors, declarations_of, declared_in, describe
from ._eager import check_tensor
from ._layers import declare
from ._memory import memory
from ._parametrized import computed_like, hooked, parametrized
from ._private import NormBase


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A parameter or buffer under one of its names, and the tensor to draw it into.

    Attributes
    ----------
    found : Found
        What the core is told of it.
    layer : torch.nn.Module
        The layer that has it.
    name : str
        Its name in that layer.
    tensor : torch.Tensor
        What to draw into.
    parametrization : ParametrizationList or None
        What assigns the drawn tensor, if the layer computes it from others.
    """

    found: Found
    layer: nn.Module
    name: str
    tensor: torch.Tensor
    parametrization: ParametrizationList | None = None

    @property
    def path(self) -> str:
        """Its name in the module."""
        return self.found.parameter.path

    @property
    def stored(self) -> list[torch.Tensor]:
        """The tensors that change if it is written."""
        if self.parametrization is None:
            return [self.tensor]
        originals = self.parametrization.parameters(recurse=False)
        return [*originals, *self.parametrization.buffers(recurse=False)]

    @property
    def is_count(self) -> bool:
        """Whether it is the count of batches of a norm, which is zero where its mean is drawn."""
        return isinstance(self.layer, NormBase) and self.name == "num_batches_tracked"


def targets_of(module: nn.Module, /) -> list[Target]:
    """Every parameter and buffer of a module under every name that it has."""
    return [
        target
        for prefix, layer in module.named_modules(remove_duplicate=False)
        if not isinstance(layer, ParametrizationList)  # its owner has what it makes
        for target in _of_layer(layer, prefix)
    ]


def other_names(module: nn.Module, /) -> set[str]:
    """Names in a state dict of what is no parameter or buffer on its own."""
    names = set()
    for prefix, layer in module.named_modules(remove_duplicate=False):
        names.add(_join(prefix, "_extra_state"))
        if isinstance(layer, ParametrizationList):
            names |= {_join(prefix, name) for name, _ in layer.named_parameters(recurse=False)}
            names |= {_join(prefix, name) for name, _ in layer.named_buffers(recurse=False)}
    return names


def _of_layer(layer: nn.Module, prefix: str) -> Iterator[Target]:
    """The parameters and buffers of a layer itself."""
    declarations, known = declarations_of(
        layer, declare, ("forward", "_conv_forward"), ("torch",), nn.Module
    )
    hooks = hooked(layer)
    stored = {computed: name for name, computed in hooks.items()}

    def target(
        name: str,
        tensor: torch.Tensor,
        *,
        is_buffer: bool,
        frozen: bool = False,
        parametrization: ParametrizationList | None = None,
    ) -> Target:
        if nn.parameter.is_lazy(tensor):
            check_tensor(tensor)
        shape, owner = tuple(tensor.shape), type(layer).__name__
        known_as = hooks.get(name, name)  # the name that the layer declares
        declared = declared_in(declarations, known_as, shape, owner=owner, known=known)
        if declared is not None and declared.fans_of is not None:
            fans_of = stored.get(declared.fans_of, declared.fans_of)
            declared = replace(declared, fans_of=fans_of)
        dtype = str(tensor.dtype).removeprefix("torch.")
        is_count = isinstance(layer, NormBase) and name == "num_batches_tracked"
        found = Found(
            describe(
                prefix,
                name,
                shape,
                dtype,
                declared,
                frozen=frozen,
                layer=owner,
                is_buffer=is_buffer,
                valued=is_count or not tensor.is_meta,
            ),
            dtype if dtype in DTYPES else "",
            memory(tensor) if parametrization is None else id(parametrization),
            _names_within(prefix, name, parametrization),
            None if declared is None or name in hooks else declared.shape,
        )
        return Target(found, layer, name, tensor, parametrization)

    for name, parameter in layer.named_parameters(recurse=False, remove_duplicate=False):
        with annotate_errors(_join(prefix, name)):
            yield target(name, parameter, is_buffer=False, frozen=not parameter.requires_grad)
    for name, buffer in layer.named_buffers(recurse=False, remove_duplicate=False):
        with annotate_errors(_join(prefix, name)):
            yield target(name, buffer, is_buffer=True)
    for name, parametrization in parametrized(layer).items():
        originals = list(parametrization.parameters(recurse=False))
        with annotate_errors(_join(prefix, name)):
            yield target(
                name,
                computed_like(parametrization),
                is_buffer=not originals,
                frozen=not all(original.requires_grad for original in originals),
                parametrization=parametrization,
            )


def _names_within(
    prefix: str, name: str, parametrization: ParametrizationList | None
) -> tuple[str, ...]:
    """The names, in a state dict, of what a weight is computed from."""
    if parametrization is None:
        return ()
    within = _join(prefix, f"parametrizations.{name}")
    return tuple(_join(within, key) for key in parametrization.state_dict())


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
