"""The package: its public names, its version, what it imports."""

import ast
import subprocess
import sys
from pathlib import Path

import fanwise_jax as package

ROOT = Path(package.__file__).parent


def test_all_is_sorted_and_every_name_is_there():
    assert list(package.__all__) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_one_file_imports_the_core():
    importing = [
        path.name
        for path in ROOT.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fanwise")
        or (isinstance(node, ast.Import) and any(n.name.startswith("fanwise") for n in node.names))
    ]
    assert importing == ["_core.py"]


def test_importing_imports_no_other_framework():
    code = (
        "import sys, fanwise_jax\n"
        "assert not {'torch', 'tensorflow', 'keras', 'flax', 'equinox', 'haiku'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_license_and_the_type_marker_are_inside():
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "py.typed").exists()
