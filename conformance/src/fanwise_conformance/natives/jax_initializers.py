"""`jax.nn.initializers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers

from ..backend import AxesData, Shape
from . import CHANNELS_LAST, key_of


def scheme_of(initializers: Any, scheme: Mapping[str, Any], dtype: Any) -> Any:
    """The initializer of a module of JAX' that a user would take for a scheme."""
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


class JaxInitializers:
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
        """Draw one parameter, by a key of seed and path."""
        words = np.frombuffer(key_of(seed, path), np.uint32)
        with jax.enable_x64(dtype == "float64"), jax.default_device(jax.devices(device)[0]):
            initialize = scheme_of(initializers, scheme, dtype)
            key = jax.random.wrap_key_data(jnp.array(words))

            def draw(key: jax.Array) -> jax.Array:
                array: jax.Array = initialize(key, shape, jnp.dtype(dtype))
                return array

            array = np.asarray((jax.jit(draw) if transform == "jit" else draw)(key))
        return array.astype(np.result_type(array.dtype, np.float32))

    def fingerprint(self) -> bytes:
        """JAX has no global random state."""
        return b""

    def disturb(self) -> None:
        """JAX has no global random state."""


backend = JaxInitializers()
