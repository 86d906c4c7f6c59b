"""Under torch.compile: initializing a tensor is one operator that the compiler does not look into.

A module of its own, as it imports the compiler, which takes a second. What may change from call
to call, seeds and numbers, are arguments of the operator; the rest is text that a trace keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ._core import Axes, Fans, Scheme, parse_path
from ._eager import initialize as initialize_eagerly
from ._rounded import initialize_rounded


def initialize(
    tensor: torch.Tensor, call: str, seed: int | None, numbers: Sequence[float] = ()
) -> torch.Tensor:
    """Initialize a tensor in place, by what `encode` or `encode_rounded` made."""
    if seed is not None and seed >= 1 << 63:
        seed -= 1 << 64  # the integers of the operator have a sign
    with torch.no_grad():
        return tensor.copy_(torch.ops.fanwise.initialized(tensor, call, seed, list(numbers)))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # the compiler is untyped
def encode(scheme: Scheme, axes: Axes | None, fans: Fans | None, path: str | Sequence[str]) -> str:
    """What to draw as text, which is what the operator takes."""
    return json.dumps(
        {
            "scheme": scheme.to_data(),
            "axes": None if axes is None else axes.to_data(),
            "fans": None if fans is None else fans.to_data(),
            "path": parse_path(path),
        }
    )


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # the compiler is untyped
def encode_rounded(
    scheme: str, groups: int, choices: Mapping[str, str], numbers: Sequence[str]
) -> str:
    """What a drop-in draws as text: its numbers, which may be symbols, by their names alone."""
    return json.dumps(
        {"name": scheme, "groups": groups, "choices": dict(choices), "numbers": list(numbers)}
    )


# One that returns a tensor: Inductor cannot compile one that writes into a complex tensor. With its
# schema: older releases do not infer it of these types.
@torch.library.custom_op(
    "fanwise::initialized",
    mutates_args=(),
    schema="(Tensor like, str call, int? seed, float[] numbers) -> Tensor",
)
def _initialized(
    like: torch.Tensor, call: str, seed: int | None, numbers: list[float]
) -> torch.Tensor:
    tensor = torch.empty_like(like)
    data = json.loads(call)
    if "name" in data:
        options: dict[str, Any] = dict(zip(data["numbers"], numbers, strict=True))
        scheme = Scheme(data["name"], data["choices"] | options)
        return initialize_rounded(tensor, scheme, data["groups"], None)
    return initialize_eagerly(
        tensor,
        Scheme.from_data(data["scheme"]),
        None if data["axes"] is None else Axes.from_data(data["axes"]),
        None if data["fans"] is None else Fans.from_data(data["fans"]),
        None if seed is None else seed % (1 << 64),
        data["path"],
    )


@_initialized.register_fake
def _(like: torch.Tensor, call: str, seed: int | None, numbers: list[float]) -> torch.Tensor:
    return torch.empty_like(like)
