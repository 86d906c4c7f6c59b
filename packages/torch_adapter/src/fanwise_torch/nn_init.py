"""Replace `torch.nn.init`: the same names, signatures and laws, drawn correctly.

Change ``from torch.nn import init`` to ``from fanwise_torch import nn_init as init``. Fans and
bounds are PyTorch's for every layer. To use the layer's own fans, call `init_` with axes. Without a
generator, the functions draw from the default generator of the tensor's device, as in PyTorch.

The functions differ where PyTorch is wrong:

- Low-precision draws are unbiased and stay within their bounds.
- `trunc_normal_` takes a fixed amount of work, and is right far from its mean.
- `orthogonal_` also works in half precision and for complex tensors.
- The variance of complex weights is ``E|w|**2``.
- `sparse_` draws its pattern from the given generator.
- `dirac_` has no loop.

What the library transformers has marked as loaded is left, by each of the functions.

Longer than most modules, because it documents each of its names.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec

import torch
from torch.nn import init as _native
from torch.nn.init import calculate_gain

from ._core import Scheme
from ._rounded import initialize_rounded

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

Generator = torch.Generator | None
P = ParamSpec("P")


def _leaves_loaded(function: Callable[P, torch.Tensor]) -> Callable[P, torch.Tensor]:
    """Leave what transformers has loaded, as its own guard of `torch.nn.init` does."""

    @functools.wraps(function)
    def initialize(*args: P.args, **kwargs: P.kwargs) -> torch.Tensor:
        tensor: Any = args[0] if args else kwargs.get("tensor")
        if getattr(tensor, "_is_hf_initialized", False):
            loaded: torch.Tensor = tensor
            return loaded
        return function(*args, **kwargs)

    return initialize


# The functions as they are now: others may put ours in their place.
constant_ = _leaves_loaded(_native.constant_)
eye_ = _leaves_loaded(_native.eye_)
ones_ = _leaves_loaded(_native.ones_)
zeros_ = _leaves_loaded(_native.zeros_)
_native_dirac_ = _native.dirac_


@_leaves_loaded
def uniform_(
    tensor: torch.Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Fill a tensor with draws from the uniform distribution on ``[a, b)``.

    For a complex tensor, the real part and the imaginary part are each uniform.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor of any shape, dtype and strides. It is filled in place.
    a, b : float, default 0 and 1
        Lower and upper bound. If they are equal, every element is `a`.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `a` is above `b`.

    Notes
    -----
    PyTorch's draws are biased in bfloat16, and some fall below `a`. PyTorch raises in float8.

    Examples
    --------
    >>> from fanwise_torch.nn_init import torch, uniform_
    >>> w = uniform_(torch.empty(3, 5, dtype=torch.bfloat16), -0.05, 0.05)
    >>> bool((w >= -0.05).all() and (w < 0.05).all())
    True
    """
    a, b = _number(a), _number(b)
    if a > b:
        raise ValueError(f"`a` must be at most `b`, got {a} and {b}")
    if a == b:
        return constant_(tensor, a)
    return _init(tensor, generator, "uniform", low=a, high=b)


