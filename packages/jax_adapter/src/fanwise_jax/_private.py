"""What this package uses of Flax and Haiku that they do not document: each symbol, and why.

Checked with Flax 0.12.8 and Haiku 0.0.17. Neither is imported, for neither need be installed.
"""

from __future__ import annotations

from typing import Any

__all__ = ["is_lifted", "params_of_lstm", "path_of_transform", "wrapped_by_nnx"]


def params_of_lstm(linen: Any, /) -> type:
    """The class of a gate's parameters in linen's optimized LSTM, which makes them by itself."""
    found: type = linen.recurrent.DenseParams
    return found


def path_of_transform(module: Any, /) -> tuple[str, ...]:
    """The path of the module that `scan` or `vmap` transforms, within which a linen module runs.

    A scope's root is made anew by each transform; a module's own path does not tell.
    """
    path: tuple[str, ...] = module.scope.root.path
    return path


def wrapped_by_nnx(bridge: Any, /) -> Any:
    """The linen module that `nnx.bridge.ToNNX` wraps, under a name meant not to clash."""
    return bridge.to_nnx__module


def is_lifted(module: Any, /) -> bool:
    """Whether a module is what Haiku makes of a lifted function, of a class it does not export."""
    kind = type(module)
    return kind.__name__ == "LiftingModule" and kind.__module__.startswith("haiku.")
