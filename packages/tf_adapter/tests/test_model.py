"""A whole Keras model: axes from layer types, the ledger, shared, frozen and loaded variables."""

import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import declare, init_model_, measure_model, plan_model
from keras import layers

from fanwise import (
    Axes,
    Declaration,
    DtypeError,
    FanError,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    glorot_normal,
    he_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    zeros,
)

HE = Recipe(
    (
        Rule(zeros(), kind="bias", optional=True),
        Rule(ones(), kind="norm_scale", optional=True),
        Rule(he_normal(), optional=True),
    )
)


EVERY = Recipe((*HE.rules[:2], Rule(ones(), kind="slope", optional=True)))
EVERY_LATE = Recipe((HE.rules[0], Rule(normal(std=1.0), kind=("weight", "unknown"))))


def fans(ledger, path):
    """Fans of each block of a variable."""
    (entry,) = (e for e in ledger.entries if e.path.endswith(path))
    return [(part.fans.fan_in, part.fans.fan_out) for part in entry.plan.parts]


def sequential(layer, shape):
    return keras.Sequential([keras.Input(shape), layer])


LAYERS = [
    (lambda: layers.Dense(3), (7,), "kernel", [(7, 3)]),
    (lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 5)), (4, 7), "kernel", [(7, 10)]),
    (lambda: layers.EinsumDense("aeb,ebc->aec", (8, 5)), (8, 7), "kernel", [(7, 5)]),
    (lambda: layers.Conv1D(6, 5), (9, 4), "kernel", [(20, 30)]),
    (lambda: layers.Conv2D(12, 3, groups=4), (9, 9, 8), "kernel", [(18, 27)]),
    (lambda: layers.Conv2D(4, 4, strides=2), (8, 8, 4), "kernel", [(64, 16)]),
    (lambda: layers.Conv3D(3, 2), (4, 4, 4, 2), "kernel", [(16, 24)]),
    (lambda: layers.DepthwiseConv2D(3), (9, 9, 8), "kernel", [(9, 9)]),
    (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), (9, 8), "kernel", [(3, 6)]),
    (lambda: layers.SeparableConv2D(6, 3), (9, 9, 4), "depthwise_kernel", [(9, 9)]),
    (lambda: layers.SeparableConv2D(6, 3), (9, 9, 4), "pointwise_kernel", [(4, 6)]),
    (lambda: layers.Conv2DTranspose(4, 4, strides=2), (8, 8, 8), "kernel", [(32, 64)]),
    (lambda: layers.Embedding(100, 16), (3,), "embeddings", [(1, 16)]),
    (lambda: layers.LSTM(6), (4, 5), "recurrent_kernel", [(6, 6)] * 4),
    (lambda: layers.GRU(6), (4, 5), "GRUCell_0.kernel", [(5, 6)] * 3),
    (lambda: layers.SimpleRNN(6), (4, 5), "recurrent_kernel", [(6, 6)]),
    (lambda: layers.ConvLSTM1D(6, 3), (4, 9, 5), "recurrent_kernel", [(18, 18)] * 4),
    (lambda: layers.Bidirectional(layers.LSTM(6)), (4, 5), "backward_LSTM_0.LSTMCell_0.kernel",
     [(5, 6)] * 4),
    (lambda: layers.TimeDistributed(layers.Dense(3)), (4, 7), "kernel", [(7, 3)]),
    (lambda: layers.DepthwiseConv2D(3), (9, 9, 8), "bias", [(9, 9)]),
    (lambda: layers.SeparableConv2D(6, 3), (9, 9, 4), "bias", [(4, 6)]),
    (lambda: layers.Conv2DTranspose(4, 4, strides=2), (8, 8, 8), "bias", [(32, 64)]),
    (lambda: layers.LSTM(6), (4, 5), "bias", [(5, 6)] * 4),
    (lambda: layers.GRU(6), (4, 5), "bias", [(5, 6)] * 3),
    (lambda: layers.GRU(6, reset_after=False), (4, 5), "bias", [(5, 6)] * 3),
    pytest.param(lambda: layers.ReversibleEmbedding(100, 16, tie_weights=False), (3,),
                 "reverse_embeddings", [(16, 100)], marks=pytest.mark.newest),
]  # fmt: skip


