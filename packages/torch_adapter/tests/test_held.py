"""What a module holds in its own way: tied, shared, frozen, loaded and parametrized parameters."""

import copy
import threading

import pytest
import torch
from fanwise_torch import init_model_, materialize_, plan_model
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from fanwise import (
    Axes,
    Recipe,
    RecipeError,
    Rule,
    SourceError,
    he_normal,
    identity,
    lecun_uniform,
    normal,
    orthogonal,
    uniform,
    zeros,
)

pytestmark = pytest.mark.global_generator  # constructing a layer draws from it


def only(*rules):
    return Recipe(tuple(rules))


HE_LINEAR = only(Rule(zeros(), kind="bias"), Rule(he_normal()))


def test_tied_parameters_are_drawn_once():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10, bias=False))
    model[1].weight = model[0].weight
    ledger = init_model_(model, only(Rule(normal(std=1.0), kind="embedding")), seed=0)
    assert [entry.status for entry in ledger.entries] == ["initialized", "tied"]
    assert ledger.entries[1].parameter.tied_to == "0.weight"
    shared = nn.Linear(4, 4)
    ledger = init_model_(nn.Sequential(shared, nn.ReLU(), shared), HE_LINEAR, seed=0)
    assert [entry.status for entry in ledger.entries] == ["initialized"] * 2 + ["tied"] * 2


def test_parameters_that_share_memory_in_part_would_be_written_twice():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.detach()[1:3])
    before = model[0].weight.clone()
    with pytest.raises(RecipeError, match=r"apart or tied, got '0\.weight' and '1\.weight'"):
        init_model_(model, only(Rule(he_normal())), seed=0)
    assert torch.equal(model[0].weight, before)
    interleaved = torch.empty(4, 8)
    model[0].weight = nn.Parameter(interleaved[:, ::2])
    model[1].weight = nn.Parameter(interleaved[:2, 1::2])
    init_model_(model, only(Rule(he_normal())), seed=0)


def test_frozen_and_loaded_parameters_are_left():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    ledger = init_model_(model, HE_LINEAR, seed=0, loaded={"1.weight", "1.bias"})
    statuses = [entry.status for entry in ledger.entries]
    assert statuses == ["frozen"] * 2 + ["loaded"] * 2 + ["initialized"] * 2
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        assert torch.equal(model.state_dict()[name], before[name])
    assert not torch.equal(model[2].weight, before["2.weight"])


def test_what_is_tied_to_a_loaded_or_frozen_parameter_is_left():
    def tied():
        model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False), nn.Linear(3, 2))
        model[1].weight = model[0].weight
        return model

    model = tied()
    before = model[0].weight.clone()
    ledger = init_model_(model, HE_LINEAR, seed=0, loaded={"1.weight"})
    assert [e.status for e in ledger.entries][:2] == ["loaded", "tied"]
    assert torch.equal(model[0].weight, before)


def test_a_parametrized_weight_is_loaded_or_frozen_with_any_of_its_originals():
    for change in ("loaded", "frozen"):
        model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4))
        before = model[0].weight.clone()
        loaded = {"0.parametrizations.weight.original0"} if change == "loaded" else ()
        if change == "frozen":
            model[0].parametrizations.weight.original0.requires_grad_(False)
        ledger = init_model_(model, HE_LINEAR, seed=0, loaded=loaded)
        assert {e.path: e.status for e in ledger.entries}["0.weight"] == change
        assert torch.equal(model[0].weight, before)


def test_a_view_of_a_loaded_parameter_is_not_drawn():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.detach()[1:3])
    with pytest.raises(RecipeError, match="share memory"):
        init_model_(model, only(Rule(he_normal())), seed=0, loaded={"0.weight"})


@pytest.mark.parametrize(("loaded", "message"), [(None, "got None"), ("0.weight", "must be a collection of names, got"),
                                                 ({"0.wieght"}, r"got \['0\.wieght'\]")])  # fmt: skip
def test_loaded_must_be_names(loaded, message):
    with pytest.raises(RecipeError, match=message):
        init_model_(nn.Sequential(nn.Linear(4, 4)), HE_LINEAR, seed=0, loaded=loaded)


def test_loaded_may_be_the_keys_of_a_state_dict():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4)), nn.BatchNorm1d(4))
    ledger = init_model_(model, only(), seed=0, loaded=iter(model.state_dict()))
    assert {e.status for e in ledger.entries} == {"loaded"}


def test_a_shared_parametrized_layer_is_tied():
    shared = parametrizations.weight_norm(nn.Linear(4, 4))
    ledger = init_model_(nn.Sequential(shared, nn.ReLU(), shared), HE_LINEAR, seed=0)
    assert {e.path: e.status for e in ledger.entries}["2.weight"] == "tied"


