"""What PyTorch's layers mean by the axes of their parameters: by type, never by rank."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ._core import Axes, Declaration, kernels, ones, zeros


@functools.singledispatch
def declare(layer: nn.Module, /) -> Mapping[str, Declaration]:
    """Declare what a layer's own parameters and buffers are, by their names.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer, of a type whose base may be the registered one.

    Returns
    -------
    mapping of str to Declaration, or to a function from a shape to one
        By name. What is not declared has no axes, and is a "bias" if its name ends so, else a
        "weight".

    Examples
    --------
    A layer of another type is declared by registering a function for it:

    >>> class Experts(nn.Module):
    ...     def __init__(self, n, d_in, d_out):
    ...         super().__init__()
    ...         self.weight = nn.Parameter(torch.empty(n, d_out, d_in))
    >>> _ = declare.register(Experts, lambda layer: {"weight": Declaration(Axes("stack out in"))})
    >>> declare(Experts(8, 64, 256))["weight"].axes
    Axes('stack out in')
    """
    return {}


def _bias(of: str = "weight", blocks: int = 1) -> Declaration:
    return Declaration(_blocks("out", blocks), "bias", fans_of=of)


def _blocks(roles: str, count: int) -> Axes:
    return Axes(roles, blocks={"out": count} if count > 1 else {})


@declare.register
def _(layer: nn.Linear) -> Mapping[str, Declaration]:
    return {"weight": Declaration(kernels.TORCH_LINEAR), "bias": _bias()}


@declare.register
def _(layer: nn.Bilinear) -> Mapping[str, Declaration]:
    return {"weight": Declaration(kernels.TORCH_BILINEAR), "bias": _bias()}


@declare.register
def _(layer: _ConvNd) -> Mapping[str, Declaration]:
    transposed = isinstance(layer, _ConvTransposeNd)
    axes = Axes(
        ("in out" if transposed else "out in") + " kernel" * len(layer.kernel_size),
        groups=layer.groups,
        stride=layer.stride,
        transposed=transposed,
    )
    return {"weight": Declaration(axes), "bias": _bias()}


@declare.register(nn.Embedding)
@declare.register(nn.EmbeddingBag)
def _(layer: nn.Embedding | nn.EmbeddingBag) -> Mapping[str, Declaration]:
    return {"weight": Declaration(kernels.TORCH_EMBEDDING, "embedding")}


@declare.register
def _(layer: nn.MultiheadAttention) -> Mapping[str, Declaration]:
    vector = Declaration(Axes("stack stack out"), "bias")
    return {
        "in_proj_weight": Declaration(kernels.TORCH_ATTENTION_IN_PROJ),  # q, k, v
        "q_proj_weight": Declaration(kernels.TORCH_LINEAR),
        "k_proj_weight": Declaration(kernels.TORCH_LINEAR),
        "v_proj_weight": Declaration(kernels.TORCH_LINEAR),
        # Where key and value have sizes of their own, the three projections have unlike fans.
        "in_proj_bias": _bias("in_proj_weight", 3)
        if layer.in_proj_weight is not None
        else Declaration(_blocks("out", 3), "bias"),
        "bias_k": vector,
        "bias_v": vector,
    }


@declare.register(nn.RNNBase)
@declare.register(nn.RNNCellBase)
def _(layer: nn.RNNBase | nn.RNNCellBase) -> Mapping[str, Declaration]:
    gates = 1
    if isinstance(layer, nn.LSTM | nn.LSTMCell):
        gates = 4
    elif isinstance(layer, nn.GRU | nn.GRUCell):
        gates = 3
    suffixes = [""]
    if isinstance(layer, nn.RNNBase):
        levels = range(layer.num_layers)
        suffixes = [f"_l{n}{way}" for n, way in itertools.product(levels, ("", "_reverse"))]
    declared = {}
    for suffix in suffixes:
        declared[f"weight_hr{suffix}"] = Declaration(kernels.TORCH_LINEAR)  # no gates
        for part in ("ih", "hh"):
            weight = f"weight_{part}{suffix}"
            declared[weight] = Declaration(_blocks("out in", gates))
            declared[f"bias_{part}{suffix}"] = _bias(weight, gates)
    return declared


@declare.register(nn.LayerNorm)
@declare.register(nn.RMSNorm)
def _(layer: nn.LayerNorm | nn.RMSNorm) -> Mapping[str, Declaration]:
    return _norm(len(layer.normalized_shape))


@declare.register
def _(layer: nn.GroupNorm) -> Mapping[str, Declaration]:
    return _norm(1)


@declare.register
def _(layer: _NormBase) -> Mapping[str, Declaration]:
    return {
        **_norm(1),
        "running_mean": Declaration(kind="buffer", default=zeros()),
        "running_var": Declaration(kind="buffer", default=ones()),
    }


@declare.register
def _(layer: nn.PReLU) -> Mapping[str, Declaration]:
    return {"weight": Declaration(kernels.BIAS, "slope")}


def _norm(rank: int) -> dict[str, Declaration]:
    axes = Axes(" ".join(["out"] * rank))
    return {"weight": Declaration(axes, "norm"), "bias": Declaration(axes, "bias")}
