"""The drop-in: PyTorch's names, signatures and laws; and where it is right and PyTorch is not."""

import inspect
import math
import warnings

import pytest
import torch
from fanwise_torch import nn_init
from scipy import stats
from torch.nn import init as native

from fanwise import DtypeError

pytestmark = pytest.mark.global_generator

LINEAR, CONV = (300, 200), (64, 32, 5, 3)


def centered(bound):
    return stats.uniform(-bound, 2 * bound)


def p_value(tensor, law):
    return stats.kstest(tensor.double().numpy().ravel(), law.cdf).pvalue


def test_all_names_and_signatures_are_pytorchs():
    public = {n for n, f in vars(native).items() if inspect.isfunction(f) and not n.startswith("_")}
    assert set(nn_init.__all__) == public
    for name in public:
        ours, theirs = getattr(nn_init, name), getattr(native, name)
        if name.endswith("_") or name == "calculate_gain":
            expected = inspect.signature(theirs).parameters.values()
            found = inspect.signature(ours).parameters.values()
            assert [(p.name, p.default, p.kind) for p in found] == [
                (p.name, p.default, p.kind) for p in expected
            ]


def test_private_helpers_are_pytorchs():
    assert nn_init._calculate_fan_in_and_fan_out(torch.empty(CONV)) == (480, 960)
    with pytest.raises(AttributeError):
        nn_init.no_such_name  # noqa: B018


