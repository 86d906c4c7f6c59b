"""What modules compute says what their parameters are for, whatever their layers are called."""

import gc
import warnings

import pytest
import torch
from fanwise_torch import declare, init_model_, materialize_, plan_model, structure
from own_models import EXAMPLE, HEADS, TOKENS, WIDTH, Experts, Model, RMSNorm, Scanned
from torch import nn
from torch.nn import functional

from fanwise import (
    Axes,
    Declaration,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    Structure,
    constant,
    he_normal,
    normal,
    ones,
    zeros,
)

pytestmark = [
    pytest.mark.global_generator,  # constructing a layer draws from it
    pytest.mark.clause("recipes/17"),
]

EXPECTED = {
    "position": ("stack in out, one_hot=True", "position", None),
    "token": ("stack stack out", "token", None),
    "temperature": ("", "temperature", None),
    "embed.weight": ("in out, one_hot=True", "embedding", None),
    "blocks.0.gamma": ("out", "layer_scale", None),
    "blocks.0.norm.weight": ("out", "norm_scale", None),
    "blocks.0.qkv.weight": ("in out, blocks={out: 3}", "weight", "query+key+value"),
    "blocks.0.qkv.bias": ("out, blocks={out: 3}", "bias", None),
    "blocks.0.out.weight": ("out in", "weight", "attention_output residual_end"),
    "blocks.0.out.bias": ("out", "bias", None),
    "blocks.0.after.weight": ("out", "norm_scale", None),
    "blocks.0.gate_up.weight": ("out in, blocks={out: 2}", "weight", "gate+up"),
    "blocks.0.down.weight": ("out in", "weight", "down residual_end"),
    "blocks.0.down.bias": ("out", "bias", None),
    "norm.g": ("out", "norm_scale", None),
    "norm.b": ("out", "norm_bias", None),
    "head.weight": ("out in", "weight", "head"),
}


def seen(model, example):
    found = structure(model, example)
    assert found.faults == []
    return {p.path: (str(p.axes), p.kind, p.role) for p in found.parameters}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("native", [True, False])
def test_a_transformer_of_layers_of_ones_own(native, device):
    with torch.device(device):
        model = Model(native)
    found = seen(model, EXAMPLE)
    assert {path: found[path] for path in EXPECTED} == EXPECTED
    assert {path.replace("s.1.", "s.0.") for path in found} == set(EXPECTED)
    whole = structure(model, EXAMPLE)
    by_path = {p.path: p for p in whole.parameters}
    assert by_path["blocks.1.qkv.bias"].fans_of == "blocks.1.qkv.weight"
    assert by_path["blocks.1.down.weight"].branches == 4
    assert by_path["blocks.0.after.weight"].default == zeros()
    assert Structure.from_data(whole.to_data()) == whole


def test_one_line_starts_it():
    model = Model()
    ledger = init_model_(model, he_normal(), seed=0, example=EXAMPLE)
    by_path = {entry.path: entry for entry in ledger.entries}
    block = model.blocks[1]
    assert (block.norm.weight == 1).all()
    assert (block.after.weight == 0).all()
    assert (block.qkv.bias == 0).all()
    assert (block.gamma == 1e-5).all()
    assert model.temperature.item() == pytest.approx(2.659)
    assert [by_path[p].status for p in ("blocks.1.gamma", "temperature", "token")] == ["kept"] * 3
    fans = [
        (part.fans.fan_in, part.fans.fan_out) for part in by_path["blocks.0.qkv.weight"].plan.parts
    ]
    assert fans == [(WIDTH, WIDTH)] * 3
    assert by_path["blocks.0.qkv.weight"].known == "computation"


