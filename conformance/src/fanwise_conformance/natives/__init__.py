"""The frameworks' own initializers as backends: as users call them, with the laws of their names.

A request is handed to the function that a user would take for it. What it does not let a user say
(other fans, a cut in standard deviations) is not there, and the checks that ask for it are skipped.
"""

from __future__ import annotations

import hashlib


def key_of(seed: int, path: str) -> bytes:
    """Eight bytes of a seed and a path, which these libraries do not have: a stream for each."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"`seed` must be from 0 up to 2**64 - 1, got {seed}")
    return hashlib.blake2b(f"{seed}\0{path}".encode(), digest_size=8).digest()