CASES = {
    "uniform_": ({"a": -1.0, "b": 3.0}, LINEAR, stats.uniform(-1, 4)),
    "uniform_-default": ({}, LINEAR, stats.uniform(0, 1)),
    "normal_": ({"mean": 1.0, "std": 0.2}, LINEAR, stats.norm(1, 0.2)),
    "normal_-default": ({}, LINEAR, stats.norm(0, 1)),
    "trunc_normal_-default": ({}, LINEAR, stats.truncnorm(-2, 2)),
    "trunc_normal_-absolute": ({"std": 0.02}, LINEAR, stats.norm(0, 0.02)),
    "trunc_normal_-tail": (
        {"mean": 0.5, "std": 0.5, "a": 3.0, "b": math.inf},
        LINEAR,
        stats.truncnorm(5, math.inf, loc=0.5, scale=0.5),
    ),
    "xavier_uniform_": ({"gain": 2.0}, CONV, centered(2 * math.sqrt(6 / 1440))),
    "xavier_normal_": ({}, LINEAR, stats.norm(0, math.sqrt(2 / 500))),
    "kaiming_uniform_": (
        {"a": math.sqrt(5)},
        LINEAR,
        centered(1 / math.sqrt(200)),
    ),
    "kaiming_normal_": ({}, CONV, stats.norm(0, math.sqrt(2 / 480))),
    "kaiming_normal_-out": (
        {"mode": "fan_out", "nonlinearity": "tanh"},
        CONV,
        stats.norm(0, 5 / 3 / math.sqrt(960)),
    ),
    "kaiming_uniform_-selu": (
        {"nonlinearity": "selu"},
        LINEAR,
        centered(0.75 * math.sqrt(3 / 200)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_laws_are_pytorchs(case, dtype):
    """False-alarm rate: 1e-6 for each case, with a fixed seed."""
    options, shape, law = CASES[case]
    torch.manual_seed(1)
    tensor = torch.empty(shape, dtype=dtype)
    assert getattr(nn_init, case.partition("-")[0])(tensor, **options) is tensor
    assert p_value(tensor, law) > 1e-6


@pytest.mark.parametrize(
    "call",
    [
        lambda init, t: init.uniform_(t), lambda init, t: init.normal_(t),
        lambda init, t: init.trunc_normal_(t), lambda init, t: init.xavier_uniform_(t),
        lambda init, t: init.kaiming_normal_(t), lambda init, t: init.orthogonal_(t),
        lambda init, t: init.sparse_(t, 0.5),
    ],
)  # fmt: skip
def test_the_default_generator_is_drawn_from_as_a_given_one(call):
    class Given:
        def __getattr__(self, name):
            generator = torch.Generator().manual_seed(5)
            return lambda *args: getattr(nn_init, name)(*args, generator=generator)

    torch.manual_seed(5)
    first, second = (call(nn_init, torch.empty(20, 30)) for _ in range(2))
    assert torch.equal(first, call(Given(), torch.empty(20, 30)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 1, 2, 5), (6, 7, 4, 3, 1)])
def test_dirac_is_pytorchs(shape, groups):
    expected = native.dirac_(torch.empty(shape), groups)
    assert torch.equal(nn_init.dirac_(torch.empty(shape), groups), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda init, t: init.constant_(t, 0.3), lambda init, t: init.ones_(t),
        lambda init, t: init.zeros_(t), lambda init, t: init.eye_(t),
        lambda init, t: init.uniform_(t, 2.0, 2.0), lambda init, t: init.normal_(t, 3.0, 0.0),
        lambda init, t: init.xavier_normal_(t, 0.0), lambda init, t: init.orthogonal_(t, 0.0),
        lambda init, t: init.sparse_(t, 1.0),
    ],
)  # fmt: skip
def test_what_draws_nothing_is_pytorchs(call):
    assert torch.equal(call(nn_init, torch.empty(4, 6)), call(native, torch.empty(4, 6)))


def test_sparse_has_its_zeros_per_column():
    drawn = nn_init.sparse_(torch.empty(10, 500), 0.25, std=0.5)
    assert ((drawn == 0).sum(dim=0) == 3).all()
    assert p_value(drawn[drawn != 0], stats.norm(0, 0.5)) > 1e-6


@pytest.mark.parametrize("gain", [1, -2.0])
def test_orthogonal_is_scaled(gain):
    drawn = nn_init.orthogonal_(torch.empty(6, 4, 3, dtype=torch.float64), gain).reshape(6, 12)
    assert torch.allclose(drawn @ drawn.T, gain**2 * torch.eye(6, dtype=torch.float64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: nn_init.eye_(t[0]), "2 dimensions"),
        (lambda t: nn_init.dirac_(t), "3, 4, or 5 dimensions"),
        (lambda t: nn_init.dirac_(t[None], 2), "divisible by groups"),
        (lambda t: nn_init.sparse_(t[0], 0.5), "2 dimensions"),
        (lambda t: nn_init.orthogonal_(t[0]), "2 or more dimensions"),
        (lambda t: nn_init.xavier_uniform_(t[0]), "2 or more dimensions"),
        (lambda t: nn_init.xavier_normal_(t[0, 0]), "2 or more dimensions"),
        (lambda t: nn_init.kaiming_normal_(t[0]), "2 or more dimensions"),
        (lambda t: nn_init.kaiming_uniform_(t[0, 0]), "2 or more dimensions"),
        (lambda t: nn_init.kaiming_normal_(t, mode="fan"), "`mode` must be one of"),
        (lambda t: nn_init.kaiming_normal_(t, nonlinearity="gelu"), "Unsupported nonlinearity"),
        (lambda t: nn_init.calculate_gain("leaky_relu", True), "not a valid number"),
        (lambda t: nn_init.uniform_(t, 2, 1), "`a` must be at most `b`, got 2 and 1"),
        (lambda t: nn_init.normal_(t, 0, -1), "`std` must be at least 0, got -1"),
        (lambda t: nn_init.trunc_normal_(t, a=1, b=-1), "`a` must be at most `b`"),
        (lambda t: nn_init.sparse_(t, 1.5), "`sparsity` must be from 0 to 1, got 1.5"),
    ],
)
def test_errors_are_value_errors_and_nothing_is_written(call, message):
    tensor = torch.full((3, 4), 7.0)
    with pytest.raises(ValueError, match=message):
        call(tensor)
    assert (tensor == 7.0).all()


def test_a_generator_is_one_of_pytorchs():
    with pytest.raises(TypeError, match=r"must be a torch\.Generator or None, got 0"):
        nn_init.normal_(torch.empty(3), generator=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda init: init.dirac_(torch.empty(3, 3, 3, dtype=torch.int64)),
        lambda init: init.dirac_(torch.empty(0, 3, 3)),
        lambda init: init.sparse_(torch.empty(3, 4), 0.9),
        lambda init: init.trunc_normal_(torch.empty(3), a=1.0, b=1.0),
    ],
)
def test_what_pytorch_alone_can_make_something_of_is_pytorchs(call):
    """Integers, and edges."""
    drawn = []
    for module in (nn_init, native):
        torch.manual_seed(2)
        drawn.append(call(module))
    assert torch.equal(*drawn)


