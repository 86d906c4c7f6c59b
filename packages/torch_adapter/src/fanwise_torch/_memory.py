"""Which tensors are the same memory, and which share a part of it."""

from __future__ import annotations

import math

import torch
from torch import nn


def memory(tensor: torch.Tensor, /) -> object:
    """What is equal for tensors that are the same elements of memory."""
    if not _has_storage(tensor):
        return id(tensor)
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride()


def overlaps(tensors: list[torch.Tensor], /) -> list[tuple[int, int]]:
    """Pairs, by their places in the list, of tensors that share an element.

    For every tensor that shares one with others before it, at least one pair.
    """
    storages: dict[object, list[int]] = {}
    for index, tensor in enumerate(tensors):
        if _has_storage(tensor):
            key = tensor.untyped_storage().data_ptr(), tensor.device
            storages.setdefault(key, []).append(index)
    found = []
    for indices in storages.values():
        reaching: list[int] = []  # into each other
        end = 0
        for index in sorted(indices, key=lambda index: tensors[index].data_ptr()):
            if tensors[index].data_ptr() >= end:
                found += _sharing(tensors, reaching)
                reaching = []
            reaching.append(index)
            end = max(end, _end(tensors[index]))
        found += _sharing(tensors, reaching)
    return found


def _has_storage(tensor: torch.Tensor) -> bool:
    """Whether it is known where a tensor's elements are: not on `meta`, not in a subclass."""
    plain = type(tensor) in (torch.Tensor, nn.Parameter, nn.Buffer)
    return plain and not tensor.is_meta and tensor.layout == torch.strided and tensor.numel() > 0


def _end(tensor: torch.Tensor) -> int:
    """Where a tensor's last element ends."""
    axes = zip(tensor.stride(), tensor.shape, strict=True)
    elements = sum(stride * (size - 1) for stride, size in axes) + 1
    return tensor.data_ptr() + elements * tensor.element_size()


def _sharing(tensors: list[torch.Tensor], reaching: list[int]) -> list[tuple[int, int]]:
    """Pairs among tensors that reach into each other, by writing down whose each place is."""
    if len(reaching) < 2:
        return []
    start = min(tensors[index].data_ptr() for index in reaching)
    starts = {index: tensors[index].data_ptr() - start for index in reaching}
    unit = math.gcd(*starts.values(), *(tensors[index].element_size() for index in reaching))
    places = (max(_end(tensors[index]) for index in reaching) - start) // unit
    owners = torch.full((places,), -1, dtype=torch.int32, device="cpu")
    positions = torch.arange(places, device="cpu")
    found = []
    for index in reaching:
        units = tensors[index].element_size() // unit
        strides = (*(stride * units for stride in tensors[index].stride()), 1)
        shape = (*tensors[index].shape, units)
        own = positions.as_strided(shape, strides, starts[index] // unit).reshape(-1)
        others = set(torch.unique(owners[own]).tolist()) - {-1}
        found += [(other, index) for other in sorted(others)]
        owners[own] = index
    return found
