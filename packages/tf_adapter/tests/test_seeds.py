"""Seeds of all kinds, and what one object draws: anew at each call, and in each copy."""

import copy
import gc
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import Initializer
from scipy import stats

from fanwise import (
    Axes,
    Fans,
    glorot_uniform,
    he_normal,
    he_uniform,
    normal,
    truncated_normal,
    zeros,
)

IN_OUT = Axes("in out")
SHAPE = (200, 300)


SEEDS = {
    "int": lambda: 7,
    "SeedGenerator": lambda: keras.random.SeedGenerator(7),
    "Generator": lambda: tf.random.Generator.from_seed(7),
    "tensor": lambda: tf.constant([7, -3]),
}


@pytest.mark.parametrize("kind", ["SeedGenerator", "Generator", "tensor"])
def test_seeds_of_tensorflow_and_keras(kind):
    init, same = (Initializer(normal(std=1.0), seed=SEEDS[kind]()) for _ in range(2))
    first, second = init(SHAPE).numpy(), init(SHAPE).numpy()
    assert np.array_equal(first, same(SHAPE).numpy())
    assert np.mean(first == second) < 1e-3
    assert stats.kstest(first.ravel(), stats.norm.cdf).pvalue > 1e-6


def test_seeds_of_numpy():
    one, other = (
        Initializer(normal(std=1.0), seed=seed, path="w")((4,)) for seed in (5, np.int64(5))
    )
    assert np.array_equal(one.numpy(), other.numpy())


def test_an_object_draws_anew_at_every_call():
    """The reference's D31: two layers that share an object of Keras have equal weights."""
    init = Initializer(he_normal(), IN_OUT, seed=3)
    first, second = (keras.layers.Dense(8, kernel_initializer=init) for _ in range(2))
    for layer in (first, second):
        layer.build((None, 8))
    assert not np.isin(first.kernel.numpy(), second.kernel.numpy()).any()
    again = Initializer(he_normal(), IN_OUT, seed=3)
    for layer in (first, second):
        assert np.array_equal(again((8, 8)).numpy(), layer.kernel.numpy())


def test_with_a_path_it_draws_the_same_as_kerass_own():
    init = Initializer(normal(std=1.0), seed=3, path="dense.kernel")
    assert np.array_equal(init((8,)).numpy(), init((8,)).numpy())
    other = Initializer(normal(std=1.0), seed=3, path=("dense", "kernel"))
    assert np.array_equal(init((8,)).numpy(), other((8,)).numpy())
    for different in (Initializer(normal(std=1.0), seed=3, path="dense.bias"),
                      Initializer(normal(std=1.0), seed=3 + 2**32, path="dense.kernel")):  # fmt: skip
        assert not np.isin(init((50,)).numpy(), different((50,)).numpy()).any()


@pytest.mark.parametrize(
    "init",
    [
        Initializer(normal(std=1.0), seed=3, path="dense.kernel", fans=Fans(4, 2)),
        Initializer(he_normal(), Axes("kernel in out"), seed=tf.constant([3, -1]), path="w"),
        Initializer(zeros()),
    ],
    ids=repr,
)
def test_configurations_round_trip(init):
    config = init.get_config()
    assert Initializer.from_config(json.loads(json.dumps(config))).get_config() == config
    revived = keras.initializers.deserialize(keras.initializers.serialize(init))
    assert revived.get_config() == config
    shape = (4, 6, 8)
    assert np.array_equal(revived(shape).numpy(), init(shape).numpy())


@pytest.mark.parametrize("kind", SEEDS)
def test_copies_have_streams_of_their_own(kind):
    """All that an object and its copies draw differs, and is the same in another run."""

    def run():
        init = Initializer(normal(std=1.0), seed=SEEDS[kind]())
        configs = [json.loads(json.dumps(init.get_config())) for _ in range(2)]
        copies = [Initializer.from_config(config) for config in configs]
        copies.append(Initializer.from_config(copies[0].get_config()))
        return np.stack([draw((50,)).numpy() for draw in (init, init, *copies, *copies)])

    drawn = run()
    assert len(np.unique(drawn)) == drawn.size
    assert np.array_equal(run(), drawn)


@pytest.mark.parametrize("kind", SEEDS)
def test_a_configuration_changes_nothing(kind):
    """Neither what is drawn next nor a user's generator: Keras asks for it whenever it saves."""
    seed = SEEDS[kind]()
    init = Initializer(normal(std=1.0), seed=seed)
    state = seed.state.numpy() if hasattr(seed, "state") else None
    config = init.get_config()
    assert init.get_config() == config
    assert Initializer.from_config(config).get_config() == config
    assert state is None or np.array_equal(seed.state.numpy(), state)
    drawn = init((8,)).numpy()
    assert np.array_equal(Initializer(normal(std=1.0), seed=SEEDS[kind]())((8,)).numpy(), drawn)


