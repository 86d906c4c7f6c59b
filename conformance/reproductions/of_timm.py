"""Defects of `timm.layers`' initializers."""

import math

import torch
from judge import outcome, std_over  # beside this file
from timm.layers import lecun_normal_, trunc_normal_


def defects():
    torch.manual_seed(0)
    far = trunc_normal_(torch.empty(1_000_000), a=4.5, b=9.0)
    yield "largest of a normal law cut to [4.5, 9], above 5.5", float(far.max()) > 5.5, True
    low = trunc_normal_(torch.empty(1_000_000, dtype=torch.bfloat16)).double()
    within = abs(low.mean().item()) < 6 * 0.88 / 1000
    yield "the mean of a bfloat16 cut normal law is 0, within 6 standard errors", within, True
    before = torch.get_rng_state()
    lecun_normal_(torch.empty(4, 4))
    left = torch.equal(before, torch.get_rng_state())
    yield "the global generator is left alone", left, True
    experts = torch.empty(8, 64, 256)
    lecun_normal_(experts)
    yield "LeCun's std of stacked experts", std_over(experts, math.sqrt(1 / 256)), 1
    infinite = outcome(lambda: trunc_normal_(torch.empty(2, 2), std=math.inf))
    yield "an infinite std", infinite, "ValueError"
