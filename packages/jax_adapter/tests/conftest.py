"""Four devices on any machine, before JAX looks for them; and the devices to test on."""

import contextlib
import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)

import jax
import pytest


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """Make a kind of device the default one."""
    try:
        chosen = jax.devices(request.param)[0]
    except RuntimeError:
        pytest.skip(f"no {request.param} on this machine")
    with jax.default_device(chosen):
        yield chosen


@pytest.fixture
def key():
    return jax.random.key(7)


@pytest.fixture
def x64():
    """Enable or disable 64-bit dtypes, in every release of JAX."""

    @contextlib.contextmanager
    def enabled(on):
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", on)
        try:
            yield
        finally:
            jax.config.update("jax_enable_x64", before)

    return enabled