@pytest.mark.parametrize("kind", SEEDS)
def test_a_copy_elsewhere_starts_anew(kind):
    """As in another process, where the object and its generator are not."""
    config = Initializer(normal(std=1.0), seed=SEEDS[kind]()).get_config()
    gc.collect()
    one, other = (Initializer.from_config({**config, "copy_of": name}) for name in "ab")
    first = one((8,)).numpy()
    assert np.array_equal(first, other((8,)).numpy())
    assert not np.isin(Initializer.from_config(one.get_config())((8,)).numpy(), first).any()


@pytest.mark.parametrize("kind", SEEDS)
def test_layers_that_shared_an_object_still_differ_when_it_is_gone(kind):
    model = _sequential(Initializer(normal(std=1.0), seed=SEEDS[kind]()))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    del model
    gc.collect()
    kernels = np.stack(_kernels(keras.saving.deserialize_keras_object(config)))
    assert len(np.unique(kernels)) == kernels.size


@pytest.mark.parametrize("kind", SEEDS)
def test_a_deep_copy_is_a_copy(kind):
    init = Initializer(normal(std=1.0), seed=SEEDS[kind]())
    assert not np.isin(copy.deepcopy(init)((50,)).numpy(), init((50,)).numpy()).any()


def test_objects_of_one_seed_are_independent_if_laws_or_shapes_differ():
    """Keras' values would be proportional."""
    drawn = [
        Initializer(scheme, axes, seed=1)(shape).numpy().ravel()[:2000]
        for scheme, axes, shape in [
            (he_uniform(), IN_OUT, (50, 60)),
            (glorot_uniform(), IN_OUT, (50, 60)),
            (he_uniform(), IN_OUT, (50, 40)),
            (truncated_normal(std=1.0), None, (50, 60)),
        ]
    ]
    correlations = np.corrcoef([*drawn, *(abs(values) for values in drawn)])[:4, :4]
    assert np.abs(correlations - np.eye(4)).max() < 5 / math.sqrt(2000)
    theirs = [init(seed=1)((50, 60)).numpy().ravel() for init in (
        keras.initializers.HeUniform, keras.initializers.GlorotUniform)]  # fmt: skip
    assert np.corrcoef(theirs)[0, 1] > 0.999


@pytest.mark.parametrize("other", [[3, 4 + 2**32], [3 + 2**40, 4], [4, 3], [-3, 4]])
def test_a_seed_of_tensorflow_counts_with_all_its_bits(other):
    one, two = (
        Initializer(normal(std=1.0), seed=tf.constant(seed, tf.int64))((50,)).numpy()
        for seed in ([3, 4], other)
    )
    assert not np.isin(one, two).any()


def _kernels(model):
    return [v.numpy() for v in model.trainable_variables if v.name == "kernel"]


def _attention(init):
    layer = keras.layers.MultiHeadAttention(2, 4, kernel_initializer=init)
    layer.build((None, 5, 8), (None, 5, 8))
    return _kernels(layer)[:3]


def _bidirectional(init):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(4, kernel_initializer=init))
    layer.build((None, 5, 8))
    return _kernels(layer)


def _sequential(init):
    dense = [keras.layers.Dense(8, kernel_initializer=init) for _ in range(3)]
    return keras.Sequential([keras.Input((8,)), *dense])


MODELS = {
    "attention": _attention,
    "bidirectional": _bidirectional,
    "sequential": lambda init: _kernels(_sequential(init)),
    "cloned": lambda init: _kernels(keras.models.clone_model(_sequential(init))),
    "from-config": lambda init: _kernels(keras.Sequential.from_config(_sequential(init).get_config())),
    "from-json": lambda init: _kernels(keras.models.model_from_json(_sequential(init).to_json())),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("model", MODELS)
def test_weights_that_one_object_draws_differ(model, kind):
    """Keras copies an object for each projection, half or layer, by its configuration."""
    kernels = np.stack(MODELS[model](Initializer(normal(std=1.0), seed=SEEDS[kind]())))
    assert len(np.unique(kernels)) == kernels.size


def test_the_check_of_copies_sees_keras():
    """Whose projections are equal if its initializer has a seed (Keras 3.15.1)."""
    kernels = np.stack(_attention(keras.initializers.RandomNormal(seed=7)))
    assert len(np.unique(kernels)) == kernels.size / 3


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # in Keras' own writer
def test_a_model_that_uses_one_is_saved_and_loaded(tmp_path):
    init = Initializer(he_normal(), IN_OUT, seed=3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=init)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0].kernel_initializer, Initializer)
    assert np.array_equal(loaded.get_weights()[0], model.get_weights()[0])
