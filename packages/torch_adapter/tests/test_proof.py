"""The fans of a plan, proven in the model: at every operation that a weight takes part in.

Weights of variance v that are drawn for a model make outputs of a mean square of v times the sum of
the squares of the inputs that feed them, and so with gradients backwards. The sums are measured by
the operation itself: on squared inputs, and with the variances in place of the weights. How many
inputs feed an output is measured likewise, with ones. False alarms: 1e-6 for each weight.
"""

import math

import pytest
import torch
from fanwise_torch import declare, init_model_, structure
from own_models import EXAMPLE, Experts, Model, Scanned, Transposed
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from fanwise import Axes, Declaration, Recipe, Rule, he_normal, normal

pytestmark = [pytest.mark.global_generator, pytest.mark.clause("recipes/17", "fans/1")]

WORST = 5.0  # standard errors

aten = torch.ops.aten
PLACES = {  # of the input and the weight; either may be the weight
    aten.mm.default: ((0, 1), (1, 0)),
    aten.bmm.default: ((0, 1), (1, 0)),
    aten.addmm.default: ((1, 2), (2, 1)),
    aten.convolution.default: ((0, 1),),
}


class Proof(TorchDispatchMode):
    """Within, what comes out of every weight is measured."""

    def __init__(self, model, ledger):
        super().__init__()
        self.storages, self.variances, self.fans, self.found, self.calls = {}, {}, {}, {}, []
        for entry in ledger.entries:
            if entry.plan is None or entry.plan.axes is None or entry.parameter.kind != "weight":
                continue
            tensor = model.get_parameter(entry.path)
            variances = torch.zeros(tensor.shape, dtype=torch.float64)
            for part in entry.plan.parts:
                box = [slice(b, b + n) for b, n in zip(part.start, part.shape, strict=True)]
                variances[tuple(box)] = part.law.variance
            key = tensor.untyped_storage().data_ptr()
            self.storages[key], self.variances[entry.path] = entry.path, variances
            self.fans[entry.path] = {
                (float(part.fans.fan_in), float(part.fans.fan_out)) for part in entry.plan.parts
            }

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for place, weight in PLACES.get(func, ()):
            path = self.storages.get(args[weight].untyped_storage().data_ptr())
            if path is not None:
                self.calls.append((func, args, place, weight, path))
        return result

    def __exit__(self, *args):
        super().__exit__(*args)
        for call in self.calls:  # below the mode, there are no gradients
            self.measure(*call)

    def measure(self, func, args, place, weight, path):
        def run(inputs, weights):
            given = list(args)
            given[place], given[weight] = inputs, weights
            if func is aten.addmm.default:
                return aten.mm.default(*given[1:])
            if func is aten.convolution.default:
                given[2] = None
            return func(*given)

        own, x = args[weight].double(), args[place].double()
        how = (args[weight].shape, args[weight].stride(), args[weight].storage_offset())
        variances = self.variances[path].as_strided(*how)
        with torch.enable_grad():
            ones = torch.ones_like(x, requires_grad=True)
            counts = run(ones, torch.ones_like(own))
            (back,) = torch.autograd.grad(counts.sum(), ones)
            y = run(x.requires_grad_(), own)
            signal = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
            (gradient,) = torch.autograd.grad((y * signal).sum(), x)
            expected = run(x.detach() ** 2, variances)
            squares = torch.zeros_like(x, requires_grad=True)
            (backwards,) = torch.autograd.grad((run(squares, variances) * signal**2).sum(), squares)
        self.found.setdefault(path, []).append(
            {
                "inputs": counts.max().item(),
                "outputs": back.max().item(),
                "forward": score(y.detach() ** 2, expected),
                "backward": score(gradient**2, backwards),
            }
        )


def score(squares, expected):
    """How many standard errors the mean square is off; units are independent, given the inputs.

    The units are along the axis of the most independent numbers: the estimate takes them all.
    """
    if expected.sum() == 0:
        return 0.0
    axis = 1 if squares.dim() > 2 else squares.dim() - 1
    off = (squares - expected).movedim(axis, 0).reshape(squares.shape[axis], -1).sum(1)
    return (off.sum() / (off.std() * math.sqrt(len(off)))).item()


