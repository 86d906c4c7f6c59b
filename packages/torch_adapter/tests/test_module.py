"""A whole module: axes from layer types, the ledger, ties, frozen and loaded parameters, meta."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from fanwise_torch import declare, init_model_, materialize_, measure_model, plan_model
from torch import nn

from fanwise import (
    Axes,
    AxesError,
    Declaration,
    DtypeError,
    FanError,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    constant,
    glorot_uniform,
    he_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    zeros,
)

pytestmark = pytest.mark.global_generator  # constructing a layer draws from it

HE = Recipe(
    (
        Rule(zeros(), kind="bias", optional=True),
        Rule(ones(), kind="norm_scale", optional=True),
        Rule(normal(std=0.02), kind="embedding", optional=True),
        Rule(he_normal(), optional=True),
    )
)


def only(*rules):
    return Recipe(tuple(rules))


def fans(ledger, path):
    """Fans of each block of a parameter."""
    (entry,) = (e for e in ledger.entries if e.path == path)
    return [(part.fans.fan_in, part.fans.fan_out) for part in entry.plan.parts]


LAYERS = [
    (nn.Linear(7, 3), "weight", [(7, 3)]),
    (nn.Bilinear(3, 5, 2), "weight", [(15, 2)]),
    (nn.Conv1d(4, 6, 5), "weight", [(20, 30)]),
    (nn.Conv2d(4, 6, (3, 2)), "weight", [(24, 36)]),
    (nn.Conv3d(2, 3, 2), "weight", [(16, 24)]),
    (nn.Conv2d(8, 12, 3, groups=4), "weight", [(18, 27)]),
    (nn.Conv2d(8, 8, 3, groups=8), "weight", [(9, 9)]),
    (nn.Conv2d(4, 4, 4, stride=2), "weight", [(64, 16)]),
    (nn.ConvTranspose2d(8, 4, 4, stride=2), "weight", [(32, 64)]),
    (nn.ConvTranspose1d(8, 4, 3, groups=2), "weight", [(12, 6)]),
    (nn.Embedding(100, 16), "weight", [(1, 16)]),
    (nn.EmbeddingBag(100, 16), "weight", [(1, 16)]),
    (nn.MultiheadAttention(8, 2), "in_proj_weight", [(8, 8)] * 3),
    (nn.MultiheadAttention(8, 2, kdim=4), "k_proj_weight", [(4, 8)]),
    (nn.MultiheadAttention(8, 2), "out_proj.weight", [(8, 8)]),
    (nn.LSTM(5, 6, 2), "weight_ih_l0", [(5, 6)] * 4),
    (nn.LSTM(5, 6, 2), "weight_ih_l1", [(6, 6)] * 4),
    (nn.LSTM(5, 6, proj_size=3), "weight_hr_l0", [(6, 3)]),
    (nn.GRU(5, 6, bidirectional=True), "weight_hh_l0_reverse", [(6, 6)] * 3),
    (nn.RNN(5, 6), "weight_ih_l0", [(5, 6)]),
    (nn.LSTMCell(5, 6), "weight_ih", [(5, 6)] * 4),
    (nn.GRUCell(5, 6), "weight_hh", [(6, 6)] * 3),
]


@pytest.mark.clause("fans/1", "fans/3", "fans/4")
@pytest.mark.parametrize(
    ("layer", "path", "expected"), LAYERS, ids=[f"{la}-{path}" for la, path, _ in LAYERS]
)
def test_axes_are_those_of_the_layer(layer, path, expected):
    assert fans(init_model_(layer, HE, seed=0), path) == expected


OF_EACH_TYPE = {type(layer): layer for layer, _, _ in LAYERS} | {
    type(layer): layer
    for layer in (nn.LayerNorm((2, 3)), nn.RMSNorm(4), nn.GroupNorm(2, 4), nn.BatchNorm2d(4),
                  nn.InstanceNorm1d(4, affine=True), nn.PReLU(3))
}  # fmt: skip


@pytest.mark.clause("recipes/12")
@pytest.mark.parametrize("kind", OF_EACH_TYPE)
def test_a_subclass_that_computes_otherwise_is_unknown(kind):
    layer = copy.deepcopy(OF_EACH_TYPE[kind])
    own = [name for name, _ in layer.named_parameters(recurse=False)]
    layer.__class__ = type("Same", (kind,), {})
    same = only(Rule(zeros(), kind=("*", "unknown")))
    known = {entry.path: entry for entry in plan_model(layer, same).entries}
    assert {known[name].known for name in own} == {"layer"}
    layer.__class__ = type("Other", (kind,), {"forward": lambda self, *args: args})
    with pytest.raises(RecipeError, match=f"of Other x{len(own)}"):
        plan_model(layer, only(Rule(zeros(), kind="*", optional=True)))
    unknown = {entry.path: entry.parameter.kind for entry in plan_model(layer, same).entries}
    assert {unknown[name] for name in own} == {"unknown"}


@pytest.mark.clause("recipes/15")
@pytest.mark.parametrize("kind", OF_EACH_TYPE)
def test_a_shape_must_be_of_the_sizes_that_a_layer_knows(kind):
    for name, parameter in OF_EACH_TYPE[kind].named_parameters(recurse=False):
        layer = copy.deepcopy(OF_EACH_TYPE[kind])
        first, *others = parameter.shape
        setattr(layer, name, nn.Parameter(torch.zeros(first + 1, *others)))
        with pytest.raises(RecipeError, match=f"by the sizes of {kind.__name__}.*'{name}'"):
            plan_model(layer, only(Rule(zeros(), kind="*")))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(32, 64, 3, groups=4, padding=1, bias=False),
        nn.Conv2d(32, 32, 3, groups=32, padding=1, bias=False),
        nn.ConvTranspose2d(32, 64, 4, stride=2, padding=1, bias=False),
        nn.Linear(512, 256, bias=False),
    ],
    ids=str,
)
def test_he_keeps_the_second_moment(layer):
    """Var(output) = 2 for inputs of variance 1: PyTorch's own fans give 0.25 to 2.

    The weights' own mean square bounds the error: 4.5 of its standard errors, sqrt(2 / n).
    """
    init_model_(layer, only(Rule(he_normal())), seed=1)
    torch.manual_seed(0)
    shape = (64, 512) if isinstance(layer, nn.Linear) else (32, 32, 24, 24)
    with torch.no_grad():
        output = layer(torch.randn(shape))
    if output.ndim == 4:
        output = output[..., 4:-4, 4:-4]  # away from the padding
    tolerance = 4.5 * math.sqrt(2 / layer.weight.numel()) + 0.02
    assert output.square().mean().item() == pytest.approx(2, rel=tolerance)


@pytest.mark.parametrize(
    "layer", [nn.LSTM(8, 8), nn.GRU(8, 8), nn.MultiheadAttention(8, 2)], ids=str
)
def test_orthogonal_is_so_for_each_gate(layer):
    kinds = [Rule(zeros(), kind="bias"), Rule(orthogonal())]
    init_model_(layer, only(*kinds), seed=0)
    fused = layer.in_proj_weight if hasattr(layer, "in_proj_weight") else layer.weight_hh_l0
    for gate in fused.detach().split(8):
        assert torch.allclose(gate @ gate.T, torch.eye(8), atol=1e-5)


def test_norms_and_slopes_have_kinds_of_their_own():
    layers = [nn.LayerNorm((3, 4)), nn.RMSNorm(4), nn.GroupNorm(2, 4), nn.BatchNorm2d(4),
              nn.InstanceNorm1d(4, affine=True), nn.PReLU()]  # fmt: skip
    model = nn.Sequential(*layers)
    init_model_(model, only(), seed=0)
    assert all((layer.weight == 1).all() for layer in layers[:-1])
    assert layers[-1].weight.item() == 0.25  # of PyTorch
    rules = [Rule(constant(value=value), kind=kind) for value, kind in
             ((2.0, "norm_scale"), (3.0, "norm_bias"), (0.5, "slope"))]  # fmt: skip
    init_model_(model, only(*rules), seed=0)
    assert all((layer.weight == 2).all() for layer in layers[:-1])
    assert all((layer.bias == 3).all() for layer in layers[:1])
    assert layers[-1].weight.item() == 0.5


def test_pytorchs_own_default_is_two_rules():
    """The biases of layers with weights follow the fans of the weights; those of norms are 0."""
    model = nn.Sequential(nn.Linear(16, 20_000), nn.LayerNorm(20_000))
    default = lecun_uniform(gain=3**-0.5)
    init_model_(model, only(Rule(default), Rule(default, kind="bias")), seed=0)
    assert 0.2499 < model[0].bias.abs().max() <= 0.25
    assert (model[1].bias == 0).all()


def test_one_scheme_is_a_recipe():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(5, 8))
    ledger = init_model_(model, he_normal(), seed=0)
    assert {e.path: e.rule for e in ledger.entries if e.plan} == {
        "0.weight": 0, "0.bias": None, "1.weight": None, "1.bias": None, "2.weight": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sizes"), [(nn.Linear, (0, 4)), (nn.Linear, (4, 0)), (nn.Conv1d, (0, 4, 3))]
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op")
@pytest.mark.global_generator
def test_an_empty_layer_has_nothing_to_draw(kind, sizes):
    layer = kind(*sizes)
    for scheme in (he_normal(), orthogonal(), lecun_uniform()):
        rules = [Rule(scheme), Rule(lecun_uniform(), kind="bias")]
        init_model_(layer, only(*rules), seed=0)
    assert layer.bias.isfinite().all()


def test_the_padding_row_is_zero_and_checked_before_anything_is_written():
    """`padding_idx` counts tokens, in every member of a stack."""

    class Tables(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 5, 3))

    axes = Axes("stack in out", one_hot=True)
    declare.register(Tables, lambda layer: {"weight": Declaration(axes, "embedding", padding=0)})
    model = Tables()
    init_model_(model, normal(std=1.0), seed=0)
    assert (model.weight == 0).all(dim=2).tolist() == [[True, False, False, False, False]] * 2
    before = model.weight.clone()
    with pytest.raises(AxesError, match="`padding` must be below the 5 units of 'in', got 5"):
        init_model_(model, only(Rule(normal(std=1.0), kind="embedding", padding=5)), seed=1)
    assert torch.equal(model.weight, before)


def test_what_was_drawn_is_measured():
    model = nn.Sequential(nn.Linear(300, 200), nn.Embedding(50, 40, padding_idx=3), nn.LayerNorm(7))
    nn.utils.parametrizations.weight_norm(model[0])
    ledger = init_model_(model, he_normal(), seed=0)
    measured = measure_model(model, ledger)
    assert list(measured) == [e.path for e in ledger.entries if e.plan]
    assert all(abs(m.std_z) < 5 for m in measured.values() if m.std_z is not None)
    assert "std drawn" in ledger.table(measured)
    with torch.no_grad():
        model[1].weight.mul_(1.2)
    assert measure_model(model, ledger)["1.weight"].std_z > 6
    with pytest.raises(RecipeError, match="`ledger` must be of this model, got one that has"):
        measure_model(nn.Linear(3, 4), ledger)


@pytest.mark.clause("randomness/1")
def test_values_are_those_of_seed_and_name_alone():
    """Neither the order nor the presence of other layers matters."""

    def model(*names):
        return nn.ModuleDict({name: nn.Linear(6, 6) for name in names})

    one, other = model("a", "b"), model("b", "c", "a")
    for m in (one, other):
        init_model_(m, HE_LINEAR, seed=3)
    assert torch.equal(one["a"].weight, other["a"].weight)
    assert not torch.equal(one["a"].weight, one["b"].weight)
    again = model("a")
    init_model_(again, HE_LINEAR, seed=4)
    assert not torch.equal(again["a"].weight, one["a"].weight)


HE_LINEAR = only(Rule(zeros(), kind="bias"), Rule(he_normal()))


def test_the_global_generator_is_left_alone():
    model = nn.Sequential(nn.Linear(4, 4), nn.Conv2d(2, 2, 3))
    before = torch.get_rng_state()
    init_model_(model, HE_LINEAR, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_bias_may_take_its_weights_fans():
    layer = nn.Linear(16, 20_000)
    init_model_(layer, only(Rule(lecun_uniform(gain=3**-0.5), kind=("weight", "bias"))), seed=0)
    bound = layer.bias.abs().max().item()
    assert 0.2499 < bound <= 0.25  # 1 / sqrt(16), PyTorch's own


def test_a_bias_whose_weight_is_not_a_parameter_needs_no_fans_for_zeros():
    layer = nn.Linear(4, 3)
    del layer.weight
    layer.register_buffer("weight", torch.zeros(3, 4, dtype=torch.int8))
    init_model_(layer, only(Rule(zeros(), kind="bias")), seed=0)
    assert (layer.bias == 0).all()


def test_seeds_of_numpy():
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    init_model_(one, HE_LINEAR, seed=5)
    init_model_(other, HE_LINEAR, seed=np.int64(5))
    assert torch.equal(one.weight, other.weight)


DTENSOR = """
import sys, torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.debug import CommDebugMode
from fanwise import Axes, Recipe, Rule, orthogonal, zeros
from fanwise_torch import init_model_

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
mesh = init_device_mesh("cpu", (2,))
recipe = Recipe((Rule(zeros(), kind="bias"), Rule(orthogonal())))
for make in (lambda: nn.Linear(6, 8), lambda: nn.Embedding(7, 4, padding_idx=2)):
    plain = make()
    chosen = recipe if isinstance(plain, nn.Linear) else Recipe(recipe.rules[1:])
    init_model_(plain, chosen, seed=3)
    for placement in (Shard(0), Shard(1), Replicate()):
        layer = make()
        layer.weight = nn.Parameter(distribute_tensor(layer.weight.detach(), mesh, [placement]))
        before = torch.get_rng_state()
        with CommDebugMode() as communication:
            init_model_(layer, chosen, seed=3)
        assert torch.equal(torch.get_rng_state(), before)
        assert communication.get_total_counts() == 0 or torch.__version__ < "2.6"
        assert torch.equal(layer.weight.full_tensor(), plain.weight), placement
