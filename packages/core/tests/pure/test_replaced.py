"""Constants that a model was built with are not replaced in silence."""

import random
import warnings
from array import array

import pytest

from fanwise import Axes, Parameter, Recipe, Rule, constant, he_normal, plan_model
from fanwise.adapting import warn_of_replaced

pytestmark = pytest.mark.clause("recipes/18")

WEIGHT = Parameter("weight", (8, 3), Axes("out in"))
BIAS = Parameter("bias", (8,), Axes("out"), "bias", fans_of="weight", layer="Linear")


def warned(values, *rules, parameter=BIAS):
    ledger = plan_model([WEIGHT, parameter], Recipe([*rules, Rule(he_normal())]))
    held = {parameter.path: None if values is None else array("d", values)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_replaced(ledger, held.get)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ([-4.6] * 8, "-4.6"),
        ([1.0] * 8, "1"),
        ([0.0] * 4 + [1.0] * 4, "a pattern"),
        ([-1.0, 1.0, 0.5, -0.5] * 2, "a pattern"),
        (list(range(8)), "a pattern"),
        ([6 - 3 * i / 7 for i in range(8)], "a pattern"),
    ],
)
def test_constants_are_named(values, held):
    (text,) = warned(values)
    assert f"'bias' of Linear held {held} and starts at 0" in text
    assert "Rule(left_as=\"kept\", kind='bias')" in text


@pytest.mark.parametrize("values", [[0.0] * 8, [-0.0] * 8, None, []])
def test_the_start_itself_and_nothing_are_not(values):
    assert warned(values) == []


def test_zero_scales_of_norms_are_named():
    scale = Parameter("scale", (8,), Axes("out"), "norm_scale")
    (text,) = warned([0.0] * 8, parameter=scale)
    assert "'scale' held 0 and starts at 1" in text


@pytest.mark.parametrize(
    "rule", [Rule(constant(value=0), kind="bias"), Rule(left_as="kept", kind="bias")]
)
def test_a_rule_that_names_the_kind_says_so_itself(rule):
    assert warned([-4.6] * 8, rule) == []


@pytest.mark.parametrize("law", ["gauss", "uniform"])
def test_random_numbers_are_no_constants(law):
    rng = random.Random(0)
    for _ in range(200):  # in order: 2 in 8! samples
        assert warned([getattr(rng, law)(0, 1) for _ in range(8)]) == []
