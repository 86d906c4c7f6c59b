"""`torch.nn.init` under its own names, signatures and laws, drawn right.

Change ``from torch.nn import init`` to ``from fanwise_torch import nn_init as init``. Fans and
bounds are PyTorch's, whatever the layer; for the layer's, use `init_` with axes. What differs is
what PyTorch gets wrong: low-precision draws are unbiased and stay within their bounds, a truncated
normal takes fixed work and is right far from its mean, `orthogonal_` also works in half precision
and for complex tensors, complex variances are E|w|^2, `sparse_` draws its pattern from the given
generator, and `dirac_` has no loop. Without a generator, the default one of the tensor's device is
drawn from, as in PyTorch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import init as _native
from torch.nn.init import calculate_gain, constant_, eye_, zeros_

from . import _core as core
from ._tensor import encode, initialize

__all__ = list(_native.__all__)

Generator = torch.Generator | None


def uniform_(
    tensor: torch.Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Uniform on [`a`, `b`)."""
    if a == b:
        return constant_(tensor, a)
    return _init(tensor, generator, "uniform", low=a, high=b)


def normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Normal."""
    if std == 0:
        return constant_(tensor, mean)
    return _init(tensor, generator, "normal", mean=mean, std=std)


def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> torch.Tensor:
    """Normal of `mean` and `std`, given that it is within the absolute bounds `a` and `b`."""
    return _init(
        tensor,
        generator,
        "truncated_normal",
        parent_mean=mean,
        parent_std=std,
        low=a,
        high=b,
        bounds="absolute",
    )


def dirac_(tensor: torch.Tensor, groups: int = 1) -> torch.Tensor:
    """The identity of a convolution: one at the center, position size // 2, of each channel."""
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.size(0) % groups:
        raise ValueError("dim 0 must be divisible by groups")
    return _init(tensor, None, "dirac", groups, center="upper")


def xavier_uniform_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Uniform of variance 2 `gain`^2 / (fan_in + fan_out)."""
    return _init_scaled(tensor, generator, "glorot_uniform", gain)


def xavier_normal_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Normal of variance 2 `gain`^2 / (fan_in + fan_out)."""
    return _init_scaled(tensor, generator, "glorot_normal", gain)


def kaiming_uniform_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Uniform of variance gain^2 / fan, with the gain of `nonlinearity` of negative slope `a`."""
    return _init_kaiming(tensor, generator, "he_uniform", a, mode, nonlinearity)


def kaiming_normal_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Normal of variance gain^2 / fan, with the gain of `nonlinearity` of negative slope `a`."""
    return _init_kaiming(tensor, generator, "he_normal", a, mode, nonlinearity)


def orthogonal_(tensor: torch.Tensor, gain: float = 1, generator: Generator = None) -> torch.Tensor:
    """`gain` times a random matrix of orthonormal rows or columns, trailing axes flattened."""
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    # The law of a Haar matrix is that of its negative.
    return _init_scaled(tensor, generator, "orthogonal", abs(gain))


def sparse_(
    tensor: torch.Tensor, sparsity: float, std: float = 0.01, generator: Generator = None
) -> torch.Tensor:
    """Normal, but for ceil(`sparsity` x rows) zeros at random places of each column."""
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if sparsity == 1 or std == 0:
        return zeros_(tensor)
    return _init(tensor, generator, "sparse", sparsity=sparsity, std=std, per="in")


def __getattr__(name: str) -> Any:
    return getattr(_native, name)  # PyTorch's private helpers, which some code imports


def _init_scaled(
    tensor: torch.Tensor, generator: Generator, scheme: str, gain: float
) -> torch.Tensor:
    _check_rank(tensor)
    if gain == 0 or tensor.numel() == 0:
        return zeros_(tensor)
    return _init(tensor, generator, scheme, gain=gain)


def _init_kaiming(
    tensor: torch.Tensor,
    generator: Generator,
    scheme: str,
    a: float,
    mode: str,
    nonlinearity: Any,
) -> torch.Tensor:
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return tensor
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"`mode` must be one of {', '.join(modes)}, got {mode!r}")
    _check_rank(tensor)
    gain = calculate_gain(nonlinearity, a)
    return _init(tensor, generator, scheme, gain=gain, fan=mode.lower().removeprefix("fan_"))


def _check_rank(tensor: torch.Tensor) -> None:
    if tensor.ndimension() < 2:
        raise ValueError(
            f"`tensor` must have 2 or more dimensions for fans, got the shape {tuple(tensor.shape)}"
        )


def _init(
    tensor: torch.Tensor, generator: Generator, scheme: str, groups: int = 1, **options: Any
) -> torch.Tensor:
    """Initialize a tensor whose axes are taken, as in PyTorch, for those of a convolution."""
    if torch.compiler.is_compiling() and generator is None:
        torch.ops.fanwise.initialize_(tensor, _encode(scheme, tensor.dim(), groups, options))
        return tensor
    made, axes = _make(scheme, tensor.dim(), groups, options)
    return initialize(tensor, made, axes, None, generator)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _encode(scheme: str, rank: int, groups: int, options: dict[str, Any]) -> str:
    call: str = encode(*_make(scheme, rank, groups, options), None, None)
    return call


def _make(
    scheme: str, rank: int, groups: int, options: dict[str, Any]
) -> tuple[core.Scheme, core.Axes | None]:
    axes = core.Axes("out in" + " kernel" * (rank - 2), groups=groups) if rank > 1 else None
    return getattr(core, scheme)(**options), axes


def _deprecated(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    name = function.__name__.removesuffix("_")

    def deprecated(*args: Any, **kwargs: Any) -> torch.Tensor:
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    deprecated.__name__ = name
    deprecated.__doc__ = f"Deprecated, as in PyTorch: `{name}_`."
    return deprecated


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