def test_a_ledger_that_was_planned_with_an_example_needs_it_no_more():
    with torch.device("meta"):
        model = Model()
    named = [Rule(constant(value=value), match=path)
             for path, value in (("*.gamma", 1e-5), ("temperature", 2.0))]  # fmt: skip
    tables = Rule(normal(std=0.02), kind=("position", "token", "embedding"))
    recipe = Recipe([*named, tables, Rule(he_normal())])
    with pytest.raises(RecipeError, match=r"must be known.*RMSNorm x"):
        plan_model(model, recipe)
    ledger = plan_model(model, recipe, example=EXAMPLE)
    materialize_(model, device="cpu")
    assert init_model_(model, ledger, seed=0) == ledger
    assert (model.blocks[0].norm.weight == 1).all()
    with pytest.raises(RecipeError, match=r"every parameter must match a rule.*gamma"):
        plan_model(model.to("meta"), Recipe([tables, Rule(he_normal())]), example=EXAMPLE)


def test_residual_branches_need_no_number():
    recipe = Recipe([Rule(normal(std=0.02).over_depth("branches"), role="residual_end"),
                     Rule(normal(std=0.02))])  # fmt: skip
    ledger = plan_model(Model(), recipe, example=EXAMPLE)
    stds = {entry.path: entry.plan.law.std for entry in ledger.entries if entry.rule is not None}
    assert stds["blocks.0.out.weight"] == pytest.approx(0.02 / 4**0.5)
    assert stds["blocks.1.down.weight"] == pytest.approx(0.02 / 4**0.5)
    assert stds["blocks.1.gate_up.weight"] == 0.02
    everywhere = Recipe([Rule(normal(std=0.02).over_depth("branches"))])
    with pytest.raises(ValueError, match="'branches' must be for a weight that ends"):
        plan_model(Model(), everywhere, example=EXAMPLE)


def test_it_says_from_which_operations_it_follows():
    lines = structure(Model(), EXAMPLE).explain("blocks.0.qkv.weight").splitlines()
    assert "weight, 'in out, blocks={out: 3}', query+key+value" in lines[0]
    assert lines[-1].startswith("%")
    assert "contraction" in lines[-1]
    assert lines[-1].endswith("# blocks.0.qkv")
    with pytest.raises(RecipeError, match=r"`path` must be one of 'position', .* got 'nothing'"):
        structure(Model(), EXAMPLE).explain("nothing")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_experts_in_one_array_that_values_choose(device):
    found = seen(Experts().to(device), torch.randn(20, WIDTH, device=device))
    assert found == {
        "router": ("out in", "weight", "router"),
        "gate_up": ("stack in out, blocks={out: 2}", "weight", "gate+up"),
        "down": ("stack in out", "weight", "down"),
    }


