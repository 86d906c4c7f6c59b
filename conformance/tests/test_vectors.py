"""The vectors: derived again, of their schema, and what the oracle says."""

import json
import math
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from fanwise_conformance import oracle
from fanwise_conformance.checks.exact import vectors

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from derive_vectors import VECTORS, derive  # noqa: E402  # beside this file

SCHEMA = json.loads((VECTORS / "vectors.schema.json").read_text())


def test_vectors_are_as_derived():
    assert {topic: vectors(topic) for topic in ("fans", "laws")} == json.loads(json.dumps(derive()))


@pytest.mark.parametrize("topic", ["fans", "laws"])
def test_vectors_are_of_their_schema(topic):
    data = json.loads((VECTORS / f"{topic}.json").read_text())
    jsonschema.validate(data, SCHEMA)
    broken = data | {"vectors": [{**data["vectors"][0], "clause": "no clause"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_names_of_vectors_are_their_own():
    for topic in ("fans", "laws"):
        names = [vector["name"] for vector in vectors(topic)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("vector", vectors("fans"), ids=lambda v: v["name"])
def test_the_oracle_counts_these_fans(vector):
    found = [[b.fan_in, b.fan_out] for b in oracle.blocks(tuple(vector["shape"]), vector["axes"])]
    assert found == [[Fraction(fan) for fan in pair] for pair in vector["fans"]]


ELEMENTWISE = [v for v in vectors("laws") if v["clause"] not in ("laws/5", "laws/7", "schemes/13")
               and v["name"] not in ("zeros", "ones")]  # fmt: skip


@pytest.mark.parametrize("vector", ELEMENTWISE, ids=lambda v: v["name"])
def test_the_oracle_has_these_laws(vector):
    (block,) = oracle.blocks(tuple(vector["shape"]), vector["axes"])
    scheme = {k: float(v) if v == "inf" else v for k, v in vector["scheme"].items()}
    law = oracle.law(scheme, block)
    for name, value in vector["laws"][0].items():
        assert math.isclose(getattr(law, name), float(value), rel_tol=1e-11, abs_tol=1e-15), name
