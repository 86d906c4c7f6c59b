"""What nobody knows is never drawn in silence, and all faults of a model are told at once."""

import dataclasses
import functools
import itertools
import json
import math

import pytest

from fanwise import (
    Axes,
    AxesError,
    Constant,
    Declaration,
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
    normal,
    ones,
    plan_model,
    resolve,
    zeros,
)
from fanwise.adapting import Found, declarations_of, prepare

pytestmark = pytest.mark.clause("recipes/12", "recipes/16")

LINEAR = Axes("out in")
FC = Parameter("h.0.fc.weight", (8, 4), LINEAR, layer="Linear", known="layer")
NORM = Parameter("h.0.norm.weight", (4,), kind="unknown", layer="LlamaRMSNorm")
TABLE = Parameter("pos", (9, 4), kind="unknown")


def statuses(parameters, *rules):
    return [entry.status for entry in plan_model(parameters, Recipe(rules)).entries]


@pytest.mark.parametrize("scheme", [normal(std=0.02), he_normal(), zeros()])
@pytest.mark.parametrize("kind", [None, "*", "weight", ("weight", "norm_scale")])
def test_no_rule_for_all_draws_the_unknown(scheme, kind):
    with pytest.raises(RecipeError, match=r"got 'h\.0\.norm\.weight' of LlamaRMSNorm x1"):
        plan_model([FC, NORM], Recipe([Rule(scheme, kind=kind)]))


@pytest.mark.parametrize(
    "rule",
    [
        Rule(ones(), match="*.norm.*"),
        Rule(ones(), match="h.0.norm.weight"),
        Rule(ones(), layer="*RMSNorm"),
        Rule(ones(), layer=("T5Norm", "LlamaRMSNorm")),
        Rule(ones(), kind="unknown"),
        Rule(ones(), kind=("unknown", "bias")),
        Rule(ones(), match="*norm*", kind="*"),
        Rule(left_as="kept", match="*.norm.*"),
    ],
)
def test_a_rule_that_names_it_draws_the_unknown(rule):
    left = "kept" if rule.left_as else "initialized"
    assert statuses([FC, NORM], rule, Rule(normal(std=0.02))) == ["initialized", left]


@pytest.mark.parametrize("match", ["*.weight", "h.*", "*t"])
def test_a_wide_pattern_does_not_draw_the_unknown_with_others(match):
    message = r"one type of layer, or name the kinds, .* got rule 0 .*Linear x1, LlamaRMSNorm x1"
    with pytest.raises(RecipeError, match=message):
        plan_model([FC, NORM], Recipe([Rule(normal(std=0.02), match=match)]))


def test_without_layers_a_pattern_is_for_one_name():
    tree = [Parameter(f"{i}.{n}", (4,), kind="unknown") for i in (0, 1) for n in ("w", "scale")]
    assert statuses(tree, Rule(ones(), match="*.scale"), Rule(zeros(), match="*.w"))
    with pytest.raises(RecipeError, match="w x2, scale x2"):
        plan_model(tree, Recipe([Rule(ones(), match="*.*[we]")]))


KINDS = ("weight", "bias", "norm_scale", "unknown")


@pytest.mark.parametrize("match", ["*", "**", "*.*", "h.*", "*.weight", "h.0.w"])
@pytest.mark.parametrize("rule_kind", [None, "*", "weight", "unknown"])
@pytest.mark.parametrize("kinds", [k for n in (1, 2) for k in itertools.product(KINDS, repeat=n)])
def test_what_is_drawn_though_unknown_was_named(kinds, match, rule_kind):
    parameters = [
        Parameter(f"h.{i}.weight", (4, 4), LINEAR if kind != "unknown" else None, kind, layer=kind)
        for i, kind in enumerate(kinds)
    ]
    rule = Rule(normal(std=1.0), match=match, kind=rule_kind, optional=True)
    try:
        ledger = plan_model(parameters, Recipe([rule]))
    except RecipeError:
        return
    drawn = [e.parameter for e in ledger.entries if e.rule == 0]
    if any(parameter.kind == "unknown" for parameter in drawn):
        assert rule_kind == "unknown" or (
            match.strip("*.") and {parameter.layer for parameter in drawn} == {"unknown"}
        )


