"""Seeds of all kinds, and what one object draws: for each variable, by its path."""

import copy
import json
import math
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import SchemeInitializer, init, initializer
from scipy import stats

from fanwise import (
    Axes,
    AxesError,
    Fans,
    glorot_uniform,
    he_normal,
    he_uniform,
    layers,
    normal,
    truncated_normal,
    zeros,
)

IN_OUT = Axes("in out")
SHAPE = (200, 300)

SEEDS = {
    "int": lambda: {"seed": 7},
    "tensor": lambda: {"seed": tf.constant([7, -3])},
    "SeedGenerator": lambda: {"rng": keras.random.SeedGenerator(7)},
    "Generator": lambda: {"rng": tf.random.Generator.from_seed(7)},
}
GENERATORS = ["SeedGenerator", "Generator"]


@pytest.mark.parametrize("kind", GENERATORS)
def test_generators_of_tensorflow_and_keras(kind):
    draw, same = (initializer(normal(std=1.0), **SEEDS[kind]()) for _ in range(2))
    first, second = draw(SHAPE).numpy(), draw(SHAPE).numpy()
    assert np.array_equal(first, same(SHAPE).numpy())
    assert np.mean(first == second) < 1e-3
    assert stats.kstest(first.ravel(), stats.norm.cdf).pvalue > 1e-6


def test_seeds_of_numpy():
    one, other = (init(normal(std=1.0), (4,), seed=seed, path="w") for seed in (5, np.int64(5)))
    assert np.array_equal(one.numpy(), other.numpy())


def test_one_object_serves_many_layers():
    """The reference's D31: two layers that share an object of Keras have equal weights."""
    shared = initializer(he_normal(), seed=3)
    named = [keras.layers.Dense(8, kernel_initializer=shared, name=name) for name in "ab"]
    for layer in named:
        layer.build((None, 8))
    assert not np.isin(named[0].kernel.numpy(), named[1].kernel.numpy()).any()


@pytest.mark.clause("randomness/1")
def test_values_are_those_of_the_seed_and_the_path_of_the_variable():
    """Not of what was drawn before, nor of the object."""

    def kernel(name, before):
        draw = initializer(he_normal(), seed=3)
        for _ in range(before):
            keras.layers.Dense(8, kernel_initializer=draw, name="other").build((None, 8))
        layer = keras.layers.Dense(8, kernel_initializer=draw, name=name)
        layer.build((None, 8))
        return layer.kernel.numpy()

    assert np.array_equal(kernel("fc", 0), kernel("fc", 2))
    direct = init(he_normal(), (8, 8), IN_OUT, seed=3, path="fc.kernel")
    assert np.array_equal(kernel("fc", 0), direct.numpy())
    assert not np.isin(kernel("fc", 0), kernel("fd", 0)).any()


def test_with_a_path_it_draws_the_same_at_every_call():
    draw = initializer(normal(std=1.0), seed=3, path="dense.kernel")
    assert np.array_equal(draw((8,)).numpy(), draw((8,)).numpy())
    other = initializer(normal(std=1.0), seed=3, path=("dense", "kernel"))
    assert np.array_equal(draw((8,)).numpy(), other((8,)).numpy())
    for different in (initializer(normal(std=1.0), seed=3, path="dense.bias"),
                      initializer(normal(std=1.0), seed=3 + 2**32, path="dense.kernel")):  # fmt: skip
        assert not np.isin(draw((50,)).numpy(), different((50,)).numpy()).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: initializer(normal(std=1.0), seed=3, path="dense.kernel", fans=Fans(4, 2)),
        lambda: initializer(he_normal(), Axes("kernel in out"), seed=tf.constant([3, -1]), path="w"),
        lambda: initializer(zeros()),
        lambda: initializer(he_normal(), Axes("kernel in out"), rng=keras.random.SeedGenerator(3)),
        lambda: initializer(he_normal(), Axes("kernel in out"), rng=tf.random.Generator.from_seed(3)),
    ],
)  # fmt: skip
def test_configurations_round_trip_and_change_nothing(make):
    draw = make()
    config = json.loads(json.dumps(draw.get_config()))
    assert draw.get_config() == config
    copies = [
        SchemeInitializer.from_config(config),
        keras.initializers.deserialize(keras.initializers.serialize(draw)),
    ]
    drawn = draw((4, 6, 8)).numpy()
    for copied in copies:
        assert copied.get_config() == config
        assert np.array_equal(copied((4, 6, 8)).numpy(), drawn)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda draw: pickle.loads(pickle.dumps(draw))])
def test_copies_of_all_kinds_are_equal(copied):
    draw = initializer(he_normal(), IN_OUT, seed=3, path="w")
    assert np.array_equal(copied(draw)((4, 6)).numpy(), draw((4, 6)).numpy())


def test_a_model_has_one_json():
    def text():
        keras.utils.clear_session(free_memory=False)
        return _sequential(initializer(he_normal(), seed=3)).to_json()

    assert text() == text()


