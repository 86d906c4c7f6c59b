"""`torch.nn.init`, seeded by a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import init

from . import Native, Request, interval

Initialize = Callable[[torch.Tensor, torch.Generator], Any]


def _scheme(scheme: Mapping[str, Any]) -> Initialize:
    options = dict(scheme)
    name = options.pop("name")
    if name == "normal":
        return lambda t, g: init.normal_(t, options.get("mean", 0.0), options["std"], generator=g)
    if name == "uniform":
        low, high = interval(options)
        return lambda t, g: init.uniform_(t, low, high, generator=g)
    if name == "truncated_normal":
        # Its std is that of the parent, and its bounds are absolute.
        if "parent_std" not in options:
            raise NotImplementedError("trunc_normal_ takes the std before the cut")
        std, mean = options["parent_std"], options.get("parent_mean", 0.0)
        scale = 1.0 if options.get("bounds") == "absolute" else std
        low, high = (
            scale * options.get(end, value) for end, value in (("low", -2.0), ("high", 2.0))
        )
        return lambda t, g: init.trunc_normal_(t, mean, std, low, high, generator=g)
    if name == "constant":
        return lambda t, g: init.constant_(t, options["value"])
    if name in ("zeros", "ones", "identity", "dirac"):
        function = {
            "zeros": init.zeros_,
            "ones": init.ones_,
            "identity": init.eye_,
            "dirac": init.dirac_,
        }[name]
        if options:
            raise NotImplementedError(f"{name} takes no options")
        return lambda t, g: function(t)
    if name in ("glorot_normal", "glorot_uniform") and set(options) <= {"gain"}:
        xavier = init.xavier_normal_ if name == "glorot_normal" else init.xavier_uniform_
        return lambda t, g: xavier(t, options.get("gain", 1.0), generator=g)
    if name in ("he_normal", "he_uniform") and set(options) <= {"fan"}:
        kaiming = init.kaiming_normal_ if name == "he_normal" else init.kaiming_uniform_
        modes: dict[str, Any] = {"in": "fan_in", "out": "fan_out"}
        if options.get("fan", "in") not in modes:
            raise NotImplementedError("kaiming takes fan_in or fan_out")
        mode = modes[options.get("fan", "in")]
        return lambda t, g: kaiming(t, mode=mode, nonlinearity="relu", generator=g)
    if name == "orthogonal":
        return lambda t, g: init.orthogonal_(t, options.get("gain", 1.0), generator=g)
    if name == "sparse":
        # Zeros are counted by column: a user who wants them by unit transposes.
        return lambda t, g: init.sparse_(t.T, options["sparsity"], options["std"], generator=g)
    raise NotImplementedError(f"torch.nn.init has no {name} of {sorted(options)}")


class TorchInit(Native):
    """The functions of `torch.nn.init`."""

    name = "native:torch.nn.init"
    version = str(torch.__version__)
    features: Mapping[str, Any] = {
        "schemes": (
            "normal", "uniform", "truncated_normal", "constant", "zeros", "ones", "identity",
            "dirac", "glorot_normal",
            "glorot_uniform", "he_normal", "he_uniform", "orthogonal", "sparse",
        ),
        "dtypes": (
            "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2",
            "complex64",
        ),
        "devices": ("cpu", "cuda", "mps"),
        "stacks": False,
        "kernels": {"embedding": {"roles": "in out", "one_hot": True}},
    }  # fmt: skip

    def drawn(self, request: Request) -> Any:
        """Draw one parameter."""
        dtype = getattr(torch, request.dtype)
        tensor = torch.empty(request.shape, dtype=dtype, device=request.device)
        self.fill(tensor, request)
        return tensor.cpu().to(torch.complex128 if tensor.is_complex() else torch.float64).numpy()

    def fill(self, tensor: torch.Tensor, request: Request) -> None:
        """Fill a tensor, by a generator that seed and path have seeded."""
        generator = torch.Generator(request.device).manual_seed(request.number >> 1)
        _scheme(request.scheme)(tensor, generator)

    def fingerprint(self) -> bytes:
        """The states of the default generators."""
        states = [torch.get_rng_state()]
        if torch.cuda.is_available():
            states += torch.cuda.get_rng_state_all()
        if torch.backends.mps.is_available():
            states.append(torch.mps.get_rng_state())
        return b"".join(state.numpy().tobytes() for state in states)

    def disturb(self) -> None:
        """Advance the default generators."""
        torch.rand(5)
        for index in range(torch.cuda.device_count()):
            torch.rand(5, device=f"cuda:{index}")
        if torch.backends.mps.is_available():
            torch.rand(5, device="mps")


backend = TorchInit()