class Course(nn.Module):
    """Computes one way or another, by what `way` makes of an input and of its scores."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.scores, self.linear = nn.Linear(WIDTH, 3), nn.Linear(WIDTH, WIDTH)
        self.register_buffer("lengths", torch.tensor([2, 3]), persistent=False)

    def forward(self, x):
        return self.linear(self.way(self, x, self.scores(x)))


# What depends on the input and on buffers is computed.
COMPUTED = {
    "lengths of parts": lambda m, x, s: torch.cat(x.split(m.lengths.tolist())),
    "a number": lambda m, x, s: x[: int(m.lengths.max())],
    "changed in place": lambda m, x, s: x[: int(m.lengths.clone().view(2, 1)[0].add_(1))],
    "unique": lambda m, x, s: x[: len(m.lengths.unique())],
    "repeated": lambda m, x, s: x[:2].repeat_interleave(m.lengths, 0),
}


@pytest.mark.parametrize("way", COMPUTED.values(), ids=COMPUTED)
def test_the_course_that_inputs_and_buffers_lead_to_is_taken(way):
    model, x = Course(way), torch.randn(5, WIDTH)
    traced = structure(model, x).computation
    with torch.no_grad():
        assert traced.shapes[traced.outputs[0]] == model(x).shape


# Of what depends on parameters, every choice is taken.
CHOSEN = {
    "rows of a mask": lambda m, x, s: x[s.argmax(-1) == 0],
    "places of a mask": lambda m, x, s: x[torch.where(s.argmax(-1) == 0)[0]],
    "one of them": lambda m, x, s: x if s.sum() > 0 else x[:0],
    "as many as": lambda m, x, s: x[: int(s.argmax())],
    "numbers of a mask": lambda m, x, s: x.masked_select(s[:, :1] > 0).view(-1, WIDTH),
    "written over": lambda m, x, s: x[: int(m.lengths.clone().copy_(s[0, :2].argmax()).sum())],
}


@pytest.mark.parametrize("way", CHOSEN.values(), ids=CHOSEN)
def test_choices_that_parameters_make_are_taken_on_meta_as_elsewhere(way):
    found = {
        device: seen(Course(way).to(device), torch.randn(5, WIDTH, device=device))
        for device in ("cpu", "meta")
    }
    assert found["cpu"] == found["meta"]
    assert found["meta"]["linear.weight"] == ("out in", "weight", "head")


def test_what_no_choice_can_be_made_for_needs_values():
    def way(model, x, scores):
        return x + float(scores.detach().numpy().sum())

    assert seen(Course(way), torch.randn(5, WIDTH))["linear.weight"][1] == "weight"
    with pytest.raises(RecipeError, match=r"`example` must .*got "):
        structure(Course(way).to("meta"), torch.randn(5, WIDTH, device="meta"))


class Low(nn.Module):
    """Two factors that are added to a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, WIDTH))
        self.a, self.b = nn.Parameter(torch.zeros(2, WIDTH)), nn.Parameter(torch.zeros(8, 2))

    def forward(self, x):
        return functional.linear(x, self.weight + self.b @ self.a)


class WeightNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.v, self.g = nn.Parameter(torch.randn(8, WIDTH)), nn.Parameter(torch.ones(8, 1))

    def forward(self, x):
        return x @ (self.v * (self.g / self.v.norm(dim=1, keepdim=True))).T


class Relative(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(13, HEADS)
        self.qk = nn.Linear(WIDTH, 2 * WIDTH, bias=False)

    def forward(self, x):
        q, k = self.qk(x).view(*x.shape[:2], 2, HEADS, -1).permute(2, 0, 3, 1, 4)
        place = torch.arange(TOKENS)
        bias = self.table(place[:, None] - place[None] + 6).permute(2, 0, 1)
        return (q @ k.mT + bias).softmax(-1)


class Response(nn.Module):
    """A global response normalization: its scale starts at 0, for it is added to what it scales."""

    def __init__(self):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(WIDTH)), nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x):
        size = x.norm(dim=1, keepdim=True)
        return x + self.gamma * (x * (size / (size.mean(-1, keepdim=True) + 1e-6))) + self.beta


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            Low,
            {"weight": ("out in", "weight"), "a": ("out in", "weight"), "b": ("out in", "weight")},
        ),
        (WeightNorm, {"v": ("out in", "weight"), "g": ("None", "weight_norm")}),
        (Scanned, {"weight": ("stack in out", "weight")}),
        (
            Relative,
            {
                "table.weight": ("in out, one_hot=True", "relative_bias"),
                "qk.weight": ("out in, blocks={out: 2}", "weight"),
            },
        ),
    ],
)
def test_what_is_seen(model, expected):
    found = seen(model(), torch.randn(2, TOKENS, WIDTH))
    assert {path: what[:2] for path, what in found.items()} == expected


def test_the_scale_of_a_response_normalization_is_no_norm_of_ones():
    model = Response()
    init_model_(model, Recipe(()), seed=0, example=torch.randn(2, TOKENS, WIDTH))
    assert (model.gamma == 0).all()