@pytest.mark.clause("fans/1", "fans/2", "fans/3", "fans/4")
@pytest.mark.parametrize(("make", "shape", "path", "expected"), LAYERS)
def test_axes_are_those_of_the_layer(make, shape, path, expected):
    model = sequential(make(), shape)
    if hasattr(model.layers[0], "reverse_embeddings"):
        model.layers[0](tf.zeros((2, 16)), reverse=True)
    recipe = Recipe((Rule(lecun_uniform(), kind="bias"), *HE.rules[1:]))
    ledger = init_model_(model, HE if path != "bias" else recipe, seed=0)
    assert fans(ledger, path) == expected


@pytest.mark.clause("recipes/12")
@pytest.mark.parametrize(("make", "shape", "path", "expected"), LAYERS)
def test_a_subclass_that_computes_otherwise_is_unknown(make, shape, path, expected):
    model = sequential(make(), shape)
    layer = model.layers[0]
    inner = {id(v) for other in layer._flatten_layers(include_self=False) for v in other.variables}
    own = [v for v in layer.trainable_variables if id(v) not in inner]
    layer.__class__ = type("Other", (type(layer),), {"call": lambda self, x: x})
    every = Recipe((Rule(zeros(), kind=("*", "unknown")),))
    kinds = [entry.parameter.kind for entry in plan_model(model, every).entries]
    assert kinds.count("unknown") == len(own)


@pytest.mark.clause("recipes/15")
@pytest.mark.parametrize(
    ("layer", "shape", "name", "size"),
    [
        (lambda: layers.Dense(3), (7,), "units", 4),
        (lambda: layers.Conv1D(6, 5), (9, 4), "filters", 7),
        (lambda: layers.Conv1DTranspose(6, 5), (9, 4), "filters", 7),
        (lambda: layers.DepthwiseConv1D(5), (9, 4), "depth_multiplier", 7),
        (lambda: layers.SeparableConv1D(6, 5), (9, 4), "filters", 7),
        (lambda: layers.Embedding(10, 6), (4,), "output_dim", 7),
    ],
)
def test_a_shape_must_be_of_the_sizes_that_a_layer_knows(layer, shape, name, size):
    model = sequential(layer(), shape)
    setattr(model.layers[0], name, size)
    kind = type(model.layers[0]).__name__
    with pytest.raises(RecipeError, match=f"by the sizes of {kind}"):
        plan_model(model, Recipe((Rule(zeros(), kind="*"),)))


KINDS = [
    (layers.BatchNormalization, (4,), {"gamma": "norm_scale", "beta": "norm_bias", "moving_mean": "buffer",
                                       "moving_variance": "buffer"}),
    (layers.LayerNormalization, (4,), {"gamma": "norm_scale", "beta": "norm_bias"}),
    (lambda: layers.GroupNormalization(2), (4, 4), {"gamma": "norm_scale", "beta": "norm_bias"}),
    (layers.RMSNormalization, (4,), {"scale": "norm_scale"}),
    (layers.PReLU, (4,), {"alpha": "slope"}),
    (lambda: layers.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16), (64, 1),
     {"real_kernel": "buffer", "imag_kernel": "buffer"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "expected"), KINDS)
def test_kinds_are_those_of_the_layer(make, shape, expected):
    ledger = plan_model(sequential(make(), shape), EVERY)
    found = {e.path.rpartition(".")[2]: e.parameter.kind for e in ledger.entries}
    assert found == expected


def test_factors_of_attentions_scores_start_at_one():
    inputs = keras.Input((3, 4))
    layer = layers.Attention(use_scale=True, score_mode="concat")
    model = keras.Model(inputs, layer([inputs, inputs]))
    init_model_(model, HE, seed=0)
    assert all((v.numpy() == 1).all() for v in model.variables)


def test_additive_attentions_scale_is_a_weight():
    inputs = keras.Input((3, 8))
    model = keras.Model(inputs, layers.AdditiveAttention()([inputs, inputs]))
    assert fans(init_model_(model, HE, seed=0), "scale") == [(8, 1)]


def test_what_scales_a_float8_layer_is_left():
    model = sequential(layers.Dense(3), (4,))
    model.layers[0].quantize("float8")
    before = {v.path: v.numpy() for v in model.variables}
    ledger = init_model_(model, Recipe((HE.rules[0], Rule(normal(std=0.02)))), seed=0)
    drawn = [e.path for e in ledger.entries if e.plan is not None]
    assert drawn == ["Dense_0.kernel", "Dense_0.bias"]
    changed = [v.name for v in model.variables if not np.array_equal(v.numpy(), before[v.path])]
    assert changed == ["kernel"]