dist.barrier()  # else a rank that is done may leave another without an answer
dist.destroy_process_group()
"""


def test_a_dtensor_has_the_values_of_the_whole(tmp_path):
    """The reference's D34: values and their scale depend on the layout elsewhere."""
    command = [sys.executable, "-c", DTENSOR]
    ranks = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for process in ranks:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()


def test_buffers_are_left_unless_a_rule_is_for_them():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    model[1].running_mean.fill_(5)
    model[1].num_batches_tracked.fill_(7)
    rules = HE.rules
    ledger = init_model_(model, only(*rules), seed=0)
    assert [e.status for e in ledger.entries][-3:] == ["skipped"] * 3
    assert model[1].running_mean[0] == 5
    buffers = (
        Rule(zeros(), kind="buffer", match="*.running_mean"),
        Rule(ones(), kind="buffer", match="*.running_var"),
    )
    init_model_(model, only(*buffers, *rules), seed=0)
    assert (model[1].running_mean == 0).all()
    assert model[1].num_batches_tracked == 0


def test_a_count_that_is_loaded_is_left():
    layer = nn.BatchNorm1d(4)
    layer.num_batches_tracked.fill_(7)
    recipe = only(Rule(zeros(), kind="buffer", match="running_mean"),
                  Rule(ones(), kind="buffer"), *HE.rules[:2])  # fmt: skip
    init_model_(layer, recipe, seed=0, loaded={"num_batches_tracked"})
    assert layer.num_batches_tracked == 7


