"""The devices to test on."""

import pytest
import torch


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return request.param


@pytest.fixture(autouse=True)
def _global_state_is_left_alone(request):
    """Every test but those of `nn_init`, whose convention it is, leaves the global state alone."""
    before = torch.get_rng_state()
    yield
    if "global_generator" not in request.keywords:
        assert torch.equal(torch.get_rng_state(), before)
