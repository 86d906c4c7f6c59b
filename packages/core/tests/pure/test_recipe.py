"""Recipes, rules, parameters and ledgers."""

import json
import math

import pytest

from fanwise import (
    Axes,
    AxesError,
    Constant,
    Declaration,
    DtypeError,
    FanError,
    Ledger,
    Parameter,
    Recipe,
    RecipeError,
    Rule,
    Scheme,
    SchemeError,
    constant,
    he_normal,
    lecun_uniform,
    model_from_data,
    model_to_data,
    normal,
    ones,
    orthogonal,
    plan_model,
    resolve,
    zeros,
)
from fanwise.adapting import Found, declared_in, describe, norms_in, prepare

pytestmark = pytest.mark.clause(
    "recipes/1",
    "recipes/2",
    "recipes/3",
    "recipes/4",
    "recipes/5",
    "recipes/6",
    "recipes/7",
    "recipes/8",
    "errors/1",
)

LINEAR = Axes("out in")
MODEL = (
    Parameter("embed.weight", (50, 8), Axes("in out", one_hot=True), kind="embedding"),
    Parameter("layers.0.attn.weight", (24, 8), Axes("out in", blocks={"out": 3})),
    Parameter("layers.0.proj.weight", (8, 8), LINEAR),
    Parameter("layers.0.proj.bias", (8,), Axes("out"), kind="bias", fans_of="layers.0.proj.weight"),
    Parameter("layers.1.proj.weight", (8, 8), LINEAR),
    Parameter("norm.weight", (8,), Axes("out"), kind="norm_scale"),
    Parameter("norm.count", (), kind="buffer", status="skipped"),
    Parameter("backbone.weight", (3, 3), LINEAR, status="loaded"),
    Parameter("head.weight", (50, 8), LINEAR, tied_to="embed.weight"),
    Parameter("phase", (4,), field="complex"),
)
RECIPE = Recipe(
    (
        Rule(ones(), kind="norm_scale"),
        Rule(lecun_uniform(gain=3**-0.5), kind="bias"),
        Rule(normal(std=0.02).over_depth(2), match="*.proj.weight", note="residual"),
        Rule(normal(std=1.0), match="phase"),
        Rule(orthogonal(), match="layers.*.attn.*"),
        Rule(left_as="frozen", kind="embedding", note="from a tokenizer's model"),
    ),
    name="test",
    reference="none",
)


def test_every_parameter_has_an_entry_by_its_first_rule():
    ledger = plan_model(MODEL, RECIPE)
    assert [(e.path, e.status, e.rule) for e in ledger.entries] == [
        ("embed.weight", "frozen", 5),
        ("layers.0.attn.weight", "initialized", 4),
        ("layers.0.proj.weight", "initialized", 2),
        ("layers.0.proj.bias", "initialized", 1),
        ("layers.1.proj.weight", "initialized", 2),
        ("norm.weight", "initialized", 0),
        ("norm.count", "skipped", None),
        ("backbone.weight", "loaded", None),
        ("head.weight", "tied", None),
        ("phase", "initialized", 3),
    ]
    assert ledger.entries[1].stream == ("layers", "0", "attn", "weight")
    assert ledger.entries[2].note == "residual"


def test_depth_scales_and_the_bias_has_its_weights_fans():
    laws = {e.path: e.plan and e.plan.law for e in plan_model(MODEL, RECIPE).entries}
    assert laws["layers.0.proj.weight"].std == pytest.approx(0.02 / 2)
    assert laws["layers.0.proj.bias"].high == pytest.approx(1 / math.sqrt(8))
    assert laws["phase"].family == "complex_normal"


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("blocks.7.ff_out.weight", 8),
        ("encoder_block.block_7.kernel", 8),
        ("h_0.c_proj.weight", 1),
        ("layers.2.experts.5.weight", 3),
    ],
)
def test_depth_by_index_counts_layers_from_one(path, layer):
    # Mitchell's OLMo initialization: 1 / sqrt(2 (l + 1)).
    scheme = normal(std=1.0).over_depth("index")
    (entry,) = plan_model([Parameter(path, (3, 4))], scheme).entries
    assert entry.plan.law.std == pytest.approx((2 * layer) ** -0.5)
    assert Ledger.from_data(plan_model([Parameter(path, (3, 4))], scheme).to_data()).entries == (
        entry,
    )


