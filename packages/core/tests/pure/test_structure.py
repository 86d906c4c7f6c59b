"""The record of a computation, and axes as they are followed through it."""

import itertools
import json
import math

import pytest

from fanwise import Axes, Parameter, RecipeError, Structure
from fanwise._structure.atoms import Atom, join, plain, regroup, rejoin, size_of, slice_axis, take
from fanwise.adapting import Computation, Operation

pytestmark = pytest.mark.clause("recipes/17")


def record(*operations, shapes, parameters, inputs=(0,), outputs=None, integers=()):
    last = operations[-1].outputs if outputs is None else outputs
    return Computation(tuple(shapes), parameters, inputs, last, operations, frozenset(integers))


def op(name, inputs, output, **options):
    return Operation(name, inputs, (output,), options)


def add(one, other, output):
    return op("elementwise", (one, other), output, function="add", scalar=None)


LINEAR = record(
    op("contraction", (0, 1), 3, equation="ab,cb->ac"),
    add(3, 2, 4),
    shapes=[(2, 4), (8, 4), (8,), (2, 8), (2, 8)],
    parameters={"w": 1, "b": 2},
)


def unknown(computation):
    shapes = computation.shapes
    return [
        Parameter(path, shapes[n], kind="unknown") for path, n in computation.parameters.items()
    ]


def seen(computation):
    found = Structure.of(unknown(computation), computation)
    return {p.path: (p.axes and str(p.axes), p.kind) for p in found.parameters}


def test_a_linear_layer():
    assert seen(LINEAR) == {"w": ("out in", "weight"), "b": ("out", "bias")}


