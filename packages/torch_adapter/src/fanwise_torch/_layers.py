"""What the layers of PyTorch mean by the axes of their parameters: by type, never by rank."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

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
        By name. What is not declared is "unknown". A subclass that computes something else, by a
        `forward` of its own, is another type of layer.

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


def _bias(of: str = "weight", blocks: int = 1, units: int | None = None) -> Declaration:
    return Declaration(layers.torch.bias(blocks), "bias", fans_of=of, shape=(units,))


def _linear(inputs: int | None, outputs: int | None) -> Declaration:
    return Declaration(layers.torch.linear(), shape=(outputs, inputs))


@declare.register
def _(layer: nn.Linear) -> Declarations:
    outputs = layer.out_features
    return {"weight": _linear(layer.in_features, outputs), "bias": _bias(units=outputs)}


@declare.register
def _(layer: nn.Bilinear) -> Declarations:
    shape = (layer.out_features, layer.in1_features, layer.in2_features)
    weight = Declaration(layers.torch.bilinear(), shape=shape)
    return {"weight": weight, "bias": _bias(units=layer.out_features)}


@declare.register
def _(layer: ConvNd) -> Declarations:
    transposed = isinstance(layer, ConvTransposeNd)
    kind = layers.torch.conv_transpose if transposed else layers.torch.conv
    axes = kind(len(layer.kernel_size), groups=layer.groups, stride=layer.stride)
    channels = (layer.out_channels, layer.in_channels)
    first, second = channels[::-1] if transposed else channels
    shape = (first, second // layer.groups, *layer.kernel_size)
    return {"weight": Declaration(axes, shape=shape), "bias": _bias(units=layer.out_channels)}


@declare.register(nn.Embedding)
@declare.register(nn.EmbeddingBag)
def _(layer: nn.Embedding | nn.EmbeddingBag) -> Declarations:
    axes, shape = layers.torch.embedding(), (layer.num_embeddings, layer.embedding_dim)
    return {"weight": Declaration(axes, "embedding", padding=layer.padding_idx, shape=shape)}


@declare.register
def _(layer: nn.MultiheadAttention) -> Declarations:
    units = layer.embed_dim
    vector = Declaration(Axes("stack stack out"), "bias", shape=(1, 1, units))
    in_proj = Declaration(layers.torch.attention_in_proj(), shape=(3 * units, units))
    return {
        "in_proj_weight": in_proj,  # q, k, v
        "q_proj_weight": replace(_linear(units, units), role="query"),
        "k_proj_weight": replace(_linear(layer.kdim, units), role="key"),
        "v_proj_weight": replace(_linear(layer.vdim, units), role="value"),
        # Where key and value have sizes of their own, the three projections have unlike fans.
        "in_proj_bias": _bias("in_proj_weight", 3, 3 * units)
        if layer.in_proj_weight is not None
        else Declaration(layers.torch.bias(3), "bias", shape=(3 * units,)),
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
    units = gates * layer.hidden_size
    projected = getattr(layer, "proj_size", 0)
    declared = {}
    for suffix in suffixes:
        first = suffix in ("", "_l0", "_l0_reverse")
        inputs = {"ih": layer.input_size if first else None, "hh": projected or layer.hidden_size}
        declared[f"weight_hr{suffix}"] = _linear(layer.hidden_size, projected)  # no gates
        for part, size in inputs.items():
            weight = f"weight_{part}{suffix}"
            declared[weight] = Declaration(axes, shape=(units, size))
            declared[f"bias_{part}{suffix}"] = _bias(weight, gates, units)
    return declared


@declare.register(nn.LayerNorm)
@declare.register(nn.RMSNorm)
def _(layer: nn.LayerNorm | nn.RMSNorm) -> Declarations:
    return _norm(tuple(layer.normalized_shape))


@declare.register
def _(layer: nn.GroupNorm) -> Declarations:
    return _norm((layer.num_channels,))


@declare.register
def _(layer: NormBase) -> Declarations:
    own = (layer.num_features,)
    return {
        **_norm(own),
        "running_mean": Declaration(kind="buffer", default=zeros(), shape=own),
        "running_var": Declaration(kind="buffer", default=ones(), shape=own),
    }


@declare.register
def _(layer: nn.PReLU) -> Declarations:
    start, own = constant(value=0.25), (layer.num_parameters,)
    return {"weight": Declaration(layers.torch.bias(), "slope", default=start, shape=own)}


def _norm(shape: tuple[int, ...]) -> dict[str, Declaration]:
    axes = layers.torch.norm(len(shape))
    return {
        "weight": Declaration(axes, "norm_scale", shape=shape),
        "bias": Declaration(axes, "norm_bias", shape=shape),
    }
