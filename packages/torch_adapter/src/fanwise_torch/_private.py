"""What this package uses of PyTorch that PyTorch does not document: each symbol, and why.

Checked with the releases 2.5.1 and 2.13.0. Where PyTorch offers a public way, use that instead.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

# The bases of all convolutions and of all norms with running statistics, lazy ones and those of
# quantization-aware training included: `declare` is for whole families. Since 1.0.
from torch.nn.modules.batchnorm import _NormBase as NormBase
from torch.nn.modules.conv import _ConvNd as ConvNd, _ConvTransposeNd as ConvTransposeNd

# The hooks of the older weight and spectral norm, whose functions alone are documented. Since 1.0.
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

# The only way to see the random functions that other people's code calls. Since 1.12; documented
# in the developers' notes, not in the reference.
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes as without_modes,  # to compute beside one; since 2.0
)

__all__ = [
    "BasePruningMethod",
    "ConvNd",
    "ConvTransposeNd",
    "NormBase",
    "SpectralNorm",
    "TorchDispatchMode",
    "WeightNorm",
    "fake_tensor_mode",
    "forward_pre_hooks",
    "has_values",
    "is_batched",
    "is_flat_parameter",
    "keyed_generator",
    "value_errors",
    "without_modes",
]


def keyed_generator(key: int, device: torch.device, /) -> torch.Generator:
    """A generator whose state is a function of all 64 bits of a key."""
    generator = torch.Generator(device)
    if device.type != "cpu":
        return generator.manual_seed(key)
    # On the CPU, `manual_seed` keeps 32 bits. Python's `random` is the same Mersenne Twister and
    # seeds it with all bits: its state goes into PyTorch's, behind the seed and the position. The
    # layout of `get_state`'s bytes is not documented; `test_source.py` holds it to a known answer.
    state = generator.manual_seed(key & 0xFFFFFFFF).get_state()
    twister = array("q", random.Random(key).getstate()[1][:-1])
    state.view(torch.int64)[3 : 3 + len(twister)] = torch.frombuffer(twister, dtype=torch.int64)
    generator.set_state(state)
    return generator


def has_values(tensor: torch.Tensor, /) -> bool:
    """Whether a tensor is neither on `meta` nor a fake one, which plans memory."""
    # `torch._subclasses` is the home of FakeTensor; not imported unless somebody else did.
    fake = sys.modules.get("torch._subclasses.fake_tensor")
    return not tensor.is_meta and not (fake is not None and isinstance(tensor, fake.FakeTensor))


def is_batched(tensor: torch.Tensor, /) -> bool:
    """Whether `torch.func.vmap` is batching a tensor. No public function tells."""
    return bool(torch._C._functorch.is_batchedtensor(tensor))


def is_flat_parameter(tensor: torch.Tensor, /) -> bool:
    """Whether the older FullyShardedDataParallel keeps several parameters in one. No public way."""
    return bool(getattr(tensor, "_is_flat_param", False))


def fake_tensor_mode() -> Any:
    """A mode in which tensors have shapes and no values; imported only where it is used."""
    # `torch._subclasses` is how `torch.compile` and `torch.export` trace; since 1.13, undocumented.
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True)


def value_errors() -> tuple[type[Exception], ...]:
    """What fake tensors raise where the course of a computation depends on values."""
    from torch._subclasses import fake_tensor
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    return (
        fake_tensor.DataDependentOutputException,
        fake_tensor.DynamicOutputShapeException,
        fake_tensor.UnsupportedFakeTensorException,
        fake_tensor.UnsupportedOperatorException,
        GuardOnDataDependentSymNode,
        NotImplementedError,
    )


def forward_pre_hooks(layer: nn.Module, /) -> Iterable[Any]:
    """The hooks that run before a layer: the public way adds one, and none lists them."""
    return layer._forward_pre_hooks.values()
