"""The reference of the site has every public name."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

REFERENCE = Path(__file__).parents[2] / "docs/reference"
MODULES = (
    "fanwise",
    "fanwise.adapting",
    "fanwise.numpy",
    "fanwise_conformance",
    "fanwise_jax",
    "fanwise_jax.initializers",
    "fanwise_tf",
    "fanwise_tf.initializers",
    "fanwise_torch",
    "fanwise_torch.nn_init",
    *(f"fanwise.layers.{name}" for name in ("equinox", "flax", "haiku", "keras", "torch")),
)


def listed(module):
    """The names below `currentmodule` of a module, in all pages."""
    names = set()
    for page in REFERENCE.glob("*.md"):
        for block in re.findall(r"currentmodule:: (\S+)\n(.*?)```", page.read_text(), re.S):
            if block[0] == module:
                names |= set(re.findall(r"^   ([A-Za-z_0-9]+)$", block[1], re.M))
    return names


@pytest.mark.parametrize("name", MODULES)
def test_every_public_class_and_function_is_on_a_page(name):
    module = importlib.import_module(name)
    own = {
        public
        for public in module.__all__
        for value in [getattr(module, public)]
        # Constants and types of annotations, modules, and other libraries' classes have no page.
        if callable(value)
        and not isinstance(value, ModuleType)
        and value.__module__.startswith("fanwise")
    }
    by_value = {id(getattr(module, public)): public for public in listed(name)}
    missing = {public for public in own if id(getattr(module, public)) not in by_value}
    elsewhere = {"block_fans", "Plan"} if name == "fanwise.adapting" else set()
    assert missing == elsewhere  # they are on the page of `fanwise`
    assert listed(name) <= set(module.__all__)
