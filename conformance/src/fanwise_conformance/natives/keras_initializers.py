"""Keras' initializers on TensorFlow, seeded by integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import initializers

from . import CHANNELS_LAST, Native, Request, interval

_KERAS = CHANNELS_LAST | {
    "depthwise convolution": {"roles": "kernel kernel out out", "groups": 59},
    "transposed convolution": {
        "roles": "kernel kernel out in",
        "transposed": True,
        "stride": [2, 2],
    },
}

_NAMES = {
    "glorot_normal": initializers.GlorotNormal,
    "glorot_uniform": initializers.GlorotUniform,
    "he_normal": initializers.HeNormal,
    "he_uniform": initializers.HeUniform,
    "lecun_normal": initializers.LecunNormal,
    "lecun_uniform": initializers.LecunUniform,
}


def _scheme(scheme: Mapping[str, Any], seed: int) -> Any:
    options = dict(scheme)
    name = options.pop("name")
    if name == "zeros":
        return initializers.Zeros()
    if name == "ones":
        return initializers.Ones()
    if name == "constant":
        return initializers.Constant(options["value"])
    if name == "identity":
        return initializers.Identity(options.get("gain", 1.0))
    if name == "normal":
        return initializers.RandomNormal(options.get("mean", 0.0), options["std"], seed=seed)
    if name == "uniform":
        low, high = interval(options)
        return initializers.RandomUniform(low, high, seed=seed)
    if (
        name == "truncated_normal"
        and "parent_std" in options
        and not {"low", "high"} & set(options)
    ):
        return initializers.TruncatedNormal(
            options.get("parent_mean", 0.0), options["parent_std"], seed=seed
        )
    if name in _NAMES and not options:
        return _NAMES[name](seed=seed)
    if name == "variance_scaling" and options.get("fan", "in") in ("in", "out", "avg"):
        family = options.get("family", "truncated_normal")
        return initializers.VarianceScaling(
            options.get("gain", 1.0) ** 2,
            "fan_" + options.get("fan", "in"),
            {"normal": "untruncated_normal"}.get(family, family),
            seed=seed,
        )
    if name == "orthogonal":
        return initializers.Orthogonal(options.get("gain", 1.0), seed=seed)
    raise NotImplementedError(f"keras.initializers has no {name} of {sorted(options)}")


class KerasInitializers(Native):
    """The classes of `keras.initializers`."""

    name = "native:keras"
    version = f"{keras.__version__} on TensorFlow {tf.__version__}"
    features: Mapping[str, Any] = {
        "schemes": (
            "normal", "uniform", "truncated_normal", "constant", "zeros", "ones", "identity",
            *_NAMES, "variance_scaling", "orthogonal",
        ),
        "dtypes": ("float64", "float32", "float16", "bfloat16"),
        "devices": ("cpu", "cuda"),
        "transforms": ("function", "xla"),
        "stacks": False,
        "kernels": _KERAS,
    }  # fmt: skip

    def drawn(self, request: Request) -> Any:
        """Draw one parameter, by a seed of 31 bits, of seed and path."""
        initializer = _scheme(request.scheme, request.number % (1 << 31))

        def draw() -> Any:
            return initializer(request.shape, request.dtype)

        if request.transform is not None:
            compiled = request.transform == "xla"
            draw = tf.function(draw, jit_compile=compiled, autograph=False)
        with tf.device({"cpu": "CPU:0", "cuda": "GPU:0"}[request.device]):
            return np.asarray(draw())

    def fingerprint(self) -> bytes:
        """The state of the global generator."""
        state: bytes = tf.random.get_global_generator().state.numpy().tobytes()
        return state

    def disturb(self) -> None:
        """Advance the global generator."""
        tf.random.get_global_generator().normal((5,))
        tf.random.normal((5,))


if keras.config.backend() != "tensorflow":
    raise RuntimeError(f"Keras must run on TensorFlow, got {keras.config.backend()}")
backend = KerasInitializers()
