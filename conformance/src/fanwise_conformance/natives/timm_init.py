"""timm's `layers.weight_init`, which draws from PyTorch's global generator, and from no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import timm
import torch
from timm.layers import weight_init

from . import Request
from .torch_init import TorchInit

Initialize = Callable[[torch.Tensor], Any]


def _scheme(scheme: Mapping[str, Any]) -> Initialize:
    options = dict(scheme)
    name = options.pop("name")
    if name == "truncated_normal" and "parent_std" in options:
        mean, std = options.get("parent_mean", 0.0), options["parent_std"]
        low, high = options.get("low", -2.0), options.get("high", 2.0)
        absolute = options.get("bounds") == "absolute"
        function = weight_init.trunc_normal_ if absolute else weight_init.trunc_normal_tf_
        return lambda t: function(t, mean, std, low, high)
    if name == "lecun_normal" and options == {"family": "truncated_normal"}:
        lecun_normal: Initialize = weight_init.lecun_normal_
        return lecun_normal
    if name == "variance_scaling" and options.get("fan", "in") in ("in", "out", "avg"):
        variance_scaling: Any = weight_init.variance_scaling_
        return lambda t: variance_scaling(
            t,
            options.get("gain", 1.0) ** 2,
            "fan_" + options.get("fan", "in"),
            options.get("family", "truncated_normal"),
        )
    raise NotImplementedError(f"timm.layers has no {name} of {sorted(options)}")


class TimmInit(TorchInit):
    """The functions of `timm.layers.weight_init`."""

    name = "native:timm"
    version = f"{timm.__version__} on PyTorch {torch.__version__}"
    features: Mapping[str, Any] = {
        **TorchInit.features,
        "schemes": ("truncated_normal", "lecun_normal", "variance_scaling"),
        "dtypes": ("float64", "float32", "float16", "bfloat16"),
    }

    def fill(self, tensor: torch.Tensor, request: Request) -> None:
        """Fill a tensor; the seed is the global generator's, as users must set it."""
        torch.manual_seed(request.number >> 1)
        _scheme(request.scheme)(tensor)


backend = TimmInit()
