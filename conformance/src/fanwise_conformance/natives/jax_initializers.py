"""`jax.nn.initializers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers

from . import CHANNELS_LAST, Native, Request


def _scheme(scheme: Mapping[str, Any], dtype: Any) -> Any:
    options = dict(scheme)
    name = options.pop("name")
    if name == "truncated_normal" and jnp.issubdtype(dtype, jnp.complexfloating):
        raise NotImplementedError("truncated_normal is of real dtypes")
    if name in ("zeros", "ones"):
        return getattr(initializers, name)
    if name == "constant":
        return initializers.constant(options["value"], dtype)
    if name == "normal" and not options.get("mean"):
        return initializers.normal(options["std"], dtype)
    if name == "uniform" and options.get("low") == 0:
        return initializers.uniform(options["high"], dtype)
    if name == "truncated_normal" and "parent_std" in options and "bounds" not in options:
        ends = options.get("low", -2.0), options.get("high", 2.0)
        return initializers.truncated_normal(options["parent_std"], dtype, *ends)
    if name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal",
                "lecun_uniform") and not options:  # fmt: skip
        return getattr(initializers, name)()
    if name == "variance_scaling" and options.get("fan", "in") in ("in", "out", "avg", "geometric"):
        mode = {"in": "fan_in", "out": "fan_out", "avg": "fan_avg", "geometric": "fan_geo_avg"}
        family: Any = options.get("family", "truncated_normal")
        chosen: Any = mode[options.get("fan", "in")]
        return initializers.variance_scaling(options.get("gain", 1.0) ** 2, chosen, family)
    if name in ("orthogonal", "delta_orthogonal"):
        return getattr(initializers, name)(options.get("gain", 1.0))
    raise NotImplementedError(f"jax.nn.initializers has no {name} of {sorted(options)}")


class JaxInitializers(Native):
    """The initializers of `jax.nn.initializers`."""

    name = "native:jax.nn.initializers"
    version = jax.__version__
    features: Mapping[str, Any] = {
        "schemes": (
            "normal", "uniform", "truncated_normal", "constant", "zeros", "ones", "glorot_normal",
            "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform",
            "variance_scaling", "orthogonal", "delta_orthogonal",
        ),
        "dtypes": (
            "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2",
            "complex64",
        ),
        "devices": ("cpu", "cuda", "tpu"),
        "transforms": ("jit",),
        "stacks": False,
        "kernels": CHANNELS_LAST,
    }  # fmt: skip

    def drawn(self, request: Request) -> Any:
        """Draw one parameter, by a key of seed and path."""
        device = jax.devices(request.device)[0]
        with jax.enable_x64(request.dtype == "float64"), jax.default_device(device):
            initialize = _scheme(request.scheme, request.dtype)
            key = jax.random.wrap_key_data(jnp.array(np.frombuffer(request.key, np.uint32)))
            return np.asarray(self.initialized(initialize, key, request))

    def initialized(self, initialize: Any, key: jax.Array, request: Request) -> Any:
        """What an initializer draws."""

        def draw(key: jax.Array) -> jax.Array:
            array: jax.Array = initialize(key, request.shape, jnp.dtype(request.dtype))
            return array

        return (jax.jit(draw) if request.transform == "jit" else draw)(key)

    def fingerprint(self) -> bytes:
        """JAX has no global random state."""
        return b""

    def disturb(self) -> None:
        """JAX has no global random state."""


backend = JaxInitializers()