def test_all_faults_are_in_one_error_grouped_with_counts():
    norms = [dataclasses.replace(NORM, path=f"h.{i}.norm.weight") for i in range(65)]
    buffers = [
        Parameter(f"h.{i}.inv_freq", (4,), kind="buffer", layer="Rotary", valued=False)
        for i in range(7)
    ]
    lone = Parameter("head.mix", (4, 4), layer="Mix")
    recipe = Recipe(
        [Rule(he_normal(), kind=("weight", "embedding")), Rule(ones(), kind="norm_scale")]
    )
    with pytest.raises(RecipeError) as caught:
        plan_model([FC, *norms, *buffers, lone], recipe)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "'h.4.norm.weight' and 60 more of LlamaRMSNorm x65: weight (4,): " in lines[0]
    assert (
        'declare.register(LlamaRMSNorm, lambda layer: {"weight": Declaration(Axes("?"), kind="?")})'
    ) in lines[0]
    assert "rule 1 ('*', kind 'norm_scale'); LlamaRMSNorm x65 look like norms" in lines[1]
    assert "got none for 'h.0.inv_freq'" in lines[2]
    assert "of Rotary x7, skipped" in lines[2]
    assert "`axes` must be given for he_normal, got None for 'head.mix' of Mix" in lines[3]


def test_the_declaration_to_paste_has_all_names_of_a_class():
    parts = [
        Parameter(f"e.{name}", shape, kind="unknown", layer="Experts")
        for name, shape in (("gate_up", (2, 3, 4)), ("down", (2, 4, 3)))
    ]
    pasted = r'\{"gate_up": Declaration\(Axes\("\? \? \?"\), kind="\?"\), "down": Declaration'
    with pytest.raises(RecipeError, match=pasted):
        plan_model(parts, he_normal())


def test_errors_of_one_type_keep_it():
    norms = [Parameter(f"{i}.weight", (4,), Axes("out"), "norm_scale") for i in range(3)]
    with pytest.raises(FanError, match=r"'0\.weight', '1\.weight', '2\.weight'"):
        plan_model(norms, Recipe([Rule(he_normal(), kind="norm_scale")]))
    with pytest.raises(AxesError) as caught:
        plan_model([Parameter("w", (4, 4)), Parameter("v", (4, 4, 4))], he_normal())
    assert len(str(caught.value).splitlines()) == 2


def test_the_ledger_says_how_axes_are_known():
    parameters = [
        FC,
        NORM,
        TABLE,
        Parameter("own", (4, 4), LINEAR),
        Parameter("seen", (4, 4), LINEAR, known="computation"),
        Parameter("count", (), kind="buffer"),
    ]
    rules = [
        Rule(ones(), layer="LlamaRMSNorm"),
        Rule(he_normal(), match="pos", axes=Axes("stack out"), optional=True),
        Rule(he_normal(), match="own", axes=Axes("in out")),
        Rule(he_normal()),
    ]
    with pytest.raises(FanError):
        plan_model(parameters, Recipe(rules))
    rules[1] = Rule(normal(std=1.0), match="pos", axes=Axes("stack out"))
    ledger = plan_model(parameters, Recipe(rules))
    expected = ["layer", "", "rule", "rule", "computation", ""]
    assert [entry.known for entry in ledger.entries] == expected
    again = Ledger.from_data(json.loads(json.dumps(ledger.to_data())))
    assert [entry.known for entry in again.entries] == expected
    column = str(ledger).splitlines()[0].index("known")
    assert [line[column:].split("  ")[0] for line in str(ledger).splitlines()[1:3]] == ["layer", ""]