def test_depth_of_scanned_layers_is_the_position_in_the_stack():
    scheme = he_normal().over_depth("index", branches=1)
    axes = Axes("stack in out", blocks={"out": 2})
    (entry,) = plan_model([Parameter("scan.kernel", (3, 8, 6), axes)], scheme).entries
    stds = [part.law.std for part in entry.plan.parts]
    assert stds == pytest.approx([0.5 / n**0.5 for n in (1, 1, 2, 2, 3, 3)])
    assert [part.start for part in entry.plan.parts][:3] == [(0, 0, 0), (0, 0, 3), (1, 0, 0)]


def test_other_powers_of_depth():
    # Wang and Komatsuzaki (GPT-J): 2 / L.
    scheme = normal(std=1.0).over_depth(24, branches=0.5, power=-1.0)
    assert resolve(scheme, (3,)).law.std == pytest.approx(2 / 24)


def test_a_rule_may_supply_axes_and_the_weight_beside_a_bias():
    parameters = [Parameter("fc.weight", (4, 9), LINEAR), Parameter("fc.bias", (4,), kind="bias")]
    rules = (
        Rule(lecun_uniform(), match="*.bias", kind="bias", fans_of="weight"),
        Rule(he_normal(), match="*.weight"),
    )
    entries = plan_model(parameters, Recipe(rules)).entries
    assert entries[1].plan.law.variance == pytest.approx(1 / 9)
    bare = [Parameter("fc.weight", (4, 9))]
    rule = Rule(he_normal(), axes=LINEAR)
    assert plan_model(bare, Recipe((rule,))).entries[0].plan.axes == LINEAR


@pytest.mark.parametrize(
    ("thing", "read"),
    [
        (RECIPE, Recipe.from_data),
        (plan_model(MODEL, RECIPE), Ledger.from_data),
        (Rule(he_normal(), axes=LINEAR, fans_of="weight", optional=True), Rule.from_data),
    ],
)
def test_json_round_trips(thing, read):
    assert read(json.loads(json.dumps(thing.to_data()))) == thing


def test_models_round_trip():
    assert model_from_data(json.loads(json.dumps(model_to_data(MODEL, name="m")))) == MODEL


def test_the_table_has_a_line_for_every_parameter():
    lines = str(plan_model(MODEL, RECIPE)).splitlines()
    assert len(lines) == 1 + len(MODEL)
    assert lines[0].split() == ["path", "shape", "axes", "known", "fans", "law", "std"]
    assert lines[9].endswith("tied to embed.weight")
    assert "(8, 8)" in lines[2]


def test_uneven_blocks_have_lines_of_their_own():
    axes = Axes("in out", blocks={"out": (6, 2)})
    recipe = Recipe((Rule(he_normal(fan="out")),))
    table = str(plan_model([Parameter("qkv", (4, 8), axes)], recipe))
    assert len(table.splitlines()) == 3


