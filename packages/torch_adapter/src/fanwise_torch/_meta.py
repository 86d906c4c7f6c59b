"""From the device meta to memory: what nothing writes after that is found (spec: recipes/13)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn

from ._core import SourceError

Model = TypeVar("Model", bound=nn.Module)


def materialize_(model: Model, /, *, device: torch.device | str) -> Model:
    """Give the parameters and buffers of a module that are on `meta` memory on a device.

    Parameters
    ----------
    model : torch.nn.Module
        The model. What is on another device than `meta` stays as it is.
    device : torch.device or str
        Where to.

    Returns
    -------
    torch.nn.Module
        `model`. Its memory is filled with nan, and with the number that is farthest from zero
        where the dtype has no nan: `init_model_` raises if anything is left so.

    Raises
    ------
    SourceError
        If `model` is no module, or the device is `meta`.

    Notes
    -----
    `torch.nn.Module.to_empty` leaves what was in the memory, separates tied parameters, and
    empties what has values already.

    Examples
    --------
    >>> import torch
    >>> from fanwise import he_normal
    >>> from fanwise_torch import init_model_, materialize_, plan_model
    >>> with torch.device("meta"):
    ...     model = torch.nn.Linear(4, 8)
    >>> ledger = plan_model(model, he_normal())
    >>> model = materialize_(model, device="cpu")
    >>> bool(model.weight.isnan().all())
    True
    >>> init_model_(model, ledger, seed=0) == ledger
    True
    """
    if not isinstance(model, nn.Module):
        raise SourceError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    if torch.device(device).type == "meta":
        raise SourceError("`device` must have memory, got 'meta'")
    made: dict[int, torch.Tensor] = {}

    def materialized(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in made:
            with torch.no_grad():
                filled = torch.empty_like(tensor, device=device).fill_(_mark(tensor.dtype))
            is_parameter = isinstance(tensor, nn.Parameter)
            made[id(tensor)] = (
                nn.Parameter(filled, requires_grad=tensor.requires_grad) if is_parameter else filled
            )
        return made[id(tensor)]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta:
                    tensors[name] = materialized(tensor)  # type: ignore[assignment]  # of a kind
    return model


def unwritten(
    left: Iterable[tuple[str, torch.Tensor, bool]], drawn: Iterable[torch.Tensor], /
) -> list[str]:
    """Which tensors nothing has written since they were on `meta`.

    Parameters
    ----------
    left : iterable of (str, torch.Tensor, bool)
        What was on `meta` and is left as it is, each with its path and whether it is a buffer.
    drawn : iterable of torch.Tensor
        What was on `meta` and is to be drawn.

    Returns
    -------
    list of str
        Their paths.
    """
    # Memory that is not marked says nothing by its values. A buffer that a module computes anew,
    # in place, has a version; a parameter may be assigned from a file, and then has none.
    is_marked = any(is_mark(tensor) for tensor in drawn)
    return [
        path
        for path, tensor, is_buffer in left
        if is_mark(tensor) or (is_buffer and not is_marked and is_untouched(tensor))
    ]


def is_mark(tensor: torch.Tensor) -> bool:
    """Whether a tensor has nothing but what `materialize_` fills memory with."""
    if tensor.numel() == 0 or tensor.dtype == torch.bool:
        return False
    value, mark = tensor.detach(), _mark(tensor.dtype)
    if mark == mark:
        return bool((value == mark).all())
    if value.dtype.itemsize == 1:  # few operations know these dtypes
        value = value.to(torch.float32)
    return bool(value.isnan().all())


def is_untouched(tensor: torch.Tensor) -> bool:
    """Whether nothing has written to the memory of a tensor, but for what made it."""
    return not tensor.is_inference() and tensor._version == 0 and tensor.numel() > 0


def _mark(dtype: torch.dtype) -> float | int:
    if dtype.is_floating_point or dtype.is_complex:
        return float("nan")
    if dtype == torch.bool:
        return 0
    integers = torch.iinfo(dtype)
    return integers.min or integers.max