@pytest.mark.parametrize("how", ["eager", "compiled"])
@pytest.mark.parametrize(
    ("dtype", "mean", "std"),
    [(torch.bfloat16, 1.0, 0.002), (torch.float16, 0.0, 1e4), (torch.complex32, 0.0, 1.0)],
    ids=str,
)
@pytest.mark.filterwarnings(
    "ignore:ComplexHalf",
    "ignore:Torchinductor does not support",
    "ignore::DeprecationWarning",  # from inside torch.compile
)
def test_half_precision_rounds_a_law_that_it_cannot_hold(dtype, mean, std, how):
    wide = torch.complex64 if dtype.is_complex else torch.float32
    normal = nn_init.normal_
    if how == "compiled":
        normal = torch.compile(normal, fullgraph=True)
    torch.manual_seed(2)
    drawn = normal(torch.empty(100, dtype=dtype), mean, std)
    torch.manual_seed(2)
    rounded = nn_init.normal_(torch.empty(100, dtype=wide), mean, std).to(dtype)
    assert torch.equal(drawn.to(wide), rounded.to(wide))


@pytest.mark.parametrize("draw", [
    lambda w: nn_init.uniform_(w, 1.003, 1.012),
    lambda w: nn_init.trunc_normal_(w, 1.0, 0.01, 1.003, 1.012),
])  # fmt: skip
def test_half_precision_keeps_bounds_that_it_can(draw):
    """Of the numbers of bfloat16, one is between these."""
    assert (draw(torch.empty(10_000, dtype=torch.bfloat16)) == 1.0078125).all()


def test_edges_that_pytorch_takes():
    assert nn_init.sparse_(torch.empty(3, 0), 0.5).shape == (3, 0)
    conjugate = torch.empty(1000, dtype=torch.complex64).conj()
    drawn = nn_init.uniform_(conjugate, 1.0, 2.0)
    assert (drawn.real >= 1).all()
    assert (drawn.imag >= 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn_init.uniform_(torch.empty(3, dtype=torch.float16), 0, 1e5), "got float16"),
        (lambda: nn_init.uniform_(torch.empty(3, dtype=torch.bfloat16), 1.001, 1.002), "bfloat16"),
        (lambda: nn_init.normal_(torch.empty(3, dtype=torch.int64)), r"got torch\.int64"),
        (lambda: nn_init.normal_(torch.empty(3, dtype=torch.float8_e4m3fn), 0.0, 1e9),
         "float8_e4m3fn"),
    ],
)  # fmt: skip
def test_what_no_dtype_can_make_of_a_law_is_an_error(call, message):
    with pytest.raises(DtypeError, match=message):
        call()


def test_infinite_bounds_cut_nothing():
    torch.manual_seed(0)
    drawn = nn_init.trunc_normal_(torch.empty(100), a=-math.inf, b=math.inf)
    torch.manual_seed(0)
    assert torch.equal(drawn, nn_init.normal_(torch.empty(100)))
    above = nn_init.trunc_normal_(torch.empty(100), a=1.0, b=math.inf)
    assert (above >= 1).all()


def test_numbers_may_be_tensors():
    std = torch.tensor(0.02)
    for call in (
        lambda x: nn_init.normal_(x, 0.0, std),
        lambda x: nn_init.uniform_(x, -std, std),
        lambda x: nn_init.xavier_normal_(x, std),
        lambda x: nn_init.orthogonal_(x, std),
        lambda x: nn_init.sparse_(x, torch.tensor(0.5), std),
    ):
        assert call(torch.empty(4, 4)).abs().max() < 0.2


def test_complex_uniform_and_shifted_normal():
    drawn = nn_init.uniform_(torch.empty(LINEAR, dtype=torch.complex64), -1.0, 3.0)
    for part in (drawn.real, drawn.imag):
        assert p_value(part, stats.uniform(-1, 4)) > 1e-6
    shifted = nn_init.normal_(torch.empty(LINEAR, dtype=torch.complex64), 2.0, 0.5)
    assert p_value(shifted.real, stats.norm(2, 0.5 / math.sqrt(2))) > 1e-6
    assert p_value(shifted.imag, stats.norm(0, 0.5 / math.sqrt(2))) > 1e-6


@pytest.mark.parametrize("function", [nn_init.kaiming_normal_, nn_init.kaiming_uniform_])
def test_zero_element_tensors_warn_as_in_pytorch(function):
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op") as found:
        function(torch.empty(0, 1))
    assert found[0].filename == __file__


