"""Fans of every kind of layer, and what has none.

The expected fans are counted by hand; `numeric/test_fans_experiment.py` proves them by experiment.
"""

import dataclasses
import math
from fractions import Fraction

import pytest

from fanwise import Axes, FanError, Fans, block_fans, fans, he_normal, layers, resolve

pytestmark = pytest.mark.clause(
    "terms/4", "fans/1", "fans/2", "fans/3", "fans/4", "fans/5", "fans/6", "fans/7"
)


def grouped(axes, groups, **options):
    return dataclasses.replace(axes, groups=groups, **options)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((7, 5), layers.torch.linear(), (5, 7)),
        ((5, 7), layers.keras.dense(), (5, 7)),
        ((11, 5, 3), layers.torch.conv(1), (15, 33)),
        ((128, 16, 3, 3), layers.torch.conv(2), (144, 1152)),
        ((3, 3, 16, 128), layers.keras.conv(2), (144, 1152)),
        ((8, 4, 2, 3, 5), layers.torch.conv(3), (120, 240)),
        # Grouped by 4, 64 -> 128 channels: D6, D27.
        ((128, 16, 3, 3), grouped(layers.torch.conv(2), 4), (144, 288)),
        ((3, 3, 16, 128), grouped(layers.flax.conv(2), 4), (144, 288)),
        # Depthwise, 64 channels, multiplier 1 and 2: D6.
        ((64, 1, 3, 3), grouped(layers.torch.conv(2), 64), (9, 9)),
        ((3, 3, 64, 1), layers.keras.depthwise_conv(2), (9, 9)),
        ((3, 3, 64, 2), layers.keras.depthwise_conv(2), (9, 18)),
        ((128, 1, 3, 3), grouped(layers.torch.conv(2), 64), (9, 18)),
        # Transposed, 64 -> 128 channels: D9.
        ((64, 128, 3, 3), layers.torch.conv_transpose(2), (576, 1152)),
        ((3, 3, 128, 64), layers.keras.conv_transpose(2), (576, 1152)),
        ((3, 3, 64, 128), layers.flax.conv_transpose(2), (576, 1152)),
        ((3, 3, 128, 64), layers.flax.conv_transpose(2, transpose_kernel=True), (576, 1152)),
        # The same with kernel 4 and stride 2, exactly.
        ((64, 128, 4, 4), grouped(layers.torch.conv_transpose(2), 1, stride=2), (256, 2048)),
        # Transposed and grouped: `in` counts all 64 units, `out` the 32 of one of 4 groups.
        ((64, 32, 3, 3), grouped(layers.torch.conv_transpose(2), 4), (144, 288)),
        # Strided: an input meets 9/4 of the taps of a 3 x 3 kernel on average.
        ((8, 4, 3, 3), grouped(layers.torch.conv(2), 1, stride=2), (36, 18)),
        ((8, 5, 3), grouped(layers.torch.conv(1), 1, stride=2), (15, 12)),
        ((5, 5, 3), grouped(layers.torch.conv(1), 1, stride=2), (15, Fraction(15, 2))),
        # Stacks: experts (D2), scanned layers (D8), batched dense layers (D7), positions (D9).
        ((8, 256, 512), layers.flax.dense_general(batch=1), (256, 512)),
        ((24, 3, 64, 128), Axes("stack stack in out"), (64, 128)),
        ((8, 8, 27, 16), layers.flax.conv_local(2), (27, 16)),
        # Attention projections: D8, D13.
        ((64, 4, 16), layers.keras.attention_projection(), (64, 64)),
        ((4, 16, 64), layers.keras.attention_output(), (64, 64)),
        ((4, 64, 16), layers.flax.einsum("...d,hdk->...hk"), (64, 64)),
        # Fused: packed q, k, v (D11); gates (D10).
        ((192, 64), layers.torch.attention_in_proj(), (64, 64)),
        ((40, 7), layers.torch.lstm(), (7, 10)),
        ((7, 30), layers.keras.gru(), (7, 10)),
        ((64, 3, 4, 16), Axes("in stack out out"), (64, 64)),
        # A table's rows are looked up one at a time; the inputs of a bilinear form are pairs.
        ((1000, 64), layers.torch.embedding(), (1, 64)),
        ((30, 10, 20), layers.torch.bilinear(), (200, 30)),
        # A role without an axis counts one unit.
        ((9,), Axes("in"), (9, 1)),
        ((3, 3), Axes("kernel kernel"), (9, 9)),
        ((0, 4), Axes("out in"), (4, 0)),
    ],
    ids=str,
)  # fmt: skip
def test_counts(shape, axes, expected):
    found = fans(shape, axes)
    assert (found.fan_in, found.fan_out) == expected