@_leaves_loaded
def normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Fill a tensor with draws from the normal distribution with `mean` and `std`.

    For a complex tensor, ``std**2`` is ``E|w - mean|**2``.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor of any shape, dtype and strides. It is filled in place.
    mean, std : float, default 0 and 1
        Mean and standard deviation. If `std` is 0, every element is `mean`.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `std` is negative.

    Notes
    -----
    PyTorch raises in float8.

    Examples
    --------
    >>> from fanwise_torch.nn_init import normal_, torch
    >>> normal_(torch.empty(3, 5, dtype=torch.float8_e4m3fn)).dtype
    torch.float8_e4m3fn
    """
    mean, std = _number(mean), _number(std)
    if std < 0:
        raise ValueError(f"`std` must be at least 0, got {std}")
    if std == 0:
        return constant_(tensor, mean)
    if tensor.is_complex() and mean != 0:
        with torch.no_grad():
            return normal_(tensor, 0.0, std, generator).add_(mean)
    return _init(tensor, generator, "normal", mean=mean, std=std)


@_leaves_loaded
def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> torch.Tensor:
    """Fill a tensor with draws from a normal distribution cut at `a` and `b`.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor of any shape, dtype and strides. It is filled in place.
    mean, std : float, default 0 and 1
        Mean and standard deviation of the normal before it is cut.
    a, b : float, default -2 and 2
        Absolute bounds of the draws. They do not scale with `std`.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `a` is above `b`, or `std` is not positive. For a complex tensor, also if `mean` is not 0
        or `a` is not ``-b``.

    Notes
    -----
    The work is fixed, and the law is right however far the bounds are from the mean. PyTorch draws
    another law from a few standard deviations on.

    `fanwise.truncated_normal` takes the standard deviation after the cut, and counts bounds in
    standard deviations.

    Examples
    --------
    >>> from fanwise_torch.nn_init import torch, trunc_normal_
    >>> w = trunc_normal_(torch.empty(1000), a=8.0, b=9.0)
    >>> bool((w >= 8).all() and (w <= 9).all())
    True
    """
    mean, std, a, b = _number(mean), _number(std), _number(a), _number(b)
    if a > b or std <= 0:
        raise ValueError(f"`a` must be at most `b`, and `std` positive, got {a}, {b} and {std}")
    if a == b:
        return constant_(tensor, a)
    if a == -math.inf and b == math.inf:
        return normal_(tensor, mean, std, generator)
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


@_leaves_loaded
def dirac_(tensor: torch.Tensor, groups: int = 1) -> torch.Tensor:
    """Fill a convolution kernel so that the convolution is the identity.

    Each channel has a one at its center, at position ``size // 2`` of each axis. All other
    elements are zero.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with three, four or five axes: out, in, then the axes of the receptive field.
    groups : int, default 1
        Number of channel groups. Each group is an identity.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` does not have three, four or five axes, or its first axis is not divisible by
        `groups`.

    Notes
    -----
    PyTorch writes one element at a time.

    Examples
    --------
    >>> from fanwise_torch.nn_init import dirac_, torch
    >>> dirac_(torch.empty(2, 2, 3))[0, 0]
    tensor([0., 1., 0.])

    References
    ----------
    Zagoruyko and Komodakis (2017), arXiv:1706.00388.
    """
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.size(0) % groups:
        raise ValueError("dim 0 must be divisible by groups")
    if tensor.numel() == 0 or not (tensor.is_floating_point() or tensor.is_complex()):
        return _native_dirac_(tensor, groups)
    return _init(tensor, None, "dirac", groups, center="upper")


@_leaves_loaded
def xavier_uniform_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Fill a tensor with uniform draws of variance ``2 * gain**2 / (fan_in + fan_out)``.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two or more axes: out, in, then the axes of the receptive field.
    gain : float, default 1
        Factor on the standard deviation.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or another argument is out of range.

    Notes
    -----
    For a complex tensor, the variance is ``E|w|**2``. PyTorch draws twice that variance.

    Examples
    --------
    >>> from fanwise_torch.nn_init import calculate_gain, torch, xavier_uniform_
    >>> w = xavier_uniform_(torch.empty(3, 5), gain=calculate_gain("relu"))
    >>> bool((w.abs() <= (2 * 6 / (3 + 5)) ** 0.5).all())
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 16.
    """
    return _init_scaled(tensor, generator, "glorot_uniform", gain)


@_leaves_loaded
def xavier_normal_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Fill a tensor with normal draws of variance ``2 * gain**2 / (fan_in + fan_out)``.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two or more axes: out, in, then the axes of the receptive field.
    gain : float, default 1
        Factor on the standard deviation.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or another argument is out of range.

    Notes
    -----
    Keras and JAX cut their Glorot normal at two standard deviations.

    Examples
    --------
    >>> from fanwise_torch.nn_init import torch, xavier_normal_
    >>> xavier_normal_(torch.empty(3, 5)).shape
    torch.Size([3, 5])

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 12.
    """
    return _init_scaled(tensor, generator, "glorot_normal", gain)


@_leaves_loaded
def kaiming_uniform_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Fill a tensor with uniform draws of variance ``gain**2 / fan``.

    Here ``gain = calculate_gain(nonlinearity, a)``, and `mode` chooses ``fan``.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two or more axes: out, in, then the axes of the receptive field.
    a : float, default 0
        Negative slope. It is used only if `nonlinearity` is "leaky_relu".
    mode : {"fan_in", "fan_out"}, default "fan_in"
        Fan that divides the variance.
    nonlinearity : str, default "leaky_relu"
        Name of a nonlinearity, as in `calculate_gain`.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or another argument is out of range.

    Notes
    -----
    For a complex tensor, the variance is ``E|w|**2``. PyTorch draws twice that variance.

    Examples
    --------
    >>> from fanwise_torch.nn_init import kaiming_uniform_, torch
    >>> w = kaiming_uniform_(torch.empty(3, 5), mode="fan_in", nonlinearity="relu")
    >>> bool((w.abs() <= (6 / 5) ** 0.5).all())
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    return _init_kaiming(tensor, generator, "he_uniform", a, mode, nonlinearity)


@_leaves_loaded
def kaiming_normal_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Fill a tensor with normal draws of variance ``gain**2 / fan``.

    Here ``gain = calculate_gain(nonlinearity, a)``, and `mode` chooses ``fan``.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two or more axes: out, in, then the axes of the receptive field.
    a, mode, nonlinearity
        See `kaiming_uniform_`.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or another argument is out of range.

    Notes
    -----
    Keras and JAX cut their `he_normal` at two standard deviations.

    Examples
    --------
    >>> from fanwise_torch.nn_init import kaiming_normal_, torch
    >>> kaiming_normal_(torch.empty(3, 5), mode="fan_out", nonlinearity="relu").shape
    torch.Size([3, 5])

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852, eqs. 10 and 14.
    """
    return _init_kaiming(tensor, generator, "he_normal", a, mode, nonlinearity)


@_leaves_loaded
def orthogonal_(tensor: torch.Tensor, gain: float = 1, generator: Generator = None) -> torch.Tensor:
    """Fill a tensor with `gain` times a random matrix with orthonormal rows or columns.

    The rows are orthonormal if there are fewer rows than columns. Otherwise the columns are.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two or more axes. The first axis is the rows. All others are flattened into
        columns.
    gain : float, default 1
        Size of every singular value.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes.

    Notes
    -----
    PyTorch raises in half precision and for complex tensors. To draw one matrix for each gate of an
    LSTM, use `init_` with axes.

    Examples
    --------
    >>> from fanwise_torch.nn_init import orthogonal_, torch
    >>> w = orthogonal_(torch.empty(3, 5))
    >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-6)
    True

    References
    ----------
    Saxe, McClelland and Ganguli (2013), arXiv:1312.6120.
    """
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    # The law of a Haar matrix is that of its negative.
    gain = abs(_number(gain))
    return _init_scaled(tensor, generator, "orthogonal", gain)


@_leaves_loaded
def sparse_(
    tensor: torch.Tensor, sparsity: float, std: float = 0.01, generator: Generator = None
) -> torch.Tensor:
    """Fill a matrix with normal draws, and with zeros at random places in each column.

    Each column has ``ceil(sparsity * tensor.shape[0])`` zeros.

    Parameters
    ----------
    tensor : torch.Tensor
        Tensor with two axes: rows, then columns.
    sparsity : float
        Share of zeros in each column, from 0 to 1.
    std : float, default 0.01
        Standard deviation of the other elements.
    generator : torch.Generator, optional
        Generator to draw from, on the tensor's device. Without it, the device's default generator
        is used.

    Returns
    -------
    torch.Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` does not have two axes, or `sparsity` is out of range.

    Notes
    -----
    PyTorch takes the places from the global generator, even if you give it `generator`.

    Examples
    --------
    >>> from fanwise_torch.nn_init import sparse_, torch
    >>> (sparse_(torch.empty(10, 4), sparsity=0.25) == 0).sum(dim=0)
    tensor([3, 3, 3, 3])

    References
    ----------
    Martens (2010), ICML.
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    sparsity, std = _number(sparsity), _number(std)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"`sparsity` must be from 0 to 1, got {sparsity}")
    if tensor.numel() == 0 or std == 0 or math.ceil(sparsity * tensor.size(0)) == tensor.size(0):
        return zeros_(tensor)
    return _init(tensor, generator, "sparse", sparsity=sparsity, std=std, per="in")