def test_the_padding_row_is_of_the_weight_alone():
    class Scaled(nn.Embedding):
        def __init__(self):
            super().__init__(10, 4, padding_idx=3)
            self.scale = nn.Parameter(torch.zeros(1))

    layer = Scaled()
    init_model_(layer, only(Rule(ones(), kind=("embedding", "unknown"))), seed=0)
    assert layer.scale == 1
    assert (layer.weight[3] == 0).all()


def test_the_padding_row_of_an_embedding_is_zero():
    layer = nn.Embedding(10, 4, padding_idx=3)
    init_model_(layer, only(Rule(normal(std=1.0))), seed=0)
    assert (layer.weight[3] == 0).all()
    assert (layer.weight[[0, 9]] != 0).all()


def test_meta_is_planned_and_filled_after_to_empty():
    with torch.device("meta"):
        meta = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
    recipe = only(*HE.rules)
    ledger = plan_model(meta, recipe)
    assert init_model_(meta, recipe, seed=5) == ledger
    assert meta[0].weight.is_meta
    filled = meta.to_empty(device="cpu")
    assert init_model_(filled, ledger, seed=5) == ledger
    direct = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
    init_model_(direct, recipe, seed=5)
    for name, tensor in direct.named_parameters():
        assert torch.equal(filled.get_parameter(name), tensor)


