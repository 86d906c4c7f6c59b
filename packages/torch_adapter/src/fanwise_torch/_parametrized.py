"""Weights that a layer computes from others: by parametrizations, or by the older hooks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from ._core import RecipeError
from ._private import (
    BasePruningMethod,
    SpectralNorm,
    TorchDispatchMode,
    WeightNorm,
    forward_pre_hooks,
    keyed_generator,
)


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
        with torch.no_grad(), _Keyed(0):
            return torch.empty_like(parametrizations())
    finally:
        for module, training in modes:
            module.training = training


def assign(parametrizations: ParametrizationList, value: torch.Tensor, key: int, /) -> None:
    """Assign a weight through its parametrizations; what they draw is of the key."""
    with torch.no_grad(), _Keyed(key):
        parametrizations.right_inverse(value)


def dry_run(
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
        assign(trial, value.clone(), key)
        with torch.no_grad(), _Keyed(key):
            if value.isfinite().all() and not trial().isfinite().all():
                raise ValueError("a weight that is not finite")
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
        dry_run(parametrizations, torch.zeros_like(like), 0, prepare=lambda copies: None)
    except RecipeError as error:
        # Others may be of zeros alone; there is another dry run with what is drawn.
        if isinstance(error.__cause__, NotImplementedError):
            raise


def hooked(layer: nn.Module, /) -> Mapping[str, str]:
    """Names of parameters that a hook computes another from, and of that other one."""
    return {name: of for hook in forward_pre_hooks(layer) for name, of in _parts(hook)}


def check_drawn_alone(layer: nn.Module, name: str, /) -> None:
    """Raise if a parameter is one of two that the older weight_norm makes a weight of."""
    for hook in forward_pre_hooks(layer):
        if isinstance(hook, WeightNorm) and name in dict(_parts(hook)):
            raise RecipeError(
                f"`module` must have weights that are drawn as one, got {name!r} of the older "
                "weight_norm: use torch.nn.utils.parametrizations.weight_norm"
            )


def _parts(hook: Any) -> list[tuple[str, str]]:
    """What a hook computes a parameter from, each by its name and with the name of that one."""
    if isinstance(hook, WeightNorm):
        return [(f"{hook.name}_g", hook.name), (f"{hook.name}_v", hook.name)]
    if isinstance(hook, SpectralNorm):
        return [(f"{hook.name}_orig", hook.name)]
    if isinstance(hook, BasePruningMethod):
        return [(f"{hook._tensor_name}_orig", hook._tensor_name)]
    return []


class _Keyed(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's is untyped
    """Within, random functions draw from generators of a key, and not from the global ones."""

    def __init__(self, key: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._key = key
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags:
            keyed = getattr(func.overloadpacket, "generator", func)  # as `randn` has
            if any(argument.name == "generator" for argument in keyed._schema.arguments):
                func, kwargs["generator"] = keyed, self._generator(args, kwargs)
        return func(*args, **kwargs)

    def _generator(self, args: Any, kwargs: Any) -> torch.Generator | None:
        given: torch.Generator | None = kwargs.get("generator")
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        device = tensors[0].device if tensors else torch.device(kwargs.get("device") or "cpu")
        if given is not None or device.type == "meta":
            return given
        if device not in self._generators:
            self._generators[device] = keyed_generator(self._key, device)
        return self._generators[device]
