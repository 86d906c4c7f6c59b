"""What the layers of PyTorch mean by the axes of their parameters: by type, never by rank."""

from __future__ import annotations

import functools
import itertools

from torch import nn

from ._core import Axes, Declaration, Declarations, constant, layers, ones, zeros
from ._private import ConvNd, ConvTransposeNd, NormBase


@functools.singledispatch
def declare(layer: nn.Module, /) -> Declarations:
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

    >>> import torch
    >>> from torch import nn
    >>> from fanwise import Axes, Declaration
    >>> from fanwise_torch import declare
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
    return Declaration(layers.torch.bias(blocks), "bias", fans_of=of)


@declare.register
def _(layer: nn.Linear) -> Declarations:
    return {"weight": Declaration(layers.torch.linear()), "bias": _bias()}


@declare.register
def _(layer: nn.Bilinear) -> Declarations:
    return {"weight": Declaration(layers.torch.bilinear()), "bias": _bias()}


@declare.register
def _(layer: ConvNd) -> Declarations:
    kind = layers.torch.conv_transpose if isinstance(layer, ConvTransposeNd) else layers.torch.conv
    axes = kind(len(layer.kernel_size), groups=layer.groups, stride=layer.stride)
    return {"weight": Declaration(axes), "bias": _bias()}


@declare.register(nn.Embedding)
@declare.register(nn.EmbeddingBag)
def _(layer: nn.Embedding | nn.EmbeddingBag) -> Declarations:
    axes = layers.torch.embedding()
    return {"weight": Declaration(axes, "embedding", padding=layer.padding_idx)}


@declare.register
def _(layer: nn.MultiheadAttention) -> Declarations:
    vector = Declaration(Axes("stack stack out"), "bias")
    return {
        "in_proj_weight": Declaration(layers.torch.attention_in_proj()),  # q, k, v
        "q_proj_weight": Declaration(layers.torch.linear()),
        "k_proj_weight": Declaration(layers.torch.linear()),
        "v_proj_weight": Declaration(layers.torch.linear()),
        # Where key and value have sizes of their own, the three projections have unlike fans.
        "in_proj_bias": _bias("in_proj_weight", 3)
        if layer.in_proj_weight is not None
        else Declaration(layers.torch.bias(3), "bias"),
        "bias_k": vector,
        "bias_v": vector,
    }


@declare.register(nn.RNNBase)
@declare.register(nn.RNNCellBase)
def _(layer: nn.RNNBase | nn.RNNCellBase) -> Declarations:
    axes, gates = layers.torch.rnn(), 1
    if isinstance(layer, nn.LSTM | nn.LSTMCell):
        axes, gates = layers.torch.lstm(), 4
    elif isinstance(layer, nn.GRU | nn.GRUCell):
        axes, gates = layers.torch.gru(), 3
    suffixes = [""]
    if isinstance(layer, nn.RNNBase):
        levels = range(layer.num_layers)
        suffixes = [f"_l{n}{way}" for n, way in itertools.product(levels, ("", "_reverse"))]
    declared = {}
    for suffix in suffixes:
        declared[f"weight_hr{suffix}"] = Declaration(layers.torch.linear())  # no gates
        for part in ("ih", "hh"):
            weight = f"weight_{part}{suffix}"
            declared[weight] = Declaration(axes)
            declared[f"bias_{part}{suffix}"] = _bias(weight, gates)
    return declared


@declare.register(nn.LayerNorm)
@declare.register(nn.RMSNorm)
def _(layer: nn.LayerNorm | nn.RMSNorm) -> Declarations:
    return _norm(len(layer.normalized_shape))


@declare.register
def _(layer: nn.GroupNorm) -> Declarations:
    return _norm(1)


@declare.register
def _(layer: NormBase) -> Declarations:
    return {
        **_norm(1),
        "running_mean": Declaration(kind="buffer", default=zeros()),
        "running_var": Declaration(kind="buffer", default=ones()),
    }


@declare.register
def _(layer: nn.PReLU) -> Declarations:
    return {"weight": Declaration(layers.torch.bias(), "slope", default=constant(value=0.25))}


def _norm(rank: int) -> dict[str, Declaration]:
    axes = layers.torch.norm(rank)
    return {"weight": Declaration(axes, "norm_scale"), "bias": Declaration(axes, "norm_bias")}
