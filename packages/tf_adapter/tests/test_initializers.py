"""The drop-in: Keras' names, signatures and laws; and where it is right and Keras is not."""

import copy
import inspect
import math
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import initializers
from scipy import stats

from fanwise import SourceError

SHAPE = (5, 3, 64, 32)
RANDOM = ["RandomNormal", "TruncatedNormal", "RandomUniform", "VarianceScaling", "GlorotUniform",
          "GlorotNormal", "LecunUniform", "LecunNormal", "HeUniform", "HeNormal", "Orthogonal"]  # fmt: skip
KAPPA = stats.truncnorm.std(-2, 2)


def centered(bound):
    return stats.uniform(-bound, 2 * bound)


def truncated(std):
    return stats.truncnorm(-2, 2, scale=std / KAPPA)


def p_value(array, law):
    return stats.kstest(np.asarray(array, dtype=np.float64).ravel(), law.cdf).pvalue


def test_all_names_are_keras():
    native = {name for name in dir(keras.initializers) if not name.startswith("_")}
    assert set(initializers.__all__) == native
    assert list(initializers.__all__) == sorted(native)


@pytest.mark.parametrize("name", RANDOM)
def test_signatures_and_types_are_keras(name):
    ours, theirs = getattr(initializers, name), getattr(keras.initializers, name)
    assert issubclass(ours, theirs)
    assert inspect.signature(ours.__init__) == inspect.signature(theirs.__init__)


