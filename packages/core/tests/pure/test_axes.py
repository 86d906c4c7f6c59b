"""Axes: roles, options, and the axes of usual layers."""

import dataclasses

import pytest

from fanwise import Axes, AxesError, block_fans, fans, layers, normal, resolve

pytestmark = pytest.mark.clause(
    "axes/1", "axes/2", "axes/3", "axes/4", "axes/5", "axes/6", "axes/7", "axes/8", "axes/9"
)


def test_a_string_and_a_sequence_of_roles_are_the_same():
    assert Axes("out in kernel") == Axes(["out", "in", "kernel"])
    assert hash(Axes("out in")) == hash(Axes(("out", "in")))


def test_axes_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Axes("out in").groups = 2


def test_replace_keeps_the_other_options():
    axes = dataclasses.replace(Axes("out in kernel", stride=2), groups=4)
    assert axes == Axes("out in kernel", stride=(2,), groups=4)


def test_one_stride_is_for_every_kernel_axis():
    assert Axes("out in kernel kernel", stride=2).stride == (2, 2)


def test_one_block_is_no_division():
    assert Axes("out in", blocks={"out": 1}) == Axes("out in")


@pytest.mark.parametrize(
    "axes",
    [
        Axes(""),
        Axes("out in"),
        Axes("out in kernel kernel", groups=4, stride=(2, 1)),
        Axes("in out kernel", transposed=True),
        Axes("in out", one_hot=True),
        Axes("stack in out", blocks={"out": (4, 2, 2), "in": 2}),
    ],
    ids=str,
)
def test_plain_data_round_trips(axes):
    assert Axes.from_data(axes.to_data()) == axes


def test_repr_evaluates_to_the_same():
    axes = Axes("out in kernel", groups=4, stride=2, blocks={"in": (2, 3)})
    assert eval(repr(axes)) == axes


def test_blocks_of_a_plan_tile_the_array():
    axes = Axes("in out", blocks={"out": (5, 2, 2), "in": 2})
    parts = resolve(normal(std=1.0), (6, 9), axes).parts
    cells = [
        (i, j)
        for part in parts
        for i in range(part.start[0], part.start[0] + part.shape[0])
        for j in range(part.start[1], part.start[1] + part.shape[1])
    ]
    assert len(parts) == 6
    assert sorted(cells) == [(i, j) for i in range(6) for j in range(9)]


def test_blocks_and_groups_of_nothing():
    axes = Axes("out in", groups=2, blocks={"out": 2})
    assert [f.fan_out for f in block_fans((0, 4), axes)] == [0, 0]


def test_groups_are_shared_out_over_blocks():
    # Twelve groups of 2 units: the first block has ten of them, the other two.
    axes = Axes("out in", groups=12, blocks={"out": (20, 4)})
    parts = resolve(normal(std=1.0), (24, 3), axes).parts
    assert [part.axes.groups for part in parts] == [10, 2]
    assert [(f.fan_in, f.fan_out) for f in block_fans((24, 3), axes)] == [(3, 2), (3, 2)]


