"""Named activations are the functions of PyTorch, Keras and JAX."""

import importlib

import numpy as np
import pytest

from fanwise._schemes.activations import named_activations

pytestmark = pytest.mark.clause("gains/2")

GRID = np.linspace(-7, 7, 57)  # no kink of any activation but zero is on it

TORCH = {
    "Threshold": (0.3, 0.1),
    "ReLU": (),
    "Hardtanh": (),
    "ReLU6": (),
    "Sigmoid": (),
    "Hardsigmoid": (),
    "Tanh": (),
    "SiLU": (),
    "Mish": (),
    "Hardswish": (),
    "ELU": (),
    "CELU": (0.7,),
    "SELU": (),
    "GELU": (),
    "Hardshrink": (),
    "LeakyReLU": (),
    "LogSigmoid": (),
    "Softplus": (2.0,),
    "Softshrink": (),
    "PReLU": (),
    "Softsign": (),
    "Tanhshrink": (),
}
JAX = {
    "celu": (),
    "elu": (0.5,),
    "hard_sigmoid": (),
    "hard_silu": (),
    "hard_swish": (),
    "hard_tanh": (),
    "identity": (),
    "leaky_relu": (),
    "log_sigmoid": (),
    "mish": (),
    "relu": (),
    "relu6": (),
    "selu": (),
    "sigmoid": (),
    "silu": (),
    "soft_sign": (),
    "softplus": (),
    "sparse_plus": (),
    "sparse_sigmoid": (),
    "squareplus": (3.0,),
    "swish": (),
    "tanh": (),
}


def library_of(request, name):
    if name not in request.config.getoption("--arrays").split(","):
        pytest.skip(f"{name} is not among --arrays")
    return importlib.import_module(name)


def values_and_slopes(name, parameters):
    (activation,) = named_activations(name, parameters)
    grid = GRID + 1e-3  # away from kinks
    return (
        grid,
        np.array([activation.value(float(x)) for x in grid]),
        np.array([activation.slope(float(x)) for x in grid]),
    )


@pytest.mark.parametrize("name", TORCH)
def test_torch(request, name):
    torch = library_of(request, "torch")
    x, values, slopes = values_and_slopes(name, TORCH[name])
    inputs = torch.tensor(x, requires_grad=True)
    outputs = getattr(torch.nn, name)(*TORCH[name]).double()(inputs)
    outputs.sum().backward()
    assert values == pytest.approx(outputs.detach().numpy(), abs=1e-7)
    assert slopes == pytest.approx(inputs.grad.numpy(), abs=1e-7)


def test_torchs_tanh_gelu(request):
    torch = library_of(request, "torch")
    x, values, _ = values_and_slopes("gelu_tanh", ())
    exact = torch.nn.functional.gelu(torch.tensor(x), approximate="tanh")
    assert values == pytest.approx(exact.numpy(), abs=1e-12)


@pytest.mark.parametrize("name", JAX)
def test_jax(request, name):
    jax = library_of(request, "jax")
    x, values, slopes = values_and_slopes(name, JAX[name])
    function = getattr(jax.nn, name)
    inputs = jax.numpy.asarray(x, "float32")
    assert values == pytest.approx(np.asarray(function(inputs, *JAX[name])), abs=3e-6)
    gradient = jax.vmap(jax.grad(lambda z: function(z, *JAX[name])))(inputs)
    assert slopes == pytest.approx(np.asarray(gradient), abs=3e-6)


def test_jax_gelu_is_the_tanh_form_by_default(request):
    jax = library_of(request, "jax")
    x, values, _ = values_and_slopes("gelu_tanh", ())
    assert values == pytest.approx(
        np.asarray(jax.nn.gelu(jax.numpy.asarray(x, "float32"))), abs=3e-6
    )
