"""The frameworks' own initializers as backends: as users call them, with the laws of their names.

A request is handed to the function that a user would take for it. What it does not let a user say
(other fans, a cut in standard deviations) is not there, and the checks that ask for it are skipped.
"""

from __future__ import annotations

import hashlib

from ..backend import AxesData

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


def key_of(seed: int, path: str) -> bytes:
    """Eight bytes of a seed and a path, which these libraries do not have: a stream for each."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"`seed` must be from 0 up to 2**64 - 1, got {seed}")
    return hashlib.blake2b(f"{seed}\0{path}".encode(), digest_size=8).digest()