CASES = {
    "RandomNormal": ({"mean": 1.0, "stddev": 0.5}, stats.norm(1, 0.5)),
    "TruncatedNormal": (
        {"mean": 1.0, "stddev": 0.5},
        stats.truncnorm(-2, 2, loc=1, scale=0.5),
    ),
    "RandomUniform": ({}, centered(0.05)),
    "GlorotUniform": ({}, centered(math.sqrt(6 / (15 * 96)))),
    "GlorotNormal": ({}, truncated(math.sqrt(2 / (15 * 96)))),
    "LecunUniform": ({}, centered(math.sqrt(3 / (15 * 64)))),
    "LecunNormal": ({}, truncated(math.sqrt(1 / (15 * 64)))),
    "HeUniform": ({}, centered(math.sqrt(6 / (15 * 64)))),
    "HeNormal": ({}, truncated(math.sqrt(2 / (15 * 64)))),
    "HeNormal-axes": ({"input_axes": [0], "output_axes": [1, 2]}, truncated(math.sqrt(2 / 5))),
    "VarianceScaling-normal": ({"distribution": "normal"}, truncated(math.sqrt(1 / (15 * 64)))),
    "VarianceScaling-out": (
        {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"},
        stats.norm(0, math.sqrt(3 / (15 * 32))),
    ),
}


TAKES_AXES = "input_axes" in inspect.signature(keras.initializers.HeNormal.__init__).parameters
if not TAKES_AXES:
    del CASES["HeNormal-axes"]


@pytest.mark.parametrize("case", CASES)
def test_laws_are_keras(case):
    """False-alarm rate: 1e-6 for each case, with a fixed seed; and Keras' own follow the same."""
    options, law = CASES[case]
    for module in (initializers, keras.initializers):
        init = getattr(module, case.partition("-")[0])(**options, seed=1337)
        assert p_value(init(SHAPE), law) > 1e-6


@pytest.mark.parametrize("name", RANDOM)
def test_an_integer_seed_draws_the_same_at_every_call_and_a_generator_does_not(name):
    make = getattr(initializers, name)
    init = make(seed=1337)
    assert np.array_equal(init((8, 8)).numpy(), init((8, 8)).numpy())
    generated = make(seed=keras.random.SeedGenerator(1337))
    assert not np.isin(generated((8, 8)).numpy(), generated((8, 8)).numpy()).any()


@pytest.mark.parametrize("name", RANDOM)
def test_an_object_without_a_seed_draws_anew_and_follows_set_random_seed(name):
    """The reference's D31: Keras' own draws the same again."""

    def drawn(module):
        keras.utils.set_random_seed(5)
        init = getattr(module, name)()
        return [init((8, 8)).numpy() for _ in range(2)]

    first, second = drawn(initializers)
    assert not np.isin(first, second).any()
    assert np.array_equal(first, drawn(initializers)[0])
    native = drawn(keras.initializers)
    assert np.array_equal(*native)


@pytest.mark.parametrize("name", RANDOM)
def test_configurations_are_keras(name):
    init = getattr(initializers, name)(seed=1337)
    assert init.get_config() == getattr(keras.initializers, name)(seed=1337).get_config()
    for revived in (
        initializers.deserialize(initializers.serialize(init)),
        keras.initializers.deserialize(keras.initializers.serialize(init)),
        init.clone(),
    ):
        assert type(revived) is type(init)
        assert revived.get_config() == init.get_config()
        assert np.array_equal(revived((4, 6)).numpy(), init((4, 6)).numpy())


@pytest.mark.parametrize(
    "name", ["he_normal", "HeNormal", "orthogonal", "uniform", "normal", "zeros"]
)
def test_get_by_name_has_these_classes(name):
    found = initializers.get(name)
    assert type(keras.initializers.get(name)) in type(found).__mro__
    assert isinstance(found, keras.initializers.Initializer)
    if name not in ("zeros",):
        assert type(found).__module__ == "fanwise_tf.initializers"


def test_get_by_other_things():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    config = {"class_name": "HeNormal", "config": {"seed": 3}}
    assert isinstance(initializers.get(config), initializers.HeNormal)
    tensor = np.ones((2, 2), np.float32)
    assert np.array_equal(initializers.get(tensor)((2, 2)), tensor)
    for unknown in ("no_such", {"class_name": "no_such", "config": {}}):
        with pytest.raises(ValueError, match="no_such"):
            initializers.get(unknown)


@pytest.mark.parametrize(("make", "name"), [
    (lambda number: initializers.RandomNormal(number), "mean"),
    (lambda number: initializers.TruncatedNormal(0.0, number), "stddev"),
    (lambda number: initializers.RandomUniform(0.0, number), "maxval"),
    (lambda number: initializers.Orthogonal(number), "gain"),
])  # fmt: skip
def test_numbers_are_known_when_a_function_is_traced(make, name):
    traced = tf.function(lambda number: make(number)((3, 4)), autograph=False)
    with pytest.raises(ValueError, match=f"`{name}` must be one number that is known when it is"):
        traced(tf.constant(1.0))
    assert make(tf.constant(1.0))((3, 4)).shape == (3, 4)


def test_names_that_are_deserialized_are_of_these_classes():
    assert type(initializers.deserialize("he_normal")) is initializers.HeNormal
    config = {"class_name": "HeNormal", "config": {"seed": 3}}
    assert type(initializers.deserialize(config)) is initializers.HeNormal
    mine = {"HeNormal": keras.initializers.Zeros}
    assert type(initializers.deserialize(config | {"config": {}}, mine)) is keras.initializers.Zeros
    with keras.saving.custom_object_scope(mine):
        assert type(initializers.get("HeNormal")) is keras.initializers.Zeros
    assert type(initializers.get("HeNormal")) is initializers.HeNormal


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float16"])
@pytest.mark.parametrize("make", [initializers.Zeros, initializers.Ones, initializers.Identity,
                                  lambda: initializers.Constant(3)])  # fmt: skip
def test_constants_in_every_dtype(make, dtype):
    drawn = make()((2, 2), dtype)
    assert drawn.dtype.name == dtype
    config = make().get_config()
    expected = type(make()).__mro__[2](**config)((2, 2))
    assert np.array_equal(tf.cast(drawn, tf.float32).numpy(), expected.numpy())


def test_seeds_count_with_all_their_bits():
    one, two = (initializers.RandomNormal(seed=s)((50,)).numpy() for s in (3, 3 + 2**40))
    assert not np.isin(one, two).any()


@pytest.mark.parametrize("shape", [(5,), (), (0, 4), (4, 0)])
def test_fans_of_few_axes_or_elements_are_keras(shape):
    for module in (initializers, keras.initializers):
        drawn = module.VarianceScaling(1.0, "fan_in", "uniform", seed=0)(shape).numpy()
        assert drawn.shape == shape
        if 0 in shape:
            assert module.Orthogonal(seed=0)(shape).shape == shape
        else:
            assert (abs(drawn) <= (3 / math.prod(shape)) ** 0.5).all()


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("RandomNormal", {"stddev": 0.0}, 0.0),
        ("RandomNormal", {"mean": 2.0, "stddev": 0.0}, 2.0),
        ("TruncatedNormal", {"mean": 2.0, "stddev": 0.0}, 2.0),
        ("RandomUniform", {"minval": 1.5, "maxval": 1.5}, 1.5),
        ("Orthogonal", {"gain": 0.0}, 0.0),
    ],
)
def test_a_law_of_one_value(name, options, value):
    for module in (initializers, keras.initializers):
        assert (getattr(module, name)(**options, seed=0)((4, 4)).numpy() == value).all()


def test_shapes_of_tensorflow():
    for shape in ([2, 3], tf.TensorShape([2, 3]), tf.constant([2, 3])):
        assert initializers.RandomNormal(seed=0)(shape).shape == (2, 3)
    for shape in ((2.5, 3), 3):
        with pytest.raises(ValueError, match=r"`shape` must be integers .*, got"):
            initializers.RandomNormal(seed=0)(shape)
    traced = tf.function(lambda n: initializers.RandomNormal(seed=0)((n, 3)), autograph=False)
    with pytest.raises(
        ValueError, match="`shape` must be integers that are known when it is traced, got"
    ):
        traced(tf.constant(2))


