"""The least code for each defect of a native: ``python conformance/reproductions [NATIVE ...]``.

A line says what is wrong, what came, and what the specification says; of the natives that are
named, or of all that are installed. A defect that is gone is an error: it is known no more.
"""

from __future__ import annotations

import importlib.util
import sys

NATIVES = ("torch", "jax", "keras", "flax", "timm", "mlx", "tinygrad")


def main(names: list[str]) -> int:
    """Show the defects; return 1 if one is gone."""
    gone = 0
    for name in names or [n for n in NATIVES if importlib.util.find_spec(n)]:
        for what, got, expected in importlib.import_module(f"of_{name}").defects():
            print(f"{name}: {what}: {got}; specified: {expected}")
            gone += got == expected
    return 1 if gone else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
