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
    ("adapter", "installed"),
    [
        ("fanwise_torch", {"fanwise", "torch", "numpy"}),
        ("fanwise_jax", {"fanwise", "jax", "jaxlib"}),
        ("fanwise_tf", {"fanwise", "tensorflow-cpu", "keras"}),
    ],
)
def test_what_should_be_there_is_no_fault(adapter, installed):
    assert check.faults(adapter, installed) == []


@pytest.mark.parametrize(
    ("adapter", "installed", "fault"),
    [
        ("fanwise_torch", {"torch", "jax"}, "jax is of another framework"),
        ("fanwise_jax", {"jax", "flax"}, "flax is of another framework"),
        ("fanwise_tf", {"tensorflow", "tensorflow-cpu"}, "must be there once"),
        ("fanwise_tf", {"keras"}, "must be there once"),
        ("fanwise_torch", {"numpy"}, "none of ['torch'] is there"),
    ],
)
def test_what_should_not_be_is_a_fault(adapter, installed, fault):
    assert any(fault in found for found in check.faults(adapter, installed))