# Kernels that do a whole layer in one operation say nothing of its parameters.
SILENT = (nn.Bilinear, nn.LSTM)
OF_TORCH = [
    (nn.Linear(7, 3), (2, 7)),
    (nn.Linear(1, 5), (2, 1)),
    (nn.Linear(5, 1), (2, 5)),
    (nn.Bilinear(3, 5, 2), ((2, 3), (2, 5))),
    (nn.Conv1d(4, 6, 5), (2, 4, 9)),
    (nn.Conv2d(4, 6, (3, 2), stride=2), (2, 4, 9, 9)),
    (nn.Conv2d(8, 12, 3, groups=4), (2, 8, 9, 9)),
    (nn.Conv2d(8, 8, 3, groups=8), (2, 8, 9, 9)),
    (nn.Conv2d(8, 6, 1), (2, 8, 9, 9)),
    (nn.Conv3d(2, 3, 2), (2, 2, 5, 5, 5)),
    (nn.ConvTranspose1d(4, 6, 5), (2, 4, 9)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 9, 9)),
    (nn.ConvTranspose2d(8, 12, 3, groups=4), (2, 8, 9, 9)),
    (nn.ConvTranspose3d(2, 3, 2), (2, 2, 5, 5, 5)),
    (nn.MultiheadAttention(8, 2), ((5, 2, 8),) * 3),
    (nn.MultiheadAttention(8, 2, kdim=5, vdim=6, add_bias_kv=True), ((5, 2, 8), (5, 2, 5), (5, 2, 6))),
    (nn.RNN(4, 5), (3, 2, 4)),
    (nn.LSTM(4, 5, num_layers=2), (3, 2, 4)),
    (nn.LSTM(4, 5, proj_size=3), (3, 2, 4)),
    (nn.GRU(4, 5), (3, 2, 4)),
    (nn.RNNCell(4, 5), (2, 4)),
    (nn.LSTMCell(4, 5), (2, 4)),
    (nn.GRUCell(4, 5), (2, 4)),
    (nn.LayerNorm((3, 4)), (2, 3, 4)),
    (nn.RMSNorm(4), (2, 4)),
    (nn.GroupNorm(2, 4), (2, 4, 5)),
    (nn.BatchNorm1d(4), (2, 4, 5)),
    (nn.BatchNorm2d(4).eval(), (2, 4, 5, 5)),
    (nn.InstanceNorm1d(4, affine=True), (2, 4, 5)),
    (nn.PReLU(4), (2, 4, 5)),
    (nn.TransformerEncoderLayer(8, 2, 16), (5, 2, 8)),
    (nn.TransformerEncoderLayer(8, 2, 16).eval(), (5, 2, 8)),
    (nn.TransformerDecoderLayer(8, 2, 16), ((5, 2, 8), (4, 2, 8))),
    (nn.AdaptiveLogSoftmaxWithLoss(16, 30, [5, 10]), ((4, 16), torch.tensor([0, 3, 7, 20]))),
    (nn.Embedding(10, 4), torch.zeros(2, 3, dtype=torch.long)),
    (nn.EmbeddingBag(10, 4), torch.zeros(2, 3, dtype=torch.long)),
]  # fmt: skip


def given(shapes):
    if isinstance(shapes, torch.Tensor):
        return shapes
    if isinstance(shapes[0], int):
        return torch.zeros(shapes)
    return tuple(map(given, shapes))


@pytest.mark.parametrize(("layer", "shapes"), OF_TORCH, ids=[str(la)[:40] for la, _ in OF_TORCH])
def test_the_computation_says_what_the_type_of_the_layer_says(layer, shapes):
    found = structure(layer, given(shapes))
    assert found.faults == []
    traced = found.findings.declarations
    for prefix, inner in layer.named_modules():
        for name, parameter in inner.named_parameters(recurse=False):
            path = f"{prefix}.{name}" if prefix else name
            declared = declare(inner)[name]
            if callable(declared):
                declared = declared(tuple(parameter.shape))
            if isinstance(inner, SILENT) and (path not in traced or name == "bias"):
                continue
            assert traced[path].axes == declared.axes, path
            if name not in ("bias_k", "bias_v"):  # beside the keys and values, as tokens are
                assert traced[path].kind == declared.kind, path
                of = traced[path].fans_of and traced[path].fans_of.rpartition(".")[2]
                assert of == declared.fans_of, path