def test_a_layer_that_is_not_built_is_an_error():
    """Whether its type is known or not: it would get variables that no rule was asked about."""

    class Late(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")

    class Around(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.late, self.drop = (
                layers.Dense(3),
                Late(),
                layers.Dropout(0.5),
            )

        def build(self, shape):
            self.dense.build(shape)

    model = Around()
    model.build((None, 4))
    with pytest.raises(
        SourceError, match="must be built, or called once, got 'Late_0' that is not"
    ):
        plan_model(model, HE)
    model.late.build((None, 3))
    paths = [e.path for e in plan_model(model, EVERY_LATE).entries if e.plan is not None]
    assert paths == ["Dense_0.kernel", "Dense_0.bias", "Late_0.kernel"]


def test_what_is_loaded_under_one_name_is_left_under_all():
    shared = layers.Dense(4, name="d")
    model = keras.Sequential([keras.Input((4,)), keras.Sequential([shared], name="a"),
                              keras.Sequential([shared], name="b")])  # fmt: skip
    before = shared.kernel.numpy()
    every = [e.path for e in plan_model(model, HE).entries]
    for loaded in (every, ["b.d.kernel", "a.d.bias"]):
        ledger = init_model_(model, Recipe(()), seed=0, loaded=loaded)
        assert [e.status for e in ledger.entries] == ["loaded", "loaded", "tied", "tied"]
    assert np.array_equal(shared.kernel.numpy(), before)


def test_what_is_no_float_is_skipped_and_what_is_complex_is_so():
    class Mixed(layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), dtype="int32", name="count", trainable=False)
            self.wave = self.add_weight(shape=(400,), dtype="complex64", name="wave",
                                        initializer=lambda shape, dtype: tf.zeros(shape, dtype))  # fmt: skip

    model = sequential(Mixed(), (4,))
    ledger = init_model_(model, Recipe((Rule(normal(std=2.0), match="*.wave"),)), seed=0)
    statuses = {e.parameter.path.rpartition(".")[2]: e.status for e in ledger.entries}
    assert statuses == {"count": "skipped", "wave": "initialized"}
    wave = model.layers[0].wave.numpy()
    assert np.square(abs(wave)).mean() == pytest.approx(4, rel=0.3)
    assert np.square(wave.real).mean() == pytest.approx(2, rel=0.4)


def test_a_frozen_layer_is_frozen_as_a_whole():
    model = sequential(layers.BatchNormalization(trainable=False), (4,))
    ledger = init_model_(model, Recipe(()), seed=0)
    assert [e.status for e in ledger.entries] == ["frozen", "frozen", "skipped", "skipped"]


def test_a_change_of_low_rank_starts_at_none_again():
    model = sequential(layers.Dense(3), (4,))
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign([[0.3, -0.1, 0.2], [0.5, 0.7, 0.4]])
    init_model_(model, HE, seed=0)
    assert not model.layers[0].lora_kernel_b.numpy().any()


def test_a_model_may_be_initialized_within_a_function():
    """Without a warning of AutoGraph's, which cannot convert what it is not asked to."""
    model, other = (sequential(layers.Dense(3), (4,)) for _ in range(2))
    tf.function(lambda: init_model_(model, HE, seed=0) and None)()
    init_model_(other, HE, seed=0)
    np.testing.assert_allclose(model.get_weights()[0], other.get_weights()[0], rtol=1e-5)


def test_the_global_generators_are_left_alone():
    model = sequential(layers.Dense(3), (4,))
    of_keras = keras.src.random.seed_generator.global_seed_generator().state.numpy()
    state = tf.random.get_global_generator().state.numpy()
    python, numpy = random.getstate(), np.random.get_state()[1].copy()
    init_model_(model, HE, seed=0)
    assert random.getstate() == python
    assert np.array_equal(np.random.get_state()[1], numpy)  # the state
    assert np.array_equal(tf.random.get_global_generator().state.numpy(), state)
    after = keras.src.random.seed_generator.global_seed_generator().state.numpy()
    assert np.array_equal(after, of_keras)


@pytest.mark.parametrize("kind", [layers.MultiHeadAttention, layers.GroupQueryAttention])
def test_projections_of_attention(kind):
    inputs = keras.Input((5, 8))
    arguments = (4, 2, 1) if kind is layers.GroupQueryAttention else (2, 4)
    model = keras.Model(inputs, kind(*arguments)(inputs, inputs))
    ledger = init_model_(model, HE, seed=0)
    assert fans(ledger, "query.kernel") == [(8, 8)]
    assert fans(ledger, "attention_output.kernel") == [(8, 8)]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv2D(64, 3, groups=4, use_bias=False), (24, 24, 32)),
        (layers.DepthwiseConv2D(3, use_bias=False), (24, 24, 64)),
        (layers.Conv2DTranspose(64, 4, strides=2, use_bias=False), (16, 16, 32)),
    ],
)
def test_he_keeps_the_second_moment(layer, shape):
    """Var(output) = 2 for inputs of variance 1: Keras' own fans give 0.03 to 1."""
    model = sequential(layer, shape)
    init_model_(model, Recipe((Rule(he_normal()),)), seed=1)
    output = model(tf.random.stateless_normal((16, *shape), [1, 2])).numpy()[:, 4:-4, 4:-4]
    tolerance = 4.5 * math.sqrt(2 / layer.kernel.numpy().size) + 0.03
    assert np.square(output).mean() == pytest.approx(2, rel=tolerance)


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_orthogonal_is_so_for_each_gate(kind):
    """The reference's D10: Keras' own is so across all gates, and for none of them."""
    model = sequential(kind(8), (4, 8))
    rules = (Rule(zeros(), kind="bias"), Rule(orthogonal()))
    init_model_(model, Recipe(rules), seed=0)
    recurrent = model.layers[0].cell.recurrent_kernel.numpy()
    for gate in np.split(recurrent, recurrent.shape[1] // 8, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(8), atol=1e-5)


def test_values_are_those_of_seed_and_path_whatever_was_built_before():
    def build():
        model = keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Dense(6, name="head")])
        return model, init_model_(model, HE, seed=3)

    (one, ledger), (other, again) = build(), build()
    assert one.layers[0].name != other.layers[0].name  # by Keras
    assert ledger == again
    assert [e.path for e in ledger.entries] == [
        "Dense_0.kernel",
        "Dense_0.bias",
        "head.kernel",
        "head.bias",
    ]
    assert all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )
    assert not np.isin(one.layers[0].kernel.numpy(), one.layers[1].kernel.numpy()).any()


