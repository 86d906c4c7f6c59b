"""Draw a scheme as `torch.nn.init` does: whatever the dtype cannot hold is rounded all the same."""

from __future__ import annotations

import math

import torch

from ._core import Axes, DtypeError, Scheme, inner_bounds, resolve
from ._eager import initialize
from ._source import dtype_name

# Dtypes that PyTorch rounds into, whatever is lost of a law, and where it is drawn for them.
_HALF = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.complex32: torch.complex64,
}


def initialize_rounded(
    tensor: torch.Tensor, scheme: Scheme, groups: int, generator: torch.Generator | None
) -> torch.Tensor:
    """Initialize a tensor in place, its axes taken for the axes of a convolution."""
    if scheme.name == "uniform" and tensor.is_complex():  # as PyTorch: in each part
        parts = torch.empty_like(torch.view_as_real(tensor.detach().resolve_conj()))
        initialize_rounded(parts, scheme, groups, generator)
        with torch.no_grad():
            return tensor.copy_(torch.view_as_complex(parts))
    rank = tensor.dim()
    axes = Axes("out in" + " kernel" * (rank - 2), groups=groups) if rank > 1 else None
    try:
        return initialize(tensor, scheme, axes, None, generator)
    except DtypeError:
        if tensor.dtype not in _HALF:
            raise
        ends = _representable_ends(scheme, tensor, axes)
    wide = torch.empty_like(tensor, dtype=_HALF[tensor.dtype])
    with torch.no_grad():
        tensor.copy_(initialize(wide, scheme, axes, None, generator))
        return tensor if ends is None else tensor.clamp_(*ends)


def _representable_ends(
    scheme: Scheme, tensor: torch.Tensor, axes: Axes | None
) -> tuple[float, float] | None:
    """The ends of the values of a bounded law in a dtype; raise if it cannot hold the bounds."""
    if tensor.is_complex():
        return None
    law = resolve(scheme, tensor.shape, axes).law
    if law.primitive is None or all(map(math.isinf, law.support)):
        return None
    name = dtype_name(tensor.dtype)
    if any(torch.finfo(tensor.dtype).max < abs(end) < math.inf for end in law.support):
        raise DtypeError(f"`dtype` must hold the ends {law.support}, got {name}")
    return inner_bounds(*law.support, name, half_open=law.half_open)