class Array:
    """An array, by mistake where its shape is asked for."""

    shape = (8,)

    def __iter__(self):
        return iter([1.0] * 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axes("out width"), "`roles` must be among 'out', 'in', 'kernel', 'stack', got 'width'"),
        (lambda: Axes(None), "`roles` must be a string or a sequence, got None"),
        (lambda: Axes("out in", blocks=(1, 2)), "`blocks` must be a mapping from roles to sizes, got (1, 2)"),
        (lambda: Axes("out in", blocks=5), "`blocks` must be a mapping from roles to sizes, got 5"),
        (lambda: fans((4, 4), "out in"), "`axes` must be an Axes, such as Axes('out in'), got 'out in'"),
        (lambda: Axes("out in", groups=0), "`groups` must be at least 1, got 0"),
        (lambda: Axes("out in", groups=1.5), "`groups` must be a whole number, got 1.5"),
        (lambda: Axes("out in", groups=True), "`groups` must be a whole number, got True"),
        (lambda: Axes("in kernel", groups=2), "`groups` needs an 'out' axis to divide, got ('in', 'kernel')"),
        (lambda: Axes("out", one_hot=True), "`one_hot` needs an 'in' axis, got ('out',)"),
        (lambda: Axes("out in", transposed=1), "`transposed` must be a bool, got 1"),
        (lambda: Axes("out in", stride=2), "`stride` needs a 'kernel' axis, got 2"),
        (lambda: Axes("out kernel", stride=0), "`stride` must be at least 1, got 0"),
        (
            lambda: Axes("out in kernel", stride=(1, 2)),
            "`stride` must have one value for each of the 1 'kernel' axes, got (1, 2)",
        ),
        (lambda: Axes("out in", blocks={"heads": 3}), "`blocks` must be among 'out', 'in', 'kernel', 'stack', got 'heads'"),
        (
            lambda: Axes("in out out", blocks={"out": 3}),
            "`blocks` must divide a role with exactly one axis, got 'out' with 2",
        ),
        (lambda: Axes("in out", blocks={"out": 0}), "`blocks` must be at least 1, got 0"),
        (lambda: Axes("in out", blocks={"out": (3, -1)}), "`blocks` must be at least 1, got -1"),
        (lambda: Axes("in out", blocks={"out": ()}), "`blocks` must name at least one block of 'out', got ()"),
        (lambda: Axes.from_data(3), "`axes` must be a string or an object with 'roles', got 3"),
        (
            lambda: Axes.from_data({"roles": "out", "group": 2}),
            "`axes` must have only the keys ['blocks', 'groups', 'one_hot', 'roles', 'stride', "
            "'transposed'], got ['group']",
        ),
        (lambda: Axes.from_data({"roles": "out", "blocks": 3}), "`blocks` must be an object, got 3"),
        (
            lambda: fans((3, 4), Axes("out in kernel")),
            "`axes` must have one role for each axis of `shape`, got 3 ('out in kernel') for (3, 4)",
        ),
        (lambda: fans((10, 4), Axes("out in", groups=4)), "`groups` must divide the 10 units of 'out', got 4"),
        (
            lambda: fans((10, 4), Axes("in out", groups=4, transposed=True)),
            "`groups` must divide the 10 units of 'in', got 4",
        ),
        (
            lambda: fans((10, 4), Axes("out in", blocks={"out": 3})),
            "`blocks` must divide 'out' of size 10, got 3 blocks",
        ),
        (
            lambda: fans((10, 4), Axes("out in", blocks={"out": (4, 4)})),
            "`blocks` must add up to the size of 'out', 10, got (4, 4) = 8",
        ),
        (
            lambda: fans((8, 4), Axes("out in", groups=2, blocks={"out": (6, 2)})),
            "`blocks` must divide 'out' at the borders of its groups of 4, got a block of 6",
        ),
        (lambda: fans((8, -4), Axes("out in")), "`shape` must be at least 0, got -4"),
        (lambda: fans((8, 4.0), Axes("out in")), "`shape` must be a whole number, got 4.0"),
        (lambda: fans(Array(), Axes("out")), "`shape` must be a sequence of whole numbers, got an array: give its shape"),
        (lambda: fans("8", Axes("out")), "`shape` must be a sequence of whole numbers, got '8'"),
        (lambda: fans(8, Axes("out")), "`shape` must be a sequence of whole numbers, got 8"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(make, message):
    with pytest.raises(AxesError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("equation", "roles"),
    [
        ("ab,bc->ac", "in out"),
        ("...d, hdk -> ...hk", "out in out"),
        ("bthk,hkd->btd", "in in out"),
        ("ebd,edf->ebf", "stack in out"),  # experts
    ],
)
def test_an_einsum_says_what_the_axes_of_its_kernel_are(equation, roles):
    assert Axes.from_einsum(equation) == Axes(roles)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("ab,bc", "two operands and a result"),
        ("ab->a", "two operands and a result"),
        ("ab,bc,cd->ad", "two operands and a result"),
        (None, "got None"),
        ("ab,bcd->ac", "each index of the kernel"),
    ],
)
def test_other_equations_are_errors(equation, message):
    with pytest.raises(AxesError, match=message):
        Axes.from_einsum(equation)


CONVOLUTIONS = [
    (layers.torch.conv(2, groups=4), "out in kernel kernel"),
    (layers.torch.conv_transpose(1, stride=2), "in out kernel"),
    (layers.keras.conv(3), "kernel kernel kernel in out"),
    (layers.keras.depthwise_conv(1), "kernel stack out"),
    (layers.keras.conv_transpose(2), "kernel kernel out in"),
    (layers.flax.conv_transpose(1), "kernel in out"),
    (layers.flax.conv_transpose(1, transpose_kernel=True), "kernel out in"),
    (layers.flax.conv_local(2), "stack stack in out"),
    (layers.equinox.conv(1), "out in kernel"),
    (layers.haiku.conv_transpose(2), "kernel kernel out in"),
]


@pytest.mark.clause("axes/8")
@pytest.mark.parametrize(("axes", "roles"), CONVOLUTIONS)
def test_layers_have_axes_by_framework(axes, roles):
    assert " ".join(axes.roles) == roles


@pytest.mark.parametrize("framework", layers.__all__)
def test_layers_are_listed_and_documented(framework):
    module = getattr(layers, framework)
    assert sorted(module.__all__) == list(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__.startswith("Return the axes of ")


def test_layers_refuse_what_no_axes_say():
    with pytest.raises(
        AxesError, match="`stride` must be 1 for a grouped transposed convolution, got 2"
    ):
        layers.equinox.conv_transpose(1, groups=2, stride=2)
    with pytest.raises(AxesError, match="`dimensions` must be a whole number, got 'two'"):
        layers.torch.conv("two")
