"""The package as a whole: its public names, its version, what it imports, how it is spelled."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fanwise as package

ROOT = Path(package.__file__).parent
MODULES = sorted(ROOT.glob("*.py"))
ARRAY_LIBRARIES = ("numpy", "torch", "jax", "tensorflow", "array_api_compat", "ml_dtypes", "scipy")


def test_all_is_sorted_and_every_name_is_there():
    assert list(package.__all__) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_every_public_name_is_in_all():
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not (inspect.ismodule(value) and name != "kernels")
    }
    assert public - {"numpy"} <= set(package.__all__)


@pytest.mark.parametrize("name", [n for n in package.__all__ if callable(getattr(package, n))])
def test_public_functions_document_what_they_take_return_and_raise(name):
    thing = getattr(package, name)
    if inspect.isfunction(thing):
        documentation = inspect.getdoc(thing)
        signature = inspect.signature(thing)
        assert documentation
        if signature.parameters and len(documentation.splitlines()) > 6:
            assert "Parameters\n" in documentation
        for parameter in signature.parameters:
            if "Parameters\n" in documentation:
                assert f"\n{parameter}" in documentation or f", {parameter}" in documentation


def test_importing_imports_no_array_library():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT.parents[len(package.__name__.split('.')) - 1])!r})\n"
        f"import {package.__name__}\n"
        f"assert not set({ARRAY_LIBRARIES}) & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_a_literal():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    (version,) = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert version == package.__version__


def test_the_license_and_the_type_marker_are_inside():
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "py.typed").exists()


def test_numpy_is_asked_for_by_name():
    code = f"import sys; sys.modules['numpy'] = None; import {package.__name__}.numpy"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ModuleNotFoundError: this module needs NumPy" in found.stderr
