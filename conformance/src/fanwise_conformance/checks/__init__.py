"""The checks, by level; importing this package registers them."""

from . import (
    across,
    dtype,
    errors,
    exact,
    independence,
    law,
    moments,
    stream,
    structured,
    support,
)

__all__ = [
    "across",
    "dtype",
    "errors",
    "exact",
    "independence",
    "law",
    "moments",
    "stream",
    "structured",
    "support",
]