def __getattr__(name: str) -> Any:
    return getattr(_native, name)  # PyTorch's private helpers, which some code imports


def _number(value: Any) -> float:
    number: float = value.item() if isinstance(value, torch.Tensor) else value
    return number


def _init_scaled(
    tensor: torch.Tensor, generator: Generator, scheme: str, gain: float
) -> torch.Tensor:
    _check_rank(tensor)
    gain = _number(gain)
    if gain == 0 or tensor.numel() == 0:
        return zeros_(tensor)
    return _init(tensor, generator, scheme, gain=gain)


def _init_kaiming(
    tensor: torch.Tensor, generator: Generator, scheme: str, a: float, mode: str, nonlinearity: Any
) -> torch.Tensor:
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
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
    """Draw a scheme into a tensor.

    Under the compiler, the numbers of the scheme may be symbols.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(f"`generator` must be a torch.Generator or None, got {generator!r}")
    if not torch.compiler.is_compiling() or generator is not None:
        return initialize_rounded(tensor, Scheme(scheme, options), groups, generator)
    from . import _compiled  # here, as it imports the compiler

    choices = {name: value for name, value in options.items() if isinstance(value, str)}
    numbers = {name: value for name, value in options.items() if name not in choices}
    call = _compiled.encode_rounded(scheme, groups, choices, list(numbers))
    return _compiled.initialize(tensor, call, None, [float(n) for n in numbers.values()])


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