def test_buffers_on_meta_start_from_defaults_or_must_be_named():
    class Rotary(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("frequencies", torch.ones(4), persistent=False)

    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), Rotary())
    recipe = only(*HE.rules)
    with pytest.raises(
        RecipeError,
        match=r"`model` must have values where nothing is drawn, got none for '2\.frequencies' of "
        "Rotary x1, skipped: name them in `loaded` and write them, or give them a rule with a scheme",
    ):
        plan_model(model, recipe)
    ruled = only(Rule(ones(), kind="buffer", match="2.*"), *recipe.rules)
    assert plan_model(model, ruled).entries[-1].rule == 0
    ledger = plan_model(model, recipe, loaded={"2.frequencies"})
    model.to_empty(device="cpu")
    for buffer in model.buffers():
        buffer.fill_(77)  # what memory has in it
    init_model_(model, ledger, seed=0, loaded={"2.frequencies"})
    assert (model[1].running_mean == 0).all()
    assert (model[1].running_var == 1).all()
    assert model[1].num_batches_tracked == 0
    assert (model[2].frequencies == 77).all()


def test_a_ledger_of_another_module_is_an_error():
    """As after `to_empty`, which makes tied parameters two."""
    with torch.device("meta"):
        model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10, bias=False))
        model[1].weight = model[0].weight
    ledger = plan_model(model, only(Rule(normal(std=1.0), kind="embedding")))
    model.to_empty(device="cpu")
    with pytest.raises(
        RecipeError, match=r"'1\.weight' is tied to '0\.weight'.*in the model it is tied to None"
    ):
        init_model_(model, ledger, seed=0)
    model[1].weight = model[0].weight
    init_model_(model, ledger, seed=0)
    with pytest.raises(RecipeError, match="where the model has 'weight'"):
        init_model_(model[0], ledger, seed=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64], ids=str)
