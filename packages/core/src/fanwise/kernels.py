"""The axes of the usual kernels of PyTorch, Keras and Flax, by name (spec: axes/8).

Groups, strides and uneven blocks are the layer's: `dataclasses.replace(kernels.TORCH_CONV2D,
groups=32)`.
"""

from __future__ import annotations

from ._axes import Axes

BIAS = Axes("out")

# PyTorch: outputs first.
TORCH_LINEAR = Axes("out in")
TORCH_LINEAR_STACK = Axes("stack out in")  # experts, ensembles
TORCH_BILINEAR = Axes("out in in")
TORCH_CONV1D = Axes("out in kernel")
TORCH_CONV2D = Axes("out in kernel kernel")
TORCH_CONV3D = Axes("out in kernel kernel kernel")
TORCH_CONV_TRANSPOSE1D = Axes("in out kernel", transposed=True)
TORCH_CONV_TRANSPOSE2D = Axes("in out kernel kernel", transposed=True)
TORCH_CONV_TRANSPOSE3D = Axes("in out kernel kernel kernel", transposed=True)
TORCH_EMBEDDING = Axes("in out", one_hot=True)
TORCH_ATTENTION_IN_PROJ = Axes("out in", blocks={"out": 3})  # q, k, v
TORCH_LSTM = Axes("out in", blocks={"out": 4})  # gates i, f, g, o; input and hidden weights alike
TORCH_GRU = Axes("out in", blocks={"out": 3})  # gates r, z, n

# Keras: outputs last.
KERAS_DENSE = Axes("in out")
KERAS_CONV1D = Axes("kernel in out")
KERAS_CONV2D = Axes("kernel kernel in out")
KERAS_CONV3D = Axes("kernel kernel kernel in out")
# A channel of a depthwise kernel is a small kernel of its own: one input, `depth_multiplier` out.
KERAS_DEPTHWISE_CONV1D = Axes("kernel stack out")
KERAS_DEPTHWISE_CONV2D = Axes("kernel kernel stack out")
KERAS_CONV1D_TRANSPOSE = Axes("kernel out in", transposed=True)
KERAS_CONV2D_TRANSPOSE = Axes("kernel kernel out in", transposed=True)
KERAS_CONV3D_TRANSPOSE = Axes("kernel kernel kernel out in", transposed=True)
KERAS_EMBEDDING = Axes("in out", one_hot=True)
KERAS_ATTENTION_PROJECTION = Axes("in out out")  # query, key, value: (d, heads, head_dim)
KERAS_ATTENTION_OUTPUT = Axes("in in out")  # (heads, head_dim, d)
KERAS_LSTM = Axes("in out", blocks={"out": 4})  # kernel and recurrent kernel; gates i, f, c, o
KERAS_GRU = Axes("in out", blocks={"out": 3})  # gates z, r, h

# Flax, linen and nnx: outputs last.
FLAX_DENSE = Axes("in out")
FLAX_DENSE_STACK = Axes("stack in out")  # batched DenseGeneral, experts, scanned layers
FLAX_CONV1D = Axes("kernel in out")
FLAX_CONV2D = Axes("kernel kernel in out")
FLAX_CONV3D = Axes("kernel kernel kernel in out")
FLAX_CONV_LOCAL1D = Axes("stack in out")  # every position has weights of its own
FLAX_CONV_LOCAL2D = Axes("stack stack in out")
FLAX_CONV_TRANSPOSE1D = Axes("kernel in out", transposed=True)
FLAX_CONV_TRANSPOSE2D = Axes("kernel kernel in out", transposed=True)
FLAX_CONV_TRANSPOSE3D = Axes("kernel kernel kernel in out", transposed=True)
FLAX_CONV_TRANSPOSE2D_TRANSPOSED_KERNEL = Axes("kernel kernel out in", transposed=True)
FLAX_EMBED = Axes("in out", one_hot=True)
FLAX_ATTENTION_PROJECTION = Axes("in out out")  # query, key, value: (d, heads, head_dim)
FLAX_ATTENTION_OUTPUT = Axes("in in out")  # (heads, head_dim, d)
FLAX_EINSUM_HEADS = Axes("out in out")  # nnx.Einsum's "hdk": (heads, d, head_dim)
FLAX_OPTIMIZED_LSTM = Axes("in out", blocks={"out": 4})
FLAX_NNX_GRU = Axes("in out", blocks={"out": 3})

__all__ = sorted(name for name in globals() if name.isupper())
