"""Flax' layers, which hand the shape of their kernel to an initializer of JAX.

A kernel is drawn by the `nnx` layer that has it; what belongs to no layer, by the initializer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax
import jax
import jax.numpy as jnp
from flax import nnx

from ..backend import AxesData, Shape
from . import CHANNELS_LAST, Request
from .jax_initializers import JaxInitializers


def _layer(kernel: AxesData, shape: Shape) -> Callable[..., Any] | None:
    """The layer of a kernel, to be given its initializer and streams; None if there is none."""
    if kernel == CHANNELS_LAST["linear"]:
        return lambda init, **how: nnx.Linear(*shape, kernel_init=init, **how).kernel
    if kernel == CHANNELS_LAST["embedding"]:
        return lambda init, **how: nnx.Embed(*shape, embedding_init=init, **how).embedding
    if kernel == CHANNELS_LAST["transposed convolution"]:
        *window, inputs, outputs = shape
        return lambda init, **how: (
            nnx.ConvTranspose(
                inputs, outputs, window, strides=(2, 2), kernel_init=init, **how
            ).kernel
        )
    if kernel == CHANNELS_LAST["convolution"] or (
        isinstance(kernel, Mapping) and "groups" in kernel
    ):
        groups = kernel["groups"] if isinstance(kernel, Mapping) else 1
        *window, inputs, outputs = shape
        return lambda init, **how: (
            nnx.Conv(
                inputs * groups,
                outputs,
                window,
                feature_group_count=groups,
                kernel_init=init,
                **how,
            ).kernel
        )
    return None


class FlaxLayers(JaxInitializers):
    """The layers of `flax.nnx`; its initializers are those of JAX."""

    name = "native:flax"
    version = f"{flax.__version__} on JAX {jax.__version__}"
    features: Mapping[str, Any] = {**JaxInitializers.features, "transforms": ()}

    def initialized(self, initialize: Any, key: jax.Array, request: Request) -> Any:
        """Draw one parameter, by the layer that has it."""
        shape, dtype = request.shape, jnp.dtype(request.dtype)
        layer = _layer(request.axes, shape) if len(shape) in (2, 4) else None
        if layer is None:
            return super().initialized(initialize, key, request)
        return layer(initialize, param_dtype=dtype, rngs=nnx.Rngs(key))


backend = FlaxLayers()
