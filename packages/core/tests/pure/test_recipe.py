"""spec: recipes/1 to recipes/8, errors/1."""

import json
import math

import pytest

from fanwise import (
    Axes,
    AxesError,
    Declaration,
    Depth,
    DtypeError,
    FanError,
    Ledger,
    Parameter,
    Recipe,
    RecipeError,
    Rule,
    SchemeError,
    check_loaded,
    declared_in,
    he_normal,
    lecun_uniform,
    model_from_data,
    model_to_data,
    normal,
    ones,
    orthogonal,
    plan_model,
    tie,
    zeros,
)

LINEAR = Axes("out in")
MODEL = (
    Parameter("embed.weight", (50, 8), Axes("in out", one_hot=True), kind="embedding"),
    Parameter("layers.0.attn.weight", (24, 8), Axes("out in", blocks={"out": 3})),
    Parameter("layers.0.proj.weight", (8, 8), LINEAR),
    Parameter("layers.0.proj.bias", (8,), Axes("out"), kind="bias", fans_of="layers.0.proj.weight"),
    Parameter("layers.1.proj.weight", (8, 8), LINEAR),
    Parameter("norm.weight", (8,), Axes("out"), kind="norm"),
    Parameter("norm.count", (), kind="buffer", left_as="skipped"),
    Parameter("backbone.weight", (3, 3), LINEAR, left_as="loaded"),
    Parameter("head.weight", (50, 8), LINEAR, tied_to="embed.weight"),
    Parameter("phase", (4,), field="complex"),
)
RECIPE = Recipe(
    (
        Rule(scheme=ones(), kind="norm"),
        Rule(scheme=lecun_uniform(gain=3**-0.5), kind="bias"),
        Rule(
            scheme=normal(std=0.02), match="*.proj.weight", depth=Depth(layers=2), note="residual"
        ),
        Rule(scheme=normal(std=1.0), match="phase"),
        Rule(scheme=orthogonal(), match="layers.*.attn.*"),
        Rule(left_as="frozen", kind="embedding", note="from a tokenizer's model"),
    ),
    name="test",
    reference="none",
)


def test_every_parameter_has_an_entry_by_its_first_rule():
    ledger = plan_model(RECIPE, MODEL)
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
    laws = {e.path: e.plan and e.plan.law for e in plan_model(RECIPE, MODEL).entries}
    assert laws["layers.0.proj.weight"].std == pytest.approx(0.02 / 2)
    assert laws["layers.0.proj.bias"].high == pytest.approx(1 / math.sqrt(8))
    assert laws["phase"].family == "complex_normal"


def test_depth_by_index_counts_layers_from_one():
    # Mitchell's OLMo initialization: 1 / sqrt(2 (l + 1)).
    depth = Depth(layers="index")
    assert depth.factor("blocks.7.ff_out.weight") == pytest.approx(1 / 4)
    # Wang and Komatsuzaki (GPT-J): 2 / L.
    assert Depth(layers=24, branches=0.5, power=-1.0).factor("any") == pytest.approx(2 / 24)


def test_a_rule_may_supply_axes_and_the_weight_beside_a_bias():
    parameters = [Parameter("fc.weight", (4, 9), LINEAR), Parameter("fc.bias", (4,))]
    rules = (
        Rule(scheme=lecun_uniform(), match="*.bias", fans_of="weight"),
        Rule(scheme=he_normal(), match="*.weight"),
    )
    entries = plan_model(Recipe(rules), parameters).entries
    assert entries[1].plan.law.variance == pytest.approx(1 / 9)
    bare = [Parameter("fc.weight", (4, 9))]
    rule = Rule(scheme=he_normal(), axes=LINEAR)
    assert plan_model(Recipe((rule,)), bare).entries[0].plan.axes == LINEAR


@pytest.mark.parametrize(
    ("thing", "read"),
    [
        (RECIPE, Recipe.from_data),
        (plan_model(RECIPE, MODEL), Ledger.from_data),
        (Rule(scheme=he_normal(), axes=LINEAR, fans_of="weight", optional=True), Rule.from_data),
    ],
)
def test_json_round_trips(thing, read):
    assert read(json.loads(json.dumps(thing.to_data()))) == thing


def test_models_round_trip():
    assert model_from_data(json.loads(json.dumps(model_to_data(MODEL, name="m")))) == MODEL


