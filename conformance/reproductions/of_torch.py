"""Defects of `torch.nn.init`."""

import math
import warnings

import torch
from judge import outcome, std_over, worst_singular_value  # beside this file
from torch.nn import init


def defects():
    torch.manual_seed(0)
    grouped = init.xavier_normal_(torch.nn.Conv2d(64, 128, 3, groups=4).weight).detach()
    expected = math.sqrt(2 / (16 * 9 + 32 * 9))
    yield "Glorot's std of a grouped kernel, over that of its fans", std_over(grouped, expected), 1
    up = init.kaiming_normal_(torch.nn.ConvTranspose2d(64, 32, 4, stride=2).weight).detach()
    expected = math.sqrt(2 / (64 * 16 / 4))
    yield "He's std of a transposed kernel, over that of its fans", std_over(up, expected), 1
    experts = init.kaiming_normal_(torch.empty(8, 64, 256))
    yield "He's std of stacked experts", std_over(experts, math.sqrt(2 / 256)), 1
    gates = init.orthogonal_(torch.empty(4 * 64, 64))
    yield "worst singular value of an orthogonal gate", worst_singular_value(gates[:64]), 1
    whole, alone = (
        init.kaiming_normal_(torch.empty(n, 65), generator=torch.Generator().manual_seed(1))
        for n in (195, 65)
    )
    yield "q of q, k and v is that of q alone", torch.equal(whole[:65], alone), True
    disc = init.uniform_(torch.empty(10_000, dtype=torch.complex64), -1, 1)
    yield "a complex uniform law keeps to its disc", bool(disc.abs().max() <= 1), True
    yield "center of a Dirac kernel of 4", int(init.dirac_(torch.empty(1, 1, 4)).argmax()), 1
    low = init.uniform_(torch.empty(1_000_000, dtype=torch.bfloat16), -0.05, 0.05)
    yield "a bfloat16 uniform law keeps its bound", low.min().item() >= -0.05, True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        infinite = outcome(lambda: init.normal_(torch.empty(2, 2), std=math.inf))
    yield "an infinite std", infinite, "ValueError"