def plan(*rules, parameters=MODEL[1:3]):
    return lambda: plan_model(parameters, Recipe(rules))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            plan(Rule(zeros(), match="*.attn.weight")),
            RecipeError,
            "every parameter must match a rule, got none for 'layers.0.proj.weight'; the nearest rule is for '*.attn.weight'",
        ),
        (
            plan(Rule(zeros()), Rule(ones(), match="*.attn.*")),
            RecipeError,
            "every rule must be the first to match a parameter, or be optional, got rule 1 ('*.attn.*'); "
            "earlier rules match all that it does",
        ),
        (
            plan(Rule(zeros()), Rule(ones(), match="*.proj.wieght")),
            RecipeError,
            "every rule must be the first to match a parameter, or be optional, got rule 1 ('*.proj.wieght'); "
            "no path matches it, the nearest is 'layers.0.proj.weight'",
        ),
        (
            plan(Rule(zeros(), match="*.bias"), parameters=[MODEL[3]]),
            RecipeError,
            "every rule must be the first to match a parameter, or be optional, got rule 0 ('*.bias'); "
            "what its path matches is of kind 'bias'",
        ),
        (
            plan(Rule(zeros()), parameters=[MODEL[2], Parameter("t", (), kind="temperature", layer="CLIP")]),
            RecipeError,
            "every parameter must match a rule, got none for 't' of CLIP; "
            "a rule for them must name their kind, 'temperature'",
        ),
        (
            plan(Rule(zeros(), match="x"), parameters=[Parameter(f"a.{i}", (3,), layer="Own") for i in range(7)]),
            RecipeError,
            "every parameter must match a rule, got none for 'a.0', 'a.1', 'a.2', 'a.3', 'a.4' and 2 more of Own\n"
            "every rule must be the first to match a parameter, or be optional, got rule 0 ('x')",
        ),
        (
            plan(Rule(zeros(), match="x", kind="bias")),
            RecipeError,
            "every parameter must match a rule, got none for 'layers.0.attn.weight', 'layers.0.proj.weight'\n"
            "every rule must be the first to match a parameter, or be optional, got rule 0 ('x', kind 'bias')",
        ),
        (
            plan(Rule(zeros()), parameters=[MODEL[2], MODEL[2]]),
            RecipeError,
            "`path` must occur once, got ['layers.0.proj.weight'] more often",
        ),
        (
            plan(Rule(zeros()), parameters=[MODEL[2], MODEL[8]]),
            RecipeError,
            "`tied_to` must name an untied real parameter of shape (50, 8), got 'embed.weight' for 'head.weight'",
        ),
        (
            plan(
                Rule(left_as="frozen", match="head.*"),
                Rule(normal(std=1.0)),
                parameters=[MODEL[0], MODEL[8]],
            ),
            RecipeError,
            "a rule that leaves 'head.weight' must leave what it is tied to, got 'embed.weight' that is drawn",
        ),
        (
            plan(Rule(he_normal(), kind="bias"), parameters=[MODEL[3]]),
            RecipeError,
            "`fans_of` must name a parameter with axes, got 'layers.0.proj.weight' for 'layers.0.proj.bias'",
        ),
        (
            plan(Rule(he_normal()), parameters=[Parameter("b", (3,), Axes("out"))]),
            FanError,
            "`axes` must have an 'in' or a 'kernel' axis to define a fan, got 'out'; ",
        ),
        (
            plan(Rule(normal(std=1.0).over_depth("index")), parameters=[Parameter("w", (3,))]),
            SchemeError,
            "`over_depth` 'index' needs a number in the path or one 'stack' axis, got none for normal(std=1.0)",
        ),
        (lambda: plan_model([], [Rule(ones())]), RecipeError, "`recipe` must be a Recipe, a Ledger or a Scheme, got ["),
        (lambda: plan_model(3, RECIPE), RecipeError, "`parameters` must be Parameters, got 3"),
        (lambda: Rule(ones(), kind=[3]), RecipeError, "`kind` must be a string or several, got [3]"),
        (lambda: Rule(ones(), kind=[]), RecipeError, "`kind` must be a string or several, got []"),
        (lambda: Rule(ones(), padding=-1), RecipeError, "`padding` must be at least 0, got -1"),
        (lambda: Parameter("w", (3,), padding="0"), RecipeError, "`padding` must be a whole number, got '0'"),
        (lambda: Parameter("w", (3,), kind=3), RecipeError, "`kind` must be a string, got 3"),
        (lambda: Parameter("w", (3,), tied_to="v", status="frozen"), RecipeError, "one of `tied_to` and `status` may be given, got both for 'w'"),
        (
            plan(Rule(ones()), parameters=[Parameter("w", (4,), Axes("out", blocks={"out": 2})), Parameter("w.0", (2,))]),
            RecipeError,
            "`path` must give every parameter and block a stream of its own, got one for 'w' and 'w.0'",
        ),
        (
            plan(Rule(ones()), parameters=[Parameter("caf\u00e9", (4,)), Parameter("cafe\u0301", (4,))]),
            RecipeError,
            "`path` must give every parameter and block a stream of its own, got one for ",
        ),
        (lambda: plan_model(["w"], RECIPE), RecipeError, "`parameters` must be Parameters, got 'w'"),
        (lambda: Rule(ones(), match=None), RecipeError, "`match` must be a string, got None"),
        (lambda: Recipe((he_normal(),)), RecipeError, "`rules` must be Rules, such as Rule(he_normal()), got "),
        (lambda: Rule("he_normal"), RecipeError, "`scheme` must be a Scheme, such as he_normal(), got 'he_normal'"),
        (lambda: normal(std=1.0).over_depth(12, power=1e6), SchemeError, "`depth` must be finite, got inf"),
        (lambda: Recipe(Rule(ones())), RecipeError, "`rules` must be a list of rules, got Rule("),
        (lambda: normal(std=1.0).over_depth(1).over_depth(2), SchemeError, "`over_depth` must be called once, got it again"),
        (lambda: Recipe.from_data({"format": "recipe", "version": True}), RecipeError, "`version` must be 1, got True"),
        (lambda: Recipe.from_data({"format": "recipe", "version": 1, "name": 5}), RecipeError, "`name` must be a string, got 5"),
        (lambda: Rule(ones(), optional="yes"), RecipeError, "`optional` must be true or false, got 'yes'"),
        (lambda: Rule(), RecipeError, "one of `scheme` and `left_as` must be given, got None and None for '*'"),
        (
            lambda: Rule(left_as="trained"),
            RecipeError,
            "`left_as` must be one of 'frozen', 'kept', 'loaded', 'skipped', got 'trained'",
        ),
        (lambda: normal(std=1.0).over_depth(0), SchemeError, "`layers` must be at least 1, got 0"),
        (lambda: normal(std=1.0).over_depth(1, power=math.nan), SchemeError, "`power` must be a number, got nan"),
        (lambda: Recipe.from_data([]), RecipeError, "`format` must be 'recipe', got 'list'"),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 2}),
            RecipeError,
            "`version` must be 1, got 2",
        ),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 1, "rules": [], "author": ""}),
            RecipeError,
            "`recipe` must have only the keys ['format', 'name', 'reference', 'rules', 'version'], got ['author']",
        ),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 1, "rules": "none"}),
            RecipeError,
            "`rules` must be a list, got 'none'",
        ),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 1, "rules": [{"pattern": "*"}]}),
            RecipeError,
            "`rule` must have only the keys ['axes', 'fans_of', 'kind', 'layer', 'left_as', 'match', "
            "'note', 'optional', 'padding', 'role', 'scheme'], got ['pattern']",
        ),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 1, "rules": [{"scheme": "hee"}]}),
            SchemeError,
            "`name` must be one of ",
        ),
        (
            lambda: Recipe.from_data({"format": "recipe", "version": 1, "rules": [{"match": 3, "scheme": "ones"}]}),
            RecipeError,
            "`match` must be a string, got 3",
        ),
        (lambda: Rule.from_data("ones"), RecipeError, "`rule` must be an object, got 'ones'"),
        (lambda: Scheme.from_data({"name": "ones", "depth": {}}), SchemeError, "`depth` must be an object of ['branches', 'layers', 'power'], got {}"),
        (
            lambda: model_from_data({"format": "model", "version": 1, "parameters": [{"path": "w"}]}),
            RecipeError,
            "`parameter` must have the key 'shape', got {'path': 'w'}",
        ),
        (lambda: Parameter("w", (-1,)), AxesError, "`shape` must be at least 0, got -1"),
        (lambda: Ledger.from_data({"format": "ledger", "version": 1, "entries": [3]}), RecipeError, "`entries` must be objects, got 3"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_axes_and_fans_that_rules_supply_round_trip():
    parameters = [Parameter("fc.weight", (12, 9)), Parameter("fc.bias", (12,), kind="bias")]
    rules = (
        Rule(lecun_uniform(), kind="bias", axes=Axes("out"), fans_of="weight"),
        Rule(orthogonal(), axes=Axes("out in", blocks={"out": 3})),
    )
    ledger = plan_model(parameters, Recipe(rules))
    assert ledger.entries[1].plan.law.variance == pytest.approx(1 / 9)
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger


def test_a_ledger_must_be_well_formed():
    data = plan_model(MODEL, RECIPE).to_data()
    for key, value, message in (
        ("status", "bogus", "`status` must be one of 'initialized', .*, got 'bogus'"),
        ("fans", [5], r"`fans` must be pairs of counts or null, got \[5\]"),
        ("fans", [["a", "b"]], "`fans` must be pairs of counts or null"),
    ):
        changed = json.loads(json.dumps(data))
        changed["entries"][1][key] = value
        with pytest.raises(RecipeError, match=message):
            Ledger.from_data(changed)


def test_the_table_spells_out_what_a_terminal_would_obey():
    ledger = plan_model([Parameter("a\x1b[31m\nb", (3,))], Recipe((Rule(ones()),)))
    assert "a\\x1b[31m\\nb" in str(ledger)


def test_notes_have_the_path_and_the_rule():
    with pytest.raises(FanError) as caught:
        plan(Rule(he_normal()), parameters=[Parameter("b", (3,), Axes("out"))])()
    assert caught.value.__notes__[-1] == "parameter: b; rule 0 ('*')"
    with pytest.raises(DtypeError) as unfit:
        plan_model([Parameter("w", (3,))], Recipe((Rule(normal(std=1e9)),))).check_draws("float16")
    assert unfit.value.__notes__ == ["parameter: w"]


def test_each_parameter_may_have_a_dtype_of_its_own():
    ledger = plan_model(
        [Parameter("a", (3,)), Parameter("b", (3,))], Recipe((Rule(normal(std=1e9)),))
    )
    ledger.check_draws({"a": "float32", "b": "bfloat16"})
    with pytest.raises(DtypeError) as unfit:
        ledger.check_draws({"a": "float32", "b": "float16"})
    assert unfit.value.__notes__ == ["parameter: b"]


@pytest.mark.clause("recipes/4")
def test_a_buffer_without_values_starts_from_its_default():
    parameters = [
        Parameter("weight", (3,)),
        Parameter("var", (3,), kind="buffer", default=ones()),
        Parameter("mean", (3,), kind="buffer", default=zeros()),
    ]
    rules = (Rule(normal(std=1.0)), Rule(ones(), kind="buffer", match="mean"))
    ledger = plan_model(parameters, Recipe(rules))
    assert [(e.status, e.rule) for e in ledger.entries] == [
        ("initialized", 0), ("initialized", None), ("initialized", 1)
    ]  # fmt: skip
    assert [e.plan.scheme for e in ledger.entries[1:]] == [ones()] * 2
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger


@pytest.mark.clause("recipes/4")
def test_a_rule_is_of_use_if_it_is_optional_or_what_it_matches_is_left():
    frozen = [Parameter("w", (3,)), Parameter("b", (3,), kind="bias", status="frozen")]
    rules = (
        Rule(ones(), kind="norm_scale", optional=True),
        Rule(zeros(), kind="bias"),
        Rule(normal(std=1.0)),
    )
    entries = plan_model(frozen, Recipe(rules)).entries
    assert [(e.status, e.rule) for e in entries] == [("initialized", 2), ("frozen", None)]


@pytest.mark.clause("recipes/4")
def test_buffers_are_for_rules_of_their_kind_alone():
    parameters = [Parameter("weight", (3,)), Parameter("mean", (3,), kind="buffer")]
    everything = Rule(normal(std=1.0))
    left = plan_model(parameters, Recipe((everything,)))
    assert [(e.status, e.rule) for e in left.entries] == [("initialized", 0), ("skipped", None)]
    buffers = Rule(zeros(), kind="buffer")
    filled = plan_model(parameters, Recipe((everything, buffers)))
    assert [(e.status, e.rule) for e in filled.entries] == [("initialized", 0), ("initialized", 1)]


@pytest.mark.clause("recipes/6")
def test_a_weight_that_is_not_there_is_missed_by_schemes_that_take_its_fans_alone():
    bias = Parameter("bias", (3,), Axes("out"), kind="bias", fans_of="weight")
    ledger = plan_model([bias], Recipe((Rule(zeros(), kind="bias"),)))
    assert ledger.entries[0].plan.parts[0].fans is None
    with pytest.raises(RecipeError, match="`fans_of` must name a parameter with axes"):
        plan_model([bias], Recipe((Rule(he_normal(), kind="bias"),)))


def test_a_declaration_is_of_a_weight_without_axes_unless_it_says_more():
    assert Declaration() == Declaration(None, "weight", None)


def test_a_ledger_that_was_tampered_with_is_refused():
    data = plan_model(MODEL, RECIPE).to_data()
    data["entries"][2]["laws"][0]["std"] = 1.0
    with pytest.raises(RecipeError, match="`laws` must be those of the scheme"):
        Ledger.from_data(data)
    del data["entries"][2]["scheme"]
    with pytest.raises(RecipeError, match="`status` must fit the scheme, got 'initialized'"):
        Ledger.from_data(data)


def found(*parameters, storages=None, dtype="float32"):
    storages = range(len(parameters)) if storages is None else storages
    return [Found(p, dtype, s) for p, s in zip(parameters, storages, strict=True)]


@pytest.mark.parametrize("loaded", ["w", None, 3, [["w"]]])
def test_what_is_loaded_is_names(loaded):
    with pytest.raises(RecipeError, match="`loaded` must be a collection of names, got"):
        prepare(found(Parameter("w", (3,))), ones(), loaded=loaded)
    with pytest.raises(RecipeError, match=r"`loaded` must be names in the model, got \['v'\]"):
        prepare(found(Parameter("w", (3,))), ones(), loaded=iter(["v", "w"]))


def test_what_is_loaded_may_be_called_by_another_name():
    weight = Found(Parameter("fc.weight", (3,)), "float32", 0, ("fc.parametrizations.weight.0",))
    ledger = prepare([weight], ones(), loaded=["fc.parametrizations.weight.0", "x"], ignored=["x"])
    assert ledger.entries[0].status == "loaded"


@pytest.mark.parametrize(
    ("declarations", "message"),
    [
        (
            {"w": LINEAR},
            r"`declare` must return Declarations for Mine, got Axes\('out in'\) for 'w'",
        ),
        ({"w": lambda shape: shape}, r"got \(3, 4\) for 'w'"),
    ],
)
def test_what_a_layer_declares_is_declarations(declarations, message):
    with pytest.raises(RecipeError, match=message):
        declared_in(declarations, "w", (3, 4), owner="Mine")
    assert declared_in({}, "w", (3, 4), owner="Mine") is None


def ledger_of(parameters, storages):
    return prepare(found(*parameters, storages=storages), Rules).entries


Rules = Recipe([Rule(ones(), optional=True)])


def test_the_first_that_can_be_drawn_leads_a_tie():
    buffer = Parameter("cache", (3, 4), kind="buffer", default=zeros())
    bare, known = Parameter("a", (3, 4)), Parameter("b", (3, 4), LINEAR)

    def leads(parameters, storages):
        return [entry.parameter.tied_to for entry in ledger_of(parameters, storages)]

    assert leads([buffer, bare, known], "xxx") == ["b", "b", None]
    assert leads([buffer, bare, known], "xxy") == ["a", None, None]
    padded = Parameter("e", (3, 4), Axes("in out", one_hot=True), "embedding", padding=1)
    assert leads([known, padded], "xx") == ["e", None]


def test_all_names_of_a_tie_are_left_if_one_is():
    known = Parameter("b", (3, 4), LINEAR)
    frozen = Parameter("c", (3, 4), status="frozen")
    loaded = Parameter("d", (3, 4), status="loaded")

    def statuses(storages):
        return [entry.status for entry in ledger_of([known, frozen, loaded], storages)]

    assert statuses("xxx") == ["loaded", "tied", "tied"]
    assert statuses("xyz") == ["initialized", "frozen", "loaded"]


def test_tied_embeddings_have_one_padding():
    embedding = Axes("in out", one_hot=True)
    pair = [Parameter(name, (5, 4), embedding, padding=i) for i, name in enumerate("ab")]
    with pytest.raises(RecipeError, match="`padding` must be one of tied parameters, got"):
        ledger_of(pair, "xx")


@pytest.mark.clause("recipes/4")
def test_kinds_start_somewhere_without_a_rule():
    parameters = [
        Parameter("w", (3, 4), LINEAR),
        Parameter("b", (3,), kind="bias"),
        Parameter("s", (3,), kind="norm_scale"),
        Parameter("t", (3,), kind="norm_bias"),
        Parameter("a", (1,), kind="slope", default=constant(value=0.25)),
    ]
    entries = plan_model(parameters, he_normal()).entries
    assert [(e.status, e.rule) for e in entries] == [("initialized", 0)] + [
        ("initialized", None)
    ] * 4
    assert [e.plan.law.mean for e in entries[1:]] == [0, 1, 0, 0.25]


@pytest.mark.clause("recipes/1")
def test_a_rule_speaks_of_weights_unless_it_names_kinds():
    kinds = ("weight", "embedding", "bias", "norm_scale", "buffer", "own")
    parameters = [Parameter(kind, (3,), kind=kind) for kind in kinds]

    def matched(rule):
        return [p.path for p in parameters if rule.matches(p)]

    assert matched(Rule(ones())) == ["weight", "embedding"]
    assert matched(Rule(ones(), kind=("bias", "own"))) == ["bias", "own"]
    assert matched(Rule(ones(), kind="*")) == list(kinds)
    assert matched(Rule(left_as="loaded")) == list(kinds)


def test_all_missing_axes_are_in_one_error():
    parameters = [Parameter(f"h.{i}.c_fc.weight", (4, 9), layer="Conv1D") for i in range(7)]
    parameters += [Parameter("rope", (3,))]
    with pytest.raises(AxesError) as caught:
        plan_model(parameters, he_normal())
    assert str(caught.value).splitlines() == [
        "`axes` must be given for he_normal, got None for 'h.0.c_fc.weight', 'h.1.c_fc.weight', "
        "'h.2.c_fc.weight', 'h.3.c_fc.weight', 'h.4.c_fc.weight' and 2 more of Conv1D, (4, 9): "
        'declare.register(Conv1D, lambda layer: {"weight": Declaration(Axes("? ?"))}), '
        "or a rule with axes",
        "`axes` must be given for he_normal, got None for 'rope', (3,): "
        'Parameter(..., axes=Axes("?")), or a rule with axes',
    ]


@pytest.mark.clause("recipes/10")
def test_padding_counts_along_in_in_every_copy():
    axes = Axes("stack in out", one_hot=True)
    parameters = [Parameter("e", (2, 5, 3), axes, "embedding", padding=0)]
    assert plan_model(parameters, ones()).entries[0].plan.padding == 0
    ledger = plan_model(parameters, Recipe([Rule(ones(), padding=4)]))
    assert ledger.entries[0].plan.padding == 4
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger
    with pytest.raises(AxesError, match="`padding` must be below the 5 units of 'in', got 5"):
        plan_model(parameters, Recipe([Rule(ones(), padding=5)]))
    with pytest.raises(
        AxesError, match="`padding` needs one 'in' axis to count along, got 1 for None"
    ):
        plan_model([Parameter("w", (3,))], Recipe([Rule(ones(), padding=1)]))


def weight_norm(axes=(0,), shape=(4,), of="v"):
    weight = Parameter("v", (4, 9), LINEAR)
    return [weight, Parameter("g", shape, kind="weight_norm", norms_of=of, norm_axes=axes)]


@pytest.mark.clause("recipes/11")
def test_norms_of_a_weight_are_derived_unless_a_rule_is_for_them():
    ledger = plan_model(weight_norm(), he_normal())
    assert [entry.status for entry in ledger.entries] == ["initialized", "derived"]
    assert str(ledger).splitlines()[2].split() == ["g", "(4)", "declared", "norms", "of", "v"]
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger
    assert model_from_data(model_to_data(weight_norm())) == tuple(weight_norm())
    (found,) = norms_in(ledger)
    assert (found.path, found.weight, found.axes, found.shape) == ("g", "v", (1,), (4,))
    (last,) = norms_in(plan_model(weight_norm((-1,), (1, 9)), he_normal()))
    assert last.axes == (0,)
    (whole,) = norms_in(plan_model(weight_norm((), ()), he_normal()))
    assert whole.axes == (0, 1)
    ruled = plan_model(weight_norm(), Recipe([Rule(ones(), kind="weight_norm"), Rule(he_normal())]))
    assert [entry.status for entry in ruled.entries] == ["initialized", "initialized"]
    assert norms_in(ruled) == []
    tied = [Parameter("u", (4, 9), LINEAR), Parameter("v", (4, 9), LINEAR, tied_to="u")]
    assert norms_in(plan_model([*tied, weight_norm()[1]], he_normal()))[0].weight == "u"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "w"}, "`norms_of` must name a weight of the model, got 'w' for 'g'"),
        ({"of": "g"}, "`norms_of` must name a weight of the model, got 'g' for 'g'"),
        ({"axes": (2,)}, r"`norm_axes` must be axes of 'v', \(4, 9\), with the sizes \(4,\) of 'g', got \(2,\)"),
        ({"axes": (1,)}, r"`norm_axes` must be axes of 'v'.* got \(1,\)"),
        ({"axes": (0.5,)}, "`norm_axes` must be a whole number, got 0.5"),
    ],
)  # fmt: skip
def test_norms_that_do_not_fit_are_errors(options, message):
    with pytest.raises(RecipeError, match=message):
        plan_model(weight_norm(**options), he_normal())