def test_it_is_plain_data():
    again = Computation.from_data(json.loads(json.dumps(LINEAR.to_data())))
    assert again == LINEAR
    assert str(again) == str(LINEAR)
    assert str(LINEAR).splitlines()[3] == "%3 = contraction(%0, %1; equation=ab,cb->ac)"
    structure = Structure.of(unknown(LINEAR), LINEAR)
    assert Structure.from_data(json.loads(json.dumps(structure.to_data()))) == structure


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Operation("fold", (), ()), "`name` must be one of .*'contraction'.* got 'fold'"),
        (lambda: op("gather", (0, 1), 2), r"`options` of gather must be \['axis'\], got \[\]"),
        (
            lambda: op("gather", (0, 1), 2, axis=0, mode="fill"),
            r"`options` of gather must be \['axis'\], got \['axis', 'mode'\]",
        ),
        (
            lambda: record(op("reshape", (0,), 9), shapes=[(1,)], parameters={}),
            "values must have a shape, got %9",
        ),
        (
            lambda: record(op("reshape", (0,), 0), shapes=[(1,)], parameters={}),
            "a value must be made once, got %0",
        ),
        (lambda: Computation.from_data({"format": "model"}), "`format` must be 'computation'"),
        (
            lambda: Computation.from_data({**LINEAR.to_data(), "operations": ["add"]}),
            "`operations` must be objects with a name, got 'add'",
        ),
        (
            lambda: Computation.from_data({**LINEAR.to_data(), "parameters": [1]}),
            r"`parameters` must be an object, got \[1\]",
        ),
        (
            lambda: Computation.from_data({**LINEAR.to_data(), "inputs": [-1]}),
            "`inputs` must be at least 0, got -1",
        ),
        (lambda: Structure.from_data(LINEAR.to_data()), "`format` must be 'structure'"),
    ],
)
def test_errors(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


SIZES = [sizes for n in (1, 2, 3, 4) for sizes in itertools.product((1, 2, 3), repeat=n)]


@pytest.mark.parametrize("sizes", SIZES)
def test_a_reshape_and_back_is_the_same_axis(sizes):
    """The factors of an axis, put together in their order, are the axis again."""
    size = math.prod(sizes)
    (axis,) = regroup([(Atom(size),)], [size])
    for order in itertools.permutations(sizes):
        parts = regroup([axis], order)
        assert tuple(map(size_of, parts)) == order
        (again,) = regroup(parts, [size])
        assert again == axis or size == 1


@pytest.mark.parametrize("one", SIZES)
def test_a_regrouped_shape_has_its_sizes(one):
    total = math.prod(one)
    for other in SIZES:
        shape = [*other, 1] if math.prod(other) == total else [total]
        assert [size_of(axis) for axis in regroup(plain(one), shape)] == shape


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_all_pieces_are_blocks_unless_they_are_put_together_again(count, size):
    whole = Atom(count * size, owner=(0, 0))
    pieces = [slice_axis((whole,), i * size, (i + 1) * size, 1) for i in range(count)]
    assert whole.blocks() == (size,) * count
    assert [piece[0].owners() for piece in pieces] == [
        [((0, 0), (i * size, (i + 1) * size))] for i in range(count)
    ]
    assert rejoin(pieces[::-1]) == (whole,)
    assert whole.blocks() == ()


def test_some_pieces_are_no_blocks():
    whole = Atom(10)
    whole.piece(0, 4)
    assert whole.blocks() == ()
    whole.piece(5, 10)
    assert whole.blocks() == ()
    whole.piece(4, 5)
    assert whole.blocks() == (4, 1, 5)
    whole.piece(5, 10).piece(0, 2)
    whole.piece(5, 10).piece(2, 5)
    assert whole.blocks() == (4, 1, 2, 3)


def test_a_position_of_an_outermost_factor_is_a_piece():
    whole = Atom(24, owner=(0, 0))
    three, heads, width = regroup([(whole,)], [3, 2, 4])
    for index in range(3):
        (one, other) = take([heads, width], three[0], index)
        assert join((*one, *other))[0].owners()[0] == ((0, 0), (8 * index, 8 * index + 8))
    assert whole.blocks() == (8, 8, 8)


CONVOLUTION = {
    "input": {"batch": 0, "channel": 1, "spatial": (2, 3)},
    "kernel": {"out": 0, "in": 1, "spatial": (2, 3)},
    "groups": 2,
    "stride": (2, 1),
    "transposed": False,
}


@pytest.mark.parametrize(
    ("computation", "expected"),
    [
        (
            record(
                op("convolution", (0, 1), 2, **CONVOLUTION),
                shapes=[(2, 8, 6, 6), (6, 4, 3, 1), (2, 6, 2, 6)],
                parameters={"w": 1},
            ),
            {"w": ("out in kernel kernel, groups=2, stride=(2, 1)", "weight")},
        ),
        (
            record(
                op("gather", (1, 0), 2, axis=0),
                shapes=[(2, 3), (9, 4), (2, 3, 4)],
                parameters={"w": 1},
                integers=[0],
            ),
            {"w": ("in out, one_hot=True", "embedding")},
        ),
        (
            record(
                op("select", (1,), 2, axis=0, index=None),
                op("contraction", (0, 2), 3, equation="ab,bc->ac"),
                op("stack", (3,), 4, axis=0),
                shapes=[(2, 3), (5, 3, 4), (3, 4), (2, 4), (5, 2, 4)],
                parameters={"w": 1},
            ),
            {"w": ("stack in out", "weight")},
        ),
        (
            record(
                op("normalization", (0,), 2, axes=(1,)),
                op("elementwise", (1,), 3, function="add", scalar=1.0),
                op("elementwise", (2, 3), 4, function="mul", scalar=None),
                shapes=[(2, 3), (3,), (2, 3), (3,), (2, 3)],
                parameters={"w": 1},
            ),
            {"w": ("out", "norm_scale")},
        ),
        (
            record(
                op("elementwise", (1,), 2, function="exp", scalar=None),
                op("elementwise", (0, 2), 3, function="mul", scalar=None),
                shapes=[(2, 3), (), (), (2, 3)],
                parameters={"w": 1},
            ),
            {"w": ("", "temperature")},
        ),
        (
            record(
                Operation("other", (0, 1), (2,), {"function": "kernel"}),
                shapes=[(2, 3), (3, 3), (2, 3)],
                parameters={"w": 1},
            ),
            {"w": (None, "unknown")},
        ),
    ],
)
def test_from_use_to_axes_and_kind(computation, expected):
    assert seen(computation) == expected


def test_a_declaration_is_believed_before_the_computation():
    declared = Parameter("w", (8, 4), Axes("in out"))
    of_layer = Parameter("w", (8, 4), Axes("in out"), known="layer")
    bias = Parameter("b", (8,), Axes("out"), "bias", known="layer")
    assert Structure.of([declared], LINEAR).parameters[0].axes == Axes("in out")
    assert Structure.of([of_layer, bias], LINEAR).parameters[0].axes == Axes("out in")


@pytest.mark.clause("recipes/3")
def test_loops_count_their_residual_branches():
    loop = [
        Operation("contraction", (0, 1), (2,), {"equation": "ab,bc->ac"}, times=12),
        Operation("elementwise", (0, 2), (3,), {"function": "add", "scalar": None}, times=12),
    ]
    computation = record(*loop, shapes=[(2, 4), (4, 4), (2, 4), (2, 4)], parameters={"w": 1})
    (parameter,) = Structure.of(unknown(computation), computation).parameters
    assert (parameter.role, parameter.branches) == ("residual_end", 12)
    assert Computation.from_data(computation.to_data()) == computation
