"""Two devices on any machine, and the devices to test on."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(params=["CPU", pytest.param("GPU", marks=pytest.mark.gpu)])
def device(request):
    """Compute on a kind of device."""
    if not tf.config.list_logical_devices(request.param):
        pytest.skip(f"no {request.param} on this machine")
    with tf.device(f"{request.param}:0"):
        yield request.param