def test_the_table_has_a_line_for_every_parameter():
    lines = str(plan_model(RECIPE, MODEL)).splitlines()
    assert len(lines) == 1 + len(MODEL)
    assert lines[0].split() == ["path", "shape", "axes", "fans", "law", "std"]
    assert lines[9].endswith("tied to embed.weight")
    assert "(8, 8)" in lines[2]


def test_uneven_blocks_have_lines_of_their_own():
    axes = Axes("in out", blocks={"out": (6, 2)})
    recipe = Recipe((Rule(scheme=he_normal(fan="out")),))
    table = str(plan_model(recipe, [Parameter("qkv", (4, 8), axes)]))
    assert len(table.splitlines()) == 3


def plan(*rules, parameters=MODEL[1:3]):
    return lambda: plan_model(Recipe(rules), parameters)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            plan(Rule(scheme=zeros(), match="*.attn.*")),
            RecipeError,
            "every parameter must match a rule, got none for 'layers.0.proj.weight'",
        ),
        (
            plan(Rule(scheme=zeros()), Rule(scheme=ones(), match="*.attn.*")),
            RecipeError,
            "every rule must be the first to match a parameter, or be optional, got rule 1 ('*.attn.*')",
        ),
        (
            plan(Rule(scheme=zeros(), match="x", kind="bias")),
            RecipeError,
            "every parameter must match a rule, got none for 'layers.0.attn.weight'; "
            "every parameter must match a rule, got none for 'layers.0.proj.weight'; "
            "every rule must be the first to match a parameter, or be optional, got rule 0 ('x', kind 'bias') "
            "of a model whose kinds are ['weight']",
        ),
        (
            plan(Rule(scheme=zeros()), parameters=[MODEL[2], MODEL[2]]),
            RecipeError,
            "`path` must occur once, got ['layers.0.proj.weight'] more often",
        ),
        (
            plan(Rule(scheme=zeros()), parameters=[MODEL[2], MODEL[8]]),
            RecipeError,
            "`tied_to` must name an untied real parameter of shape (50, 8), got 'embed.weight' for 'head.weight'",
        ),
        (
            plan(
                Rule(left_as="frozen", match="head.*"),
                Rule(scheme=normal(std=1.0)),
                parameters=[MODEL[0], MODEL[8]],
            ),
            RecipeError,
            "a rule that leaves 'head.weight' must leave what it is tied to, got 'embed.weight' that is drawn",
        ),
        (
            plan(Rule(scheme=he_normal()), parameters=[MODEL[3]]),
            RecipeError,
            "`fans_of` must name a parameter with axes, got 'layers.0.proj.weight' for 'layers.0.proj.bias'",
        ),
        (
            plan(Rule(scheme=he_normal()), parameters=[Parameter("b", (3,), Axes("out"))]),
            FanError,
            "`axes` must have an 'in' or a 'kernel' axis to define a fan, got 'out'; ",
        ),
        (
            plan(Rule(scheme=normal(std=1.0), depth=Depth(layers="index")), parameters=[Parameter("w", (3,))]),
            RecipeError,
            "`layers` 'index' needs a number in the path, got 'w'",
        ),
        (lambda: plan_model([Rule(scheme=ones())], []), RecipeError, "`recipe` must be a Recipe, got ["),
        (lambda: plan_model(RECIPE, 3), RecipeError, "`parameters` must be Parameters, got 3"),
        (lambda: Rule(scheme=ones(), depth=12), RecipeError, "`depth` must be a Depth, such as Depth(layers=12), got 12"),
        (lambda: Rule(scheme=ones(), kind=["bias"]), RecipeError, "`kind` must be a string, got ['bias']"),
        (lambda: Parameter("w", (3,), kind=3), RecipeError, "`kind` must be a string, got 3"),
        (lambda: Parameter("w", (3,), tied_to="v", left_as="frozen"), RecipeError, "one of `tied_to` and `left_as` may be given, got both for 'w'"),
        (
            plan(Rule(scheme=ones()), parameters=[Parameter("w", (4,), Axes("out", blocks={"out": 2})), Parameter("w.0", (2,))]),
            RecipeError,
            "`path` must give every parameter and block a stream of its own, got one for 'w' and 'w.0'",
        ),
        (
            plan(Rule(scheme=ones()), parameters=[Parameter("caf\u00e9", (4,)), Parameter("cafe\u0301", (4,))]),
            RecipeError,
            "`path` must give every parameter and block a stream of its own, got one for ",
        ),
        (lambda: Parameter("w", (3,), default=ones()), RecipeError, "`default` must be of a buffer, got a weight for 'w'"),
        (lambda: plan_model(RECIPE, ["w"]), RecipeError, "`parameters` must be Parameters, got 'w'"),
        (lambda: Rule(scheme=ones(), match=None), RecipeError, "`match` must be a string, got None"),
        (lambda: Recipe((he_normal(),)), RecipeError, "`rules` must be Rules, such as Rule(scheme=...), got "),
        (lambda: Rule(scheme="he_normal"), RecipeError, "`scheme` must be a Scheme, such as he_normal(), got 'he_normal'"),
        (lambda: Depth(layers=12, power=1e6).factor("w"), RecipeError, "`depth` must be finite, got inf"),
        (lambda: Recipe.from_data({"format": "recipe", "version": True}), RecipeError, "`version` must be 1, got True"),
        (lambda: Recipe.from_data({"format": "recipe", "version": 1, "name": 5}), RecipeError, "`name` must be a string, got 5"),
        (lambda: Rule(scheme=ones(), optional="yes"), RecipeError, "`optional` must be true or false, got 'yes'"),
        (lambda: Rule(), RecipeError, "one of `scheme` and `left_as` must be given, got None and None for '*'"),
        (
            lambda: Rule(left_as="trained"),
            RecipeError,
            "`left_as` must be one of 'frozen', 'loaded', 'skipped', got 'trained'",
        ),
        (
            lambda: Rule(left_as="frozen", depth=Depth(layers=3)),
            RecipeError,
            "`depth` must come with a scheme, got none for '*'",
        ),
        (lambda: Depth(layers=0), RecipeError, "`layers` must be at least 1, got 0"),
        (lambda: Depth(layers=1, power=math.nan), RecipeError, "`power` must be a number, got nan"),
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
            "`rule` must have only the keys ['axes', 'depth', 'fans_of', 'kind', 'left_as', 'match', 'note', "
            "'optional', 'scheme'], got ['pattern']",
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
        (lambda: Depth.from_data({}), RecipeError, "`depth` must have the key 'layers', got {}"),
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
    parameters = [Parameter("fc.weight", (12, 9)), Parameter("fc.bias", (12,))]
    rules = (
        Rule(scheme=lecun_uniform(), match="*.bias", axes=Axes("out"), fans_of="weight"),
        Rule(scheme=orthogonal(), axes=Axes("out in", blocks={"out": 3})),
    )
    ledger = plan_model(Recipe(rules), parameters)
    assert ledger.entries[1].plan.law.variance == pytest.approx(1 / 9)
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger


