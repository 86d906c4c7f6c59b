"""Which tensors are the same memory, and which share a part of it."""

from __future__ import annotations

import torch
from torch import nn


def memory(tensor: torch.Tensor, /) -> object:
    """What is equal for tensors that are the same elements of memory."""
    if not _has_storage(tensor):
        return id(tensor)
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride()


def overlaps(tensors: list[torch.Tensor], /) -> list[tuple[int, int]]:
    """Pairs, by their places in the list, of tensors that share an element."""
    storages: dict[object, list[int]] = {}
    for index, tensor in enumerate(tensors):
        if _has_storage(tensor):
            key = tensor.untyped_storage().data_ptr(), tensor.device
            storages.setdefault(key, []).append(index)
    found = []
    for shared in storages.values():
        shared.sort(key=lambda index: tensors[index].data_ptr())
        for place, one in enumerate(shared):
            for other in shared[place + 1 :]:
                if tensors[other].data_ptr() >= _end(tensors[one]):
                    break
                if _share(tensors[one], tensors[other]):
                    found.append((one, other))
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


def _share(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors that reach into each other share an element, byte by byte."""
    start = min(one.data_ptr(), other.data_ptr())
    written = torch.zeros(max(_end(one), _end(other)) - start, dtype=torch.bool, device="cpu")
    found = False
    for tensor in (one, other):
        size = tensor.element_size()
        strides = (*(stride * size for stride in tensor.stride()), 1)
        view = written.as_strided((*tensor.shape, size), strides, tensor.data_ptr() - start)
        found = bool(view.any())
        view.fill_(True)
    return found