def test_the_fans_are_those_of_the_logical_shape_however_it_is_stored():
    # D32, D2: a tensor-parallel shard has other fans, so shards are never asked.
    whole = fans((512, 128), Axes("out in"))
    assert whole != fans((128, 128), Axes("out in"))


def test_uneven_blocks_have_their_own_fans():
    axes = Axes("in out", blocks={"out": (768, 128, 128)})
    assert block_fans((768, 1024), axes) == (Fans(768, 768), Fans(768, 128), Fans(768, 128))
    with pytest.raises(
        FanError, match=r"`blocks` must share their fans.*\(768, 768\), \(768, 128\)"
    ):
        fans((768, 1024), axes)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("in", 12),
        ("out", 34),
        ("avg", 23),
        ("geometric", math.sqrt(12 * 34)),
        ("max", 34),
        ("min", 12),
    ],
)
def test_choices(choice, expected):
    assert Fans(12, 34).value(choice) == pytest.approx(expected, rel=1e-15)


def test_the_average_is_exact():
    assert Fans(1, 2).value("avg") == Fraction(3, 2)
    assert Fans(Fraction(1, 3), 1).value("in") == Fraction(1, 3)


def test_geometric_mean_does_not_overflow():
    assert Fans(10**200, 10**200).value("geometric") == pytest.approx(1e200)


def test_fans_given_outright_are_taken():
    plan = resolve(he_normal(), (64,), Axes("out"), fans=Fans(50, 64))
    assert plan.law.variance == pytest.approx(2 / 50, rel=1e-15)
    assert resolve(he_normal(), (3, 3), Axes("out in"), fans=Fans(50, 64)).law == plan.law


def test_fans_may_be_given_for_each_block():
    axes = Axes("out", blocks={"out": (4, 2)})
    parts = resolve(he_normal(fan="out"), (6,), axes, fans=[Fans(3, 4), Fans(3, 2)]).parts
    assert [p.law.variance for p in parts] == pytest.approx([2 / 4, 2 / 2])
    with pytest.raises(FanError, match=r"`fans` must be one, or one for each of 2 blocks, got 3"):
        resolve(he_normal(), (6,), axes, fans=[Fans(3, 4), Fans(3, 2), Fans(1, 1)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: fans((9,), Axes("out")),
            "`axes` must have an 'in' or a 'kernel' axis to define a fan, got 'out'; "
            "a bias takes the fans of its weight: give `fans`",
        ),
        (
            lambda: fans((), Axes("")),
            "`axes` must have an 'in' or a 'kernel' axis to define a fan, got ''; "
            "a bias takes the fans of its weight: give `fans`",
        ),
        (lambda: Fans(1.5, 2), "`fan_in` must be an integer or a Fraction, got 1.5"),
        (lambda: Fans(True, 2), "`fan_in` must be an integer or a Fraction, got True"),
        (lambda: Fans(1, -2), "`fan_out` must not be negative, got -2"),
        (
            lambda: Fans(1, 2).value("mean"),
            "`fan` must be one of 'in', 'out', 'avg', 'geometric', 'max', 'min', got 'mean'",
        ),
        (lambda: Fans(0, 2).value("in"), "`fan` 'in' must be a positive count, got 0 of (0, 2)"),
    ],
)
def test_errors_name_the_argument_the_rule_and_the_value(make, message):
    with pytest.raises(FanError) as caught:
        make()
    assert str(caught.value) == message
