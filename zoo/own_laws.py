"""What a constructor of PyTorch sets each parameter to: a constant, or something drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
DRAWN, COMPUTED, UNWRITTEN = "drawn", "computed", "unwritten"
Own = float | str  # a constant, or one of the above

_FACTORIES = {aten.ones: 1.0, aten.zeros: 0.0, aten.ones_like: 1.0, aten.zeros_like: 0.0,
              aten.new_ones: 1.0, aten.new_zeros: 0.0}  # fmt: skip
_FILLED = {aten.full: 1, aten.full_like: 1, aten.new_full: 2, aten.fill_: 1, aten.fill: 1}
_UNWRITTEN = {aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty}
_MOVED = {aten.view, aten.detach, aten._to_copy, aten.clone, aten.alias, aten.expand, aten.t,
          aten.transpose, aten.permute, aten.reshape, aten.unsqueeze, aten.squeeze,
          aten._unsafe_view, aten.repeat, aten.contiguous, aten.lift_fresh, aten.copy_,
          aten.constant_pad_nd}  # fmt: skip
_SCALED = {aten.mul, aten.mul_}


class _Laws(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's
    """Follows what every tensor in memory was last set to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.of: dict[int, Own] = {}
        self._kept: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is aten._local_scalar_dense and _is_fake(args[0]):
            # Rates of stochastic depth are computed; no draw is rejected.
            return 0.0 if args[0].dtype.is_floating_point else args[0].dtype != torch.bool
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if _is_tensor(leaf)]
        laws = [self.of.get(_storage(tensor), COMPUTED) for tensor in given]
        random = torch.Tag.nondeterministic_seeded in func.tags
        if packet in _FACTORIES:
            law: Own = _FACTORIES[packet]
        elif packet in _FILLED:
            law = float(args[_FILLED[packet]]) if not _is_tensor(args[-1]) else COMPUTED
        elif packet is aten.zero_:
            law = 0.0
        elif packet in _UNWRITTEN:
            law = UNWRITTEN
        elif packet in _MOVED:
            law = laws[-1] if laws else COMPUTED
        elif random or DRAWN in laws:
            law = DRAWN
        elif packet in _SCALED and isinstance(args[1], int | float) and isinstance(laws[0], float):
            law = laws[0] * args[1]
        else:
            law = COMPUTED
        if func._schema.is_mutable and given:
            outputs = given[:1]
            whole = outputs[0].numel() * outputs[0].element_size()
            if whole < outputs[0].untyped_storage().nbytes():  # a part, as a row of padding
                law = self.of.get(_storage(outputs[0]), COMPUTED) if law != DRAWN else DRAWN
        else:
            outputs = [leaf for leaf in pytree.tree_leaves(result) if _is_tensor(leaf)]
        for output in outputs:
            if func._schema.is_mutable or _storage(output) not in self.of:
                self.of[_storage(output)] = law
                self._kept.append(output.untyped_storage())
        return result


def own_laws(build: Callable[[], nn.Module], *, small: bool) -> Mapping[str, Own]:
    """What a model's constructor sets each of its parameters to.

    Constructed on fake tensors and not on `meta`, where PyTorch's `trunc_normal_` and
    `orthogonal_` return at once. A small model whose constructor needs values is constructed on
    real ones; of a large one, nothing is known then.
    """
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            return _laws_of(build)
    except Exception:  # whatever others' code needs values for
        return _laws_of(build) if small else {}


def _laws_of(build: Callable[[], nn.Module]) -> Mapping[str, Own]:
    with _Laws() as laws:
        model = build()
        return {
            path: laws.of.get(_storage(tensor), COMPUTED)
            for path, tensor in model.named_parameters(remove_duplicate=False)
        }


def _is_fake(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, FakeTensor)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