def test_values_of_equal_seeds_are_independent_if_paths_differ():
    """Keras' values of different laws would be proportional."""
    drawn = [
        init(scheme, shape, axes, seed=1, path=f"w{i}").numpy().ravel()[:2000]
        for i, (scheme, axes, shape) in enumerate([
            (he_uniform(), IN_OUT, (50, 60)),
            (glorot_uniform(), IN_OUT, (50, 60)),
            (he_uniform(), IN_OUT, (50, 40)),
            (truncated_normal(std=1.0), None, (50, 60)),
        ])
    ]  # fmt: skip
    correlations = np.corrcoef([*drawn, *(abs(values) for values in drawn)])[:4, :4]
    assert np.abs(correlations - np.eye(4)).max() < 5 / math.sqrt(2000)
    theirs = [make(seed=1)((50, 60)).numpy().ravel() for make in (
        keras.initializers.HeUniform, keras.initializers.GlorotUniform)]  # fmt: skip
    assert np.corrcoef(theirs)[0, 1] > 0.999


@pytest.mark.parametrize("other", [[3, 4 + 2**32], [3 + 2**40, 4], [4, 3], [-3, 4]])
def test_a_seed_of_tensorflow_counts_with_all_its_bits(other):
    one, two = (
        init(normal(std=1.0), (50,), seed=tf.constant(seed, tf.int64), path="w").numpy()
        for seed in ([3, 4], other)
    )
    assert not np.isin(one, two).any()


def _kernels(model):
    return [v.numpy() for v in model.trainable_variables if v.name == "kernel"]


def _attention(draw):
    layer = keras.layers.MultiHeadAttention(2, 4, kernel_initializer=draw)
    layer.build((None, 5, 8), (None, 5, 8))
    return _kernels(layer)[:3]


def _bidirectional(draw):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(4, kernel_initializer=draw))
    layer.build((None, 5, 8))
    return _kernels(layer)


def _sequential(draw):
    dense = [keras.layers.Dense(8, kernel_initializer=draw) for _ in range(3)]
    return keras.Sequential([keras.Input((8,)), *dense])


MODELS = {
    "attention": _attention,
    "bidirectional": _bidirectional,
    "sequential": lambda draw: _kernels(_sequential(draw)),
    "cloned": lambda draw: _kernels(keras.models.clone_model(_sequential(draw))),
    "from-config": lambda draw: _kernels(keras.Sequential.from_config(_sequential(draw).get_config())),
    "from-json": lambda draw: _kernels(keras.models.model_from_json(_sequential(draw).to_json())),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("model", MODELS)
def test_weights_that_one_object_draws_differ(model, kind):
    """Keras copies an object for each projection, half or layer, by its configuration."""
    kernels = np.stack(MODELS[model](initializer(normal(std=1.0), **SEEDS[kind]())))
    assert len(np.unique(kernels)) == kernels.size


def test_the_check_of_copies_sees_keras():
    """Whose projections are equal if its initializer has a seed (Keras 3.15.1)."""
    kernels = np.stack(_attention(keras.initializers.RandomNormal(seed=7)))
    assert len(np.unique(kernels)) == kernels.size / 3


def test_each_projection_of_attention_has_its_own_fans():
    layer = keras.layers.MultiHeadAttention(
        8, 64, kernel_initializer=initializer(he_normal(), seed=0)
    )
    layer.build((None, 5, 512), (None, 5, 512))
    stds = {
        v.path.split("/")[-2]: float(np.std(v.numpy()))
        for v in layer.trainable_variables
        if v.name == "kernel"
    }
    assert stds == pytest.approx(dict.fromkeys(stds, math.sqrt(2 / 512)), rel=0.02)
    assert len(stds) == 4


def test_axes_of_another_variable_are_refused():
    """Rank 3 fits both roles: the output projection would get a std 8 times too large."""
    axes = layers.keras.attention_projection()
    layer = keras.layers.MultiHeadAttention(
        8, 64, kernel_initializer=initializer(he_normal(), axes, seed=0)
    )
    with pytest.raises(
        AxesError,
        match=r"'in out out' for .*attention_output/kernel' of EinsumDense, whose axes are 'in in out'",
    ):
        layer.build((None, 5, 512), (None, 5, 512))


def test_a_layer_of_ones_own_is_asked_for_its_axes():
    draw = initializer(he_normal(), seed=0)

    class Own(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 8), initializer=draw, name="kernel")

    with pytest.raises(AxesError, match="`axes` must be given for he_normal"):
        Own().build((None, 4))
    with_axes = initializer(he_normal(), IN_OUT, seed=0)
    variable = keras.Variable(with_axes, shape=(4, 3), name="w")
    assert np.array_equal(
        variable.numpy(), init(he_normal(), (4, 3), IN_OUT, seed=0, path="w").numpy()
    )


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # in Keras' own writer
def test_a_model_that_uses_one_is_saved_and_loaded(tmp_path):
    draw = initializer(he_normal(), seed=3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=draw)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0].kernel_initializer, SchemeInitializer)
    assert np.array_equal(loaded.get_weights()[0], model.get_weights()[0])