def test_rules_select_by_role():
    query, key = (Parameter(role, (4, 4), LINEAR, role=role) for role in ("query", "key"))
    ledger = plan_model(
        [query, key], Recipe([Rule(zeros(), role=("query", "value")), Rule(ones())])
    )
    assert [entry.rule for entry in ledger.entries] == [0, 1]
    assert (
        Recipe.from_data(Recipe([Rule(zeros(), role="query")]).to_data()).rules[0].role == "query"
    )


def test_a_ledger_of_what_was_known_is_of_the_model_that_is_not():
    """A ledger that a trace has made is carried out without the trace."""
    seen = dataclasses.replace(NORM, kind="norm_scale", axes=Axes("out"), known="computation")
    ledger = plan_model([FC, seen], Recipe([Rule(he_normal())]))
    ledger.check_model([FC, NORM])
    with pytest.raises(RecipeError, match="shape"):
        ledger.check_model([FC, dataclasses.replace(NORM, shape=(5,))])
    other = dataclasses.replace(FC, axes=Axes("in out"))
    with pytest.raises(RecipeError, match="axes"):
        ledger.check_model([other, NORM])


@pytest.mark.parametrize("drawn", ["a", "b"])
def test_ties_are_compared_whichever_name_is_drawn(drawn):
    def pair(first, tied=True):
        a, b = (Parameter(name, (4, 4), LINEAR, known="layer") for name in "ab")
        if not tied:
            return [a, b]
        if first == "a":
            return [a, dataclasses.replace(b, tied_to="a")]
        return [dataclasses.replace(a, tied_to="b"), b]

    ledger = plan_model(pair(drawn), he_normal())
    ledger.check_model(pair("a"))
    ledger.check_model(pair("b"))
    with pytest.raises(RecipeError, match="tied"):
        ledger.check_model(pair(drawn, tied=False))
    with pytest.raises(RecipeError, match="tied"):
        plan_model(pair(drawn, tied=False), he_normal()).check_model(pair("a"))


@pytest.mark.clause("recipes/13", "recipes/14")
def test_what_is_left_without_values():
    bare = [dataclasses.replace(FC, valued=False), Parameter("b", (4,), kind="bias", valued=False)]
    for left, expected in (("kept", "kept"), ("frozen", "frozen")):
        rules = Recipe([Rule(left_as=left, kind="bias"), Rule(he_normal())])
        with pytest.raises(RecipeError, match=f"got none for 'b', {expected}"):
            plan_model(bare, rules)
    rules = Recipe([Rule(left_as="loaded", kind="bias"), Rule(he_normal())])
    assert plan_model(bare, rules).entries[1].status == "loaded"


@pytest.mark.clause("recipes/15")
def test_shapes_are_those_of_the_layers_own_sizes():
    def found(path, shape, own):
        return Found(Parameter(path, shape, LINEAR, layer="Linear"), "float32", path, (), own)

    prepare([found("a", (8, 4), (8, None))], he_normal())
    wrong = [found(f"{i}.weight", (8, 4), (4, 8)) for i in range(2)]
    message = (
        r"`shape` must be 4 x 8, by the sizes of Linear, got \(8, 4\) for '0.weight', '1.weight'"
    )
    with pytest.raises(RecipeError, match=message):
        prepare(wrong, he_normal())
    ledger = prepare([found("a", (8, 4), None)], he_normal())
    with pytest.raises(RecipeError, match="by the sizes of Linear"):
        prepare([found("a", (8, 4), (8, 4, 1))], ledger)


class Root:
    def forward(self, x):
        raise NotImplementedError


class Base(Root):
    pass


class Norm(Root):
    def forward(self, x):
        return x


class Named(Norm):
    pass


class ZeroCentred(Norm):
    def forward(self, x):
        return x + 1


class Concrete(Base):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("registered", "layer", "covered"),
    [
        (Norm, Norm, True),
        (Norm, Named, True),
        (Norm, ZeroCentred, False),
        (Base, Concrete, True),  # it leaves the computation to its subclasses
        (ZeroCentred, ZeroCentred, True),
    ],
)
def test_a_subclass_that_computes_otherwise_is_another_type(registered, layer, covered):
    declare = functools.singledispatch(lambda layer: {})
    declare.register(registered, lambda layer: {"scale": Declaration()})
    found, known = declarations_of(layer(), declare, ("forward",), ("torch",), Root)
    assert (bool(found), known) == (covered, "declared")


