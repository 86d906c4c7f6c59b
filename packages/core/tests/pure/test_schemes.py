"""Schemes: what their names mean, and what they refuse."""

import dataclasses
import json
import math

import pytest

import fanwise
import fanwise as package
from fanwise import (
    Axes,
    GainError,
    Scheme,
    SchemeError,
    by_block,
    constant,
    delta_orthogonal,
    dirac,
    gain,
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
    resolve,
    sparse,
    truncated_normal,
    uniform,
    variance_scaling,
    zeros,
)

pytestmark = pytest.mark.clause(
    "terms/1",
    "terms/2",
    "schemes/1",
    "schemes/2",
    "schemes/4",
    "schemes/5",
    "schemes/6",
    "schemes/7",
    "schemes/8",
    "schemes/10",
    "schemes/11",
    "schemes/12",
    "schemes/13",
    "errors/4",
)

SHAPE, AXES = (7, 11), Axes("out in")  # fan_in 11, fan_out 7
CONV = Axes("out in kernel")

SCHEMES = [
    zeros(),
    ones(),
    constant(value=-3.0),
    normal(std=0.02, mean=0.1),
    uniform(bound=0.5),
    uniform(low=0.0, high=2.0),
    truncated_normal(std=0.02),
    truncated_normal(parent_std=0.02, low=-1.0, high=math.inf),
    truncated_normal(std=0.3, parent_mean=0.5, low=-1.0, high=1.0, bounds="absolute"),
    variance_scaling(gain=0.5, fan="geometric", family="truncated_normal", cut=3.0),
    glorot_uniform(),
    glorot_normal(family="truncated_normal"),
    he_uniform(fan="out"),
    he_normal(fan="max"),
    lecun_uniform(gain=3**-0.5),
    lecun_normal(),
    orthogonal(gain=2.0),
    delta_orthogonal(center="upper"),
    identity(),
    dirac(gain=0.5),
    sparse(sparsity=0.9, std=0.01, per="in"),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_json_round_trips_and_equals_compare_and_hash_alike(scheme):
    copy = Scheme.from_data(json.loads(json.dumps(scheme.to_data())))
    assert copy == scheme
    assert hash(copy) == hash(scheme)
    assert eval(repr(scheme), {**vars(package), "inf": math.inf}) == scheme


def test_schemes_are_immutable_and_differ_by_their_options():
    assert len(set(SCHEMES)) == len(SCHEMES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        zeros().name = "ones"


def test_what_makes_no_difference_makes_no_scheme_differ():
    assert he_normal() == variance_scaling(gain=2**0.5, fan="in", family="normal", cut=3.0)
    assert variance_scaling(cut=3.0) != variance_scaling(cut=2.0)


def test_infinite_options_are_written_as_json():
    data = truncated_normal(std=1.0, low=0.0, high=math.inf).to_data()
    assert data["high"] == "inf"
    json.dumps(data, allow_nan=False)


def test_numbers_beyond_floats_are_refused():
    with pytest.raises(
        SchemeError, match="`gain` must be finite, got a number above the largest float"
    ):
        he_normal(gain=10**400)


def test_a_scheme_does_not_know_a_shape():
    scheme = he_normal()
    laws = {resolve(scheme, shape, AXES).law for shape in ((2, 3), (2, 4), (9, 3))}
    assert len(laws) == 2


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [
        # The four laws of the article (its He has the larger of both fans).
        (normal(std=0.25), 0.25**2),
        (uniform(bound=0.25), 0.25**2 / 3),
        (glorot_normal(), 2 / 18),
        (he_normal(fan="max"), 2 / 11),
        # And the field's.
        (glorot_uniform(), 2 / 18),
        (glorot_uniform(gain=5 / 3), 25 / 9 * 2 / 18),
        (he_normal(), 2 / 11),
        (he_uniform(), 2 / 11),
        (he_normal(fan="out"), 2 / 7),
        (he_normal(fan="min"), 2 / 7),
        (he_normal(family="truncated_normal"), 2 / 11),
        (lecun_normal(), 1 / 11),
        (lecun_uniform(), 1 / 11),
        (lecun_uniform(gain=3**-0.5), 1 / 33),
        (variance_scaling(gain=3.0, fan="geometric"), 9 / math.sqrt(77)),
        (variance_scaling(cut=0.5), 1 / 11),
        (truncated_normal(std=0.02), 0.02**2),
        (truncated_normal(std=0.02, low=-1, high=5), 0.02**2),
        (truncated_normal(std=0.3, low=-1, high=1, bounds="absolute"), 0.09),
        (truncated_normal(std=0.5, low=-1, high=math.inf, bounds="absolute"), 0.25),
        (truncated_normal(std=0.57, low=-1, high=1, bounds="absolute"), 0.57**2),
        (truncated_normal(std=0.1, parent_mean=3, low=-1, high=1, bounds="absolute"), 0.01),
        (sparse(sparsity=0.5, std=0.1), 0.01 * 5 / 11),
        (orthogonal(gain=3.0), 9 / 11),
    ],
    ids=str,
)
def test_variances(scheme, variance):
    assert resolve(scheme, SHAPE, AXES).law.variance == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("field", ["real", "complex"])
@pytest.mark.parametrize("family", ["normal", "truncated_normal", "uniform"])
def test_every_family_has_the_variance_for_real_and_complex(family, field):
    # D14: E|w|^2 is the variance, not that of each part.
    plan = resolve(variance_scaling(gain=2.0, family=family), SHAPE, AXES, field=field)
    assert plan.law.mean == 0
    assert plan.law.variance == pytest.approx(4 / 11, rel=1e-12)


@pytest.mark.parametrize(
    ("scheme", "family"),
    [(glorot_normal(), "normal"), (he_normal(), "normal"), (lecun_normal(), "normal"),
     (glorot_uniform(), "uniform"), (he_uniform(), "uniform"), (lecun_uniform(), "uniform"),
     (variance_scaling(), "truncated_normal")],
)  # fmt: skip
def test_names_mean_one_family(scheme, family):
    assert resolve(scheme, SHAPE, AXES).law.family == family


def test_bounds_of_the_uniform_laws():
    assert resolve(glorot_uniform(), SHAPE, AXES).law.high == pytest.approx(math.sqrt(6 / 18))
    assert resolve(he_uniform(), SHAPE, AXES).law.high == pytest.approx(math.sqrt(6 / 11))
    # PyTorch's default of a linear layer, which it writes kaiming_uniform_(a=sqrt(5)).
    law = resolve(lecun_uniform(gain=3**-0.5), SHAPE, AXES).law
    assert law.high == pytest.approx(1 / math.sqrt(11))


def test_torch_and_jax_truncation_are_both_sayable():
    torch = resolve(
        truncated_normal(parent_std=0.02, low=-2, high=2, bounds="absolute"), SHAPE, AXES
    ).law
    jax = resolve(truncated_normal(parent_std=0.02), SHAPE, AXES).law
    assert (torch.low, torch.high) == (-2, 2)
    assert torch.std == pytest.approx(0.02, rel=1e-12)
    assert (jax.low, jax.high) == (-0.04, 0.04)
    assert jax.std == pytest.approx(0.02 * 0.87962566103423978, rel=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_scaling_scales_every_moment(scheme):
    axes, shape = AXES, (70, 110)
    if scheme.name in ("dirac", "delta_orthogonal"):
        axes, shape = CONV, (7, 5, 3)
    law = resolve(scheme, shape, axes).law
    if scheme.name == "constant" and scheme["value"] == 0:
        assert scheme.scaled(0.25) == scheme
        return
    scaled = resolve(scheme.scaled(0.25), shape, axes).law
    assert scaled.mean == pytest.approx(law.mean / 4, rel=1e-9)
    assert scaled.std == pytest.approx(law.std / 4, rel=1e-9)
    assert scaled.support == pytest.approx(tuple(x / 4 for x in law.support), rel=1e-9)


@pytest.mark.parametrize(
    ("scheme", "shape", "axes", "ones"),
    [
        (identity(), (4, 6), AXES, 4),
        (identity(), (3, 4, 6), Axes("stack out in"), 12),
        (identity(), (12, 4), Axes("out in", blocks={"out": 3}), 4),  # of each block
        (dirac(), (8, 2, 5), Axes("out in kernel", groups=4), 8),
        (delta_orthogonal(), (8, 2, 5), CONV, 16),
        (orthogonal(), (8, 2, 5), CONV, 80),
    ],
)
def test_counts_of_structured_laws(scheme, shape, axes, ones):
    law = resolve(scheme, shape, axes).parts[0].law
    assert getattr(law, "count", 80) == ones


def test_sparsity_is_a_decimal_number():
    for sparsity, zeros_of_100 in [(0.07, 7), (0.29, 29), (0.1, 10), (0.071, 8), (0.0, 0)]:
        law = resolve(sparse(sparsity=sparsity, std=1.0), (1, 100), AXES).law
        assert law.size - law.count == zeros_of_100


def test_sparse_counts_are_per_unit_of_the_named_role():
    shape, axes = (4, 10, 3), CONV
    per_out = resolve(sparse(sparsity=0.5, std=1.0), shape, axes).law
    per_in = resolve(sparse(sparsity=0.3, std=1.0, per="in"), shape, axes).law
    assert per_out.count == 4 * 15
    assert per_in.count == 10 * (12 - 4)  # ceil(0.3 * 12) = 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normal(std=0.0), "`std` must be positive, got 0.0"),
        (lambda: normal(std=-1.0), "`std` must be positive, got -1.0"),
        (lambda: normal(std=math.nan), "`std` must be a number, got nan"),
        (lambda: normal(std=math.inf), "`std` must be finite, got inf"),
        (lambda: normal(std="1"), "`std` must be a real number, got '1'"),
        (lambda: normal(std=1.0, mean=math.nan), "`mean` must be a number, got nan"),
        (lambda: constant(value=math.nan), "`value` must be a number, got nan"),
        (lambda: uniform(), "`bound`, or `low` and `high`, must be given, got None, None and None"),
        (lambda: uniform(bound=1, low=0), "`bound`, or `low` and `high`, must be given, got 1, 0 and None"),
        (lambda: uniform(low=0.0), "`bound`, or `low` and `high`, must be given, got None, 0.0 and None"),
        (lambda: uniform(low=1.0, high=1.0), "`low` must be below `high`, got 1.0 and 1.0"),
        (lambda: uniform(low=2.0, high=1.0), "`low` must be below `high`, got 2.0 and 1.0"),
        (lambda: uniform(bound=-1.0), "`bound` must be positive, got -1.0"),
        (lambda: truncated_normal(), "one of `std` and `parent_std` must be given, got None and None"),
        (lambda: truncated_normal(std=1, parent_std=1), "one of `std` and `parent_std` must be given, got 1 and 1"),
        (lambda: truncated_normal(std=0), "`std` must be positive, got 0.0"),
        (lambda: truncated_normal(parent_std=0), "`parent_std` must be positive, got 0.0"),
        (lambda: truncated_normal(std=1, low=2, high=-2), "`low` must be below `high`, got 2.0 and -2.0"),
        (lambda: truncated_normal(std=1, low=2, high=2), "`low` must be below `high`, got 2.0 and 2.0"),
        (
            lambda: truncated_normal(std=1, low=-math.inf, high=math.inf),
            "one of `low` and `high` must be finite, got -inf and inf",
        ),
        (
            lambda: truncated_normal(std=1, bounds="sigma"),
            "`bounds` must be one of 'parent_std', 'absolute', got 'sigma'",
        ),
        (lambda: he_normal(gain=0.0), "`gain` must be positive, got 0.0"),
        (lambda: he_normal(gain=-1.0), "`gain` must be positive, got -1.0"),
        (lambda: he_normal(gain=math.nan), "`gain` must be a number, got nan"),
        (lambda: he_normal(gain=math.inf), "`gain` must be finite, got inf"),
        (
            lambda: he_normal(fan="fan_in"),
            "`fan` must be one of 'in', 'out', 'avg', 'geometric', 'max', 'min', got 'fan_in'",
        ),
        (
            lambda: he_normal(family="gaussian"),
            "`family` must be one of 'normal', 'truncated_normal', 'uniform', got 'gaussian'",
        ),
        (lambda: variance_scaling(cut=0.0), "`cut` must be positive, got 0.0"),
        (lambda: orthogonal(gain=0), "`gain` must be positive, got 0.0"),
        (lambda: dirac(center="middle"), "`center` must be one of 'lower', 'upper', got 'middle'"),
        (lambda: sparse(sparsity=1.0, std=1.0), "`sparsity` must be within [0, 1), got 1.0"),
        (lambda: sparse(sparsity=-0.1, std=1.0), "`sparsity` must be within [0, 1), got -0.1"),
        (lambda: sparse(sparsity=math.nan, std=1.0), "`sparsity` must be a number, got nan"),
        (lambda: sparse(sparsity=0.5, std=0.0), "`std` must be positive, got 0.0"),
        (lambda: sparse(sparsity=0.5, std=1.0, per="row"), "`per` must be one of 'out', 'in', got 'row'"),
        (lambda: zeros().scaled(0.0), "`factor` must be positive, got 0.0"),
        (
            lambda: Scheme("normal", ()),
            "`normal` must have the option `std`, got {}",
        ),
        (lambda: Scheme.from_data(3), "`scheme` must be a name or an object with a 'name', got 3"),
        (lambda: Scheme.from_data({"name": "normal"}), "`normal` must have the option `std`, got {}"),
        (
            lambda: Scheme.from_data({"name": "normal", "stddev": 1}),
            "`normal` must have only the options ['mean', 'std'], got 'stddev'",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(make, message):
    with pytest.raises(SchemeError) as caught:
        make()
    assert str(caught.value) == message


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SchemeError, match=r"one of by_block, constant, .*, zeros, got 'xavier'"):
        Scheme.from_data("xavier")


@pytest.mark.clause("schemes/14")
def test_a_gain_may_be_that_of_an_activation_by_name():
    assert he_normal(gain="relu") == he_normal()
    assert lecun_normal(gain=("leaky_relu", 0.5)) == lecun_normal(
        gain=gain("leaky_relu", parameters=0.5)
    )
    assert lecun_normal(gain="gelu")["gain"] == pytest.approx(1.5335304412, rel=1e-9)
    with pytest.raises(GainError, match="gelew"):
        orthogonal(gain="gelew")


@pytest.mark.clause("schemes/2")
@pytest.mark.parametrize(
    "scheme",
    [
        he_normal(fan="out"),
        he_normal(gain=("leaky_relu", 0.5)),
        uniform(bound=0.5),
        zeros(),
        normal(std=1).over_depth("index", branches=1),
        by_block(schemes=(zeros(), ones())),
        truncated_normal(std=1.0, low=-math.inf, high=3),
    ],
    ids=str,
)
def test_a_scheme_is_saved_in_the_words_that_were_written(scheme):
    data = json.loads(json.dumps(scheme.to_data()))
    read = Scheme.from_data(data)
    assert read == scheme
    assert repr(read) == repr(scheme)
    assert data["name"] == scheme.name
    assert eval(repr(scheme), {**vars(fanwise), "inf": math.inf}) == scheme


def test_the_words_that_were_written_are_printed():
    assert repr(he_normal(fan="out")) == "he_normal(fan='out')"
    assert he_normal(fan="out").to_data() == {"name": "he_normal", "fan": "out"}
    assert repr(glorot_uniform(gain="tanh")) == "glorot_uniform(gain='tanh')"
    assert (
        repr(normal(std=0.02).over_depth(12, power=-1))
        == "normal(std=0.02).over_depth(12, power=-1.0)"
    )
    assert repr(he_normal(gain="relu").scaled(2.0)) == f"he_normal(gain={2 * 2**0.5!r})"
    assert he_normal(fan="out") != he_normal()
    assert hash(he_normal()) == hash(variance_scaling(gain=2**0.5, family="normal"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: he_normal("out"), r"`he_normal` takes its options by name, got \('out',\)"),
        (lambda: by_block(schemes=()), r"`schemes` must be one or more schemes, got \(\)"),
        (lambda: by_block(schemes=["ones"]), "`schemes` must be a Scheme, such as he_normal"),
        (lambda: by_block(schemes=[normal(std=1).over_depth("index")]), "must not be by block or by the index"),
        (lambda: Scheme("normal", {"std": 1, "sd": 2}), "`normal` must have only the options"),
        (lambda: Scheme("normal", {"std": -1}), "`std` must be positive, got -1.0"),
    ],
)  # fmt: skip
def test_schemes_refuse_what_they_do_not_know(make, message):
    with pytest.raises(SchemeError, match=message):
        make()