def test_paths_within_bidirectional_do_not_depend_on_what_was_built_before():
    def paths():
        model = sequential(layers.Bidirectional(layers.LSTM(3)), (4, 5))
        return [e.path for e in plan_model(model, HE).entries]

    assert paths() == paths()


def test_names_that_are_given_are_kept():
    """One that looks like Keras' own does not mean another layer, but none."""
    names = ["dense_1", "dense_2", "head", "Dense_7"]
    model = keras.Sequential([keras.Input((4,)), *(layers.Dense(4, name=n) for n in names)])
    paths = [e.path.removesuffix(".kernel") for e in plan_model(model, HE).entries][::2]
    assert paths == ["Dense_0", "Dense_1", "head", "Dense_7"]
    with pytest.raises(RecipeError, match=r"`loaded` must be names in the model, got \['dense_1.k"):
        init_model_(model, HE, seed=0, loaded={"dense_1.kernel"})


def test_unnamed_variables_do_not_depend_on_what_was_built_before():
    class Unnamed(layers.Layer):
        def build(self, shape):
            self.one, self.two = (self.add_weight(shape=(3, 4)) for _ in range(2))

    recipe = Recipe((Rule(he_normal(), axes=Axes("in out"), layer="Unnamed"),))
    for _ in range(2):
        ledger = plan_model(sequential(Unnamed(), (3,)), recipe)
        assert [e.path for e in ledger.entries] == ["Unnamed_0.Variable_0", "Unnamed_0.Variable_1"]


LORA = [
    (lambda: layers.Dense(6), (4,), [(4, 2)]),
    (lambda: layers.EinsumDense("ab,bc->ac", 6), (4,), [(4, 2)]),
    (lambda: layers.Conv2D(6, 3), (8, 8, 4), [(36, 18)]),
    (lambda: layers.Embedding(10, 6), (4,), [(1, 2)]),
]