def test_every_parameter_has_its_own_dtype(dtype):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    model[0].weight = nn.Parameter(model[0].weight.detach().to(dtype))
    ledger = init_model_(model, HE_LINEAR, seed=0)
    assert model[0].weight.dtype == dtype
    assert ledger.entries[0].plan.field == ("complex" if dtype.is_complex else "real")
    std = model[0].weight.detach().to(torch.complex128).abs().square().mean().sqrt().item()
    assert std == pytest.approx(math.sqrt(2 / 64), rel=0.05)


class Experts(nn.Module):
    def __init__(self, count, d_in, d_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, d_out, d_in))
        self.scale_bias = nn.Parameter(torch.empty(count, d_out))


def test_a_layer_of_ones_own_is_declared_in_one_call():
    class Mine(Experts):
        pass

    model = nn.Sequential(Mine(4, 16, 8))
    message = r"got '0\.weight', '0\.scale_bias' of Mine x2: .*: declare\.register\(Mine, "
    with pytest.raises(RecipeError, match=message):
        init_model_(model, HE_LINEAR, seed=0)
    declare.register(
        Mine,
        lambda layer: {
            "weight": Declaration(Axes("stack out in")),
            "scale_bias": Declaration(Axes("stack out"), "bias", fans_of="weight"),
        },
    )
    assert fans(init_model_(model, HE_LINEAR, seed=0), "0.weight") == [(16, 8)]


def test_a_subclass_is_its_base():
    class MyLinear(nn.Linear):
        pass

    assert fans(init_model_(MyLinear(7, 3), HE_LINEAR, seed=0), "weight") == [(7, 3)]


