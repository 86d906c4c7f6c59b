"""Transforms: compilation of every scheme, parametrizations."""

import pytest
import torch
from fanwise_torch import init_, nn_init
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fanwise import Axes, DtypeError, Fans, he_normal, normal, orthogonal, zeros

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from inside torch.compile

AXES = Axes("out in kernel", groups=2)


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()


KINDS = {
    "plain": lambda shape: torch.empty(shape),
    "leaf": lambda shape: nn.Parameter(torch.empty(shape)),
    "strided": lambda shape: torch.empty(shape[::-1]).permute(*reversed(range(len(shape)))),
    "bfloat16": lambda shape: torch.empty(shape, dtype=torch.bfloat16),
    "complex": lambda shape: torch.empty(shape, dtype=torch.complex64),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Torchinductor does not support code generation for complex")
def test_compiled_is_eager(scheme, kind):
    axes, shape = (Axes("out in"), (6, 4)) if scheme.name == "identity" else (AXES, (8, 3, 3))

    @torch.compile(fullgraph=True)
    def compiled(tensor):
        init_(tensor, scheme, axes, seed=2**64 - 1, path="w")

    tensor, eager = KINDS[kind](shape), KINDS[kind](shape)
    compiled(tensor)
    init_(eager, scheme, axes, seed=2**64 - 1, path="w")
    assert torch.equal(tensor, eager)
    assert tensor.is_leaf


def test_a_leaf_is_written_and_stays_one(scheme):
    """No gradient is recorded, whether gradients are on or not."""
    axes, shape = (Axes("out in"), (6, 4)) if scheme.name == "identity" else (AXES, (8, 3, 3))
    plain = init_(torch.empty(shape), scheme, axes, seed=0, path="w")
    parameter = nn.Parameter(torch.empty(shape))
    with torch.enable_grad():
        init_(parameter, scheme, axes, seed=0, path="w")
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert torch.equal(parameter, plain)


def test_what_is_compiled_may_be_used_at_once():
    scheme = normal(std=1.0)

    @torch.compile(fullgraph=True)
    def compiled(tensor):
        return init_(tensor, scheme, seed=0, path="w") * 2

    tensor = torch.empty(5)
    assert torch.equal(compiled(tensor), tensor * 2)


def test_compiled_with_fans():
    scheme, fans = he_normal(), Fans(8, 2)

    @torch.compile(fullgraph=True)
    def compiled(tensor):
        return init_(tensor, scheme, seed=0, path="w", fans=fans)

    eager = init_(torch.empty(50), scheme, seed=0, path="w", fans=fans)
    assert torch.equal(compiled(torch.empty(50)), eager)


@pytest.mark.global_generator
def test_compiled_drop_in_draws_anew_each_time():
    functions = [
        nn_init.trunc_normal_, nn_init.normal_, nn_init.uniform_, nn_init.kaiming_uniform_,
        nn_init.xavier_normal_, nn_init.orthogonal_,
        lambda tensor: nn_init.sparse_(tensor, 0.5),
    ]  # fmt: skip
    for function in functions:
        compiled = torch.compile(function, fullgraph=True)
        torch.manual_seed(0)
        first, second = compiled(torch.empty(6, 5)), compiled(torch.empty(6, 5))
        torch.manual_seed(0)
        assert torch.equal(first, function(torch.empty(6, 5)))
        assert not torch.equal(first, second)


def test_compiled_with_other_seeds_and_numbers():
    """Which the compiler makes symbols of, from the second value on."""
    scheme, axes = he_normal(), Axes("out in")

    def draw(tensor, seed):
        return init_(tensor, scheme, axes, seed=seed, path="w")

    compiled = torch.compile(draw, fullgraph=True)
    for seed in (0, 1, 22, 2**40, 2**64 - 1):
        assert torch.equal(compiled(torch.empty(4, 3), seed), draw(torch.empty(4, 3), seed))


@pytest.mark.parametrize("seed", [-1, 2**64, True])
def test_compiled_seeds_are_checked(seed):
    scheme = normal(std=1.0)
    compiled = torch.compile(
        lambda tensor: init_(tensor, scheme, seed=seed, path="w"), fullgraph=True
    )
    with pytest.raises(Exception, match="`seed` must be"):
        compiled(torch.empty(3))


@pytest.mark.global_generator
@pytest.mark.filterwarnings("ignore:Torchinductor does not support code generation for complex")
def test_compiled_drop_in_of_complex_tensors():
    for function in (nn_init.uniform_, nn_init.normal_, nn_init.xavier_uniform_):
        compiled = torch.compile(function, fullgraph=True)
        torch.manual_seed(0)
        drawn = compiled(torch.empty(4, 6, dtype=torch.complex64))
        torch.manual_seed(0)
        assert torch.equal(drawn, function(torch.empty(4, 6, dtype=torch.complex64)))


@pytest.mark.global_generator
def test_compiled_drop_in_with_other_numbers():
    compiled = torch.compile(lambda x, std: nn_init.normal_(x, 0.0, std), fullgraph=True)
    for std in (0.5, 0.25, 0.1):
        torch.manual_seed(0)
        drawn = compiled(torch.empty(50), std)
        torch.manual_seed(0)
        assert torch.equal(drawn, nn_init.normal_(torch.empty(50), 0.0, std))


def test_compiled_drop_ins_without_randomness():
    compiled = torch.compile(lambda tensor: nn_init.dirac_(tensor, 2), fullgraph=True)
    assert torch.equal(compiled(torch.empty(4, 3, 3)), nn_init.dirac_(torch.empty(4, 3, 3), 2))


@pytest.mark.global_generator
def test_a_module_initialized_then_compiled_is_the_same_model():
    layer = nn.Linear(4, 4)
    init_(layer.weight, he_normal(), Axes("out in"), seed=0, path="w")
    x = torch.ones(2, 4)
    assert torch.allclose(torch.compile(layer, fullgraph=True)(x), layer(x))


@pytest.mark.parametrize("scheme", [normal(std=1.0), orthogonal(), zeros()], ids=str)
def test_a_fake_tensor_is_checked_and_left(scheme):
    """As on the device `meta`: PyTorch plans memory with them."""
    with FakeTensorMode():
        drawn = init_(torch.empty(4, 6), scheme, Axes("out in"), seed=0, path="w")
        assert drawn.shape == (4, 6)
        with pytest.raises(DtypeError, match="float16"):
            init_(torch.empty(4, dtype=torch.float16), normal(std=1e5), seed=0, path="w")
