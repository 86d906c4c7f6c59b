"""Gains of activations, to 1e-10."""

import math
import struct

import pytest

from fanwise import GainError, gain

pytestmark = pytest.mark.clause("terms/3", "gains/1", "gains/2", "gains/3", "gains/4", "gains/5")

PHI = 0.5 * math.erfc(-1 / math.sqrt(2))  # of one standard deviation
DENSITY = math.exp(-0.5) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(
    ("name", "parameters", "second_moment"),
    [
        ("linear", (), 1.0),
        ("conv2d", (), 1.0),
        ("ReLU", (), 0.5),
        ("leaky_relu", 0.2, (1 + 0.04) / 2),
        ("PReLU", (), (1 + 0.0625) / 2),
        ("rrelu", (), (1 + (1 / 64 + 1 / 24 + 1 / 9) / 3) / 2),
        ("relu_squared", (), 1.5),
        ("exponential", (), math.exp(2)),
        ("sin", (), (1 - math.exp(-2)) / 2),
        # E min(|z|, 1)^2
        ("hardtanh", (), 1 - 2 * DENSITY),
        # E z^2 beyond one: 2 (x phi(x) + Phi(-x))
        ("hardshrink", 1.0, 2 * (DENSITY + 1 - PHI)),
        # E (|z| - 1)^2 beyond one: 2 ((1 + 1) Phi(-1) - phi(1))
        ("softshrink", 1.0, 2 * (2 * (1 - PHI) - DENSITY)),
        # z where it is above one, else a half
        ("threshold", (1.0, 0.5), DENSITY + 1 - PHI + 0.25 * PHI),
        # ((x + sqrt(x^2 + 4)) / 2)^2 averages (2 x^2 + 4) / 4
        ("squareplus", (), 1.5),
        # (clip(z, -1, 1) + 1)^2 / 4
        ("sparse_sigmoid", (), (1 - 2 * DENSITY + 1) / 4),
        # E[z^2 Phi(z)^2], by parts
        ("gelu", (), 1 / 3 + 1 / (2 * math.pi * math.sqrt(3))),
        ("swiglu", (), None),
    ],
)
def test_second_moments_in_closed_form(name, parameters, second_moment):
    if second_moment is None:
        second_moment = gain("silu") ** -2
    assert gain(name, parameters=parameters) == pytest.approx(second_moment**-0.5, rel=1e-10)


def test_published_constants():
    """NFNets (arXiv:2101.08692) and the signal-propagation literature, to their digits."""
    assert gain("gelu", convention="variance") == pytest.approx(1.7009, abs=5e-5)
    assert gain("silu", convention="variance") == pytest.approx(1.7872, abs=5e-5)
    assert gain("relu", convention="variance") == pytest.approx(
        math.sqrt(2 / (1 - 1 / math.pi)), rel=1e-12
    )
    assert gain("selu") == pytest.approx(1.0, abs=1e-9)
    assert gain("mish") == pytest.approx(1.4868, abs=5e-5)
    assert gain("hard_swish") == pytest.approx(1.7367, abs=5e-5)


def test_backward_gains_in_closed_form():
    assert gain("relu", convention="backward") == pytest.approx(math.sqrt(2), rel=1e-12)
    inside = 2 * PHI - 1
    assert gain("hardtanh", convention="backward") == pytest.approx(inside**-0.5, rel=1e-12)
    assert gain("exp", convention="backward") == pytest.approx(math.exp(-1), rel=1e-12)
    assert gain("hardsigmoid", convention="backward") == pytest.approx(
        (math.erf(3 / math.sqrt(2)) / 36) ** -0.5, rel=1e-12
    )


@pytest.mark.parametrize("gate", ["sigmoid", "relu", "gelu", "silu", "linear"])
def test_gated_products(gate):
    product = {"sigmoid": "glu", "relu": "reglu", "gelu": "geglu", "silu": "swiglu"}.get(
        gate, "bilinear"
    )
    second = gain(gate) ** -2
    slope = gain(gate, convention="backward") ** -2
    assert gain(product) == pytest.approx(second**-0.5, rel=1e-12)
    assert gain(product, convention="variance") == gain(product)
    assert gain(product, convention="backward") == pytest.approx(
        (second + slope) ** -0.5, rel=1e-12
    )


def test_the_table_of_torch_is_a_convention_of_its_own():
    assert gain("tanh", convention="torch") == 5 / 3
    assert gain("selu", convention="torch") == 3 / 4
    assert gain("conv_transpose3d", convention="torch") == 1.0
    assert gain("leaky_relu", parameters=0.2, convention="torch") == math.sqrt(2 / 1.04)
    assert gain("leaky_relu", convention="torch") == math.sqrt(2 / (1 + 0.01**2))
    assert gain("tanh") != gain("tanh", convention="torch")


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


