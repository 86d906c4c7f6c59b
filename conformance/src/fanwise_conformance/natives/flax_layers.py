"""Flax' layers, which hand the shape of their kernel to an initializer of JAX.

A kernel is drawn by the `nnx` layer that has it; what belongs to no layer, by the initializer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ..backend import AxesData, Shape
from . import CHANNELS_LAST, key_of
from .jax_initializers import JaxInitializers, scheme_of


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
    """The layers of `flax.nnx`, with the initializers of `flax.nnx.initializers`."""

    name = "native:flax"
    version = f"{flax.__version__} on JAX {jax.__version__}"
    features: Mapping[str, Any] = {**JaxInitializers.features, "transforms": ()}

    def draw(
        self,
        scheme: Mapping[str, Any],
        shape: Shape,
        axes: AxesData,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Any:
        """Draw one parameter, by the layer that has it."""
        layer = _layer(axes, shape) if len(shape) in (2, 4) else None
        if layer is None:
            return super().draw(
                scheme, shape, axes, seed=seed, path=path, dtype=dtype, device=device,
                transform=transform,
            )  # fmt: skip
        words = np.frombuffer(key_of(seed, path), np.uint32)
        with jax.enable_x64(dtype == "float64"), jax.default_device(jax.devices(device)[0]):
            initialize = scheme_of(nnx.initializers, scheme, dtype)
            key = jax.random.wrap_key_data(jnp.array(words))
            array = np.asarray(layer(initialize, param_dtype=jnp.dtype(dtype), rngs=nnx.Rngs(key)))
        return array.astype(np.result_type(array.dtype, np.float32))


backend = FlaxLayers()
