"""What the examples in docstrings may use without importing it: the public names."""

import pytest

import fanwise


@pytest.fixture(autouse=True)
def _public_names(request, doctest_namespace):
    if type(request.node).__name__ == "DoctestItem":
        doctest_namespace |= {name: getattr(fanwise, name) for name in fanwise.__all__}
