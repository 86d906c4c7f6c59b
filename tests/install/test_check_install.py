"""The check of an installation sees what it is for."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "check_install", Path(__file__).parent / "check_install.py"
)
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)


@pytest.mark.parametrize(
    ("package", "installed"),
    [
        ("torch_adapter", {"fanwise", "torch", "numpy"}),
        ("jax_adapter", {"fanwise", "jax", "jaxlib"}),
        ("tf_adapter", {"fanwise", "tensorflow-cpu", "keras"}),
        ("core", {"fanwise", "numpy"}),
    ],
)
def test_what_should_be_there_is_no_fault(package, installed):
    assert check.faults(package, installed) == []


@pytest.mark.parametrize(
    ("package", "installed", "fault"),
    [
        ("torch_adapter", {"torch", "jax"}, "jax is of another framework"),
        ("jax_adapter", {"jax", "flax"}, "flax is of another framework"),
        ("tf_adapter", {"tensorflow", "tensorflow-cpu"}, "must be there once"),
        ("tf_adapter", {"keras"}, "must be there once"),
        ("core", {"fanwise", "torch"}, "torch is of another framework"),
        ("torch_adapter", {"numpy"}, "none of ['torch'] is there"),
    ],
)
def test_what_should_not_be_is_a_fault(package, installed, fault):
    assert any(fault in found for found in check.faults(package, installed))
