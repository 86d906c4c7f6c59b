"""The core and the adapters as subjects of the conformance suite: found by name, and what they can do."""

import pytest
from fanwise_conformance import EFFORTS, discovery, examine, plan

CHEAP = ("exact/laws", "stream/repeats", "stream/global-state", "dtype/transforms", "errors/raised")


@pytest.fixture(scope="module", params=["numpy", "torch", "jax", "tensorflow"])
def subject(request):
    (subject,) = discovery.select([request.param])
    return subject


@pytest.mark.parametrize("check", CHEAP)
@pytest.mark.global_generator  # the checks of global state disturb it
def test_cheap_checks_pass(subject, check):
    run = plan([subject], EFFORTS["quick"])
    items = [item for item in run.items if item.check.id == check][-8:]
    assert items or (check, subject.name) == ("dtype/transforms", "numpy")
    assert [examine(item, run).reason for item in items] == [""] * len(items)


def test_every_dtype_is_drawn(subject):
    for dtype in subject.feature("dtypes"):
        drawn = subject.draw({"name": "he_normal"}, (6, 5), "out in", seed=1, dtype=dtype)
        assert drawn.shape == (6, 5)
        assert drawn.any()
