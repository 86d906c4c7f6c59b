"""TensorFlow as a subject of the conformance suite."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ._core import Axes, Scheme, conformance
from ._tensor import init

_NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


class TfBackend(conformance.Backend):
    """TensorFlow, by this adapter."""

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

        def draw() -> Any:
            return init(scheme, shape, axes, seed=seed, path=path, dtype=dtype)

        if transform is not None:
            draw = tf.function(draw, jit_compile=transform == "xla", autograph=False)
        with tf.device({"cpu": "CPU:0", "cuda": "GPU:0"}[device]):
            array = draw().numpy()
        return array.astype(np.result_type(array.dtype, np.float32))

    def fingerprint(self) -> bytes:
        """The state of the global generator."""
        state: bytes = tf.random.get_global_generator().state.numpy().tobytes()
        return state

    def disturb(self) -> None:
        """Advance the global generator, and the global seed's operations."""
        tf.random.get_global_generator().normal((5,))
        tf.random.normal((5,))


backend = TfBackend(
    "tensorflow",
    tf.__version__,
    dtypes=("float64", "float32", *_NARROW, "complex64", "complex128"),
    devices=("cpu", "cuda"),
    transforms=("function", "xla"),
)