@pytest.mark.parametrize(("make", "shape", "expected"), LORA)
def test_a_change_of_low_rank_starts_at_none(make, shape, expected):
    """Hu et al. (2021), arXiv:2106.09685, section 4.1: the second factor is zero."""
    model = sequential(make(), shape)
    layer = model.layers[0]
    layer.enable_lora(2)
    ledger = init_model_(model, HE, seed=0)
    assert fans(ledger, "_a") == expected
    (second,) = (v for v in layer.variables if v.name.endswith("_b"))
    assert not second.numpy().any()


def test_shared_layers_are_tied():
    dense = layers.Dense(6)
    one, two = (
        keras.Sequential([keras.Input((6,)), dense]),
        keras.Sequential([keras.Input((6,)), dense]),
    )
    inputs = keras.Input((6,))
    model = keras.Model(inputs, two(one(inputs)))
    ledger = init_model_(model, HE, seed=0)
    assert [e.status for e in ledger.entries] == ["initialized"] * 2 + ["tied"] * 2
    assert ledger.entries[2].parameter.tied_to == "Sequential_0.Dense_0.kernel"


def test_frozen_and_loaded_variables_are_left():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4), layers.Dense(4)])
    model.layers[0].trainable = False
    before = model.get_weights()
    ledger = init_model_(model, HE, seed=0, loaded={"Dense_1.kernel", "Dense_1.bias"})
    statuses = [entry.status for entry in ledger.entries]
    assert statuses == ["frozen"] * 2 + ["loaded"] * 2 + ["initialized"] * 2
    after = model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before[:4], after[:4], strict=True))
    assert not np.array_equal(before[4], after[4])


@pytest.mark.parametrize(
    ("loaded", "message"),
    [("Dense_0.kernel", "must be a collection of names, got"), ({"kernel"}, r"got \['kernel'\]")],
)
def test_loaded_must_be_paths(loaded, message):
    with pytest.raises(RecipeError, match=message):
        init_model_(sequential(layers.Dense(3), (4,)), HE, seed=0, loaded=loaded)


def test_buffers_are_left_unless_a_rule_is_for_them():
    model = sequential(layers.BatchNormalization(), (4,))
    model.layers[0].moving_mean.assign([5.0] * 4)
    rules = HE.rules
    ledger = init_model_(model, Recipe(rules), seed=0)
    assert [e.status for e in ledger.entries] == ["initialized"] * 2 + ["skipped"] * 2
    assert (model.layers[0].moving_mean.numpy() == 5).all()
    buffers = (Rule(zeros(), kind="buffer", match="*.moving_mean"),
               Rule(ones(), kind="buffer", match="*.moving_variance"))  # fmt: skip
    init_model_(model, Recipe((*buffers, *rules)), seed=0)
    assert (model.layers[0].moving_mean.numpy() == 0).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_every_variable_has_its_own_dtype(dtype):
    model = sequential(layers.Dense(64, dtype=dtype), (64,))
    init_model_(model, HE, seed=0)
    kernel = model.layers[0].kernel
    assert kernel.dtype == dtype
    assert kernel.numpy().astype(float).std() == pytest.approx(math.sqrt(2 / 64), rel=0.05)


def test_mixed_precision_draws_the_float32_variables():
    model = sequential(layers.Dense(64, dtype="mixed_bfloat16"), (64,))
    init_model_(model, HE, seed=0)
    assert model.layers[0].kernel.dtype == "float32"


def test_a_bias_may_take_its_weights_fans():
    model = sequential(layers.Dense(20_000), (16,))
    init_model_(
        model, Recipe((Rule(lecun_uniform(gain=3**-0.5), kind=("weight", "bias")),)), seed=0
    )
    assert 0.2499 < np.abs(model.layers[0].bias.numpy()).max() <= 0.25


class Experts(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(4, shape[-1], 8), name="kernel")
        self.built = True

    def call(self, x):
        return tf.einsum("eb,kbc->ec", x, self.kernel)


