"""tinygrad's `Tensor` functions, which draw from its global state, and from no other."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from tinygrad.dtype import dtypes
from tinygrad.tensor import Tensor

from . import Native, Request, interval


def _scheme(scheme: Mapping[str, Any]) -> Any:
    options = dict(scheme)
    name = options.pop("name")
    if name in ("zeros", "ones"):
        return getattr(Tensor, name)
    if name == "constant":
        return lambda *shape, **how: Tensor.full(shape, options["value"], **how)
    if name == "normal":
        mean, std = options.get("mean", 0.0), options["std"]
        return lambda *shape, **how: Tensor.normal(*shape, mean=mean, std=std, **how)
    if name == "uniform":
        low, high = interval(options)
        return lambda *shape, **how: Tensor.uniform(*shape, low=low, high=high, **how)
    if name == "glorot_uniform" and not options:
        return Tensor.glorot_uniform
    if name in ("he_normal", "he_uniform") and not options:
        kaiming = Tensor.kaiming_normal if name == "he_normal" else Tensor.kaiming_uniform
        return lambda *shape, **how: kaiming(*shape, a=0.0, **how)  # a ReLU's slope
    raise NotImplementedError(f"tinygrad has no {name} of {sorted(options)}")


class TinygradTensor(Native):
    """The functions of `tinygrad.Tensor`."""

    name = "native:tinygrad"
    version = metadata.version("tinygrad")
    features: Mapping[str, Any] = {
        "schemes": (
            "normal", "uniform", "constant", "zeros", "ones", "glorot_uniform", "he_normal",
            "he_uniform",
        ),
        "dtypes": ("float32", "float16", "bfloat16"),
        "devices": ("cpu", "cuda"),
        "kernels": {"embedding": {"roles": "in out", "one_hot": True}},
    }  # fmt: skip

    def drawn(self, request: Request) -> Any:
        """Draw one parameter; the seed is the global state's, as users must set it."""
        initialize, dtype = _scheme(request.scheme), getattr(dtypes, request.dtype)
        Tensor.manual_seed(request.number % (1 << 32))
        drawn = initialize(*request.shape, dtype=dtype, device=request.device.upper())
        try:
            # Realized first: a cast that is fused leaves the rounding out.
            return drawn.realize().cast(dtypes.float32).numpy()
        except subprocess.CalledProcessError as error:  # a C compiler that is older than the type
            raise NotImplementedError(f"the compiler has no {request.dtype}") from error

    def fingerprint(self) -> bytes:
        """The seed, and how far the stream of each device is."""
        counters = Tensor._device_rng_counters
        return repr((Tensor._seed, {name: counters[name].tolist() for name in counters})).encode()

    def disturb(self) -> None:
        """Advance the global state."""
        np.asarray(Tensor.rand(5, device="CPU").numpy())


backend = TinygradTensor()
