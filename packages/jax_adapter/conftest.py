"""What the examples in docstrings may use without importing it: the public names."""

import equinox
import fanwise_jax
import flax.linen
import jax
import jax.numpy
import pytest

import fanwise


@pytest.fixture(autouse=True)
def _public_names(request, doctest_namespace):
    if type(request.node).__name__ == "DoctestItem":
        doctest_namespace |= {"eqx": equinox, "jax": jax, "jnp": jax.numpy, "nn": flax.linen}
        for module in (fanwise, fanwise_jax):
            doctest_namespace |= {name: getattr(module, name) for name in module.__all__}