NAMES = [
    "celu",
    "elu",
    "gelu",
    "gelu_tanh",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_squared",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "sine",
    "soft_shrink",
    "soft_sign",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "exponential",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("convention", ["second_moment", "variance", "backward"])
def test_names_need_neither_case_nor_underscores(name, convention):
    plain = name.replace("_", "").upper()
    assert gain(plain, convention=convention) == gain(name, convention=convention) > 0


@pytest.mark.parametrize(
    ("function", "second_moment"),
    [
        (lambda x: max(x, 0.0), 0.5),
        (lambda x: float(x > 0.123), 0.5 * math.erfc(0.123 / math.sqrt(2))),  # a jump
        (lambda x: min(abs(x), 1.0), 1 - 2 * DENSITY),  # kinks
        (math.cos, (1 + math.exp(-2)) / 2),
        (
            lambda x: 1 + 100 * (abs(x - 1.23456) < 0.003),
            1
            + (101**2 - 1)
            * (math.erf(1.23756 / math.sqrt(2)) - math.erf(1.23156 / math.sqrt(2)))
            / 2,
        ),
        (lambda x: x**3, 15.0),
        (lambda x: math.floor(x * 8) / 8 + 1 / 16, None),
        (lambda x: 2.0, 4.0),
    ],
)
def test_callables_to_ten_digits(function, second_moment):
    if second_moment is None:  # a staircase: the mass of every step, by the error function
        edges = [k / 8 for k in range(-320, 320)]
        second_moment = sum(
            (edge + 1 / 16) ** 2 * abs(math.erf((edge + 1 / 8) / math.sqrt(2)) - math.erf(edge / math.sqrt(2))) / 2
            for edge in edges
        )  # fmt: skip
    assert gain(function) == pytest.approx(second_moment**-0.5, rel=1e-10)


@pytest.mark.parametrize(
    ("function", "squared_slope"),
    [
        (math.tanh, None),
        (math.sin, (1 + math.exp(-2)) / 2),
        (lambda x: math.sin(100 * x), 5000.0),
        (lambda x: max(x, 0.37 * x), (1 + 0.37**2) / 2),
        (lambda x: min(max(x, -1.0), 1.0), 2 * PHI - 1),
        (lambda x: x * x, 4.0),
    ],
)
def test_the_derivative_of_a_callable_is_found(function, squared_slope):
    if squared_slope is None:
        squared_slope = gain("tanh", convention="backward") ** -2
    expected = pytest.approx(squared_slope**-0.5, rel=1e-10)
    assert gain(function, convention="backward") == expected


def test_the_derivative_is_found_between_close_kinks():
    expected = gain("hardtanh", parameters=(-0.003, 0.003), convention="backward")
    found = gain(lambda x: min(max(x, -0.003), 0.003), convention="backward")
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_derivative_of_a_callable_may_be_given():
    found = gain(math.sin, convention="backward", derivative=math.cos)
    assert found == pytest.approx(((1 + math.exp(-2)) / 2) ** -0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gain("gelo"), r"`activation` must be one of bilinear, .*, or a callable, got 'gelo'"),
        (lambda: gain("softmax"), "`activation` must act on each unit by itself, got 'softmax'"),
        (lambda: gain(3), "`activation` must be a name or a callable, got 3"),
        (lambda: gain("relu", convention="he"), "`convention` must be one of .*, got 'he'"),
        (lambda: gain("gelu", convention="torch"), "must be one of .* for torch's table, got 'gelu'"),
        (lambda: gain(math.tanh, convention="torch"), "'torch' must have a name to look up"),
        (lambda: gain("relu", parameters=0.2), r"`parameters` of 'relu' must be \[\], got \(0.2,\)"),
        (lambda: gain("threshold"), r"`parameters` of 'threshold' must be \['threshold', 'value'\]"),
        (lambda: gain("elu", parameters=math.nan), "`parameters` must be a number, got nan"),
        (lambda: gain("hardtanh", parameters=(1, -1)), "of hardtanh must be increasing, got"),
        (lambda: gain("rrelu", parameters=(0.3,)), r"of 'rrelu' must be \['low', 'high'\]"),
        (lambda: gain("swiglu", parameters=0.1), "`parameters` of 'swiglu' must be left out"),
        (lambda: gain(math.tanh, parameters=0.1), "`parameters` must be left out for a callable"),
        (lambda: gain("tanh", derivative=math.cos), "`derivative` must be left out for a name"),
        (lambda: gain(lambda x: 0.0), "`activation` must have a positive second_moment, got 0.0"),
        (lambda: gain(lambda x: 3.0, convention="variance"), "must have a positive variance, got 0"),
        (lambda: gain(lambda x: math.exp(x * x)), "must be finite for every input"),
        (lambda: gain(math.log), "must be finite for every input"),
        (lambda: gain(lambda x: "a"), "must be finite for every input, got could not convert string"),
        (lambda: gain(lambda x: [x]), "`activation` must map a float to a float, got TypeError"),
        (lambda: gain(lambda x: 1j), "`activation` must map a float to a float, got TypeError"),
        (lambda: gain(lambda x: x.relu()), "`activation` must map a float to a float, got AttributeError"),
        (lambda: gain(math.tan), "`activation` must be square integrable under the normal law"),
        (lambda: gain(lambda x: single(math.tanh(x))), "`activation` must compute in double precision"),
        (
            lambda: gain(lambda x: min(max(x, -1e-5), 1e-5), convention="backward"),
            "`derivative` must be given for an activation that jumps or has close kinks",
        ),
        (lambda: gain(lambda x: float(x > 0.1) + x, convention="backward"), "`derivative` must be given"),
        (lambda: gain("relu", parameters=5, convention="torch"), "of 'relu' must be fewer in torch's table"),
        (lambda: gain("elu", parameters=[[1.0]]), r"`parameters` must be a real number, got \[1.0\]"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, message):
    with pytest.raises(GainError, match=message):
        call()


def test_a_function_that_is_not_square_integrable_is_refused():
    with pytest.raises(GainError, match="square integrable"):
        gain(lambda x: math.exp(x * x / 4) if abs(x) < 37 else 1.0)