def test_what_is_assigned_comes_after_the_parameters_of_its_parametrization():
    class LowRank(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.randn(2, 4))

        def forward(self, weight):
            return weight + self.a @ self.b

        def right_inverse(self, weight):
            return weight - self.a @ self.b

    layer, plain = nn.Linear(4, 4), nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", LowRank())
    layer.parametrizations.weight[0].eval()
    recipe = only(*HE_LINEAR.rules[:1], Rule(normal(std=1.0), match="parametrizations.*"),
                  HE_LINEAR.rules[1])  # fmt: skip
    init_model_(layer, recipe, seed=0)
    init_model_(plain, HE_LINEAR, seed=0)
    assert torch.allclose(layer.weight, plain.weight, atol=1e-5)
    assert not layer.parametrizations.weight[0].training


class Half(nn.Module):
    def forward(self, weight):
        return weight / 2

    def right_inverse(self, weight):
        return weight * 2


def test_an_original_that_another_layer_holds_is_not_written_behind_its_back():
    """Whether it is to be left, or would be written twice."""
    for left in ("loaded", "frozen", None):
        embedding, head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        head.weight = embedding.weight
        parametrize.register_parametrization(head, "weight", Half(), unsafe=True)
        rules = (Rule(left_as="frozen", match="0.weight"),) if left == "frozen" else ()
        loaded = {"0.weight"} if left == "loaded" else ()
        before = embedding.weight.clone()
        with pytest.raises(RecipeError, match=r"'0\.weight' and '1\.weight' that share memory"):
            init_model_(nn.Sequential(embedding, head),
                         only(*rules, Rule(normal(std=1.0))), seed=0, loaded=loaded)  # fmt: skip
        assert torch.equal(embedding.weight, before)


def test_a_shared_parametrization_is_assigned_once():
    shared = nn.Linear(4, 4)
    parametrize.register_parametrization(shared, "weight", Half())
    plain = nn.Linear(4, 4)
    init_model_(nn.Sequential(shared, nn.ReLU(), shared), HE_LINEAR, seed=0)
    init_model_(nn.Sequential(plain), HE_LINEAR, seed=0)
    assert torch.equal(shared.weight, plain.weight)


