"""One tensor: initialized where it lives, in place or as a new one."""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Iterable, Sequence
from typing import Any, cast

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
    stream_key,
)
from ._source import TorchSource, dtype_name

Generator = int | torch.Generator | None


def init_(
    tensor: torch.Tensor,
    scheme: Scheme,
    /,
    axes: Axes | None = None,
    *,
    generator: Generator = None,
    path: str | Sequence[str] = (),
    fans: Fans | None = None,
) -> torch.Tensor:
    """Initialize a tensor in place.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any floating-point or complex dtype, device and strides. One on the device `meta`, or a
        fake one, is checked and left as it is.
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis; may be left out if the scheme asks for none.
    generator : torch.Generator or int
        A generator, which is advanced as by PyTorch's own functions; or a seed from 0 up to
        2**64 - 1, with which values are a function of seed and `path`. May be left out for
        schemes that draw nothing.
    path : str or sequence of str, default ()
        With a seed: the parameter's name. Tensors of equal seeds and paths are equal.
    fans : Fans, optional
        Fans to take instead of those that `axes` defines.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is written.

    Notes
    -----
    Values are drawn in float32 or wider and rounded once; PyTorch draws in the tensor's dtype.
    They do not depend on strides. Gradients are not recorded, as in `torch.nn.init`. A DTensor
    has the values of the whole tensor, of which each rank draws all and keeps its part; with a
    generator, all ranks' must be in the same state. Under `torch.compile`, `generator` must be a
    seed, and `scheme`, `axes` and `fans` must be made outside of the compiled function.

    Examples
    --------
    >>> w = init_(torch.empty(128, 16, 3, 3), he_normal(),
    ...           Axes("out in kernel kernel", groups=4), generator=0, path="stem.weight")
    >>> round(w.std().item(), 2)  # sqrt(2 / 144)
    0.12
    """
    return initialize(tensor, scheme, axes, fans, _checked(scheme, generator, path), path)


def init_like(
    tensor: torch.Tensor,
    scheme: Scheme,
    /,
    axes: Axes | None = None,
    *,
    generator: Generator = None,
    path: str | Sequence[str] = (),
    fans: Fans | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    memory_format: torch.memory_format = torch.preserve_format,
    requires_grad: bool = False,
) -> torch.Tensor:
    """Initialize a new tensor of another's shape, strides, dtype and device.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to be like; its values are not read.
    scheme, axes, generator, path, fans
        As in `init_`.
    dtype, device, memory_format, requires_grad
        As in `torch.empty_like`.

    Returns
    -------
    torch.Tensor
        The new tensor.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> init_like(torch.empty(2, 3), ones(), dtype=torch.bfloat16).dtype
    torch.bfloat16
    """
    new = torch.empty_like(tensor, dtype=dtype, device=device, memory_format=memory_format)
    initialize(new, scheme, axes, fans, _checked(scheme, generator, path), path)
    return new.requires_grad_() if requires_grad else new


def initialize(
    tensor: torch.Tensor,
    scheme: Scheme,
    axes: Axes | None,
    fans: Fans | None,
    generator: Generator,
    path: str | Sequence[str] = (),
) -> torch.Tensor:
    """Initialize a tensor in place; without a generator, from the default one of its device."""
    if torch.compiler.is_compiling():
        if isinstance(generator, torch.Generator):
            raise SourceError("`generator` must be a seed under torch.compile, got a Generator")
        from . import _compiled  # here, as it imports the compiler

        return _compiled.initialize(tensor, _compiled.encode(scheme, axes, fans, path), generator)
    check_tensor(tensor)
    name = dtype_name(tensor.dtype)
    plan = resolve(scheme, tensor.shape, axes, fans=fans, field=field_of(name))
    write(tensor, plan, generator, path)
    return tensor


def write(
    tensor: torch.Tensor,
    plan: Plan,
    generator: Generator,
    path: str | Sequence[str],
    zero_rows: Iterable[int] = (),
) -> None:
    """Draw a plan into a tensor; one without values, fake or `meta`, is left as it is."""
    name = dtype_name(tensor.dtype)
    if tensor.is_meta or _is_a(tensor, "torch._subclasses.fake_tensor", "FakeTensor"):
        check_draw(plan, name)
        return
    with torch.no_grad():
        if _is_a(tensor, "torch.distributed.tensor", "DTensor"):
            _write_shard(cast(Any, tensor), plan, generator, path, zero_rows)
            return
        draw(plan, TorchSource(generator, path, device=tensor.device), dtype=name, out=tensor)
        for row in zero_rows:
            tensor[row].zero_()


def _write_shard(tensor: Any, plan: Plan, *how: Any) -> None:
    """Draw the whole of a tensor that is distributed over ranks, and keep this rank's shard."""
    from torch.distributed.tensor import distribute_tensor

    local = tensor.to_local()
    whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=local.device)
    write(whole, plan, *how)
    # All ranks have the whole, and nothing need be sent; releases before 2.6 send it.
    options: dict[str, Any] = {}
    if "src_data_rank" in inspect.signature(distribute_tensor).parameters:
        options["src_data_rank"] = None
    shard = distribute_tensor(whole, tensor.device_mesh, tensor.placements, **options)
    local.copy_(shard.to_local())


def _is_a(tensor: torch.Tensor, module: str, name: str) -> bool:
    """Whether a tensor is of a class of a module, which is then imported already."""
    found = sys.modules.get(module)
    return found is not None and isinstance(tensor, getattr(found, name))


def check_tensor(tensor: Any) -> None:
    """Raise unless a tensor can be written into, element by element."""
    if not isinstance(tensor, torch.Tensor):
        raise SourceError(f"`tensor` must be a torch.Tensor, got {type(tensor).__name__}")
    if torch.nn.parameter.is_lazy(tensor):
        raise SourceError("`tensor` must have a shape, got a lazy parameter: run the module once")
    if getattr(tensor, "_is_flat_param", False):
        raise SourceError("`tensor` must be one parameter, got FSDP's flat one: use fully_shard")
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


def _checked(scheme: Scheme, generator: Generator, path: str | Sequence[str]) -> Generator:
    if generator is None and getattr(scheme, "is_random", True):
        raise SourceError(f"`generator` must be given to draw {scheme!r}, got None")
    if path and (generator is None or isinstance(generator, torch.Generator)):
        raise SourceError(f"`path` must come with a seed, got {path!r} with {generator!r}")
    if generator is None or isinstance(generator, torch.Generator):
        return generator
    if torch.compiler.is_compiling():  # where an integer may be a symbol
        if isinstance(generator, bool) or not 0 <= generator < 1 << 64:
            raise SourceError("`generator` must be a seed from 0 up to 2**64 - 1")
        return generator
    if isinstance(generator, bool) or not hasattr(generator, "__index__"):
        raise SourceError(f"`generator` must be a torch.Generator or a seed, got {generator!r}")
    generator = operator.index(generator)
    stream_key(generator, parse_path(path))  # raises unless they are a seed and a path
    return generator
