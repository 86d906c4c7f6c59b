"""Stream keys: 64 bits from a seed and a parameter's path, the same everywhere (spec: randomness).

Pure Python. The path is hashed (BLAKE2b), and the hash encrypted under the seed (Philox, Salmon
et al. 2011), so that a child's key depends on the seed and on its whole path alone.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

from .._errors import SourceError, integer

Path: TypeAlias = tuple[str, ...]
Words: TypeAlias = tuple[int, int, int, int]

STREAM = "fanwise-stream-1"  # the stream's version: it names the definition, wherever this runs

_MASK = 0xFFFFFFFF


def parse_path(path: str | Sequence[str], /) -> Path:
    """The segments of a path: a string's are separated by dots.

    Parameters
    ----------
    path : str or sequence of str
        A parameter's path.

    Returns
    -------
    tuple of str
        Its segments.

    Raises
    ------
    SourceError
        If a segment is empty, or no text.

    Examples
    --------
    >>> from fanwise.adapting import parse_path
    >>> parse_path("layers.0.weight")
    ('layers', '0', 'weight')
    """
    if not isinstance(path, str | Sequence):
        raise SourceError(f"`path` must be a string or a sequence of strings, got {path!r}")
    segments = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    for segment in segments:
        if not isinstance(segment, str) or not segment or segment.startswith("\0"):
            raise SourceError(f"`path` must have segments of one character or more, got {path!r}")
        if not segment.isascii() and any("\ud800" <= c <= "\udfff" for c in segment):
            raise SourceError(f"`path` must be text that UTF-8 can encode, got {path!r}")
    return segments


def check_seed(seed: int) -> int:
    """Return `seed`; raise unless it is an integer of 64 bits."""
    seed = integer("seed", seed, SourceError, minimum=0)
    if seed >= 1 << 64:
        raise SourceError(f"`seed` must be below 2**64, got {seed}")
    return seed


def stream_key(seed: int, path: Sequence[str], /, purpose: str = "value") -> int:
    """The 64-bit key of one stream (spec: randomness/2).

    Parameters
    ----------
    seed : int
        From 0 up to 2**64 - 1.
    path : sequence of str
        The parameter's path, and the children's names below it.
    purpose : str, default "value"
        What the stream is for, so that two streams of one parameter are independent.

    Returns
    -------
    int
        The key.

    Raises
    ------
    SourceError
        If the seed is not an integer of 64 bits, or a segment is empty.

    Examples
    --------
    >>> from fanwise.adapting import stream_key
    >>> hex(stream_key(0, ["w"]))
    '0x5946736ec091bf87'
    """
    seed = check_seed(seed)
    low, high, _, _ = philox(path_words(path, purpose), (seed & _MASK, seed >> 32))
    return high << 32 | low


def path_words(path: Sequence[str], purpose: str) -> Words:
    """The 128-bit hash of a path and a purpose, as four words: independent of any seed."""
    from hashlib import blake2b  # here, as it imports OpenSSL

    digest = blake2b(digest_size=16, person=STREAM.encode())
    for segment in (*parse_path(path), "\0" + purpose):
        encoded = unicodedata.normalize("NFC", segment).encode()
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    a, b, c, d = struct.unpack("<4I", digest.digest())
    return a, b, c, d


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox4x32-10: encrypt a counter under a key."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ k0, right & _MASK, (left >> 32) ^ d ^ k1, left & _MASK
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return a, b, c, d
