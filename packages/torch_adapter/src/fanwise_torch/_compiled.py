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
    torch.ops.fanwise.initialize_(tensor, call, seed, list(numbers))
    return tensor


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


@torch.library.custom_op("fanwise::initialize_", mutates_args=("tensor",))
def _initialize(tensor: torch.Tensor, call: str, seed: int | None, numbers: list[float]) -> None:
    from . import _tensor, nn_init

    data = json.loads(call)
    if "name" in data:
        options: dict[str, Any] = {
            **data["words"],
            **dict(zip(data["numbers"], numbers, strict=True)),
        }
        scheme, axes = nn_init.make(data["name"], tensor.dim(), data["groups"], options)
        _tensor.initialize(tensor, scheme, axes, None, None)
        return
    _tensor.initialize(
        tensor,
        Scheme.from_data(data["scheme"]),
        None if data["axes"] is None else Axes.from_data(data["axes"]),
        None if data["fans"] is None else Fans.from_data(data["fans"]),
        None if seed is None else seed % (1 << 64),
        data["path"],
    )


@_initialize.register_fake
def _(tensor: torch.Tensor, call: str, seed: int | None, numbers: list[float]) -> None:
    pass
