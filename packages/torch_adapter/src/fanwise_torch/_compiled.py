"""Under torch.compile: initializing a tensor is one operator that the compiler does not look into.

A module of its own, as it imports the compiler, which takes a second. What may change from call
to call, seeds and numbers, are arguments of the operator; the rest is text that a trace keeps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from ._core import Axes, Fans, Scheme, parse_path


def initialize(
    tensor: torch.Tensor, call: str, seed: int | None, numbers: Sequence[float] = ()
) -> torch.Tensor:
    """Initialize a tensor in place by a call of `_tensor.initialize`, as text."""
    if seed is not None and seed >= 1 << 63:
        seed -= 1 << 64  # the operator's integers have a sign
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
def encode_named(scheme: str, groups: int, words: dict[str, str], numbers: list[str]) -> str:
    """What `nn_init` draws as text, its numbers by name alone."""
    return json.dumps({"name": scheme, "groups": groups, "words": words, "numbers": numbers})


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
    from . import _tensor, nn_init

    tensor = torch.empty_like(like)
    data = json.loads(call)
    if "name" in data:
        options: dict[str, Any] = {
            **data["words"],
            **dict(zip(data["numbers"], numbers, strict=True)),
        }
        return nn_init.draw(tensor, None, data["name"], data["groups"], options)
    return _tensor.initialize(
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
