"""Defects of `jax.nn.initializers`."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers as init
from judge import different, outcome, std_over, worst_singular_value  # beside this file


def defects():
    key = jax.random.key(0)
    glorot = np.asarray(init.glorot_normal()(key, (1000, 1000)))
    beyond = bool((np.abs(glorot) > 2.5 * glorot.std()).any())
    yield "Glorot's normal law has values beyond 2.5 stds", beyond, True
    grouped = init.glorot_normal()(key, (3, 3, 16, 128))
    expected = math.sqrt(2 / (16 * 9 + 32 * 9))
    yield "Glorot's std of a grouped kernel, over that of its fans", std_over(grouped, expected), 1
    experts = init.he_normal()(key, (8, 256, 64))
    yield "He's std of stacked experts", std_over(experts, math.sqrt(2 / 256)), 1
    gates = init.orthogonal()(key, (64, 4 * 64))
    yield "worst singular value of an orthogonal gate", worst_singular_value(gates[:, :64]), 1
    whole, alone = (init.he_normal()(key, (64, n)) for n in (192, 64))
    yield "q of q, k and v is that of q alone", bool((whole[:, :64] == alone).all()), True
    many = different(init.normal(1.0)(key, (1000, 1000), jnp.bfloat16).astype(float))
    yield "different values of a bfloat16 normal law, above 1000", many > 1000, True
    rounded = init.normal(1.0)(key, (100, 100), jnp.float32).astype(jnp.float16)
    half = init.normal(1.0)(key, (100, 100), jnp.float16)
    yield "float16 values are those of float32, rounded", bool((rounded == half).all()), True
    z = np.asarray(init.he_normal()(key, (1000, 2000), jnp.complex64))
    variance = round(float((np.abs(z) ** 2).mean() * 1000 / 2), 3)
    yield "variance of He's complex normal law", variance, 1
    nan = outcome(lambda: init.normal(math.nan)(key, (2, 2)))
    yield "a std that is no number", nan, "ValueError"