def test_a_layer_that_is_used_otherwise_than_its_type_says():
    class Reversed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 6, bias=False)

        def forward(self, x):
            return x @ self.linear.weight

    assert seen(Reversed(), torch.zeros(2, 6)) == {"linear.weight": ("in out", "weight", "head")}


class Both(nn.Module):
    """An autoencoder that uses a weight both ways."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, 4))

    def forward(self, x):
        return torch.tanh(x @ self.weight) @ self.weight.T


def test_uses_that_disagree_are_an_error_that_shows_both():
    message = r"must be used in one way.*'weight' of Both: it is used as 'in out' of a contraction and as 'out in'"
    with pytest.raises(RecipeError, match=message):
        plan_model(Both(), he_normal(), example=torch.zeros(2, 6))
    declare.register(Both, lambda layer: {"weight": Declaration(Axes("in out"))})
    assert plan_model(Both(), he_normal(), example=torch.zeros(2, 6)).entries[0].known == "declared"


def test_an_embedding_that_is_the_head_is_an_embedding():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    ledger = plan_model(Tied(), normal(std=1.0), example=torch.zeros(2, 3, dtype=torch.long))
    assert [entry.status for entry in ledger.entries] == ["initialized", "tied"]
    assert ledger.entries[0].parameter.kind == "embedding"


def test_what_the_example_does_not_reach_is_unknown():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = RMSNorm(), RMSNorm()

        def forward(self, x):
            return self.used(x)

    with pytest.raises(RecipeError, match=r"got 'unused\.weight' of RMSNorm x1"):
        plan_model(Two(), Recipe(()), example=torch.zeros(2, WIDTH))
    found = structure(Two(), torch.zeros(2, WIDTH))
    assert "nothing that the example reaches uses it" in found.explain("unused.weight")


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        return x @ weight

    @staticmethod
    def backward(ctx, grad):
        return None, None


def test_functions_of_ones_own_are_read_and_kernels_are_not():
    class Of(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.weight, self.scale = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(4))
            self.function = function

        def forward(self, x):
            return self.function(x * self.scale, self.weight)

    assert seen(Of(Custom.apply), torch.zeros(2, 4))["weight"][:2] == ("in out", "weight")
    with torch.library._scoped_library("fanwise_tests", "FRAGMENT") as library:
        library.define("kernel(Tensor x, Tensor w) -> Tensor")
        library.impl("kernel", lambda x, w: x @ w, "CompositeExplicitAutograd")
        library.impl("kernel", lambda x, w: x.new_empty(x.shape[0], w.shape[1]), "Meta")
        found = structure(Of(torch.ops.fanwise_tests.kernel), torch.zeros(2, 4))
        kinds = {p.path: p.kind for p in found.parameters}
        assert kinds == {"weight": "unknown", "scale": "scale"}  # the rest still stands
        assert "other" in found.explain("weight")


@pytest.mark.parametrize("example", [EXAMPLE, (EXAMPLE,), {"tokens": EXAMPLE}])
def test_a_model_is_left_as_it_was(example):
    model = Model()
    model.blocks[0].register_forward_hook(lambda *args: None)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attributes = {module: set(vars(module)) for module in model.modules()}
    state, modes = torch.get_rng_state(), [module.training for module in model.modules()]
    structure(model, example)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert {module: set(vars(module)) for module in model.modules()} == attributes
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in model.parameters())
    gc.collect()


def test_running_statistics_and_generators_are_left_where_values_lead():
    class Course(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.linear = nn.BatchNorm1d(4), nn.Linear(4, 4)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            x = functional.dropout(self.norm(x), 0.5)
            return self.linear(x) if x.numpy().sum() > -1e9 else x

    model, x = Course(), torch.randn(3, 4)
    state = torch.get_rng_state()
    found = structure(model, x)
    assert {p.kind for p in found.parameters if p.path.startswith("linear")} == {"weight", "bias"}
    assert torch.equal(torch.get_rng_state(), state)
    assert model.norm.num_batches_tracked == 0
    assert (model.norm.running_mean == 0).all()
    assert model.calls == 0


@pytest.mark.parametrize(
    ("model", "example", "error", "message"),
    [
        (nn.Linear(4, 3), torch.zeros(2, 5), RecipeError, "`example` must be what the model takes"),
        (nn.Linear(4, 3), {"wrong": 1}, RecipeError, "got TypeError: .*wrong"),
        (nn.Linear(4, 3).to("meta"), torch.zeros(2, 5), RecipeError, "`example` must be what"),
        (
            torch.zeros(3),
            torch.zeros(2),
            SourceError,
            "`model` must be a torch.nn.Module, got Tensor",
        ),
    ],
)
def test_errors(model, example, error, message):
    with pytest.raises(error, match=message):
        structure(model, example)


def test_empty_layers_have_nothing_to_draw():
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        model = nn.Sequential(nn.Linear(0, 4), nn.Linear(4, 2))
    materialize_(model, device="cpu")
    ledger = init_model_(model, he_normal(), seed=0, example=torch.zeros(2, 0))
    assert ledger.entries[0].plan.parts == ()
    assert (model[0].bias == 0).all()


def test_rules_say_what_computation_would_keep():
    model = Model()
    rules = [
        Rule(ones(), kind="layer_scale"),
        Rule(zeros(), kind=("token", "position")),
        *Recipe([Rule(he_normal())]).rules,
    ]
    init_model_(model, Recipe(rules), seed=0, example=EXAMPLE)
    assert (model.blocks[0].gamma == 1).all()


class Levels(nn.Module):
    """What is added is a bias where nothing has changed what a weight makes, and only there."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 6), nn.LayerNorm(6)
        self.level = nn.Parameter(torch.randn(3, 6))
        self.after, self.time = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(6))
        self.bias, self.other = nn.Parameter(torch.ones(5)), nn.Linear(6, 5, bias=False)
        self.length = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        x = self.norm(self.linear(x) + self.after) + self.level[1]
        x = torch.relu(x) + self.time
        x = x / x.norm(dim=-1, keepdim=True) * self.length
        return self.other(x) + self.bias


