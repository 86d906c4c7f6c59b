"""The package: its public names, its version, what it imports."""

import ast
import subprocess
import sys
from pathlib import Path

import fanwise_tf as package
import keras
import pytest

from fanwise import SourceError, zeros

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
        "import sys, fanwise_tf\n"
        "assert not {'torch', 'flax', 'equinox', 'haiku'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_license_and_the_type_marker_are_inside():
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "py.typed").exists()


def test_without_tensorflow_the_error_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "try:\n    import fanwise_tf\n"
        "except ImportError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "pip install tensorflow, or tensorflow-cpu" in result.stdout


def test_on_another_backend_of_keras_the_error_says_so(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(SourceError, match="must run on the backend tensorflow, got jax"):
        package.Initializer(zeros())((2,))