def test_norm_axes_are_a_list():
    data = {"path": "g", "shape": [4], "norms_of": "v", "norm_axes": 0}
    with pytest.raises(RecipeError, match="`norm_axes` must be a list, got 0"):
        Parameter.from_data(data)


@pytest.mark.parametrize(
    ("name", "path"),
    [("v", "a.b.v"), ("inner.v", "a.b.inner.v"), (".v", "a.v"), ("..v", "v")],
)
def test_each_dot_in_front_leads_to_the_layer_around(name, path):
    declared = Declaration(kind="weight_norm", norms_of=name, norm_axes=(0,))
    assert describe("a.b", "g", (4,), "float32", declared).norms_of == path


def test_a_rules_axes_and_weight_are_taken_instead_of_the_models():
    parameters = [
        Parameter("w", (4, 9), LINEAR),
        Parameter("v", (4, 7), LINEAR),
        Parameter("b", (4,), Axes("out"), kind="bias", fans_of="w"),
    ]
    rules = [
        Rule(he_normal(), match="w", axes=Axes("in out")),
        Rule(he_normal()),
        Rule(he_normal(), kind="bias", fans_of="v"),
    ]
    stds = [e.plan.law.variance for e in plan_model(parameters, Recipe(rules)).entries]
    assert stds == pytest.approx([2 / 4, 2 / 7, 2 / 7])