def test_a_layer_of_ones_own_is_declared_in_one_call():
    class Mine(Experts):
        pass

    model = sequential(Mine(), (16,))
    recipe = Recipe((Rule(he_normal()),))
    message = r"got 'Mine_0\.kernel' of Mine x1: kernel \(4, 16, 8\): declare\.register\(Mine, "
    with pytest.raises(RecipeError, match=message):
        init_model_(model, recipe, seed=0)
    declare.register(Mine, lambda layer: {"kernel": Declaration(Axes("stack in out"))})
    assert fans(init_model_(model, recipe, seed=0), "kernel") == [(16, 8)]


def test_a_subclassed_model():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(4)
            self.blocks = [layers.Dense(4), layers.Dense(4)]

        def call(self, x):
            x = self.first(x)
            for block in self.blocks:
                x = block(x)
            return x

    model = Model()
    with pytest.raises(SourceError, match="must be built"):
        init_model_(model, HE, seed=0)
    model.built = True  # as Keras marks it where `build` fails
    with pytest.raises(
        SourceError, match="must be built, or called once, got 'Dense_0' that is not"
    ):
        init_model_(model, HE, seed=0)
    model(tf.zeros((1, 4)))
    ledger = init_model_(model, HE, seed=0)
    assert [e.path for e in ledger.entries][::2] == [
        "Dense_0.kernel",
        "Dense_1.kernel",
        "Dense_2.kernel",
    ]