def test_a_ledger_must_be_well_formed():
    data = plan_model(RECIPE, MODEL).to_data()
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
    ledger = plan_model(Recipe((Rule(scheme=ones()),)), [Parameter("a\x1b[31m\nb", (3,))])
    assert "a\\x1b[31m\\nb" in str(ledger)


def test_notes_have_the_path_and_the_rule():
    with pytest.raises(FanError) as caught:
        plan(Rule(scheme=he_normal()), parameters=[Parameter("b", (3,), Axes("out"))])()
    assert caught.value.__notes__[-1] == "parameter: b; rule 0 ('*')"
    with pytest.raises(AxesError) as undeclared:
        plan(Rule(scheme=he_normal()), parameters=[Parameter("w", (3, 4))])()
    assert undeclared.value.__notes__[-2:] == [
        "parameter: w; rule 0 ('*')",
        "neither the parameter nor the rule declares axes",
    ]
    with pytest.raises(DtypeError) as unfit:
        plan_model(Recipe((Rule(scheme=normal(std=1e9)),)), [Parameter("w", (3,))]).check_draws(
            "float16"
        )
    assert unfit.value.__notes__ == ["parameter: w"]


def test_each_parameter_may_have_a_dtype_of_its_own():
    ledger = plan_model(
        Recipe((Rule(scheme=normal(std=1e9)),)), [Parameter("a", (3,)), Parameter("b", (3,))]
    )
    ledger.check_draws({"a": "float32", "b": "bfloat16"})
    with pytest.raises(DtypeError) as unfit:
        ledger.check_draws({"a": "float32", "b": "float16"})
    assert unfit.value.__notes__ == ["parameter: b"]