def test_a_declaration_is_a_mapping():
    declare = functools.singledispatch(lambda layer: {})
    declare.register(Norm, lambda layer: None)
    with pytest.raises(RecipeError, match="`declare` must return a mapping for Norm, got None"):
        declarations_of(Norm(), declare, ("forward",), ("torch",), Root)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Parameter("w", (3,), role=1), "`role` must be a string, got 1"),
        (
            lambda: Parameter("w", (3,), known="guess"),
            "`known` must be one of 'declared', .*'guess'",
        ),
        (lambda: Parameter("w", (3,), valued=1), "`valued` must be true or false, got 1"),
        (lambda: Rule(zeros(), layer=3), "`layer` must be a string or several, got 3"),
        (lambda: Rule(zeros(), role=[]), r"`role` must be a string or several, got \[\]"),
    ],
)
def test_errors(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


ARRAY = [[0.0, 1.0, 4.0], [2.0, 2.0, 3.0]]


@pytest.mark.clause("schemes/4")
class TestConstantArrays:
    def test_its_law_has_the_moments_of_the_values(self):
        law = resolve(constant(value=ARRAY), (5, 2, 3), Axes("stack out in")).law
        assert law.mean == pytest.approx(2)
        assert law.variance == pytest.approx(sum((v - 2) ** 2 for row in ARRAY for v in row) / 6)
        assert law.support == (0, 4)
        assert [law.cdf(x) for x in (-1, 2, 4)] == pytest.approx([0, 4 / 6, 1])
        assert [law.quantile(p) for p in (0, 0.5, 1)] == [0, 2, 4]
        fourth = sum((v - 2) ** 4 for row in ARRAY for v in row) / 6
        assert law.excess_kurtosis == pytest.approx(fourth / law.variance**2 - 3)
        assert math.isnan(resolve(constant(value=[2.0]), (3,)).law.excess_kurtosis)

    def test_it_is_data(self):
        scheme = constant(value=ARRAY)
        assert Scheme.from_data(json.loads(json.dumps(scheme.to_data()))) == scheme
        assert hash(scheme) == hash(constant(value=tuple(map(tuple, ARRAY))))
        assert scheme.scaled(2.0) == constant(value=[[0, 2, 8], [4, 4, 6]])
        assert eval(repr(scheme)) == scheme
        assert "..." in repr(constant(value=list(range(100))))
        ledger = plan_model([Parameter("a", (2, 3))], Recipe([Rule(scheme)]))
        assert Ledger.from_data(json.loads(json.dumps(ledger.to_data()))) == ledger

    def test_it_is_of_the_whole_parameter_not_of_a_block(self):
        plan = resolve(constant(value=[1, 2, 3, 4]), (4,), Axes("out", blocks={"out": 2}))
        assert [part.shape for part in plan.parts] == [(4,)]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([], "rectangular and not empty"),
            ([[1.0], [1.0, 2.0]], "rectangular and not empty"),
            ([1.0, math.nan], "must be a number, got nan"),
            ([1.0, math.inf], "must be finite"),
            ([1.0, "a"], "must be a real number, got 'a'"),
        ],
    )
    def test_what_it_cannot_be(self, value, message):
        with pytest.raises(SchemeError, match=message):
            constant(value=value)

    @pytest.mark.parametrize("shape", [(), (2,), (3, 2), (2, 3, 4)])
    def test_it_must_broadcast(self, shape):
        with pytest.raises(SchemeError, match=r"must broadcast to .* got the shape \(2, 3\)"):
            resolve(constant(value=ARRAY), shape)

    def test_one_value_is_a_constant(self):
        assert resolve(constant(value=2), (3,)).law == Constant(2.0)