def test_a_parameter_is_drawn_although_a_buffer_is_the_same_memory():
    class Cached(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("cache", torch.zeros(3, 4))
            self.layer = nn.Linear(4, 3, bias=False)
            self.layer.weight = nn.Parameter(self.cache)

    model = Cached()
    ledger = init_model_(model, only(Rule(he_normal())), seed=0)
    assert {e.path: e.status for e in ledger.entries} == {
        "cache": "tied",
        "layer.weight": "initialized",
    }
    assert (model.cache != 0).all()


def test_a_tie_is_drawn_by_the_axes_of_the_layer_that_knows_them():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(5, 3))

    model = nn.Sequential(Table(), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    ledger = init_model_(model, only(Rule(he_normal())), seed=0)
    assert [entry.status for entry in ledger.entries] == ["tied", "initialized"]


def test_what_a_parametrization_draws_is_of_the_seed():
    """And not of the global generator, which planning leaves alone, too."""
    weights = []
    for seed in (0, 0, 1):
        layer = parametrizations.orthogonal(nn.Linear(6, 4), orthogonal_map="matrix_exp")
        torch.manual_seed(len(weights))
        before = torch.get_rng_state()
        recipe = only(HE_LINEAR.rules[0], Rule(orthogonal()))
        plan_model(layer, recipe)
        init_model_(layer, recipe, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        weights.append((layer.weight, layer.parametrizations.weight[0].base))
    assert all(torch.equal(*pair) for pair in zip(weights[0], weights[1], strict=True))
    assert not torch.equal(weights[0][1], weights[2][1])


def test_a_value_that_cannot_be_assigned_is_an_error_before_anything_is_written():
    class Exponential(nn.Module):
        def forward(self, weight):
            return weight.exp()

        def right_inverse(self, weight):
            if (weight < 0).any():
                raise ValueError("negative")
            return weight.log()

    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    nn.init.ones_(model[1].weight)
    parametrize.register_parametrization(model[1], "weight", Exponential())
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RecipeError, match="got ValueError: negative") as found:
        init_model_(model, HE_LINEAR, seed=0)
    assert "parameter: 1.weight" in found.value.__notes__
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    init_model_(model, only(HE_LINEAR.rules[0], Rule(uniform(low=1, high=2))), seed=0)
    assert (model[1].weight >= 1).all()


def test_a_right_inverse_may_write_into_what_it_is_given():
    class InPlace(nn.Module):
        def forward(self, weight):
            return weight / 2

        def right_inverse(self, weight):
            return weight.mul_(2)

    layer, plain = nn.Linear(4, 4), nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", InPlace(), unsafe=True)
    for each in (layer, plain):
        init_model_(each, HE_LINEAR, seed=0)
    assert torch.equal(layer.weight, plain.weight)


def test_a_weight_that_would_not_be_finite_is_an_error():
    layer = parametrizations.weight_norm(nn.Linear(4, 4))
    before = layer.weight.clone()
    with pytest.raises(RecipeError, match="got ValueError: a weight that is not finite"):
        init_model_(layer, only(Rule(zeros())), seed=0)
    assert torch.equal(layer.weight, before)


def test_other_threads_keep_their_random_numbers():
    """Nothing that a parametrization draws touches the generators that others draw from."""
    stop, drawn = threading.Event(), []

    def draw():
        while not stop.is_set():
            drawn.extend(torch.rand(4, dtype=torch.float64).tolist())

    thread = threading.Thread(target=draw)
    thread.start()
    model = nn.Sequential(*(parametrizations.orthogonal(nn.Linear(6, 4)) for _ in range(10)))
    init_model_(model, only(HE_LINEAR.rules[0], Rule(orthogonal())), seed=0)
    stop.set()
    thread.join()
    assert len(set(drawn)) == len(drawn)


def test_a_parametrization_may_have_an_inverse_for_some_values_alone():
    class Gram(nn.Module):
        def forward(self, factor):
            return factor @ factor.mT

        def right_inverse(self, weight):
            return torch.linalg.cholesky(weight)  # of which zeros have none

    layer = nn.Linear(4, 4, bias=False)
    layer.weight = nn.Parameter(torch.eye(4))
    parametrize.register_parametrization(layer, "weight", Gram())
    init_model_(layer, only(Rule(identity())), seed=0)
    assert torch.equal(layer.weight, torch.eye(4))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_hooks_of_an_older_kind():
    pruned = nn.Linear(4, 4, bias=False)
    prune.l1_unstructured(pruned, "weight", amount=0.5)
    for layer in (pruned, nn.utils.spectral_norm(nn.Linear(4, 4, bias=False))):
        ledger = init_model_(layer, only(Rule(he_normal())), seed=0)
        (entry,) = (e for e in ledger.entries if e.plan is not None)
        assert (entry.path, entry.plan.axes) == ("weight_orig", Axes("out in"))
    layer = nn.utils.weight_norm(nn.Linear(4, 4))
    with pytest.raises(RecipeError, match="got 'weight_g' of the older weight_norm: use"):
        init_model_(layer, HE_LINEAR, seed=0)
    ledger = init_model_(layer, only(), seed=0, loaded=layer.state_dict())
    assert {entry.status for entry in ledger.entries} == {"loaded"}
    biased = nn.Linear(4, 4)
    prune.l1_unstructured(biased, "weight", amount=0.5)
    ledger = init_model_(
        biased, only(Rule(lecun_uniform(gain=3**-0.5), kind=("weight", "bias"))), seed=0
    )
    (bias,) = (e for e in ledger.entries if e.path == "bias")
    assert bias.plan.parts[0].fans.fan_in == 4


def test_a_module_is_on_meta_as_a_whole_or_not_at_all():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, device="meta"))
    plan_model(model, HE_LINEAR)
    with pytest.raises(RecipeError, match=r"got '1\.bias' on it and '0\.bias' not"):
        init_model_(model, HE_LINEAR, seed=0)


def test_every_scheme_is_assigned_through_a_parametrization(scheme):
    assigned, plain = nn.Conv1d(8, 8, 3, groups=1), nn.Conv1d(8, 8, 3)
    if scheme.name == "identity":
        assigned, plain = nn.Linear(4, 4), nn.Linear(4, 4)
    parametrize.register_parametrization(assigned, "weight", Half())
    for layer in (assigned, plain):
        init_model_(layer, only(HE_LINEAR.rules[0], Rule(scheme)), seed=0)
    assert torch.equal(assigned.weight, plain.weight)


def test_many_views_of_one_buffer_are_apart():
    flat = torch.zeros(300 * 12)
    model = nn.ModuleList(nn.Linear(4, 3, bias=False) for _ in range(300))
    for i, layer in enumerate(model):
        layer.weight = nn.Parameter(flat[12 * i : 12 * i + 12].view(3, 4))
    init_model_(model, only(Rule(he_normal())), seed=0)
    assert (flat != 0).all()


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm,
                                  parametrizations.orthogonal])  # fmt: skip
