"""One tensor: initialized where it lives, in place or as a new one."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from fractions import Fraction
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
from ._source import TorchSource, dtype_name

_CONSTANT = ("constant", "dirac", "identity")  # families of schemes without randomness

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
        Of any floating-point or complex dtype, device and strides. One on the device `meta` is
        checked and left as it is.
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
    They do not depend on strides. Gradients are not recorded, as in `torch.nn.init`. Under
    `torch.compile`, `generator` must be a seed, and `scheme`, `axes` and `fans` must be made
    outside of the compiled function.

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
    requires_grad: bool = False,
) -> torch.Tensor:
    """Initialize a new tensor of another's shape, strides, dtype and device.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to be like; its values are not read.
    scheme, axes, generator, path, fans
        As in `init_`.
    dtype, device, requires_grad
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
    new = torch.empty_like(tensor, dtype=dtype, device=device)
    initialize(new, scheme, axes, fans, _checked(scheme, generator, path), path)
    return new.requires_grad_(requires_grad)


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
        torch.ops.fanwise.initialize_(tensor, encode(scheme, axes, fans, generator, path))
        return tensor
    check_tensor(tensor)
    name = dtype_name(tensor.dtype)
    plan = _resolve(scheme, tuple(tensor.shape), axes, fans, field_of(name))
    write(tensor, plan, generator, path)
    return tensor


def write(
    tensor: torch.Tensor, plan: Plan, generator: Generator, path: str | Sequence[str]
) -> None:
    """Draw a plan into a tensor; one on the device `meta` is left as it is."""
    name = dtype_name(tensor.dtype)
    if tensor.is_meta:
        check_draw(plan, name)
        return
    source = TorchSource(generator, path, device=tensor.device)
    with torch.no_grad():
        draw(plan, source, dtype=name, out=tensor)


def check_tensor(tensor: Any) -> None:
    """Raise unless a tensor can be written into, element by element."""
    if not isinstance(tensor, torch.Tensor):
        raise SourceError(f"`tensor` must be a torch.Tensor, got {type(tensor).__name__}")
    if torch.nn.parameter.is_lazy(tensor):
        raise SourceError("`tensor` must have a shape, got a lazy parameter: run the module once")
    if tensor.layout != torch.strided:
        raise SourceError(f"`tensor` must be strided, got layout {tensor.layout}")
    if any(stride == 0 and n > 1 for stride, n in zip(tensor.stride(), tensor.shape, strict=True)):
        raise SourceError(
            f"`tensor` must have a place for each element, got strides {tensor.stride()} "
            f"for the shape {tuple(tensor.shape)}"
        )


def _checked(scheme: Scheme, generator: Generator, path: str | Sequence[str]) -> Generator:
    name = getattr(scheme, "name", None)
    if generator is None and name not in _CONSTANT:
        raise SourceError(f"`generator` must be given to draw {name}, got None")
    if isinstance(generator, bool) or not isinstance(generator, int | torch.Generator | None):
        raise SourceError(f"`generator` must be a torch.Generator or a seed, got {generator!r}")
    if path and not isinstance(generator, int):
        raise SourceError(f"`path` must come with a seed, got {path!r} with {generator!r}")
    return generator


@functools.lru_cache(maxsize=4096)
def _resolve(
    scheme: Scheme, shape: tuple[int, ...], axes: Axes | None, fans: Fans | None, field: Any
) -> Plan:
    return resolve(scheme, shape, axes, fans=fans, field=field)


# Under torch.compile, initializing a tensor is one operator that the compiler does not look into.


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def encode(
    scheme: Scheme,
    axes: Axes | None,
    fans: Fans | None,
    generator: int | None,
    path: str | Sequence[str] = (),
) -> str:
    """A call of `initialize` as text, which is what the operator takes."""
    return json.dumps(
        {
            "scheme": scheme.to_data(),
            "axes": None if axes is None else axes.to_data(),
            "fans": None if fans is None else [str(fans.fan_in), str(fans.fan_out)],
            "generator": generator,
            "path": parse_path(path),
        }
    )


@torch.library.custom_op("fanwise::initialize_", mutates_args=("tensor",))
def _initialize_operator(tensor: torch.Tensor, call: str) -> None:
    data = json.loads(call)
    initialize(
        tensor,
        Scheme.from_data(data["scheme"]),
        None if data["axes"] is None else Axes.from_data(data["axes"]),
        None if data["fans"] is None else Fans(*map(Fraction, data["fans"])),
        data["generator"],
        data["path"],
    )


@_initialize_operator.register_fake
def _(tensor: torch.Tensor, call: str) -> None:
    pass