def test_orthogonal_flattens_the_first_axes():
    drawn = initializers.Orthogonal(2.0, seed=0)((3, 4, 5)).numpy().reshape(12, 5)
    np.testing.assert_allclose(drawn.T @ drawn, 4 * np.eye(5), atol=1e-5)


@pytest.mark.skipif(not TAKES_AXES, reason="this Keras has no axes in its initializers")
def test_einsum_dense_sees_a_variance_scaling():
    """Which then has the axes of the equation, as with Keras' own."""
    layer = keras.layers.EinsumDense(
        "abc,cde->abde", (None, 8, 64), kernel_initializer=initializers.HeUniform(seed=0)
    )
    layer.build((None, 5, 32))
    assert p_value(layer.kernel.numpy(), centered(math.sqrt(6 / 32))) > 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.VarianceScaling(scale=-1), "`scale` must be positive"),
        (lambda: initializers.VarianceScaling(mode="fan"), "Invalid `mode`"),
        (lambda: initializers.VarianceScaling(distribution="gamma"), "Invalid `distribution`"),
        (lambda: initializers.Orthogonal(seed=0)((5,)), "at least two-dimensional"),
        (lambda: initializers.RandomNormal(seed="1"), "SeedGenerator"),
        (lambda: initializers.RandomUniform(1.0, -1.0, seed=0)((3,)), "`low` must be below"),
        (lambda: initializers.RandomNormal(stddev=-1.0, seed=0)((3,)), "`std` must be positive"),
    ],
)
def test_errors_are_value_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# What Keras gets wrong, shown, and what the drop-in does instead (docs/differences.md).


def test_bfloat16_is_unbiased():
    def off(module):
        init = module.GlorotUniform(seed=1)
        values = init((256, 4096), "bfloat16").numpy().astype(np.float64)
        return abs(values.mean()) / values.std() * math.sqrt(values.size)

    assert off(initializers) < 5 < off(keras.initializers)


def test_bounds_hold_in_bfloat16():
    def highest(module):
        return module.RandomUniform(3.0, 4.0, seed=1)((100_000,), "bfloat16").numpy().max()

    assert highest(initializers) < 4 == highest(keras.initializers)


def test_orthogonal_in_bfloat16_where_keras_raises():
    with pytest.raises(Exception, match="bfloat16"):
        keras.initializers.Orthogonal(seed=1)((8, 8), "bfloat16")
    drawn = initializers.Orthogonal(seed=1)((8, 8), "bfloat16").numpy().astype(np.float32)
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(8), atol=0.05)


def test_one_seed_for_two_laws_or_shapes_gives_independent_values():
    """Keras' |normal| and uniform of one seed are correlated, and shapes share a prefix."""

    def correlation(module):
        one = module.RandomNormal(seed=1)((10_000,)).numpy()
        other = module.RandomUniform(seed=1)((10_000,)).numpy()
        return abs(stats.spearmanr(np.abs(one), other).statistic)

    assert correlation(initializers) < 0.05
    short, long = (initializers.HeNormal(seed=1)((n, 4)).numpy().ravel() for n in (4, 8))
    assert not np.isin(short, long).any()
    assert correlation(keras.initializers) > 0.2


@pytest.mark.parametrize("seed", [2**64, -1])
def test_seeds_out_of_range_are_errors(seed):
    """They were taken modulo 2**64: 2**64 was 0, and -1 was 2**64 - 1."""
    with pytest.raises(SourceError, match="`seed` must be"):
        initializers.RandomNormal(seed=seed)((3,))


def test_copies_of_all_kinds_go_on_alike():
    for copied in (copy.deepcopy, lambda init: pickle.loads(pickle.dumps(init))):
        init = initializers.RandomNormal()
        init((3,))
        other = copied(init)
        assert np.array_equal(init((5,)).numpy(), other((5,)).numpy())


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # in Keras' own writer
def test_a_saved_model_is_not_loaded_as_keras_own_in_silence(tmp_path):
    layer = keras.layers.Dense(3, kernel_initializer=initializers.HeNormal(seed=0))
    keras.Sequential([keras.Input((4,)), layer]).save(tmp_path / "model.keras")
    code = (
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        f"import keras; keras.saving.load_model({str(tmp_path / 'model.keras')!r})"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert run.returncode
    assert "Could not interpret initializer identifier: {'module': 'fanwise_tf.init" in run.stderr
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0].kernel_initializer) is initializers.HeNormal