@pytest.mark.parametrize(
    "name", [name for name in nn_init.__all__ if f"{name}_" in nn_init.__all__]
)
def test_old_names_are_deprecated_as_in_pytorch(name):
    arguments = {"constant": (1.0,), "sparse": (0.5,)}.get(name, ())
    tensor = torch.empty(4, 4, 4) if name == "dirac" else torch.empty(4, 4)
    with pytest.warns(FutureWarning, match="deprecated"):
        getattr(nn_init, name)(tensor, *arguments)


def test_meta_tensors_are_left():
    meta = torch.empty(4, 4, device="meta")
    for function in (nn_init.normal_, nn_init.trunc_normal_, nn_init.orthogonal_):
        assert function(meta) is meta


# What PyTorch gets wrong, shown, and what the drop-in does instead (docs/differences.md).


def test_low_precision_stays_within_bounds():
    torch.manual_seed(0)
    tensor = torch.empty(100_000, dtype=torch.bfloat16)
    assert native.uniform_(tensor, -0.05, 0.05).double().min() < -0.05
    assert nn_init.uniform_(tensor, -0.05, 0.05).double().min() >= -0.05


@pytest.mark.newest
def test_a_normal_cut_far_from_its_mean():
    """Beyond 9, a share of 1e-16 is left; PyTorch 2.13 accepts proposals from anywhere below b."""
    torch.manual_seed(0)
    tensor = torch.empty(50_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert native.trunc_normal_(torch.empty(200_000), a=3.0, b=100.0).max() > 9
    assert nn_init.trunc_normal_(tensor, a=3.0, b=1000.0).max() < 9
    assert p_value(tensor, stats.truncnorm(3, 1000)) > 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64], ids=str)
def test_orthogonal_in_dtypes_where_pytorch_raises(dtype):
    with pytest.raises((RuntimeError, NotImplementedError)):
        native.orthogonal_(torch.empty(8, 8, dtype=dtype))
    drawn = nn_init.orthogonal_(torch.empty(8, 8, dtype=dtype)).to(torch.complex64)
    assert torch.allclose(drawn.mH @ drawn, torch.eye(8, dtype=torch.complex64), atol=0.05)


def test_sparse_draws_its_pattern_from_the_generator():
    def pattern(init):
        return (
            init.sparse_(torch.empty(50, 50), 0.5, generator=torch.Generator().manual_seed(1)) == 0
        )

    assert not torch.equal(pattern(native), pattern(native))
    assert torch.equal(pattern(nn_init), pattern(nn_init))


def test_complex_variance_is_of_the_modulus():
    shape = (200, 200)
    right = (
        nn_init.kaiming_uniform_(torch.empty(shape, dtype=torch.complex64)).abs().square().mean()
    )
    wrong = native.kaiming_uniform_(torch.empty(shape, dtype=torch.complex64)).abs().square().mean()
    assert right.item() == pytest.approx(2 / 200, rel=0.02)
    assert wrong.item() == pytest.approx(4 / 200, rel=0.02)


@pytest.mark.newest
def test_float8_where_pytorch_raises():
    with pytest.raises(NotImplementedError):
        native.normal_(torch.empty(8, dtype=torch.float8_e4m3fn))
    drawn = nn_init.normal_(torch.empty(8, dtype=torch.float8_e4m3fn))
    assert drawn.float().isfinite().all()


NAMES = [name for name in nn_init.__all__ if name.endswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_what_transformers_has_loaded_is_left(name):
    tensor = torch.full((4, 4, 3) if name == "dirac_" else (4, 4), 7.0)
    tensor._is_hf_initialized = True
    options = {"constant_": {"val": 1.0}, "sparse_": {"sparsity": 0.5}}.get(name, {})
    assert getattr(nn_init, name)(tensor, **options) is tensor
    assert (tensor == 7).all()
    tensor._is_hf_initialized = False
    getattr(nn_init, name)(tensor, **options)
    assert (tensor != 7).any()


def test_functions_in_the_place_of_pytorchs_do_not_call_themselves(monkeypatch):
    for name in NAMES:
        monkeypatch.setattr(torch.nn.init, name, getattr(nn_init, name))
    with pytest.warns(UserWarning, match="zero-element"):
        nn_init.kaiming_uniform_(torch.empty(0, 4))
    assert nn_init.dirac_(torch.empty(0, 4, 3)).numel() == 0
