"""Weights that a layer computes from others: by parametrizations, or by hooks of an older kind."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ._core import RecipeError


def parametrized(layer: nn.Module, /) -> Mapping[str, ParametrizationList]:
    """The parametrizations of a layer's weights, by name."""
    found: Any = getattr(layer, "parametrizations", None)
    lists = found.items() if isinstance(found, nn.ModuleDict) else ()
    return {name: value for name, value in lists if isinstance(value, ParametrizationList)}


def computed_like(parametrizations: ParametrizationList, /) -> torch.Tensor:
    """A new tensor like the one that parametrizations compute, to be assigned."""
    modes = [(module, module.training) for module in parametrizations.modules()]
    parametrizations.eval()  # computing it must not change it, as spectral_norm does in training
    try:
        with torch.no_grad(), _keyed(_device(parametrizations), None):
            return torch.empty_like(parametrizations())
    finally:
        for module, training in modes:
            module.training = training


def assign(parametrizations: ParametrizationList, value: torch.Tensor, key: int, /) -> None:
    """Assign a weight through its parametrizations; what they draw is of the key."""
    with torch.no_grad(), _keyed(_device(parametrizations), key):
        parametrizations.right_inverse(value)


def rehearse(
    parametrizations: ParametrizationList,
    value: torch.Tensor,
    key: int,
    /,
    prepare: Callable[[dict[int, Any]], None],
) -> None:
    """Raise unless a weight can be assigned: on a copy, whose parts `prepare` finds by identity."""
    copies: dict[int, Any] = {}
    try:
        trial = copy.deepcopy(parametrizations, copies)
        prepare(copies)
        assign(trial, value, key)
    except Exception as error:  # whatever others' code raises
        raise RecipeError(
            f"a parametrization must be one to assign through, got {type(error).__name__}: {error}"
        ) from error


def check_assignable(parametrizations: ParametrizationList, like: torch.Tensor, /) -> None:
    """Raise if no weight can be assigned through parametrizations, whatever its values."""
    for parametrization in parametrizations:
        if not hasattr(parametrization, "right_inverse"):
            raise RecipeError(
                f"a parametrization must have a `right_inverse` to be assigned through, "
                f"got {type(parametrization).__name__}"
            )
    try:
        rehearse(parametrizations, torch.zeros_like(like), 0, prepare=lambda copies: None)
    except RecipeError as error:  # of zeros alone, unless
        if isinstance(error.__cause__, NotImplementedError):
            raise


def hooked(layer: nn.Module, /) -> Mapping[str, str]:
    """Names of parameters that a hook computes another from, and of that other one."""
    found = {}
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            raise RecipeError(
                f"`module` must have parameters that are drawn apart, got {hook.name!r} of the "
                "older weight_norm: use torch.nn.utils.parametrizations.weight_norm"
            )
        if isinstance(hook, SpectralNorm):
            found[f"{hook.name}_orig"] = hook.name
        elif isinstance(hook, BasePruningMethod):
            found[f"{hook._tensor_name}_orig"] = hook._tensor_name
    return found


def _device(parametrizations: ParametrizationList) -> torch.device:
    return next(iter([*parametrizations.parameters(), *parametrizations.buffers()])).device


@contextlib.contextmanager
def _keyed(device: torch.device, key: int | None) -> Iterator[None]:
    """Within, the global generators are seeded by a key, if any; they are put back after."""
    placed = device.type in ("cuda", "xpu")
    with torch.random.fork_rng(
        [device] if placed else [], device_type=device.type if placed else "cuda"
    ):
        if key is not None:
            torch.default_generator.manual_seed(key)
            if placed:
                module = torch.get_device_module(device)
                index = module.current_device() if device.index is None else device.index
                module.default_generators[index].manual_seed(key)
        yield
