"""The zoo's page says what was found, and a sample of the models is found so again.

What was found before is of the releases in the results; a sample of newer ones must be planned no
worse.
"""

import json
import warnings

import pytest

from zoo import report
from zoo.case import Case, NotBuilt
from zoo.running import FAMILIES, found

pytestmark = pytest.mark.global_generator  # constructing a model draws from it

SAMPLE = {
    "transformers": ["bert", "clip", "gemma3_text", "gpt2", "llama", "mamba", "mixtral", "t5"],
    "diffusers": ["AutoencoderKL", "DiTTransformer2DModel"],
    "jax": [
        "plain transformer",
        "linen GPT under nn.scan",
        "nnx mixture of experts under nnx.vmap",
        "eqx.nn.MultiheadAttention",
        "hk.MultiHeadAttention",
    ],
}
RANK = ("planned whole", "not used", "unknown", "not run", "not built", "wrong")
BEFORE = {
    (family, row["name"]): row for family, data in report.read().items() for row in data["models"]
}


def test_the_page_is_what_was_found():
    assert report.PAGE.read_text() == report.page(report.read())


def test_nothing_that_was_found_is_wrong():
    assert [name for (_, name), row in BEFORE.items() if row.get("wrong")] == []


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in SAMPLE.items() for name in names]
)
def test_a_sample_is_planned_as_before(family, name):
    row = found(family, name)
    assert not row.get("wrong"), row
    before, after = (RANK.index(report.kind_of(one)) for one in (BEFORE[family, name], row))
    assert after <= before, json.dumps(row)


def linear():
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    torch.nn.init.zeros_(model[1].weight)
    return model


def test_a_replaced_constant_is_seen():
    import torch

    row = FAMILIES["timm"][1](Case("own", linear, lambda _: torch.zeros(2, 3)))
    assert row.replaced == ["LayerNorm.weight (norm_scale): 1 for 0 (1)"]
    assert not row.wrong


def test_what_is_not_used_is_seen():
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.mask = torch.nn.Linear(3, 4), torch.nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return self.linear(x)

    row = FAMILIES["timm"][1](Case("own", Model, lambda _: torch.zeros(2, 3)))
    assert row.unknown == row.unreached == {"Model.mask": 1}


def test_what_does_not_run_and_is_not_built_is_seen():
    import torch

    row = FAMILIES["timm"][1](Case("own", linear, lambda _: torch.zeros(2, 5)))
    assert row.not_run
    with pytest.raises(NotBuilt, match="ZeroDivisionError"), warnings.catch_warnings():
        FAMILIES["timm"][1](Case("own", lambda: 1 // 0, lambda _: None))
