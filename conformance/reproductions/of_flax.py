"""Defects of Flax' layers."""

import math

import jax.numpy as jnp
from flax import nnx
from judge import different, outcome, std_over, worst_singular_value  # beside this file


def defects():
    how = {"rngs": nnx.Rngs(0)}
    init = nnx.initializers
    grouped = nnx.Conv(
        64, 128, (3, 3), feature_group_count=4, kernel_init=init.glorot_normal(), **how
    ).kernel[...]
    expected = math.sqrt(2 / (16 * 9 + 32 * 9))
    yield "Glorot's std of a grouped kernel, over that of its fans", std_over(grouped, expected), 1
    up = nnx.ConvTranspose(64, 32, (4, 4), (2, 2), kernel_init=init.he_normal(), **how).kernel[...]
    expected = math.sqrt(2 / (64 * 16 / 4))
    yield "He's std of a transposed kernel, over that of its fans", std_over(up, expected), 1
    glorot = nnx.Linear(1000, 1000, kernel_init=init.glorot_normal(), **how).kernel[...]
    beyond = bool((jnp.abs(glorot) > 2.5 * glorot.std()).any())
    yield "Glorot's normal law has values beyond 2.5 stds", beyond, True
    gates = nnx.OptimizedLSTMCell(64, 64, **how).dense_h.kernel[...]
    yield "worst singular value of an orthogonal gate", worst_singular_value(gates[:, :64]), 1
    whole, alone = (nnx.Linear(64, n, rngs=nnx.Rngs(0)).kernel[...] for n in (192, 64))
    yield "q of q, k and v is that of q alone", bool((whole[:, :64] == alone).all()), True
    narrow = nnx.Linear(1000, 1000, param_dtype=jnp.bfloat16, **how).kernel[...].astype(float)
    yield "different values of a bfloat16 kernel, above 1000", different(narrow) > 1000, True
    wide, half = (
        nnx.Linear(64, 64, param_dtype=dtype, rngs=nnx.Rngs(0)).kernel[...].astype(jnp.float16)
        for dtype in (jnp.float32, jnp.float16)
    )
    yield "float16 values are those of float32, rounded", bool((wide == half).all()), True
    z = nnx.Linear(1000, 2000, param_dtype=jnp.complex64, **how).kernel[...]
    variance = round(float((jnp.abs(z) ** 2).mean() * 1000), 3)
    yield "variance of LeCun's complex normal law", variance, 1
    nan = outcome(lambda: nnx.Linear(2, 2, kernel_init=init.normal(math.nan), **how))
    yield "a std that is no number", nan, "ValueError"