def test_what_is_added_later_is_no_bias():
    kinds = {path: kind for path, (_, kind, _) in seen(Levels(), torch.randn(2, 4)).items()}
    assert kinds == {
        "linear.weight": "weight",
        "linear.bias": "bias",
        "norm.weight": "norm_scale",
        "norm.bias": "norm_bias",
        "other.weight": "weight",
        "bias": "bias",
        "after": "offset",
        "level": "offset",
        "time": "offset",
        "length": "temperature",
    }


class StateSpace(nn.Module):
    """The decay of a state space is a function of a parameter, which is contracted."""

    def __init__(self):
        super().__init__()
        self.log, self.skip = nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.ones(4))
        self.step = nn.Linear(4, 4)

    def forward(self, x):
        step = functional.softplus(self.step(x))
        decay = torch.einsum("bd,dn->bdn", step, -torch.exp(self.log)).exp()
        mixed = (x @ torch.exp(self.log))[..., None]
        return (decay * mixed.mT).sum(-1) + x * self.skip


def test_functions_of_parameters_are_no_weights():
    model = StateSpace()
    ledger = init_model_(model, normal(std=0.02), seed=0, example=torch.randn(2, 4))
    kinds = {entry.path: entry.parameter.kind for entry in ledger.entries}
    assert kinds["log"] == kinds["skip"] == "scale"
    assert kinds["step.bias"] == "time_step"
    assert (model.log == 0).all()
    assert (model.skip == 1).all()