def test_a_buffer_without_values_starts_from_its_default():
    """spec: recipes/4."""
    parameters = [
        Parameter("weight", (3,)),
        Parameter("var", (3,), kind="buffer", default=ones()),
        Parameter("mean", (3,), kind="buffer", default=zeros()),
    ]
    rules = (Rule(scheme=normal(std=1.0)), Rule(scheme=ones(), kind="buffer", match="mean"))
    ledger = plan_model(Recipe(rules), parameters)
    assert [(e.status, e.rule) for e in ledger.entries] == [
        ("initialized", 0), ("initialized", None), ("initialized", 1)
    ]  # fmt: skip
    assert [e.plan.scheme for e in ledger.entries[1:]] == [ones()] * 2
    assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger


def test_a_rule_is_of_use_if_it_is_optional_or_what_it_matches_is_left():
    """spec: recipes/4."""
    frozen = [Parameter("w", (3,)), Parameter("b", (3,), kind="bias", left_as="frozen")]
    rules = (
        Rule(scheme=ones(), kind="norm", optional=True),
        Rule(scheme=zeros(), kind="bias"),
        Rule(scheme=normal(std=1.0)),
    )
    entries = plan_model(Recipe(rules), frozen).entries
    assert [(e.status, e.rule) for e in entries] == [("initialized", 2), ("frozen", None)]


def test_buffers_are_for_rules_of_their_kind_alone():
    """spec: recipes/4."""
    parameters = [Parameter("weight", (3,)), Parameter("mean", (3,), kind="buffer")]
    everything = Rule(scheme=normal(std=1.0))
    left = plan_model(Recipe((everything,)), parameters)
    assert [(e.status, e.rule) for e in left.entries] == [("initialized", 0), ("skipped", None)]
    buffers = Rule(scheme=zeros(), kind="buffer")
    filled = plan_model(Recipe((everything, buffers)), parameters)
    assert [(e.status, e.rule) for e in filled.entries] == [("initialized", 0), ("initialized", 1)]


def test_a_weight_that_is_not_there_is_missed_by_schemes_that_take_its_fans_alone():
    """spec: recipes/6."""
    bias = Parameter("bias", (3,), Axes("out"), kind="bias", fans_of="weight")
    ledger = plan_model(Recipe((Rule(scheme=zeros()),)), [bias])
    assert ledger.entries[0].plan.parts[0].fans is None
    with pytest.raises(RecipeError, match="`fans_of` must name a parameter with axes"):
        plan_model(Recipe((Rule(scheme=he_normal()),)), [bias])


def test_a_declaration_is_of_a_weight_without_axes_unless_it_says_more():
    assert Declaration() == Declaration(None, "weight", None)


def test_a_ledger_that_was_tampered_with_is_refused():
    data = plan_model(RECIPE, MODEL).to_data()
    data["entries"][2]["laws"][0]["std"] = 1.0
    with pytest.raises(RecipeError, match="`laws` must be those of the scheme"):
        Ledger.from_data(data)
    del data["entries"][2]["scheme"]
    with pytest.raises(RecipeError, match="`status` must fit the scheme, got 'initialized'"):
        Ledger.from_data(data)


@pytest.mark.parametrize("loaded", ["w", None, 3, [["w"]]])
def test_what_is_loaded_is_names(loaded):
    with pytest.raises(RecipeError, match="`loaded` must be a collection of names, got"):
        check_loaded(loaded, {"w"})
    with pytest.raises(RecipeError, match=r"`loaded` must be names in the model, got \['v'\]"):
        check_loaded(iter(["v", "w"]), {"w"})


@pytest.mark.parametrize(
    ("declarations", "message"),
    [
        (None, "`declare` must return a mapping for Mine, got None"),
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


def test_the_first_that_can_be_drawn_leads_a_tie():
    buffer = Parameter("cache", (3, 4), kind="buffer", default=zeros())
    bare, known = Parameter("a", (3, 4)), Parameter("b", (3, 4), LINEAR)
    assert [p.tied_to for p in tie([buffer, bare, known], "xxx")] == ["b", "b", None]
    assert [p.tied_to for p in tie([buffer, bare, known], "xxy")] == ["a", None, None]
    frozen = Parameter("c", (3, 4), left_as="frozen")
    loaded = Parameter("d", (3, 4), left_as="loaded")
    assert [p.left_as for p in tie([known, frozen, loaded], "xxx")] == ["loaded", None, None]
    assert [p.left_as for p in tie([known, frozen, loaded], "xyz")] == [None, "frozen", "loaded"]