def test_parametrized_weights_are_assigned(wrap):
    layer = wrap(nn.Linear(6, 6).train())
    state = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    ledger = init_model_(layer, only(Rule(zeros(), kind="bias"), Rule(orthogonal())),
                          seed=0)  # fmt: skip
    (entry,) = (e for e in ledger.entries if e.path == "weight")
    assert entry.plan.axes == Axes("out in")
    plain = nn.Linear(6, 6)
    init_model_(plain, only(Rule(zeros(), kind="bias"), Rule(orthogonal())), seed=0)
    if wrap is parametrizations.spectral_norm:  # which divides by an estimate, its own
        assert all(torch.equal(layer.get_buffer(name), state[name]) for name in state)
    else:
        assert torch.allclose(layer.weight, plain.weight, atol=1e-5)


def test_a_parametrization_without_an_inverse_is_an_error():
    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

    layer = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    with pytest.raises(RecipeError, match=r"`right_inverse`.*got Symmetric") as found:
        init_model_(layer, HE_LINEAR, seed=0)
    assert "parameter: weight" in found.value.__notes__


class Rotary(nn.Module):
    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("frequencies", torch.ones(4, dtype=dtype), persistent=False)


def planned_on_meta(make=Rotary, loaded=("frequencies",)):
    with torch.device("meta"):
        model = make()
    return model, plan_model(model, HE_LINEAR, loaded=loaded)


@pytest.mark.clause("recipes/13")
def test_what_nothing_wrote_after_to_empty_is_an_error():
    model, ledger = planned_on_meta()
    model.to_empty(device="cpu")
    with torch.no_grad():
        model.linear.weight.fill_(7.0)
    message = r"nothing has written since it was on meta: \['frequencies'\]"
    with pytest.raises(RecipeError, match=message):
        init_model_(model, ledger, seed=0, loaded=["frequencies"])
    assert (model.linear.weight == 7).all()  # nothing is half written
    model.frequencies.copy_(torch.arange(4.0))
    init_model_(model, ledger, seed=0, loaded=["frequencies"])
    assert torch.equal(model.frequencies, torch.arange(4.0))


@pytest.mark.clause("recipes/13")
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.complex64, torch.int64,
              torch.uint8]
)  # fmt: skip
def test_what_nothing_wrote_after_materialize_is_an_error(dtype):
    model, ledger = planned_on_meta(lambda: Rotary(dtype))
    assert materialize_(model, device="cpu") is model
    with pytest.raises(RecipeError, match=r"\['frequencies'\]"):
        init_model_(model, ledger, seed=0, loaded=["frequencies"])
    model.frequencies = torch.ones(4).to(dtype)  # assigned, as a module's own code may
    init_model_(model, ledger, seed=0, loaded=["frequencies"])


@pytest.mark.clause("recipes/13")
def test_a_frozen_parameter_that_nothing_wrote_is_an_error():
    def frozen():
        layer = nn.Linear(4, 4)
        layer.bias.requires_grad_(False)
        return layer

    with torch.device("meta"):
        model = frozen()
    with pytest.raises(RecipeError, match="got none for 'bias' of Linear x1, frozen"):
        plan_model(model, HE_LINEAR)
    ledger = plan_model(model, HE_LINEAR, loaded=["bias"])
    materialize_(model, device="cpu")
    with pytest.raises(RecipeError, match=r"\['bias'\]"):
        init_model_(model, ledger, seed=0, loaded=["bias"])


def test_materialize_keeps_ties_and_what_has_values():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    model[1].bias = nn.Parameter(torch.ones(4))
    model[0].bias.requires_grad_(False)
    materialize_(model, device="cpu")
    assert model[1].weight is model[0].weight
    assert (model[1].bias == 1).all()
    assert not model[0].bias.requires_grad
    assert model[0].bias.isnan().all()


@pytest.mark.parametrize(
    ("model", "device", "message"),
    [
        (torch.empty(3), "cpu", "`model` must be a torch.nn.Module, got Tensor"),
        (nn.Linear(3, 3), "meta", "`device` must have memory, got 'meta'"),
    ],
)
def test_what_cannot_be_materialized(model, device, message):
    with pytest.raises(SourceError, match=message):
        materialize_(model, device=device)


@pytest.mark.clause("recipes/14")
def test_what_is_kept_has_values():
    recipe = only(Rule(left_as="kept", kind="bias"), HE_LINEAR.rules[1])
    layer = nn.Linear(4, 4)
    before = layer.bias.detach().clone()
    ledger = init_model_(layer, recipe, seed=0)
    assert [entry.status for entry in ledger.entries] == ["initialized", "kept"]
    assert torch.equal(layer.bias, before)
    with pytest.raises(RecipeError, match="got none for 'bias' of Linear x1, kept"):
        plan_model(layer.to("meta"), recipe)
