"""The fans of 30 kinds of layer, proven by experiment.

Each layer is computed naively, from what the layer does, and never from its axes. Its weights have
variance 1/fan_in, its inputs are independent with unit variance: then the outputs have variance 1.
Backwards, with variance 1/fan_out and unit gradients, so have the gradients of the inputs.

The mean square of all outputs over many independent repetitions must be within five of its standard
errors of 1; a fan that is off by a factor of 1.1 shows with certainty, as the last test shows.
"""

import dataclasses
import math

import numpy as np
import pytest

from fanwise import Axes, fans, layers

pytestmark = pytest.mark.clause("fans/1", "fans/2", "fans/3", "fans/4", "axes/3", "axes/4")

REPEAT = 400


def dense(x, w):
    """(in, out)."""
    return np.einsum("i,io->o", x, w)


def correlate(x, w, stride=1):
    """Cross-correlation, circular: x (in, *n), w (out, in, *k)."""
    out = np.zeros((w.shape[0], *(n // stride for n in x.shape[1:])))
    for tap in np.ndindex(*w.shape[2:]):
        shifted = np.roll(x, [-t for t in tap], axis=tuple(range(1, x.ndim)))
        picked = shifted[(slice(None), *(slice(None, None, stride),) * (x.ndim - 1))]
        out += np.tensordot(w[(..., *tap)], picked, axes=1)
    return out


def transposed(x, w, stride=1):
    """Scatter each input over the taps, circular: x (in, *n), w (in, out, *k)."""
    out = np.zeros((w.shape[1], *(n * stride for n in x.shape[1:])))
    wide = np.zeros((x.shape[0], *out.shape[1:]))
    wide[(slice(None), *(slice(None, None, stride),) * (x.ndim - 1))] = x
    for tap in np.ndindex(*w.shape[2:]):
        shifted = np.roll(wide, tap, axis=tuple(range(1, x.ndim)))
        out += np.tensordot(w[(..., *tap)].T, shifted, axes=1)
    return out


def in_groups(layer, groups, x, w, axis):
    """Apply a layer to each group of channels with its share of the weights along an axis."""
    pairs = zip(np.split(x, groups), np.split(w, groups, axis=axis), strict=True)
    return np.concatenate([layer(a, b) for a, b in pairs])


def with_options(axes, **options):
    return dataclasses.replace(axes, **options)


# Name: shape of the weights, axes, shape of the input, the layer.
LAYERS = {
    "torch linear": ((13, 7), layers.torch.linear(), (7,), lambda x, w: w @ x),
    "keras dense": ((7, 13), layers.keras.dense(), (7,), dense),
    "dense of rank 3 inputs": ((3, 5, 13), Axes("in in out"), (3, 5), lambda x, w: np.einsum("ij,ijo->o", x, w)),
    "query projection": ((7, 3, 5), layers.keras.attention_projection(), (7,), lambda x, w: np.einsum("i,ihk->hk", x, w)),
    "attention output": ((3, 5, 7), layers.keras.attention_output(), (3, 5), lambda x, w: np.einsum("hk,hko->o", x, w)),
    "nnx einsum heads": ((3, 7, 5), layers.flax.einsum("...d,hdk->...hk"), (7,), lambda x, w: np.einsum("d,hdk->hk", x, w)),
    "experts": ((4, 7, 13), layers.flax.dense_general(batch=1), (4, 7), lambda x, w: np.einsum("ei,eio->eo", x, w)),
    "torch experts": ((4, 13, 7), layers.torch.experts(), (4, 7), lambda x, w: np.einsum("ei,eoi->eo", x, w)),
    "scanned experts": ((2, 3, 7, 13), Axes("stack stack in out"), (2, 3, 7), lambda x, w: np.einsum("lei,leio->leo", x, w)),
    "stack last": ((7, 13, 4), Axes("in out stack"), (7, 4), lambda x, w: np.einsum("ie,ioe->oe", x, w)),
    "packed q, k, v": ((21, 7), layers.torch.attention_in_proj(), (7,), lambda x, w: w @ x),
    "fused qkv axis": ((7, 3, 2, 5), Axes("in stack out out"), (3, 7), lambda x, w: np.einsum("si,ishk->shk", x, w)),
    "lstm gates": ((7, 20), layers.keras.lstm(), (7,), dense),
    "gru gates": ((15, 7), layers.torch.gru(), (7,), lambda x, w: w @ x),
    "positions of a local layer": ((9, 6, 4), layers.flax.conv_local(1), (9, 6), lambda x, w: np.einsum("pi,pio->po", x, w)),
    "torch conv1d": ((5, 3, 4), layers.torch.conv(1), (3, 12), correlate),
    "torch conv2d": ((5, 3, 3, 2), layers.torch.conv(2), (3, 6, 6), correlate),
    "torch conv3d": ((5, 3, 2, 3, 2), layers.torch.conv(3), (3, 4, 4, 4), correlate),
    "keras conv2d": ((3, 2, 3, 5), layers.keras.conv(2), (3, 6, 6), lambda x, w: correlate(x, w.transpose(3, 2, 0, 1))),
    "torch grouped conv2d": ((8, 3, 3, 3), with_options(layers.torch.conv(2), groups=4), (12, 6, 6),
                             lambda x, w: in_groups(correlate, 4, x, w, 0)),
    "flax grouped conv1d": ((3, 4, 6), with_options(layers.flax.conv(1), groups=2), (8, 9),
                            lambda x, w: in_groups(lambda a, b: correlate(a, b.transpose(2, 1, 0)), 2, x, w, 2)),
    "torch depthwise conv2d": ((10, 1, 3, 3), with_options(layers.torch.conv(2), groups=5), (5, 6, 6),
                               lambda x, w: in_groups(correlate, 5, x, w, 0)),
    "keras depthwise conv2d": ((3, 3, 5, 2), layers.keras.depthwise_conv(2), (5, 6, 6),
                               lambda x, w: in_groups(correlate, 5, x, w.transpose(2, 3, 0, 1).reshape(10, 1, 3, 3), 0)),
    "torch strided conv2d": ((5, 3, 3, 3), with_options(layers.torch.conv(2), stride=2), (3, 8, 8),
                             lambda x, w: correlate(x, w, 2)),
    "strided conv1d, stride beyond the kernel": ((5, 3, 2), with_options(layers.torch.conv(1), stride=3), (3, 12),
                                                 lambda x, w: correlate(x, w, 3)),
    "torch transposed conv2d": ((3, 5, 3, 3), layers.torch.conv_transpose(2), (3, 6, 6), transposed),
    "torch transposed conv2d, stride 2": ((3, 5, 4, 4), with_options(layers.torch.conv_transpose(2), stride=2),
                                          (3, 5, 5), lambda x, w: transposed(x, w, 2)),
    "torch transposed conv1d, stride 3 of 4 taps": ((3, 5, 4), with_options(layers.torch.conv_transpose(1), stride=3),
                                                    (3, 6), lambda x, w: transposed(x, w, 3)),
    "torch grouped transposed conv1d": ((8, 3, 3), with_options(layers.torch.conv_transpose(1), groups=2), (8, 9),
                                        lambda x, w: in_groups(transposed, 2, x, w, 0)),
    "keras transposed conv2d": ((3, 3, 5, 3), layers.keras.conv_transpose(2), (3, 6, 6),
                                lambda x, w: transposed(x, w.transpose(3, 2, 0, 1))),
    "flax transposed conv1d": ((3, 4, 5), layers.flax.conv_transpose(1), (4, 9),
                               lambda x, w: transposed(x, w.transpose(1, 2, 0))),
}  # fmt: skip

# The backward pass shares the weights of a fused matrix's blocks: its input gets the sum of theirs.
SHARED_INPUT = {"packed q, k, v": 3, "lstm gates": 4, "gru gates": 3}


def mean_square(values):
    """Mean over repetitions and positions of the square, and the standard error over repetitions."""
    each = np.array([(v**2).mean() for v in values])
    return each.mean(), each.std() / math.sqrt(len(each))


def forward(name, fan, rng):
    shape, _, inputs, layer = LAYERS[name]
    for _ in range(REPEAT):
        yield layer(rng.standard_normal(inputs), rng.standard_normal(shape) / math.sqrt(fan))


def backward(name, fan, rng):
    """The gradient of <g, layer(x)> at each input unit, by linearity: one input at a time."""
    shape, _, inputs, layer = LAYERS[name]
    units = list(np.ndindex(*inputs))
    for _ in range(REPEAT // 4):
        w = rng.standard_normal(shape) / math.sqrt(fan)
        gradient = np.zeros(inputs)
        g = rng.standard_normal(layer(np.zeros(inputs), w).shape)
        for unit in (
            units if len(units) <= 24 else [units[i] for i in rng.choice(len(units), 24, False)]
        ):
            x = np.zeros(inputs)
            x[unit] = 1
            gradient[unit] = (g * layer(x, w)).sum()
        yield gradient[gradient != 0]


@pytest.mark.parametrize("name", LAYERS)
def test_fan_in_keeps_the_variance_of_activations(name):
    shape, axes, _, _ = LAYERS[name]
    value, error = mean_square(forward(name, fans(shape, axes).fan_in, np.random.default_rng(0)))
    assert abs(value - 1) < 5 * error


@pytest.mark.parametrize("name", LAYERS)
def test_fan_out_keeps_the_variance_of_gradients(name):
    shape, axes, _, _ = LAYERS[name]
    fan_out = fans(shape, axes).fan_out * SHARED_INPUT.get(name, 1)
    if "beyond the kernel" in name:  # inputs that no tap meets have no gradient: two of three do
        fan_out = fan_out * 3 / 2
    value, error = mean_square(backward(name, fan_out, np.random.default_rng(0)))
    assert abs(value - 1) < 5 * error


def test_one_hot_inputs_have_a_fan_in_of_one():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((50, 64)) / math.sqrt(
        fans((50, 64), layers.torch.embedding()).fan_in
    )
    rows = np.array([np.eye(50)[rng.integers(50)] @ table for _ in range(REPEAT)])
    assert (rows**2).mean() == pytest.approx(1, abs=0.1)


def test_bilinear_inputs_are_pairs():
    rng = np.random.default_rng(0)
    fan_in = fans((13, 5, 6), layers.torch.bilinear()).fan_in
    outputs = [
        np.einsum("oij,i,j->o", rng.standard_normal((13, 5, 6)) / math.sqrt(fan_in), rng.standard_normal(5), rng.standard_normal(6))
        for _ in range(4000)
    ]  # fmt: skip
    value, error = mean_square(outputs)
    assert abs(value - 1) < 5 * error


@pytest.mark.parametrize(
    "name", ["torch linear", "torch grouped conv2d", "torch transposed conv2d, stride 2"]
)
def test_the_experiment_sees_a_wrong_fan(name):
    shape, axes, _, _ = LAYERS[name]
    wrong = fans(shape, axes).fan_in * 1.35
    value, error = mean_square(forward(name, wrong, np.random.default_rng(0)))
    assert abs(value - 1) > 5 * error
