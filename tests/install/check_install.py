"""Check what a package brought into an environment.

    python tests/install/check_install.py torch_adapter

No framework may be there but an adapter's own, and that one once.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys

# Distributions of each framework; TensorFlow has several, of which one may be there.
FRAMEWORKS: dict[str, set[str]] = {
    "core": set(),
    "conformance": set(),
    "torch_adapter": {"torch"},
    "jax_adapter": {"jax", "jaxlib"},
    "tf_adapter": {"tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"},
}
LAYERS = {"dm-haiku", "equinox", "flax", "optax", "timm", "torchvision", "transformers"}


def faults(package: str, installed: set[str]) -> list[str]:
    """What is wrong with an environment's distributions, for one package."""
    own = FRAMEWORKS[package]
    others = set().union(*(names for key, names in FRAMEWORKS.items() if key != package)) | LAYERS
    found = [f"{name} is of another framework" for name in sorted(installed & others)]
    here = installed & own
    if package == "tf_adapter" and len(here) != 1:
        found.append(f"TensorFlow must be there once, got {sorted(here)}")
    if own and not here:
        found.append(f"none of {sorted(own)} is there")
    return found


def main() -> None:
    """List the distributions, and fail if one of them should not be there."""
    (package,) = sys.argv[1:]
    installed = {
        re.sub(r"[-_.]+", "-", distribution.name).lower()
        for distribution in importlib.metadata.distributions()
    }
    print(*sorted(installed))
    found = faults(package, installed)
    if found:
        raise SystemExit("; ".join(found))


if __name__ == "__main__":
    main()