def test_transformer_layers_differ():
    """`nn.TransformerEncoder` copies one layer (the reference's D33)."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    assert torch.equal(model.layers[0].linear1.weight, model.layers[1].linear1.weight)
    init_model_(model, only(Rule(zeros(), kind="bias"), Rule(ones(), kind="norm_scale"),
                             Rule(glorot_uniform())), seed=0)  # fmt: skip
    assert not torch.equal(model.layers[0].linear1.weight, model.layers[1].linear1.weight)


@pytest.mark.parametrize(
    ("change", "recipe", "seed", "error", "message", "path"),
    [
        (lambda m: m.append(nn.LayerNorm(3)), only(Rule(he_normal(), kind="*")), 0, FanError,
         "fan", "1.weight"),
        (None, only(Rule(he_normal(), match="*.wieght")), 0, RecipeError,
         r"none for '0\.weight' of Linear; the nearest rule is for '\*\.wieght'", None),
        (None, only(*HE_LINEAR.rules, Rule(ones(), kind="norm_scale")), 0, RecipeError, "every rule must be the first", None),
        (None, HE_LINEAR, -1, SourceError, "got -1", None),
        (None, HE_LINEAR, None, SourceError, "got None", None),
        (None, "he", 0, RecipeError, "`recipe` must be a Recipe", None),
        (lambda m: m.half(), only(Rule(normal(std=1e5))), 0, DtypeError, "float16", "0.weight"),
        (lambda m: m.append(nn.LazyLinear(3)), HE_LINEAR, 0, SourceError, "lazy", "1.weight"),
    ],
)  # fmt: skip
def test_errors_name_the_parameter_and_nothing_is_written(
    change, recipe, seed, error, message, path
):
    model = nn.Sequential(nn.Linear(4, 3))
    if change is not None:
        change(model)
    before = copy.deepcopy(model[0].state_dict())
    with pytest.raises(error, match=message) as found:
        init_model_(model, recipe, seed=seed)
    if path is not None:
        assert path in "\n".join((str(found.value), *getattr(found.value, "__notes__", ())))
    assert all(torch.equal(model[0].state_dict()[name], before[name]) for name in before)


def test_only_modules_are_initialized():
    with pytest.raises(SourceError, match=r"`model` must be a torch\.nn\.Module, got Tensor"):
        init_model_(torch.empty(3), HE_LINEAR, seed=0)


@pytest.mark.gpu
def test_a_module_is_initialized_where_it_is():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(512, 512), nn.Conv2d(8, 8, 3, groups=4))
    ledger = plan_model(model, HE_LINEAR)
    model.to_empty(device="cuda")
    init_model_(model, ledger, seed=0)
    assert model[0].weight.is_cuda
    assert model[0].weight.std().item() == pytest.approx(math.sqrt(2 / 512), rel=0.01)


@pytest.mark.clause("recipes/11")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_layer_may_declare_norms_of_its_weight(dtype):
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.g = nn.Parameter(torch.empty(6, 1, dtype=dtype))
            self.v = nn.Parameter(torch.empty(6, 9, dtype=dtype))

    scale = Declaration(kind="weight_norm", norms_of="v", norm_axes=(0,))
    declare.register(Normed, lambda layer: {"v": Declaration(Axes("out in")), "g": scale})
    model = nn.Sequential(Normed())
    ledger = init_model_(model, he_normal(), seed=0)
    assert [entry.status for entry in ledger.entries] == ["derived", "initialized"]
    expected = [sum(float(w) ** 2 for w in row) ** 0.5 for row in model[0].v.detach()]
    rtol = 1e-6 if dtype == torch.float32 else 2**-8
    np.testing.assert_allclose(model[0].g.detach().double().ravel(), expected, rtol=rtol)


def with_constants():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    nn.init.zeros_(model[1].weight)
    nn.init.constant_(model[2].bias, -4.6)
    return model


@pytest.mark.clause("recipes/18")
def test_constants_that_somebody_set_are_not_replaced_in_silence():
    with pytest.warns(UserWarning, match="'2.bias' of Linear held -4.6 and starts at 0") as caught:
        init_model_(with_constants(), he_normal(), seed=0)
    assert "'1.weight' of BatchNorm1d held 0 and starts at 1" in str(caught[0].message)
    model = with_constants()
    keeps = Rule(left_as="kept", kind=("bias", "norm_scale"))
    init_model_(model, Recipe([keeps, Rule(he_normal())]), seed=0)
    assert (model[2].bias == -4.6).all()


@pytest.mark.parametrize("materialize", [materialize_, nn.Module.to_empty])
def test_memory_without_values_holds_no_constants(materialize):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8))
    ledger = plan_model(model, he_normal())
    init_model_(materialize(model, device="cpu"), ledger, seed=0)