@pytest.mark.parametrize(
    ("layer", "recipe", "seed", "error", "message"),
    [
        (lambda: layers.LayerNormalization(), Recipe((Rule(he_normal(), kind="*"),)), 0, FanError, "fan"),
        (lambda: layers.Dense(3), Recipe((Rule(he_normal(), match="*.kernle"),)), 0,
         RecipeError, r"none for 'Dense_0\.kernel' of Dense; the nearest rule is for '\*\.kernle'"),
        (lambda: layers.Dense(3), Recipe((*HE.rules, Rule(ones(), kind="slope"))), 0, RecipeError, "every rule must be the first"),
        (lambda: layers.Dense(3), HE, -1, SourceError, "got -1"),
        (lambda: layers.Dense(3), "he", 0, RecipeError, "`recipe` must be a Recipe"),
        (lambda: layers.Dense(3, dtype="float16"), Recipe((Rule(normal(std=1e5)),)), 0,
         DtypeError, "float16"),
    ],
)  # fmt: skip
def test_errors_and_nothing_is_assigned(layer, recipe, seed, error, message):
    model = sequential(layer(), (4,))
    before = model.get_weights()
    with pytest.raises(error, match=message):
        init_model_(model, recipe, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_ledger_of_another_model_is_an_error():
    ledger = plan_model(sequential(layers.Dense(3), (4,)), HE)
    with pytest.raises(RecipeError, match="a ledger of this model"):
        init_model_(sequential(layers.Dense(3), (5,)), ledger, seed=0)


def test_only_keras_models_are_initialized():
    with pytest.raises(SourceError, match="Keras layer or model, got int"):
        init_model_(3, HE, seed=0)


def test_what_was_drawn_is_measured():
    model = sequential(layers.Dense(200), (300,))
    ledger = init_model_(model, he_normal(), seed=0)
    measured = measure_model(model, ledger)
    assert list(measured) == ["Dense_0.kernel", "Dense_0.bias"]
    assert abs(measured["Dense_0.kernel"].std_z) < 5
    model.layers[0].kernel.assign(model.layers[0].kernel * 1.2)
    assert measure_model(model, ledger)["Dense_0.kernel"].std_z > 6
    with pytest.raises(RecipeError, match="`ledger` must be of this model, got one that has"):
        measure_model(sequential(layers.PReLU(), (4,)), ledger)


def test_moving_statistics_start_anew_if_asked():
    model = sequential(layers.BatchNormalization(), (4,))
    norm = model.layers[0]
    norm.moving_mean.assign(norm.moving_mean + 5)
    norm.moving_variance.assign(norm.moving_variance + 5)
    init_model_(model, Recipe([]), seed=0)
    assert norm.moving_mean.numpy().tolist() == [5] * 4
    ledger = init_model_(model, Recipe([]), seed=0, restart_statistics=True)
    assert norm.moving_mean.numpy().tolist() == [0] * 4
    assert norm.moving_variance.numpy().tolist() == [1] * 4
    assert plan_model(model, Recipe([]), restart_statistics=True) == ledger


def test_the_padding_of_an_embedding_is_zero():
    model = sequential(layers.Embedding(5, 3), (2,))
    rule = Rule(normal(std=1.0), kind="embedding", padding=0)
    init_model_(model, Recipe([rule]), seed=0)
    rows = (model.layers[0].embeddings.numpy() == 0).all(axis=1)
    assert rows.tolist() == [True, False, False, False, False]


def test_a_convolutional_lstm_strides_its_input_alone():
    model = sequential(layers.ConvLSTM2D(5, 3, strides=2, padding="same"), (2, 8, 8, 4))
    ledger = plan_model(model, glorot_normal())
    found = {
        e.path.rpartition(".")[2]: [(p.fans.fan_in, p.fans.fan_out) for p in e.plan.parts]
        for e in ledger.entries
        if e.path.endswith("kernel")
    }
    assert found["kernel"] == [(36, 11.25)] * 4  # 5 * 9 / 4 outputs of each gate
    assert found["recurrent_kernel"] == [(45, 45)] * 4


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # in Keras' quantizers
def test_what_packs_numbers_has_no_fans():
    """In int4, the kernel of (64, 32) is stored as (32, 32) or (64, 16)."""
    model = sequential(layers.Dense(32), (64,))
    model.layers[0].quantize("int4")
    ledger = plan_model(model, Recipe([]))
    assert {e.path: e.status for e in ledger.entries}["Dense_0.bias"] == "initialized"
    with pytest.raises(FanError):
        plan_model(model, Recipe([Rule(he_normal(), kind="bias")]))


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called:UserWarning")  # of what is not used
def test_models_are_built_whose_layers_have_no_variables_or_are_not_used():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.unused = layers.Dense(3), layers.Dense(7)
            self.join = layers.Concatenate()

        def call(self, x):
            return self.join([self.dense(x), x])

    model = Model()
    model(tf.zeros((1, 4)))
    ledger = init_model_(model, he_normal(), seed=0)
    assert [e.path for e in ledger.entries] == ["Dense_0.kernel", "Dense_0.bias"]

    class Built(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.join = layers.Add()
            self.kernel = self.add_weight(shape=(3, 4), name="kernel")

        def build(self, shape):
            raise AssertionError("it has its variables")

    declare.register(Built, lambda layer: {"kernel": Declaration(Axes("in out"))})
    assert fans(plan_model(Built(), he_normal()), "kernel") == [(3, 4)]


@pytest.mark.parametrize("layer", [lambda: layers.Dense(4), lambda: layers.Conv1D(4, 3)])
def test_an_empty_layer_has_nothing_to_draw(layer):
    model = sequential(layer(), (0,) if layer().name.startswith("dense") else (5, 0))
    for scheme in (he_normal(), orthogonal()):
        init_model_(model, scheme, seed=0)


@pytest.mark.clause("recipes/11")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_a_layer_may_declare_norms_of_its_weight(dtype):
    class Normed(layers.Layer):
        def build(self, shape):
            self.g = self.add_weight(shape=(6,), name="g", dtype=dtype)
            self.v = self.add_weight(shape=(9, 6), name="v", dtype=dtype)

    scale = Declaration(kind="weight_norm", norms_of="v", norm_axes=(1,))
    declare.register(Normed, lambda layer: {"v": Declaration(Axes("in out")), "g": scale})
    layer = Normed()
    layer.build((1,))
    ledger = init_model_(layer, he_normal(), seed=0)
    assert [entry.status for entry in ledger.entries] == ["derived", "initialized"]
    columns = np.asarray(layer.v).astype("float64").T
    expected = [sum(w**2 for w in column) ** 0.5 for column in columns]
    rtol = {"float32": 1e-6, "bfloat16": 2**-8, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(np.asarray(layer.g).astype("float64"), expected, rtol=rtol)


def test_a_sequential_without_a_shape_is_yet_to_be_built():
    with pytest.raises(SourceError, match="`model` must be built, or called once, got"):
        init_model_(keras.Sequential([layers.Dense(3)]), he_normal(), seed=0)


@pytest.mark.clause("recipes/18")
def test_constants_that_somebody_set_are_not_replaced_in_silence():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, bias_initializer=keras.initializers.Constant(-4.6))]
    )
    with pytest.warns(UserWarning, match=r"'Dense_0\.bias' of Dense held -4\.6 and starts at 0"):
        init_model_(model, he_normal(), seed=0)
