"""Defects of tinygrad's `Tensor` initializers."""

import math

from judge import different, outcome, std_over  # beside this file
from tinygrad import Tensor, dtypes


def defects():
    Tensor.manual_seed(0)
    kernel = Tensor.glorot_uniform(128, 64, 3, 3).numpy()
    expected = math.sqrt(2 / (64 * 9 + 128 * 9))
    yield "Glorot's std of a kernel, over that of its fans", std_over(kernel, expected), 1
    experts = Tensor.kaiming_normal(8, 64, 256, a=0.0).numpy()
    yield "He's std of stacked experts", std_over(experts, math.sqrt(2 / 256)), 1
    draws = []
    for n in (192, 64):
        Tensor.manual_seed(1)
        draws.append(Tensor.kaiming_normal(n, 64).numpy()[:64])
    yield "q of q, k and v is that of q alone", bool((draws[0] == draws[1]).all()), True
    low = Tensor.uniform(1_000_000, low=3.0, high=4.0, dtype=dtypes.float16).numpy()
    yield "an excluded end of 4 is not drawn", bool(low.max() < 4), True
    low = Tensor.uniform(1_000_000, low=-1.0, high=1.0, dtype=dtypes.float16).numpy()
    yield "different values of a float16 uniform law, above 4096", different(low) > 4096, True
    counters = str({k: v.tolist() for k, v in Tensor._device_rng_counters.items()})
    Tensor.normal(4, 4).numpy()
    after = str({k: v.tolist() for k, v in Tensor._device_rng_counters.items()})
    yield "the global state is left alone", counters == after, True
    nan = outcome(lambda: Tensor.normal(2, 2, std=math.nan).numpy())
    yield "a std that is no number", nan, "ValueError"
