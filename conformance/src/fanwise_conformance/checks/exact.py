"""Exact: fans and laws that a backend resolves to, against the specification's own numbers."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources
from typing import Any

from ..backend import Subject
from ..registry import Case, Cases, Effort, Finding, check, exact

TOLERANCE = 1e-12  # relative (laws/4)


@functools.cache
def vectors(topic: str) -> list[dict[str, Any]]:
    """The vectors of a topic: input, expected numbers, clause and reason of each."""
    text = (resources.files("fanwise_conformance") / "vectors" / f"{topic}.json").read_text()
    found: list[dict[str, Any]] = json.loads(text)["vectors"]
    return found


def _of(topic: str) -> Cases:
    def listed(subject: Subject, effort: Effort) -> Iterator[Case]:
        for vector in vectors(topic):
            yield Case(vector["name"], vector)

    return listed


@check(
    "exact/fans",
    "axes/1",
    "axes/2",
    "axes/3",
    "axes/4",
    "axes/5",
    "axes/6",
    "axes/7",
    "axes/9",
    "fans/1",
    "fans/2",
    "fans/3",
    "fans/4",
    cases=_of("fans"),
)
def fans(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The fans of every block are the specification's, as exact rationals."""
    resolved = subject.hook("resolve")({"name": "lecun_normal"}, tuple(case["shape"]), case["axes"])
    found = [[Fraction(fan) for fan in pair] for pair in resolved["fans"]]
    expected = [[Fraction(fan) for fan in pair] for pair in case["fans"]]
    if len(expected) > 1 and len(set(map(tuple, expected))) == 1 == len(found):
        expected = expected[:1]  # alike: one may stand for all
    yield exact("fans", found == expected, resolved["fans"], case["fans"])


@check(
    "exact/laws",
    "laws/1",
    "laws/2",
    "laws/3",
    "laws/7",
    "schemes/4",
    "schemes/5",
    "schemes/6",
    "schemes/9",
    "schemes/13",
    "fans/6",
    cases=_of("laws"),
)
def laws(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Mean, standard deviation and bounds of a law are the specification's, to 1e-12."""
    resolved = subject.hook("resolve")(case["scheme"], tuple(case["shape"]), case["axes"])
    for number, (found, expected) in enumerate(zip(resolved["laws"], case["laws"], strict=True)):
        for name, value in expected.items():
            close = math.isclose(float(found[name]), float(value), rel_tol=TOLERANCE, abs_tol=1e-15)
            yield exact(f"{name} of block {number}", close, found[name], value)


def _schemes(subject: Subject, effort: Effort) -> Iterator[Case]:
    seen = []
    for vector in vectors("laws"):
        if vector["scheme"] not in seen:
            seen.append(vector["scheme"])
            yield Case(json.dumps(vector["scheme"], sort_keys=True), vector)


@check("exact/serialized", "schemes/1", "schemes/2", cases=_schemes)
def serialized(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A scheme round-trips through plain JSON data."""
    serialize = subject.hook("serialize")
    once = json.loads(json.dumps(serialize(case["scheme"])))
    resolve, request = subject.hook("resolve"), (tuple(case["shape"]), case["axes"])
    law, again = (resolve(scheme, *request) for scheme in (case["scheme"], once))
    yield exact("the same law", law == again, again, law)
    yield exact("once more", serialize(once) == once, serialize(once), once)
