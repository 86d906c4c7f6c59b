"""What fake tensors are known to hold, so that a pass without values can go where values lead.

What is computed from the example and from buffers is computed beside the fake tensors. What depends
on parameters has no values: there, every choice is taken, as all experts of a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ._private import has_values, without_modes

MOST = 2**20  # numbers of a tensor, so that images are not computed twice

_NEED_VALUES = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


class Values:
    """The values that the tensors of a fake tensor mode are known to have."""

    def __init__(self, mode: Any) -> None:
        self._mode = mode
        self._known: dict[int, torch.Tensor] = {}
        self._by_storage: dict[int, list[int]] = {}
        self._kept: list[torch.Tensor] = []  # so that no other tensor gets its identity

    def know(self, tensor: torch.Tensor, value: torch.Tensor) -> None:
        """Say what a fake tensor holds."""
        if value.numel() > MOST or value.is_sparse or value.is_quantized:
            return
        self._known[id(tensor)] = value
        self._by_storage.setdefault(_storage(tensor), []).append(id(tensor))
        self._kept.append(tensor)

    def call(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What an operation returns on fake tensors, and know its values where they follow."""
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if is_tensor(leaf)]
        known = all(id(tensor) in self._known or has_values(tensor) for tensor in tensors)
        is_random = torch.Tag.nondeterministic_seeded in func.tags
        if known and _NEED_VALUES & set(func.tags):
            return self._wrapped(self._compute(func, args, kwargs))
        if not known and func.overloadpacket in _CHOICES:
            return _CHOICES[func.overloadpacket](self, func, args, kwargs)
        result = func(*args, **kwargs)
        outputs = [leaf for leaf in pytree.tree_leaves(result) if is_tensor(leaf)]
        if known and not is_random and all(one.numel() <= MOST for one in outputs):
            try:
                computed = self._compute(func, args, kwargs)
            except (RuntimeError, NotImplementedError):  # not for the CPU
                self._forget(func, args, kwargs)
                return result
            values = [leaf for leaf in pytree.tree_leaves(computed) if is_tensor(leaf)]
            for output, value in zip(outputs, values, strict=True):
                self.know(output, value)
        else:
            self._forget(func, args, kwargs)
        return result

    def every_place(self, mask: torch.Tensor) -> torch.Tensor:
        """The indices of all entries of a mask, as if it were true everywhere."""
        with without_modes():
            places = torch.ones(mask.shape, dtype=torch.bool).nonzero()
        wrapped: torch.Tensor = self._wrapped(places)
        return wrapped

    def _wrapped(self, value: Any) -> Any:
        def wrap(leaf: Any) -> Any:
            if not is_tensor(leaf):
                return leaf
            fake = self._mode.from_tensor(leaf)
            self.know(fake, leaf)
            return fake

        return pytree.tree_map(wrap, value)

    def _compute(self, func: Any, args: Any, kwargs: Any) -> Any:
        def real(leaf: Any) -> Any:
            if is_tensor(leaf):
                return self._known.get(id(leaf), leaf)
            return torch.device("cpu") if isinstance(leaf, torch.device) else leaf

        given, named = pytree.tree_map(real, (tuple(args), dict(kwargs)))
        if named.get("device", "") is None:
            named["device"] = torch.device("cpu")
        with without_modes():
            return func(*given, **named)

    def _forget(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Of what an operation writes to, nothing is known any more."""
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                for leaf in pytree.tree_leaves(value):
                    self._forget_tensor(leaf)

    def _forget_tensor(self, tensor: Any) -> None:
        if is_tensor(tensor):
            for number in self._by_storage.pop(_storage(tensor), ()):
                self._known.pop(number, None)


def is_tensor(leaf: Any) -> bool:
    """Whether a leaf of what an operation takes or returns is a tensor."""
    return isinstance(leaf, torch.Tensor)


def shape_of(one: torch.Tensor, other: torch.Tensor) -> tuple[int, ...]:
    """The shape that two tensors broadcast to."""
    shape = torch.broadcast_shapes(one.shape, other.shape)  # type: ignore[no-untyped-call]
    return tuple(shape)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


# What is done where the course depends on values that nothing tells.
Choice = Callable[[Values, Any, Sequence[Any], Mapping[str, Any]], Any]


def _number(values: Values, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    dtype = args[0].dtype
    return True if dtype == torch.bool else 1.0 if dtype.is_floating_point else 1


def _equal(values: Values, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return True


def _nonzero(values: Values, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return values.every_place(args[0])


def _selected(values: Values, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return args[0].expand(shape_of(args[0], args[1])).reshape(-1)


def _index(values: Values, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    indices: list[Any] = []
    for index in args[1]:
        is_mask = index is not None and index.dtype in (torch.bool, torch.uint8)
        indices += values.every_place(index).unbind(1) if is_mask else [index]
    return func(args[0], indices)


_aten = torch.ops.aten
_CHOICES: Mapping[Any, Choice] = {
    _aten._local_scalar_dense: _number,
    _aten.equal: _equal,
    _aten.index: _index,
    _aten.masked_select: _selected,
    _aten.nonzero: _nonzero,
}