@pytest.mark.clause("fans/8")
def test_a_layer_without_inputs_has_nothing_to_draw_and_a_bias_of_zero():
    parameters = [
        Parameter("w", (4, 0), LINEAR),
        Parameter("b", (4,), Axes("out"), kind="bias", fans_of="w"),
    ]
    rules = [Rule(lecun_uniform()), Rule(lecun_uniform(), kind="bias")]
    ledger = plan_model(parameters, Recipe(rules))
    assert ledger.entries[0].plan.parts == ()
    assert ledger.entries[1].plan.law == Constant(0.0)
    assert "empty" in str(ledger)
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger


def test_laws_agree_to_the_last_bits_of_a_math_library():
    data = plan_model(MODEL, RECIPE).to_data()
    law = data["entries"][2]["laws"][0]
    law["std"] = math.nextafter(law["std"], 1)
    assert Ledger.from_data(data) == plan_model(MODEL, RECIPE)
    law["std"] *= 1 + 1e-11
    with pytest.raises(RecipeError, match="`laws` must be those of the scheme"):
        Ledger.from_data(data)


class OfAnotherCopy:
    """What a vendored core's object looks like: other classes, the same data."""

    def __init__(self, own):
        self.own = own

    def __getattr__(self, name):
        return getattr(self.own, name)


def test_what_another_copy_made_is_taken_by_its_data():
    recipe = OfAnotherCopy(Recipe([OfAnotherCopy(Rule(OfAnotherCopy(he_normal())))]))
    ledger = plan_model([Parameter("w", (4, 9), OfAnotherCopy(LINEAR))], recipe)
    assert ledger == plan_model([Parameter("w", (4, 9), LINEAR)], he_normal())
    given = found(Parameter("w", (4, 9), LINEAR))
    assert prepare(given, OfAnotherCopy(ledger)) == ledger