def prove(model, example, scheme=None, **options):
    """Draw a model by its plan, and measure every weight; return what is wrong."""
    scheme = scheme or he_normal()
    recipe = Recipe([Rule(scheme), *options.pop("rules", ())])
    ledger = init_model_(model, recipe, seed=0, example=example, **options)
    proof, args = Proof(model, ledger), example if isinstance(example, tuple) else (example,)
    with torch.no_grad(), proof:
        model(*args)
    wrong = [f"{path} was not seen" for path in proof.fans if path not in proof.found]
    for path, all_found in proof.found.items():
        for found in all_found:
            fans_in = {fan_in for fan_in, _ in proof.fans[path]}
            fans_out = {fan_out for _, fan_out in proof.fans[path]}
            if found["inputs"] not in fans_in:
                wrong.append(f"{path}: {found['inputs']:g} inputs, planned {fans_in}")
            blocks = len(structure_of(ledger, path).plan.parts)
            if found["outputs"] not in {fan * n for fan in fans_out for n in (1, blocks)}:
                wrong.append(f"{path}: {found['outputs']:g} outputs, planned {fans_out}")
            wrong += [
                f"{path}: {way} {found[way]:+.1f}"
                for way in ("forward", "backward")
                if not abs(found[way]) < WORST
            ]
    return wrong


def structure_of(ledger, path):
    return next(entry for entry in ledger.entries if entry.path == path)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.norm, self.grouped = nn.BatchNorm2d(32), nn.Conv2d(32, 64, 3, groups=4)
        self.depthwise = nn.Conv2d(64, 64, 5, groups=64, padding=2)
        self.up = nn.ConvTranspose2d(64, 32, 3)
        self.head = nn.Linear(32, 64)

    def forward(self, x):
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.gelu(self.depthwise(self.grouped(x)))
        return self.head(self.up(x).mean((2, 3)))


def images():
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def rows(width=16, count=64):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("make", "example"),
    [
        (lambda: Model(native=True), EXAMPLE),
        (lambda: Model(native=False), EXAMPLE),
        (Convolutions, images()),
        (Experts, rows()),
        (Scanned, rows()),
        (lambda: nn.Sequential(Transposed(16, 48), nn.ReLU(), nn.Linear(48, 64)), rows()),
        (lambda: nn.TransformerEncoderLayer(16, 2, 64), torch.randn(5, 4, 16)),
    ],
)
def test_fans_are_what_the_model_computes(make, example):
    rules = [Rule(normal(std=0.5), kind=("position", "token"), optional=True)]
    assert prove(make(), example, rules=rules) == []


class Wrong(Transposed):
    """Declared the wrong way round."""

    def forward(self, x):
        return x @ self.weight + self.bias


declare.register(
    Wrong,
    lambda layer: {
        "weight": Declaration(Axes("out in")),
        "bias": Declaration(Axes("out"), "bias"),
    },
)


def test_a_wrong_fan_is_caught():
    wrong = prove(nn.Sequential(Wrong(16, 48)), rows())
    assert "0.weight: 16 inputs, planned {48.0}" in wrong
    assert "0.weight: 48 outputs, planned {16.0}" in wrong


def test_a_wrong_variance_is_caught():
    model, example = nn.Linear(64, 512), rows(64)
    ledger = init_model_(model, he_normal(), seed=0)
    with torch.no_grad():
        model.weight *= 1.1
    proof = Proof(model, ledger)
    with torch.no_grad(), proof:
        model(example)
    (found,) = proof.found["weight"]
    assert found["forward"] > WORST
    assert found["inputs"] == 64


def test_a_fused_weight_that_is_taken_for_one_is_caught():
    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(16, 48)

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            return (q @ k.mT).softmax(-1) @ v

    model = Fused()
    parts = structure(model, rows()).parameters[0]
    assert str(parts.axes) == "out in, blocks={out: 3}"
    assert prove(model, rows()) == []
