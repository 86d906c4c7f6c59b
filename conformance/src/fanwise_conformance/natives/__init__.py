"""The frameworks' own initializers as backends: as users call them, with the laws of their names.

A request is handed to the function that a user would take for it. What it does not let a user say
(other fans, a cut in standard deviations) is not there, and the checks that ask for it are skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import AxesData, Shape

# Kernels as JAX and Keras lay them out, inputs before outputs.
CHANNELS_LAST: dict[str, AxesData] = {
    "linear": "in out",
    "convolution": "kernel kernel in out",
    "grouped convolution": {"roles": "kernel kernel in out", "groups": 4},
    "depthwise convolution": {"roles": "kernel kernel in out", "groups": 59},
    "transposed convolution": {
        "roles": "kernel kernel in out",
        "transposed": True,
        "stride": [2, 2],
    },
    "embedding": {"roles": "in out", "one_hot": True},
    "fused projections": {"roles": "in out", "blocks": {"out": 3}},
    "uneven projections": {"roles": "in out", "blocks": {"out": [331, 83, 83]}},
    "gates": {"roles": "in out", "blocks": {"out": 4}},
    "experts": "stack in out",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a native: seed and path, which these libraries do not have, as one key."""

    scheme: Mapping[str, Any]
    shape: Shape
    axes: AxesData
    key: bytes
    dtype: str
    device: str
    transform: str | None

    @property
    def number(self) -> int:
        """The key as a number of 64 bits."""
        return int.from_bytes(self.key, "little")


class Native:
    """A native as a backend; its class says how a request is drawn."""

    def draw(
        self,
        scheme: Mapping[str, Any],
        shape: Shape,
        axes: AxesData,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Any:
        """Draw one parameter."""
        request = Request(scheme, shape, axes, key_of(seed, path), dtype, device, transform)
        array = self.drawn(request)
        return array.astype(np.result_type(array.dtype, np.float32))

    def drawn(self, request: Request) -> Any:
        """The array of a request, in NumPy."""
        raise NotImplementedError


def interval(options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The ends of a uniform law, given as two or as one bound."""
    if "bound" in options:
        return -options["bound"], options["bound"]
    return options["low"], options["high"]


def key_of(seed: int, path: str) -> bytes:
    """Eight bytes of a seed and a path, which these libraries do not have: a stream for each."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"`seed` must be from 0 up to 2**64 - 1, got {seed}")
    return hashlib.blake2b(f"{seed}\0{path}".encode(), digest_size=8).digest()
