"""Defects of `keras.initializers` on TensorFlow."""

import math

import keras
import numpy as np
import tensorflow as tf
from judge import different, outcome, std_over, worst_singular_value  # beside this file
from keras import initializers as init


def defects():
    glorot = np.asarray(init.GlorotNormal(seed=0)((1000, 1000)))
    beyond = bool((np.abs(glorot) > 2.5 * glorot.std()).any())
    yield "Glorot's normal law has values beyond 2.5 stds", beyond, True
    layer = keras.layers.Conv2D(128, 3, groups=4, kernel_initializer=init.GlorotNormal(seed=0))
    layer.build((None, 8, 8, 64))
    expected = math.sqrt(2 / (16 * 9 + 32 * 9))
    ratio = std_over(layer.kernel.numpy(), expected)
    yield "Glorot's std of a grouped kernel, over that of its fans", ratio, 1
    layer = keras.layers.LSTM(64)
    layer.build((None, 5, 64))
    gate = layer.cell.recurrent_kernel.numpy()[:, :64]
    yield "worst singular value of an orthogonal gate", worst_singular_value(gate), 1
    whole, alone = (init.HeNormal(seed=0)((64, n)).numpy() for n in (192, 64))
    yield "q of q, k and v is that of q alone", bool((whole[:, :64] == alone).all()), True
    low = init.RandomUniform(3.0, 4.0, seed=1)((1_000_000,), "bfloat16").numpy()
    yield "an excluded end of 4 is not drawn", bool(low.max() < 4), True
    many = different(init.RandomUniform(0.0, 1.0, seed=1)((1_000_000,), "bfloat16").numpy())
    yield "different values of a bfloat16 uniform law, above 1000", many > 1000, True
    raised = outcome(lambda: init.Orthogonal(seed=1)((4, 4), "bfloat16"))
    yield "an orthogonal matrix of bfloat16", raised, "drawn"

    def draw():
        return init.RandomNormal(seed=1)((8, 8))

    same = bool(np.allclose(draw(), tf.function(draw, jit_compile=True)()))
    yield "compiled by XLA, the values are the same", same, True
    nan = outcome(lambda: init.RandomNormal(stddev=math.nan, seed=1)((2, 2)))
    yield "a std that is no number", nan, "ValueError"
