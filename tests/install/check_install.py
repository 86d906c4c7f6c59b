"""Check what an adapter brought into an environment, and that it draws there.

    python tests/install/check_install.py fanwise_torch

No framework may be there but the adapter's own, and that one once.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys

# Distributions of each framework; TensorFlow has several, of which one may be there.
FRAMEWORKS = {
    "fanwise_torch": {"torch"},
    "fanwise_jax": {"jax", "jaxlib"},
    "fanwise_tf": {"tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"},
}
LAYERS = {"dm-haiku", "equinox", "flax", "optax", "timm", "torchvision", "transformers"}


def faults(adapter: str, installed: set[str]) -> list[str]:
    """What is wrong with an environment's distributions, for one adapter."""
    own = FRAMEWORKS[adapter]
    others = set().union(*(names for key, names in FRAMEWORKS.items() if key != adapter)) | LAYERS
    found = [f"{name} is of another framework" for name in sorted(installed & others)]
    here = installed & own
    if adapter == "fanwise_tf" and len(here) != 1:
        found.append(f"TensorFlow must be there once, got {sorted(here)}")
    if not here:
        found.append(f"none of {sorted(own)} is there")
    return found


def draw(adapter: str) -> str:
    """Draw one tensor with the adapter."""
    scheme = importlib.import_module("fanwise").normal(std=1.0)
    module = importlib.import_module(adapter)
    if adapter == "fanwise_torch":
        torch = importlib.import_module("torch")
        return str(module.init_(torch.empty(2), scheme, generator=0))
    if adapter == "fanwise_jax":
        jax = importlib.import_module("jax")
        return str(module.initializer(scheme)(jax.random.key(0), (2,)))
    return str(module.Initializer(scheme, seed=0)((2,)))


def main() -> None:
    """List the distributions, and fail if one of them should not be there."""
    (adapter,) = sys.argv[1:]
    installed = {
        re.sub(r"[-_.]+", "-", distribution.name).lower()
        for distribution in importlib.metadata.distributions()
    }
    print(*sorted(installed))
    found = faults(adapter, installed)
    if found:
        raise SystemExit("; ".join(found))
    print(draw(adapter))


if __name__ == "__main__":
    main()
