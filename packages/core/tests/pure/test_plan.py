"""Plans: what a scheme, a shape and axes resolve to."""

import math

import pytest

from fanwise import (
    Axes,
    AxesError,
    FanError,
    LawError,
    SchemeError,
    delta_orthogonal,
    dirac,
    he_normal,
    identity,
    normal,
    orthogonal,
    resolve,
    sparse,
    truncated_normal,
    uniform,
)

pytestmark = pytest.mark.clause(
    "terms/1",
    "schemes/3",
    "schemes/8",
    "schemes/9",
    "schemes/10",
    "schemes/11",
    "schemes/12",
    "schemes/13",
    "errors/1",
    "errors/2",
)


def test_equal_arguments_give_equal_plans():
    one = resolve(he_normal(), (3, 4), Axes("out in"))
    two = resolve(he_normal(), [3, 4], Axes(["out", "in"]))
    assert one == two
    assert hash(one) == hash(two)


def test_simple_schemes_need_no_axes():
    assert resolve(normal(std=2.0), (3, 4)).law.std == 2.0
    assert resolve(normal(std=2.0), ()).size == 1
    assert resolve(normal(std=2.0), (3, 0)).size == 0


def test_a_plan_has_one_law_if_its_blocks_share_it():
    axes = Axes("in out", blocks={"out": (8, 4)})
    assert resolve(he_normal(fan="in"), (6, 12), axes).law.variance == pytest.approx(1 / 3)
    with pytest.raises(LawError, match="`blocks` must share their law to have one answer, got 2"):
        _ = resolve(he_normal(fan="out"), (6, 12), axes).law


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: resolve(he_normal(), (3, 4)), AxesError, "`axes` must be given for he_normal, got None"),
        (lambda: resolve("he_normal", (3, 4), Axes("out in")), SchemeError, "`scheme` must be a Scheme, such as he_normal(), got 'he_normal'"),
        (lambda: resolve(he_normal, (3, 4), Axes("out in")), SchemeError, "`scheme` must be a Scheme, such as he_normal(), got <function"),
        (lambda: resolve(he_normal(), (3, 4), "out in"), AxesError, "`axes` must be an Axes, such as Axes('out in'), got 'out in'"),
        (lambda: resolve(he_normal(), (3, 4), fans=12), FanError, "`fans` must be Fans, such as Fans(12, 34), got 12"),
        (lambda: resolve(he_normal(), (3, 4), fans=(12, 12)), FanError, "`fans` must be Fans, such as Fans(12, 34), got (12, 12)"),
        (
            lambda: resolve(orthogonal(), (5,), Axes("out")),
            SchemeError,
            "`axes` must have an 'in' or a 'kernel' axis for orthogonal, got none: a vector is no matrix",
        ),
        (
            lambda: resolve(identity(), (), Axes("")),
            SchemeError,
            "`axes` must have an 'in' or a 'kernel' axis for identity, got none: a vector is no matrix",
        ),
        (lambda: resolve(orthogonal(), (3, 4)), AxesError, "`axes` must be given for orthogonal, got None"),
        (
            lambda: resolve(orthogonal(), (0, 4), Axes("out in")).law,
            LawError,
            "`shape` must not be empty to have a law, got (0, 4)",
        ),
        (
            lambda: resolve(identity(), (3, 4, 3), Axes("out in kernel")),
            SchemeError,
            "`axes` must have no 'kernel' axis (see `dirac`) for identity, got a kernel of (3,)",
        ),
        (
            lambda: resolve(dirac(), (3, 4), Axes("out in")),
            SchemeError,
            "`axes` must have a 'kernel' axis for dirac, got a kernel of ()",
        ),
        (
            lambda: resolve(delta_orthogonal(), (3, 4, 3), Axes("out in kernel")),
            SchemeError,
            "`axes` must have at least as many 'out' as 'in' units for delta_orthogonal, got 3 and 4: "
            "no linear map to fewer dimensions preserves every norm",
        ),
        (
            lambda: resolve(sparse(sparsity=0.95, std=1.0), (3, 10), Axes("out in")),
            SchemeError,
            "`sparsity` must leave a weight to every unit, got 0.95 of 10",
        ),
        (
            lambda: resolve(truncated_normal(std=0.6, low=-1, high=1, bounds="absolute"), (3,)),
            SchemeError,
            f"`std` must be below {2 / math.sqrt(12)}, that of the uniform law on the bounds, got 0.6",
        ),
        (
            lambda: resolve(normal(std=1.0, mean=1.0), (3,), field="complex"),
            SchemeError,
            "`mean` must be 0 for complex weights, got 1.0",
        ),
        (
            lambda: resolve(uniform(low=0, high=1), (3,), field="complex"),
            LawError,
            "`low` and `high` must be finite and symmetric about a mean of 0 for complex weights, got 0.0 and 1.0",
        ),
        (
            lambda: resolve(normal(std=1.0), (3,), field="quaternion"),
            SchemeError,
            "`field` must be one of 'real', 'complex', got 'quaternion'",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, ValueError)


def test_notes_have_the_scheme_the_shape_and_the_axes():
    with pytest.raises(FanError) as caught:
        resolve(he_normal(), (9,), Axes("out"))
    (note,) = caught.value.__notes__
    assert note == f"scheme: {he_normal()}; shape: (9,); axes: out"
