"""One tensor: laws, dtypes, memory, devices, seeds, errors."""

import math
import random
import warnings

import numpy as np
import pytest
import torch
from fanwise_torch import TorchSource, init, init_, initializer
from fanwise_torch._private import keyed_generator
from scipy import stats

from fanwise import (
    Axes,
    AxesError,
    DtypeError,
    Fans,
    SchemeError,
    SourceError,
    by_block,
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
from fanwise.adapting import scheme_names

OUT_IN = Axes("out in")
CONV = Axes("out in kernel kernel", groups=2)
SHAPE = (300, 200)
KAPPA = stats.truncnorm.std(-2, 2)


def truncated(std, low=-2.0, high=2.0):
    """Normal, cut at `low` and `high` of its own stds, with `std` afterwards."""
    parent = std / stats.truncnorm.std(low, high)
    return stats.truncnorm(low, high, scale=parent)


def centered(bound):
    return stats.uniform(-bound, 2 * bound)


LAWS = {
    "normal": (normal(std=0.02), stats.norm(0, 0.02)),
    "normal-mean": (normal(mean=3.0, std=2.0), stats.norm(3, 2)),
    "uniform": (uniform(low=-0.25, high=1.0), stats.uniform(-0.25, 1.25)),
    "truncated": (truncated_normal(std=0.02), truncated(0.02)),
    "truncated-wide": (truncated_normal(std=1.0, low=-8, high=8), stats.norm(0, 1)),
    "truncated-skewed": (truncated_normal(std=0.1, low=-1, high=3), truncated(0.1, -1, 3)),
    "truncated-tail": (
        truncated_normal(parent_std=1.0, low=6.0, high=9.0, bounds="absolute"),
        stats.truncnorm(6, 9),
    ),
    "glorot_uniform": (glorot_uniform(), centered(math.sqrt(6 / 500))),
    "glorot_normal": (glorot_normal(), stats.norm(0, math.sqrt(2 / 500))),
    "he_uniform": (he_uniform(), centered(math.sqrt(6 / 200))),
    "he_normal-out": (he_normal(fan="out"), stats.norm(0, math.sqrt(2 / 300))),
    "lecun_normal": (lecun_normal(), stats.norm(0, math.sqrt(1 / 200))),
    "lecun_uniform": (lecun_uniform(), centered(math.sqrt(3 / 200))),
    "variance_scaling": (
        variance_scaling(gain=math.sqrt(3), fan="geometric"),
        truncated(math.sqrt(3 / math.sqrt(200 * 300))),
    ),
}
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
STRUCTURED = {
    "zeros": (zeros(), OUT_IN),
    "ones": (ones(), OUT_IN),
    "constant": (constant(value=0.1), OUT_IN),
    "orthogonal": (orthogonal(gain=2.0), OUT_IN),
    "identity": (identity(), OUT_IN),
    "sparse": (sparse(sparsity=0.3, std=0.1), OUT_IN),
    "dirac": (dirac(), Axes("out in kernel")),
    "delta_orthogonal": (delta_orthogonal(), Axes("out in kernel")),
    "by_block": (
        by_block(schemes=[orthogonal(), normal(std=0.1)]),
        Axes("out in", blocks={"out": 2}),
    ),
}


def test_every_scheme_is_tested():
    tested = {scheme.name for scheme, _ in (*LAWS.values(), *STRUCTURED.values())}
    assert tested == set(scheme_names())


def p_value(tensor, law):
    return stats.kstest(tensor.double().cpu().numpy().ravel(), law.cdf).pvalue


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", LAWS)
def test_values_follow_the_law(name, dtype, device):
    """False-alarm rate: 1e-6 for each case, with a fixed seed."""
    scheme, law = LAWS[name]
    tensor = torch.empty(SHAPE, dtype=dtype, device=device)
    assert init_(tensor, scheme, OUT_IN, seed=7, path=name) is tensor
    assert p_value(tensor, law) > 1e-6
    low, high = law.support()
    assert low <= tensor.min().item()
    assert tensor.max().item() <= high


@pytest.mark.global_generator
def test_the_check_of_laws_sees_pytorchs_scaling_of_a_cut_normal():
    """The reference's D1: a parent's std divided for a cut that the absolute bounds never make."""
    native = torch.nn.init.trunc_normal_(torch.empty(SHAPE), std=0.02 / KAPPA)
    assert p_value(native, truncated(0.02)) < 1e-6


@pytest.mark.clause("dtypes/1")
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_low_precision_is_float32_rounded_once(name, dtype, device):
    scheme, law = LAWS[name]
    wide = init_(torch.empty(SHAPE, device=device), scheme, OUT_IN, seed=1, path="w")
    low = init_(torch.empty(SHAPE, device=device, dtype=dtype), scheme, OUT_IN, seed=1, path="w")
    inside = (wide > law.ppf(0.01)) & (wide < law.ppf(0.99))  # bounds are rounded inward
    assert torch.equal(low[inside], wide.to(dtype)[inside])
    assert law.support()[0] <= low.min().item()
    assert low.max().item() <= law.support()[1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_low_precision_is_unbiased(dtype, device):
    """Mean within 4.5 standard errors of 4 million draws: PyTorch's bfloat16 is 15 off."""
    n = 4_000_000
    drawn = init_(torch.empty(n, dtype=dtype, device=device), uniform(bound=1.0), seed=3, path="w")
    assert abs(drawn.double().mean().item()) < 4.5 / math.sqrt(3 * n)
    assert drawn.unique().numel() > 3_000  # JAX: 128


@pytest.mark.global_generator
def test_the_check_of_bias_sees_pytorchs():
    n = 4_000_000
    torch.manual_seed(0)
    native = torch.empty(n, dtype=torch.bfloat16).uniform_(-1, 1)
    assert abs(native.double().mean().item()) > 4.5 / math.sqrt(3 * n)


@pytest.mark.clause("dtypes/3")
@pytest.mark.parametrize("dtype", [*DTYPES, torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_a_uniform_law_never_returns_its_upper_end(dtype, device):
    """In bfloat16, PyTorch returns 4.0 about once in 256."""
    tensor = torch.empty(100_000, dtype=dtype, device=device)
    drawn = init_(tensor, uniform(low=3.0, high=4.0), seed=0, path="w").double()
    assert drawn.min() == 3.0 if dtype.itemsize < 4 else drawn.min() >= 3.0
    assert drawn.max() < 4.0


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_float8_is_drawn(dtype, device):
    tensor = torch.empty(SHAPE, dtype=dtype, device=device)
    drawn = init_(tensor, normal(std=0.5), seed=0, path="w").double()
    assert drawn.isfinite().all()
    assert drawn.std().item() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("name", ["normal", "uniform", "truncated"])
def test_complex_variance_is_of_the_modulus_and_the_phase_is_uniform(name, dtype, device):
    schemes = {
        "normal": normal(std=0.5),
        "uniform": uniform(bound=0.5 * math.sqrt(2)),
        "truncated": truncated_normal(std=0.5),
    }
    drawn = init_(torch.empty(SHAPE, dtype=dtype, device=device), schemes[name], seed=2, path="w")
    assert drawn.abs().square().mean().item() == pytest.approx(0.25, rel=0.02)
    assert stats.kstest(drawn.angle().cpu().numpy().ravel(), centered(math.pi).cdf).pvalue > 1e-6


@pytest.mark.parametrize("dtype", [*DTYPES, torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
def test_orthogonal_in_every_dtype(shape, dtype, device):
    """PyTorch's raises in half precision and for complex tensors."""
    drawn = init_(
        torch.empty(shape, dtype=dtype, device=device), orthogonal(), OUT_IN, seed=0, path="w"
    )
    wide = torch.complex128 if dtype.is_complex else torch.float64
    matrix = drawn.to(wide) if shape[0] > shape[1] else drawn.to(wide).mH
    error = (matrix.mH @ matrix - torch.eye(30, dtype=wide, device=device)).abs().max().item()
    assert error < 8 * torch.finfo(dtype).eps


@pytest.mark.clause("randomness/1")
@pytest.mark.parametrize("name", [*LAWS, *STRUCTURED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=str)
def test_strides_make_no_difference(name, dtype, device):
    scheme, axes = STRUCTURED.get(name, (LAWS[name][0], CONV) if name in LAWS else None)
    if dtype.is_complex and scheme.name in ("uniform", "truncated_normal", "normal"):
        scheme = normal(std=0.5)
    shape = {2: (6, 6), 3: (6, 6, 3), 4: (6, 4, 5, 3)}[len(axes.roles)]
    plain = init_(torch.empty(shape, dtype=dtype, device=device), scheme, axes, seed=4, path="w")
    storage = torch.full([2 * n for n in shape], 9.0, dtype=dtype, device=device)
    strided = storage[tuple(slice(None, None, 2) for _ in shape)]
    turned = torch.empty(shape[::-1], dtype=dtype, device=device).permute(*range(len(shape))[::-1])
    for tensor in (strided, turned):
        assert torch.equal(init_(tensor, scheme, axes, seed=4, path="w"), plain)
    assert (storage == 9.0).sum() >= storage.numel() - plain.numel()
    if len(shape) == 4:
        last = torch.empty(shape, dtype=dtype, device=device).to(memory_format=torch.channels_last)
        assert torch.equal(init_(last, scheme, axes, seed=4, path="w"), plain)
        assert last.is_contiguous(memory_format=torch.channels_last)


def test_a_long_tensor_is_drawn_in_pieces_that_fit_together(device):
    """Pieces of a sequential stream: the same as the whole, in every dtype."""
    n = (1 << 20) + 12345
    wide = init_(torch.empty(n, device=device), normal(std=1.0), seed=6, path="w")
    half = init_(
        torch.empty(n, dtype=torch.float16, device=device), normal(std=1.0), seed=6, path="w"
    )
    assert torch.equal(half, wide.half())
    assert p_value(wide[-50_000:], stats.norm) > 1e-6


def test_values_are_those_of_seed_and_path(device):
    def drawn(**options):
        return init_(torch.empty(50, device=device), normal(std=1.0), **options)

    first = drawn(seed=1, path="a.weight")
    assert torch.equal(first, drawn(seed=1, path=("a", "weight")))
    for other in ({"seed": 2, "path": "a.weight"}, {"seed": 1, "path": "a.bias"},
                  {"seed": 1 + 2**32, "path": "a.weight"}):  # fmt: skip
        assert not torch.isin(first, drawn(**other)).any()


def test_all_64_bits_of_a_key_matter(device):
    """PyTorch's `manual_seed` keeps 32 of them on the CPU."""

    def words(key):
        generator = keyed_generator(key, torch.device(device))
        return torch.empty(8, dtype=torch.int64, device=device).random_(generator=generator)

    assert not torch.isin(words(5), words(5 + 2**32)).any()
    if device == "cpu":  # and they seed the twister as Python's own are
        assert torch.equal(words(5), words(5))
        python = random.Random(5 + 2**32)
        generator = keyed_generator(5 + 2**32, torch.device("cpu"))
        ours = torch.empty(700, dtype=torch.int64).random_(0, 1 << 32, generator=generator)
        twister = [python.getrandbits(32) for _ in range(1400)]
        assert ours.tolist() == twister[1::2]


@pytest.mark.global_generator
def test_a_generator_is_advanced_and_the_default_one_is_not(device):
    before = torch.get_rng_state()
    one, other = (torch.Generator(device).manual_seed(3) for _ in range(2))
    first, second = (
        init_(torch.empty(50, device=device), normal(std=1.0), rng=one) for _ in range(2)
    )
    assert not torch.equal(first, second)
    assert torch.equal(first, init_(torch.empty(50, device=device), normal(std=1.0), rng=other))
    torch.manual_seed(99)
    again = init_(torch.empty(50, device=device), normal(std=1.0), seed=3, path="w")
    torch.set_rng_state(before)
    assert torch.equal(
        again, init_(torch.empty(50, device=device), normal(std=1.0), seed=3, path="w")
    )


@pytest.mark.clause("randomness/3")
def test_blocks_are_separate_parameters(device):
    fused = init_(
        torch.empty(30, 10, device=device),
        orthogonal(),
        Axes("out in", blocks={"out": 3}),
        seed=1,
        path="w",
    )
    for i, block in enumerate(fused.split(10)):
        alone = torch.empty(10, 10, device=device)
        assert torch.equal(block, init_(alone, orthogonal(), OUT_IN, seed=1, path=f"w.{i}"))


def test_no_gradient_is_recorded_and_leaves_stay_leaves():
    leaf = torch.empty(4, 3, requires_grad=True)
    init_(leaf, he_normal(), OUT_IN, seed=0, path="w")
    assert leaf.is_leaf
    assert leaf.requires_grad
    assert leaf.grad_fn is None
    with torch.inference_mode():
        assert init_(torch.empty(4, 3), he_normal(), OUT_IN, seed=0, path="w").is_inference()


def test_a_bias_takes_the_fans_of_its_weight():
    bias = init_(
        torch.empty(5000), lecun_uniform(gain=3**-0.5), seed=0, path="w", fans=Fans(16, 5000)
    )
    assert p_value(bias, centered(0.25)) > 1e-6


def test_meta_tensors_are_checked_and_left():
    meta = torch.empty(4, 3, device="meta")
    assert init_(meta, he_normal(), OUT_IN, seed=0, path="w") is meta
    with pytest.raises(AxesError, match="`axes` must be given"):
        init_(meta, he_normal(), seed=0, path="w")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (), (1,), (0,)])
def test_shapes_of_no_or_one_element(shape):
    assert init_(torch.empty(shape), normal(std=1.0), seed=0, path="w").isfinite().all()


def test_a_new_tensor_has_the_options_asked_for():
    new = init(normal(std=1.0), (2, 3), seed=0, path="w", dtype=torch.float64, requires_grad=True)
    assert new.dtype == torch.float64
    assert new.requires_grad
    assert new.is_leaf
    assert torch.equal(new, init_(torch.empty(2, 3).double(), normal(std=1.0), seed=0, path="w"))
    assert init(zeros(), (3,), device="meta").is_meta


@pytest.mark.global_generator
def test_an_initializer_is_a_function_as_pytorch_has_them():
    draw = initializer(he_normal(), OUT_IN)
    torch.manual_seed(0)
    first, second = draw(torch.empty(4, 3)), draw(torch.empty(4, 3))
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(draw(torch.empty(4, 3)), first)
    keyed = initializer(he_normal(), OUT_IN, rng=torch.Generator().manual_seed(0))
    assert torch.equal(keyed(torch.empty(4, 3)), first)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: init_(t, he_normal(), seed=0, path="w"), AxesError, "`axes` must be given"),
        (lambda t: init_(t, he_normal(), Axes("out"), seed=0, path="w"), AxesError, "one role for each axis"),
        (lambda t: init_(t, normal(std=1.0)), SourceError, "`seed` and `path`, or `rng`, must be given to draw normal"),
        (lambda t: init_(t, normal(std=1.0), seed=True, path="w"), SourceError, "`seed` must be a whole number, got True"),
        (lambda t: init_(t, normal(std=1.0), seed=-1, path="w"), SourceError, "got -1"),
        (lambda t: init_(t, normal(std=1.0), seed=2**64, path="w"), SourceError, "below 2"),
        (lambda t: init_(t, normal(std=1.0), rng=torch.Generator(), path="w"), SourceError,
         "`rng` must come without a seed and a path"),
        (lambda t: init_(t, normal(std=1.0), rng=0), SourceError, "`rng` must be a torch.Generator, got 0"),
        (lambda t: init_(t, normal(std=1.0), seed=0), SourceError, "`path` must come with a seed"),
        (lambda t: torch.func.vmap(lambda x: init_(x, normal(std=1.0), seed=0, path="w"), randomness="different")(t),
         SourceError, "must not be batched by torch.func.vmap"),
        (lambda t: torch.func.vmap(lambda x: init_(x, orthogonal(), OUT_IN, seed=0, path="w"))(t[None]),
         SourceError, "must not be batched by torch.func.vmap"),
        (lambda t: init_(_nested(t), zeros()), SourceError, "must not be nested"),
        (lambda t: init_(t, zeros(), path="w"), SourceError, "`path` must come with a seed"),
        (lambda t: init_(t, normal(std=1.0), seed=0, path="a..b"), SourceError, "`path`"),
        (lambda t: init_(t, normal(std=math.nan), seed=0, path="w"), SchemeError, "got nan"),
        (lambda t: init_(t, he_normal(gain=-1.0), OUT_IN, seed=0, path="w"), SchemeError, "got -1.0"),
        (lambda t: init_(t, "he_normal", seed=0, path="w"), SchemeError, "scheme"),
        (lambda t: init_(t.long(), normal(std=1.0), seed=0, path="w"), DtypeError, "torch.int64"),
        (lambda t: init_(t.half(), normal(std=1e5), seed=0, path="w"), DtypeError, "float16"),
        (lambda t: init_([1.0], zeros()), SourceError, "`tensor` must be a torch.Tensor, got list"),
        (lambda t: init_(t[:, :1].expand(4, 3), normal(std=1.0), seed=0, path="w"), SourceError,
         "a place for each element, got strides"),
        (lambda t: init_(t.view(-1).as_strided((3, 4), (2, 1)), zeros()), SourceError,
         "a place for each element"),
        (lambda t: init_(t.to("meta"), normal(std=1.0), seed=-1, path="w"), SourceError, "got -1"),
        (lambda t: init_(_made_in_inference_mode(), zeros()), SourceError, "inference_mode"),
        (lambda t: init_(t.to_sparse(), zeros()), SourceError, "`tensor` must be strided"),
        (lambda t: init_(torch.nn.UninitializedParameter(), zeros()), SourceError, "lazy"),
    ],
)  # fmt: skip
def test_errors_come_before_anything_is_written(call, error, message):
    tensor = torch.full((4, 3), 7.0)
    with pytest.raises(error, match=message):
        call(tensor)
    assert (tensor == 7.0).all()


def _nested(tensor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is a prototype
        return torch.nested.nested_tensor([tensor, tensor])


def _made_in_inference_mode():
    with torch.inference_mode():
        return torch.empty(3)


def test_seeds_of_numpy_and_conjugated_tensors():
    one, other = (
        init_(torch.empty(9), normal(std=1.0), seed=seed, path="w") for seed in (5, np.int64(5))
    )
    assert torch.equal(one, other)
    for scheme in (normal(std=1.0), truncated_normal(std=1.0)):
        conjugated = torch.empty(4, dtype=torch.complex64).conj()
        plain = init_(torch.empty(4, dtype=torch.complex64), scheme, seed=0, path="w")
        assert torch.equal(init_(conjugated, scheme, seed=0, path="w"), plain)


def test_a_generator_of_another_device_is_an_error():
    with pytest.raises(
        SourceError, match="must be on the device of the tensor, meta, got one on cpu"
    ):
        TorchSource(torch.Generator(), device="meta")


@pytest.mark.gpu
def test_a_device_is_never_left():
    """No copy to or from the host while a tensor is drawn."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    schemes = [*(scheme for scheme, _ in LAWS.values()), orthogonal(), sparse(sparsity=0.5, std=1)]
    tensors = [torch.empty(SHAPE, device="cuda") for _ in schemes]
    torch.cuda.synchronize()
    with torch.profiler.profile() as profile:
        for tensor, scheme in zip(tensors, schemes, strict=True):
            init_(tensor, scheme, OUT_IN, seed=0, path="w")
    names = {event.key for event in profile.key_averages()}
    assert not {name for name in names if "DtoH" in name or "HtoD" in name}


def test_numpy_sees_what_was_drawn():
    array = np.zeros((3, 4), np.float32)
    init_(torch.from_numpy(array), ones())
    assert array.sum() == 12


@pytest.mark.clause("schemes/4")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_a_constant_array_broadcasts(dtype):
    values = torch.tensor([[0.0, 1.0, 4.0], [2.0, 2.0, 3.0]])
    drawn = init(constant(value=values), (5, 2, 3), dtype=dtype)
    assert torch.equal(drawn, values.to(dtype).expand(5, 2, 3))
    target = torch.empty(3, 2, 5, dtype=dtype).permute(2, 1, 0)
    init_(target, constant(value=values))
    assert torch.equal(target, drawn)
