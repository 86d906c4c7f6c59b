"""What the examples in docstrings may use without importing it: the public names."""

import fanwise_torch
import pytest
import torch

import fanwise


@pytest.fixture(autouse=True)
def _public_names(request, doctest_namespace):
    if type(request.node).__name__ == "DoctestItem":
        doctest_namespace |= {"nn": torch.nn, "torch": torch}
        for module in (fanwise, fanwise_torch):
            doctest_namespace |= {name: getattr(module, name) for name in module.__all__}
