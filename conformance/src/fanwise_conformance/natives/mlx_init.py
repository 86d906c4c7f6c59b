"""`mlx.nn.init`, which draws from MLX' global state, and from no other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn import init

from ..backend import AxesData
from . import Native, Request, interval

# A kernel's outputs are its first axis, and its inputs the last.
_KERNELS: dict[str, AxesData] = {
    "convolution": "out kernel kernel in",
    "grouped convolution": {"roles": "out kernel kernel in", "groups": 4},
    "depthwise convolution": {"roles": "out kernel kernel in", "groups": 59},
    "transposed convolution": {
        "roles": "out kernel kernel in",
        "transposed": True,
        "stride": [2, 2],
    },
    "embedding": {"roles": "in out", "one_hot": True},
}


def _scheme(scheme: Mapping[str, Any], dtype: mx.Dtype) -> Any:
    options = dict(scheme)
    name = options.pop("name")
    if name in ("constant", "zeros", "ones"):
        value = {"zeros": 0.0, "ones": 1.0}.get(name)
        return init.constant(options["value"] if value is None else value, dtype)
    if name == "identity" and not options:
        return init.identity(dtype)
    if name == "normal":
        return init.normal(options.get("mean", 0.0), options["std"], dtype)
    if name == "uniform":
        low, high = interval(options)
        return init.uniform(low, high, dtype)
    if name in ("glorot_normal", "glorot_uniform") and set(options) <= {"gain"}:
        glorot = getattr(init, name)(dtype)
        return lambda a: glorot(a, **options)
    if (
        name in ("he_normal", "he_uniform")
        and set(options) <= {"fan", "gain"}
        and options.get("fan", "in") in ("in", "out")
    ):
        he, mode = getattr(init, name)(dtype), "fan_" + options.pop("fan", "in")
        return lambda a: he(a, mode, **options)
    if name == "orthogonal":
        return init.orthogonal(options.get("gain", 1.0), dtype)
    if name == "sparse":
        return init.sparse(options["sparsity"], 0.0, options["std"], dtype)
    raise NotImplementedError(f"mlx.nn.init has no {name} of {sorted(options)}")


class MlxInit(Native):
    """The functions of `mlx.nn.init`."""

    name = "native:mlx"
    version = metadata.version("mlx")
    features: Mapping[str, Any] = {
        "schemes": (
            "normal", "uniform", "constant", "zeros", "ones", "identity", "glorot_normal",
            "glorot_uniform", "he_normal", "he_uniform", "orthogonal", "sparse",
        ),
        "dtypes": ("float32", "float16", "bfloat16"),
        "devices": ("cpu", "gpu"),
        "stacks": False,
        "kernels": _KERNELS,
    }  # fmt: skip

    def drawn(self, request: Request) -> Any:
        """Draw one parameter; the seed is the global state's, as users must set it."""
        name = request.scheme["name"]
        if name in ("orthogonal", "sparse", "identity") and len(request.shape) != 2:
            raise NotImplementedError(f"mlx.nn.init has {name} of matrices alone")
        initialize = _scheme(request.scheme, getattr(mx, request.dtype))
        with mx.stream(getattr(mx, request.device)):
            mx.random.seed(request.number)
            return np.array(initialize(mx.zeros(request.shape)).astype(mx.float32))

    def fingerprint(self) -> bytes:
        """The global state."""
        state: Any = mx.random.state
        return np.array(state[0]).tobytes()

    def disturb(self) -> None:
        """Advance the global state."""
        mx.random.uniform(shape=(5,))


backend = MlxInit()
