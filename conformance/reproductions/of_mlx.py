"""Defects of `mlx.nn.init`."""

import math

import mlx.core as mx
import numpy as np
from judge import different, outcome, std_over, worst_singular_value  # beside this file
from mlx.nn import init


def defects():
    mx.random.seed(0)
    he = init.he_normal()(mx.zeros((500, 1000)))
    yield "He's std, over that of its fan", std_over(he, math.sqrt(2 / 1000)), 1
    grouped = init.glorot_normal()(mx.zeros((128, 3, 3, 16)))
    expected = math.sqrt(2 / (16 * 9 + 32 * 9))
    yield "Glorot's std of a grouped kernel, over that of its fans", std_over(grouped, expected), 1
    gates = np.array(init.orthogonal()(mx.zeros((4 * 64, 64))))
    yield "worst singular value of an orthogonal gate", worst_singular_value(gates[:64]), 1
    draws = []
    for n in (192, 64):
        mx.random.seed(1)
        draws.append(np.array(init.he_normal()(mx.zeros((n, 64))))[:64])
    yield "q of q, k and v is that of q alone", bool((draws[0] == draws[1]).all()), True
    low = init.uniform(3.0, 4.0, mx.bfloat16)(mx.zeros((1_000_000,))).astype(mx.float32)
    yield "an excluded end of 4 is not drawn", float(low.max()) < 4, True
    low = init.uniform(-1.0, 1.0, mx.bfloat16)(mx.zeros((1_000_000,))).astype(mx.float32)
    many = different(low)
    yield "different values of a bfloat16 uniform law, above 1000", many > 1000, True
    draws = []
    for dtype in (mx.float32, mx.float16):
        mx.random.seed(1)
        draws.append(init.normal(0.0, 1.0, dtype)(mx.zeros((100, 100))).astype(mx.float16))
    yield "float16 values are those of float32, rounded", bool((draws[0] == draws[1]).all()), True
    before = np.array(mx.random.state[0])
    init.normal()(mx.zeros((4, 4)))
    left = bool((before == np.array(mx.random.state[0])).all())
    yield "the global state is left alone", left, True
    nan = outcome(lambda: mx.eval(init.normal(0.0, math.nan)(mx.zeros((2, 2)))))
    yield "a std that is no number", nan, "ValueError"
