"""Draw into a tensor that is there: below what is compiled, and below whole models."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

import torch

from ._core import (
    Axes,
    Fans,
    Plan,
    Scheme,
    SourceError,
    check_draw,
    draw,
    field_of,
    parse_path,
    resolve,
)
from ._private import has_values, is_batched, is_flat_parameter
from ._source import TorchSource, dtype_name

Seed = int | torch.Generator | None


def initialize(
    tensor: torch.Tensor,
    scheme: Scheme,
    axes: Axes | None,
    fans: Fans | None,
    seed: Seed,
    path: str | Sequence[str] = (),
) -> torch.Tensor:
    """Initialize a tensor in place; without a seed, from the default generator of its device."""
    check_tensor(tensor)
    field = field_of(dtype_name(tensor.dtype))
    plan = resolve(scheme, tensor.shape, axes, fans=fans, field=field, path=parse_path(path))
    write(tensor, plan, seed, path)
    return tensor


def write(tensor: torch.Tensor, plan: Plan, seed: Seed, path: str | Sequence[str]) -> None:
    """Draw a plan into a tensor; one without values, fake or `meta`, is left as it is."""
    name = dtype_name(tensor.dtype)
    if not has_values(tensor):
        check_draw(plan, name)
        return
    with torch.no_grad():
        if is_distributed(tensor):
            _write_shard(tensor, plan, seed, path)
        else:
            draw(plan, TorchSource(seed, path, device=tensor.device), dtype=name, out=tensor)


def _write_shard(tensor: Any, plan: Plan, seed: Seed, path: str | Sequence[str]) -> None:
    """Draw the whole of a tensor that is distributed, and keep the shard of this rank."""
    from torch.distributed.tensor import distribute_tensor

    local = tensor.to_local()
    whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=local.device)
    write(whole, plan, seed, path)
    # All ranks have the whole, and nothing need be sent; releases before 2.6 send it.
    options: dict[str, Any] = {}
    if "src_data_rank" in inspect.signature(distribute_tensor).parameters:
        options["src_data_rank"] = None
    shard = distribute_tensor(whole, tensor.device_mesh, tensor.placements, **options)
    local.copy_(shard.to_local())


def is_distributed(tensor: torch.Tensor, /) -> bool:
    """Whether a tensor is a DTensor, whose module is then imported already."""
    found = sys.modules.get("torch.distributed.tensor")
    return found is not None and isinstance(tensor, found.DTensor)


def check_tensor(tensor: Any) -> None:
    """Raise unless a tensor can be written into, element by element."""
    if not isinstance(tensor, torch.Tensor):
        raise SourceError(f"`tensor` must be a torch.Tensor, got {type(tensor).__name__}")
    if torch.nn.parameter.is_lazy(tensor):
        raise SourceError("`tensor` must have a shape, got a lazy parameter: run the module once")
    if is_flat_parameter(tensor):
        raise SourceError("`tensor` must be one parameter, got FSDP's flat one: use fully_shard")
    if is_batched(tensor):
        raise SourceError(
            "`tensor` must not be batched by torch.func.vmap, got one that is: "
            "initialize the stacked tensor, with a 'stack' axis"
        )
    if tensor.is_nested:
        raise SourceError("`tensor` must not be nested, got one that is: initialize its parts")
    if tensor.layout != torch.strided:
        raise SourceError(f"`tensor` must be strided, got layout {tensor.layout}")
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        raise SourceError("`tensor` must be written within torch.inference_mode, where it was made")
    if _overlaps_itself(tensor):
        raise SourceError(
            f"`tensor` must have a place for each element, got strides {tensor.stride()} "
            f"for the shape {tuple(tensor.shape)}"
        )


def _overlaps_itself(tensor: torch.Tensor) -> bool:
    """Whether two elements may be in one place, as in an expanded tensor."""
    reach = 0
    axes = zip(tensor.stride(), tensor.shape, strict=True)
    for stride, size in sorted(axis for axis in axes if axis[1] != 1):
        if size and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False
