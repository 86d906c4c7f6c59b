"""What the examples in docstrings may use without importing it: the public names."""

import fanwise_tf
import keras
import pytest

import fanwise


@pytest.fixture(autouse=True)
def _public_names(request, doctest_namespace):
    if type(request.node).__name__ == "DoctestItem":
        keras.backend.clear_session()  # names count anew
        doctest_namespace["keras"] = keras
        for module in (fanwise, fanwise_tf):
            doctest_namespace |= {name: getattr(module, name) for name in module.__all__}
