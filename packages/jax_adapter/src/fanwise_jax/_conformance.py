"""JAX as a subject of the conformance suite."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._core import Axes, Scheme, conformance, field_of, resolve
from ._sharded import draw_sharded
from ._source import check_dtype

_NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


class JaxBackend(conformance.Backend):
    """JAX, by this adapter."""

    def initialize(
        self,
        scheme: Scheme,
        shape: tuple[int, ...],
        axes: Axes | None,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Any:
        """Draw one parameter."""
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"`seed` must be from 0 up to 2**64 - 1, got {seed}")
        check_dtype(dtype)
        plan = resolve(scheme, shape, axes, field=field_of(dtype))
        with jax.enable_x64(dtype in ("float64", "complex128")), jax.default_device(_first(device)):
            # Of an integer, a key takes 32 bits where 64 are not enabled.
            words = jnp.array([seed >> 32, seed & 0xFFFFFFFF], dtype=jnp.uint32)
            key = jax.random.wrap_key_data(words, impl="threefry2x32")

            def draw(key: jax.Array) -> jax.Array:
                return draw_sharded(plan, key, path.split("."), dtype, None)

            if transform == "jit":
                drawn = jax.jit(draw)(key)
            elif transform == "vmap":
                drawn = jax.vmap(draw)(jnp.stack([key, key]))[1]
            else:
                drawn = draw(key)
            array = np.asarray(drawn)
        return array.astype(np.result_type(array.dtype, np.float32))

    def fingerprint(self) -> bytes:
        """JAX has no global random state."""
        return b""

    def disturb(self) -> None:
        """JAX has no global random state."""


def _first(device: str) -> Any:
    return jax.devices(device)[0]


backend = JaxBackend(
    "jax",
    jax.__version__,
    dtypes=("float64", "float32", *_NARROW, "complex64", "complex128"),
    devices=("cpu", "cuda", "tpu"),
    transforms=("jit", "vmap"),
)
