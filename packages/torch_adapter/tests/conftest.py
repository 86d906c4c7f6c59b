"""The devices to test on, and the schemes."""

import pytest
import torch
from fanwise_torch._conformance import backend

from fanwise import (
    constant,
    delta_orthogonal,
    dirac,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    lecun_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    sparse,
    truncated_normal,
    uniform,
    variance_scaling,
    zeros,
)

SCHEMES = [
    zeros(), ones(), constant(value=0.5), normal(std=0.1), uniform(bound=0.1),
    truncated_normal(std=0.1), variance_scaling(fan="avg"), glorot_normal(), glorot_uniform(),
    he_normal(), he_uniform(), lecun_normal(), lecun_uniform(), orthogonal(), delta_orthogonal(),
    dirac(), sparse(sparsity=0.5, std=0.1), identity(),
]  # fmt: skip


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return request.param


@pytest.fixture(params=SCHEMES, ids=str)
def scheme(request):
    return request.param


@pytest.fixture(autouse=True)
def _global_state_is_left_alone(request):
    """Every test but those of `nn_init`, whose convention it is, leaves the global state alone."""
    before = backend.fingerprint()
    yield
    if "global_generator" not in request.keywords:
        assert backend.fingerprint() == before
