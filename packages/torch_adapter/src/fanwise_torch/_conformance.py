"""PyTorch as a subject of the conformance suite."""

from __future__ import annotations

from typing import Any

import torch

from ._core import Axes, Scheme, conformance
from ._tensor import init_

_NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


class TorchBackend(conformance.Backend):
    """PyTorch, by this adapter."""

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
        if not isinstance(getattr(torch, dtype, None), torch.dtype):
            raise TypeError(f"`dtype` must be one of PyTorch, got {dtype}")
        if any(size < 0 for size in shape):
            raise ValueError(f"`shape` must be of sizes from 0 up, got {shape}")
        tensor = torch.empty(shape, dtype=getattr(torch, dtype), device=device)

        def draw(tensor: torch.Tensor) -> torch.Tensor:
            return init_(tensor, scheme, axes, seed=seed, path=path)

        if transform == "compile":
            torch.compiler.reset()  # a new scheme is a new function
            draw = torch.compile(draw, backend="aot_eager", fullgraph=True)
        drawn = draw(tensor)
        wide = torch.complex128 if drawn.is_complex() else torch.float64
        return drawn.to("cpu").to(wide).numpy()

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


backend = TorchBackend(
    "torch",
    torch.__version__,
    dtypes=("float64", "float32", *_NARROW, "complex64", "complex128"),
    devices=("cpu", "cuda", "mps"),
    transforms=("compile",),
)
