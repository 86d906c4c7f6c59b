"""`torch.nn.init` under its own names, signatures and laws, drawn right.

Change ``from torch.nn import init`` to ``from fanwise_torch import nn_init as init``. Fans and
bounds are PyTorch's, whatever the layer; for the layer's, use `init_` with axes. What differs is
what PyTorch gets wrong: low-precision draws are unbiased and stay within their bounds, a truncated
normal takes fixed work and is right far from its mean, `orthogonal_` also works in half precision
and for complex tensors, complex variances are E|w|^2, `sparse_` draws its pattern from the given
generator, and `dirac_` has no loop. Without a generator, the default one of the tensor's device is
drawn from, as in PyTorch. Longer than most modules for the documentation of its names.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import init as _native
from torch.nn.init import calculate_gain, constant_, eye_, ones_, zeros_

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


def uniform_(
    tensor: torch.Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Uniform on [`a`, `b`); for a complex tensor, in the real and the imaginary part.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any shape, dtype and strides; it is written in place.
    a, b : float, default 0 and 1
        The bounds; a tensor of equal ones is constant.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `a` is above `b`.

    Notes
    -----
    In bfloat16, PyTorch's draws are biased and fall below `a`; in float8, it raises.

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


def normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Normal of `mean` and `std`; for a complex tensor, `std` is the root of ``E|w - mean|**2``.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any shape, dtype and strides; it is written in place.
    mean, std : float, default 0 and 1
        A tensor of std 0 is constant.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `std` is negative.

    Notes
    -----
    In float8, PyTorch's raises.

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


def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> torch.Tensor:
    """Normal of `mean` and `std`, given that it is within the absolute bounds `a` and `b`.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any shape, dtype and strides; it is written in place.
    mean, std : float, default 0 and 1
        Those of the normal before it is cut.
    a, b : float, default -2 and 2
        The bounds, which do not scale with `std`.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `a` is above `b`, or `std` is not positive; for a complex tensor, unless `mean` is 0
        and `a` is ``-b``.

    Notes
    -----
    Takes fixed work, and is right however far the bounds are from the mean; from a few stds on,
    PyTorch's is another law. `fanwise.truncated_normal` takes the std that comes out, and bounds in
    stds.

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


def dirac_(tensor: torch.Tensor, groups: int = 1) -> torch.Tensor:
    """The identity of a convolution: one at the center, position size // 2, of each channel.

    Parameters
    ----------
    tensor : torch.Tensor
        Of three, four or five axes: out, in, and those of a receptive field.
    groups : int, default 1
        Of channels; each is an identity.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has another rank, or its first axis is not divisible by `groups`.

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
        return _native.dirac_(tensor, groups)
    return _init(tensor, None, "dirac", groups, center="upper")


def xavier_uniform_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Uniform of variance ``2 * gain**2 / (fan_in + fan_out)``.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two or more axes: out, in, and those of a receptive field.
    gain : float, default 1
        A factor of the std.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or an option is out of its range.

    Notes
    -----
    Of a complex tensor, E|w|^2 is the variance; PyTorch's is twice that.

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


def xavier_normal_(
    tensor: torch.Tensor, gain: float = 1.0, generator: Generator = None
) -> torch.Tensor:
    """Normal of variance ``2 * gain**2 / (fan_in + fan_out)``.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two or more axes: out, in, and those of a receptive field.
    gain : float, default 1
        A factor of the std.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or an option is out of its range.

    Notes
    -----
    Keras' and JAX's are cut at two stds.

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


def kaiming_uniform_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Uniform of variance gain^2 / fan, with the gain of `nonlinearity` of negative slope `a`.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two or more axes: out, in, and those of a receptive field.
    a : float, default 0
        The negative slope, if `nonlinearity` is "leaky_relu".
    mode : {"fan_in", "fan_out"}, default "fan_in"
        Which fan divides the variance.
    nonlinearity : str, default "leaky_relu"
        As in `calculate_gain`.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or an option is out of its range.

    Notes
    -----
    Of a complex tensor, E|w|^2 is the variance; PyTorch's is twice that.

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


def kaiming_normal_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator = None,
) -> torch.Tensor:
    """Normal of variance gain^2 / fan, with the gain of `nonlinearity` of negative slope `a`.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two or more axes: out, in, and those of a receptive field.
    a, mode, nonlinearity
        As in `kaiming_uniform_`.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or an option is out of its range.

    Notes
    -----
    Keras' and JAX's `he_normal` are cut at two stds.

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


def orthogonal_(tensor: torch.Tensor, gain: float = 1, generator: Generator = None) -> torch.Tensor:
    """`gain` times a random matrix of orthonormal rows or columns, whichever are fewer.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two or more axes; those behind the first are flattened into columns.
    gain : float, default 1
        The singular values.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes.

    Notes
    -----
    PyTorch's raises in half precision and for complex tensors. For one matrix for each gate of an
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


def sparse_(
    tensor: torch.Tensor, sparsity: float, std: float = 0.01, generator: Generator = None
) -> torch.Tensor:
    """Normal, but for ``ceil(sparsity * rows)`` zeros at random places of each column.

    Parameters
    ----------
    tensor : torch.Tensor
        Of two axes.
    sparsity : float
        From 0 to 1.
    std : float, default 0.01
        That of the others.
    generator : torch.Generator, optional
        On the tensor's device, whose default one is drawn from without it.

    Returns
    -------
    torch.Tensor
        `tensor`.

    Raises
    ------
    ValueError
        If `tensor` has another rank, or `sparsity` is out of its range.

    Notes
    -----
    PyTorch's takes the places from the global generator, whatever `generator` is.

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
    """Draw a scheme into a tensor; under the compiler, its numbers may be symbols."""
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
