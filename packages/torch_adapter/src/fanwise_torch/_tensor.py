"""One tensor: initialized where it lives, in place or as a new one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from ._core import Axes, Fans, Scheme, SourceError, check_seed, parse_path
from ._eager import Seed, initialize


def init_(
    tensor: torch.Tensor,
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    seed: int | None = None,
    path: str | Sequence[str] = (),
    rng: torch.Generator | None = None,
    fans: Fans | None = None,
) -> torch.Tensor:
    """Initialize a tensor in place.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any floating-point or complex dtype, device and strides. A tensor on the device `meta`,
        or a fake one, is checked and left as it is.
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis. Leave it out if the scheme asks for none.
    seed : int, optional
        From 0 up to 2**64 - 1. The values are a function of `seed` and `path`, and of nothing
        else. Schemes that draw nothing need no seed.
    path : str or sequence of str
        The name of the parameter, which must come with a seed: parameters of different names are
        independent, and parameters of equal names are equal.
    rng : torch.Generator, optional
        A generator to draw from instead, on the device of the tensor. It is advanced, as the
        functions of PyTorch advance it.
    fans : Fans, optional
        Fans to take instead of the fans that `axes` defines.

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
    Values are drawn in float32 or wider and rounded once; PyTorch draws in the dtype of the
    tensor. Values do not depend on strides. Gradients are not recorded, as in `torch.nn.init`.
    A DTensor gets the values of the whole tensor: each rank draws all of it and keeps its part;
    with a generator, the generators of all ranks must be in the same state. Under
    `torch.compile`, give a seed, and make `scheme`, `axes` and `fans` outside of the compiled
    function.

    Examples
    --------
    >>> import torch
    >>> from fanwise import he_normal, layers
    >>> from fanwise_torch import init_
    >>> conv = torch.nn.Conv2d(64, 128, 3, groups=4)
    >>> w = init_(conv.weight, he_normal(), layers.torch.conv(2, groups=4), seed=0, path="stem")
    >>> round(w.std().item(), 2)  # sqrt(2 / 144)
    0.12
    """
    where = checked_seed(scheme, seed, path, rng)
    if not torch.compiler.is_compiling():
        return initialize(tensor, scheme, axes, fans, where, path)
    if isinstance(where, torch.Generator):
        raise SourceError("`rng` must be left out under torch.compile, got a generator: use `seed`")
    from . import _compiled  # here, as it imports the compiler

    return _compiled.initialize(tensor, _compiled.encode(scheme, axes, fans, path), where)


def init(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    seed: int | None = None,
    path: str | Sequence[str] = (),
    rng: torch.Generator | None = None,
    fans: Fans | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    requires_grad: bool = False,
) -> torch.Tensor:
    """Make a tensor of initial weights.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        Shape of the parameter.
    axes, seed, path, rng, fans
        As in `init_`, which gives the same values.
    dtype, device, requires_grad
        As in `torch.empty`.

    Returns
    -------
    torch.Tensor
        The weights.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> import torch
    >>> from fanwise import ones
    >>> from fanwise_torch import init
    >>> init(ones(), (2, 3), dtype=torch.bfloat16).dtype
    torch.bfloat16
    """
    tensor = torch.empty(tuple(shape), dtype=dtype, device=device)
    init_(tensor, scheme, axes, seed=seed, path=path, rng=rng, fans=fans)
    return tensor.requires_grad_() if requires_grad else tensor


def initializer(
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    rng: torch.Generator | None = None,
    fans: Fans | None = None,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make a function that initializes a tensor in place, as the functions of `torch.nn.init` do.

    Parameters
    ----------
    scheme, axes, fans
        As in `init_`.
    rng : torch.Generator, optional
        A generator to draw from. By default, as in PyTorch, the default generator of the device
        of the tensor, which `torch.manual_seed` seeds.

    Returns
    -------
    callable
        A function of a tensor that writes into it and returns it.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        When the function is called, before anything is written.

    Examples
    --------
    >>> import torch
    >>> from fanwise import Axes, glorot_uniform
    >>> from fanwise_torch import initializer
    >>> init = initializer(glorot_uniform(), Axes("out in"), rng=torch.Generator().manual_seed(0))
    >>> init(torch.empty(8, 4)).shape
    torch.Size([8, 4])
    """

    def init(tensor: torch.Tensor) -> torch.Tensor:
        return initialize(tensor, scheme, axes, fans, rng)

    return init


def checked_seed(
    scheme: Scheme,
    seed: int | None,
    path: str | Sequence[str],
    rng: torch.Generator | None,
) -> Seed:
    """What to draw from; raise unless it is a seed with a path, or a generator."""
    if rng is not None:
        if not isinstance(rng, torch.Generator):
            raise SourceError(f"`rng` must be a torch.Generator, got {rng!r}")
        if seed is not None or path:
            raise SourceError(f"`rng` must come without a seed and a path, got {seed} and {path!r}")
        return rng
    is_random = getattr(scheme, "is_random", True)
    if seed is None:
        if is_random:
            raise SourceError(f"`seed` and `path`, or `rng`, must be given to draw {scheme!r}")
        if path:
            raise SourceError(f"`path` must come with a seed, got {path!r}")
        return None
    if is_random and not path:
        raise SourceError("`path` must come with a seed, got none")
    if torch.compiler.is_compiling():  # where an integer may be a symbol
        symbol: Any = seed
        if isinstance(symbol, bool) or not 0 <= symbol < 1 << 64:
            raise SourceError("`seed` must be from 0 up to 2**64 - 1")
        return seed
    parse_path(path)
    return operator.index(check_seed(seed))
