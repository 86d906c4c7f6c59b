"""What Keras models compute says what their variables are for, whatever their layers are called."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import declare, init_model_, plan_model, structure
from keras import layers, ops

from fanwise import (
    Axes,
    Declaration,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    Structure,
    fans,
    he_normal,
    normal,
    zeros,
)

pytestmark = pytest.mark.clause("recipes/17")

WIDTH = 16


class RMSNorm(layers.Layer):
    shift = 0.0

    def build(self, shape):
        self.w = self.add_weight(shape=shape[-1:], initializer="ones", name="w")

    def call(self, x):
        normed = x * tf.math.rsqrt(tf.reduce_mean(x**2, -1, keepdims=True) + 1e-6)
        return normed * (self.shift + self.w) if self.shift else normed * self.w


class ZeroCentred(RMSNorm):
    shift = 1.0


class Gated(layers.Layer):
    """Named and laid out as nobody else does."""

    def build(self, shape):
        width = shape[-1]
        self.a = self.add_weight(shape=(8 * width, width), name="a")
        self.b = self.add_weight(shape=(4 * width, width), name="b")
        self.c = self.add_weight(shape=(8 * width,), name="c", initializer="ones")
        self.d = self.add_weight(shape=(width,), name="d", initializer="ones")

    def call(self, x):
        gate, up = tf.split(tf.matmul(x, self.a, transpose_b=True) + self.c, 2, -1)
        return x + tf.matmul(tf.nn.silu(gate) * up, self.b) * self.d


class Positions(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=(1, shape[1], shape[2]), name="table")

    def call(self, x):
        return x + self.table


@pytest.fixture(scope="module")
def model():
    tokens = keras.Input((7,), dtype="int32")
    x = Positions()(layers.Embedding(50, WIDTH)(tokens))
    normed = RMSNorm()(x)
    x = x + layers.MultiHeadAttention(4, 4)(normed, normed)
    x = Gated()(ZeroCentred()(x))
    return keras.Model(tokens, layers.Dense(50)(x))


EXAMPLE = np.zeros((2, 7), "int32")
EXPECTED = {
    "Embedding_0.embeddings": ("in out, one_hot=True", "embedding", None),
    "Positions_0.table": ("stack in out, one_hot=True", "position", None),
    "RMSNorm_0.w": ("out", "norm_scale", None),
    "MultiHeadAttention_0.query.kernel": ("in out out", "weight", "query"),
    "MultiHeadAttention_0.key.kernel": ("in out out", "weight", "key"),
    "MultiHeadAttention_0.value.kernel": ("in out out", "weight", "value"),
    "MultiHeadAttention_0.attention_output.kernel":
        ("in in out", "weight", "attention_output residual_end"),
    "ZeroCentred_0.w": ("out", "norm_scale", None),
    "Gated_0.a": ("out in, blocks={out: 2}", "weight", "gate+up"),
    "Gated_0.b": ("in out", "weight", "down residual_end"),
    "Gated_0.c": ("out, blocks={out: 2}", "bias", None),
    "Gated_0.d": ("out", "layer_scale", None),
    "Dense_0.kernel": ("in out", "weight", "head"),
}  # fmt: skip


def test_a_transformer_of_layers_of_ones_own(model):
    found = structure(model, EXAMPLE)
    assert found.faults == []
    seen = {p.path: (str(p.axes), p.kind, p.role) for p in found.parameters}
    assert {path: seen[path] for path in EXPECTED} == EXPECTED
    by_path = {p.path: p for p in found.parameters}
    assert by_path["Gated_0.c"].fans_of == "Gated_0.a"
    assert by_path["ZeroCentred_0.w"].default == zeros()
    assert by_path["Gated_0.b"].branches == 2
    assert Structure.from_data(found.to_data()) == found
    assert "contraction" in found.explain("Gated_0.a")


@pytest.mark.filterwarnings("ignore:constants of the model are replaced")  # recipes/18
def test_one_line_starts_it(model):
    ledger = init_model_(model, he_normal(), seed=0, example=EXAMPLE)
    values = dict(zip((e.path for e in ledger.entries), model.variables, strict=True))
    assert (values["ZeroCentred_0.w"].numpy() == 0).all()
    assert (values["RMSNorm_0.w"].numpy() == 1).all()
    assert (values["Gated_0.c"].numpy() == 0).all()
    assert (values["Gated_0.d"].numpy() == 1).all()
    statuses = {entry.path: entry.status for entry in ledger.entries}
    assert statuses["Gated_0.d"] == statuses["Positions_0.table"] == "kept"
    with pytest.raises(RecipeError, match="must be known"):
        plan_model(model, he_normal())


OF_KERAS = [
    (lambda: layers.Dense(3), (7,)),
    (lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 5)), (4, 7)),
    (lambda: layers.EinsumDense("aeb,ebc->aec", (8, 5), bias_axes="c"), (8, 7)),
    (lambda: layers.Conv1D(6, 5, strides=2), (9, 4)),
    (lambda: layers.Conv2D(6, 3, groups=2), (9, 9, 4)),
    (lambda: layers.Conv3D(6, 2), (5, 5, 5, 2)),
    (lambda: layers.Conv2DTranspose(6, 3, strides=2), (9, 9, 4)),
    (lambda: layers.Embedding(10, 6), (4,)),
    (lambda: layers.GRU(5), (4, 3)),
    (lambda: layers.LSTM(5), (4, 3)),
    (lambda: layers.SimpleRNN(5), (4, 3)),
    (lambda: layers.MultiHeadAttention(2, 3), None),
]


@pytest.mark.parametrize(("make", "shape"), OF_KERAS)
def test_the_computation_says_what_the_type_of_the_layer_says(make, shape):
    layer = make()
    if shape is None:
        inputs = keras.Input((5, 6))
        model, shape = keras.Model(inputs, layer(inputs, inputs)), (5, 6)
    else:
        model = keras.Sequential([keras.Input(shape), layer])
    found = structure(model, np.zeros((2, *shape), "float32"))
    assert found.faults == []
    traced = found.findings.declarations
    seen = 0
    for parameter in structure(model, np.zeros((2, *shape), "float32")).parameters:
        declared = traced.get(parameter.path)
        if declared is None or declared.kind not in ("weight", "embedding"):
            continue
        seen += 1
        assert declared.kind == parameter.kind
        own = {p.path: p for p in (e.parameter for e in plan_model(model, EVERY).entries)}
        expected = own[parameter.path]
        assert fans(parameter.shape, declared.axes) == fans(expected.shape, expected.axes)
    assert seen or isinstance(layer, layers.RNN)


EVERY = Recipe([Rule(normal(std=1.0), kind=("*", "unknown"))])


def test_uses_that_disagree_are_an_error_that_shows_both():
    class Both(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], 3), name="w")

        def call(self, x):
            return ops.matmul(ops.tanh(ops.matmul(x, self.w)), ops.transpose(self.w))

    model = keras.Sequential([keras.Input((6,)), Both()])
    with pytest.raises(RecipeError, match="used as 'in out' of a contraction and as 'out in'"):
        plan_model(model, he_normal(), example=np.zeros((2, 6), "float32"))
    declare.register(Both, lambda layer: {"w": Declaration(Axes("in out"))})
    ledger = plan_model(model, he_normal(), example=np.zeros((2, 6), "float32"))
    assert ledger.entries[0].known == "declared"


@pytest.mark.parametrize(
    ("make", "example", "error", "message"),
    [
        (
            lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3)]),
            np.zeros((2, 5), "float32"),
            RecipeError,
            "`example` must be what the model takes",
        ),
        (lambda: layers.Dense(3), np.zeros((2, 5)), SourceError, "must be built"),
        (lambda: 3, np.zeros(3), SourceError, "must be a Keras layer or model, got int"),
    ],
)
def test_errors(make, example, error, message):
    with pytest.raises(error, match=message):
        structure(make(), example)


def test_a_model_is_left_as_it_was(model):
    before = [variable.numpy() for variable in model.variables]
    structure(model, tf.TensorSpec((3, 7), tf.int32))
    after = [variable.numpy() for variable in model.variables]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
