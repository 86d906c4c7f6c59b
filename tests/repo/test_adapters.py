"""The adapters' packages: their public names, what they import, what they ship."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

# Keras imports jax and others by itself, where they are.
OTHERS = {
    "fanwise_jax": {"torch", "tensorflow", "keras", "flax", "equinox", "haiku"},
    "fanwise_tf": {"torch", "flax", "equinox", "haiku"},
    "fanwise_torch": {"jax", "tensorflow", "keras", "flax"},
}


@pytest.fixture(params=sorted(OTHERS))
def package(request):
    return importlib.import_module(request.param)


def test_all_is_sorted_and_every_name_is_there(package):
    assert list(package.__all__) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_one_file_imports_the_core(package):
    importing = {
        path.name
        for path in Path(package.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fanwise")
        or (isinstance(node, ast.Import) and any(n.name.startswith("fanwise") for n in node.names))
    }
    assert importing == {"_core.py"}


def test_importing_imports_no_other_framework(package):
    code = f"import sys, {package.__name__}; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert not OTHERS[package.__name__] & set(imported.stdout.split())


def test_the_license_and_the_type_marker_are_inside(package):
    inside = Path(package.__file__).parent
    assert "MIT License" in (inside / "LICENSE").read_text()
    assert (inside / "py.typed").exists()
