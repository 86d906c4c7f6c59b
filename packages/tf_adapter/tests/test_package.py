"""The package: what it says where what it needs is missing."""

import subprocess
import sys

import keras
import pytest
from fanwise_tf import initializer

from fanwise import SourceError, zeros


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
        initializer(zeros())((2,))
