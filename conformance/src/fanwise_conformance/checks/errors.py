"""Errors: what is wrong is refused, by name, before anything is drawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from ..backend import Subject, Unsupported
from ..registry import Case, Effort, Finding, check, exact

_NAN, _INF = float("nan"), float("inf")

# Request, and what its error must name.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a std that is no number": ({"scheme": {"name": "normal", "std": _NAN}}, "std"),
    "an infinite std": ({"scheme": {"name": "normal", "std": _INF}}, "std"),
    "a std of zero": ({"scheme": {"name": "normal", "std": 0.0}}, "std"),
    "a negative std": ({"scheme": {"name": "normal", "std": -1.0}}, "std"),
    "an infinite mean": ({"scheme": {"name": "normal", "std": 1.0, "mean": _INF}}, "mean"),
    "crossed bounds": ({"scheme": {"name": "uniform", "low": 1.0, "high": -1.0}}, "low"),
    "equal bounds": ({"scheme": {"name": "uniform", "low": 1.0, "high": 1.0}}, "low"),
    "a bound that is no number": ({"scheme": {"name": "uniform", "bound": _NAN}}, "bound"),
    "crossed bounds of a truncated law": (
        {"scheme": {"name": "truncated_normal", "std": 1.0, "low": 2.0, "high": -2.0}}, "low",
    ),
    "a negative gain": ({"scheme": {"name": "he_normal", "gain": -1.0}}, "gain"),
    "a gain that is no number": ({"scheme": {"name": "orthogonal", "gain": _NAN}}, "gain"),
    "an unknown fan": ({"scheme": {"name": "he_normal", "fan": "sideways"}}, "fan"),
    "an unknown scheme": ({"scheme": {"name": "no_such_scheme"}}, "name"),
    "a scheme of fans without axes": ({"scheme": {"name": "he_normal"}, "axes": None}, "axes"),
    "roles of another number than axes": (
        {"scheme": {"name": "he_normal"}, "axes": "out in kernel"}, "axes",
    ),
    "an unknown role": ({"scheme": {"name": "he_normal"}, "axes": "out up"}, "roles"),
    "a bias's fans": ({"scheme": {"name": "he_normal"}, "shape": (8,), "axes": "out"}, "axes"),
    "groups that do not divide": (
        {"scheme": {"name": "he_normal"}, "axes": {"roles": "out in", "groups": 3}}, "groups",
    ),
    "blocks that do not add up": (
        {"scheme": {"name": "he_normal"}, "axes": {"roles": "out in", "blocks": {"out": [1, 2]}}},
        "blocks",
    ),
    "a negative size": ({"scheme": {"name": "normal", "std": 1.0}, "shape": (-1, 4)}, "shape"),
    "a dtype of integers": ({"scheme": {"name": "normal", "std": 1.0}, "dtype": "int32"}, "dtype"),
    "a law that the dtype cannot hold": (
        {"scheme": {"name": "normal", "std": 1e5}, "dtype": "float16"}, "dtype",
    ),
    "a std below the dtype's numbers": (
        {"scheme": {"name": "normal", "std": 1e-9}, "dtype": "float16"}, "dtype",
    ),
    "a negative seed": ({"scheme": {"name": "normal", "std": 1.0}, "seed": -1}, "seed"),
    "a seed of more than 64 bits": (
        {"scheme": {"name": "normal", "std": 1.0}, "seed": 1 << 64}, "seed",
    ),
    "a kernel axis in an identity": (
        {"scheme": {"name": "identity"}, "shape": (3, 4, 4), "axes": "kernel in out"}, "axes",
    ),
    "more inputs than outputs at a center": (
        {"scheme": {"name": "delta_orthogonal"}, "shape": (3, 8, 4), "axes": "kernel in out"},
        "axes",
    ),
    "a unit without weights": (
        {"scheme": {"name": "sparse", "sparsity": 1.0, "std": 1.0}}, "sparsity",
    ),
}  # fmt: skip


def _bad(subject: Subject, effort: Effort) -> Iterator[Case]:
    for label, (request, name) in BAD.items():
        known = request["scheme"]["name"] in subject.feature("schemes")
        if known or request["scheme"]["name"] == "no_such_scheme":
            yield Case(label, {"request": request, "name": name})


def _ask(subject: Subject, request: dict[str, Any]) -> BaseException | None:
    """The error of a request; None if it was drawn."""
    asked = {
        "shape": (8, 4),
        "axes": "out in",
        "seed": 1,
        "path": "w",
        "dtype": "float32",
    } | request
    scheme, shape, axes = asked.pop("scheme"), asked.pop("shape"), asked.pop("axes")
    try:
        subject.backend.draw(scheme, shape, axes, **asked, device=subject.device, transform=None)
    except NotImplementedError as error:
        raise Unsupported(str(error)) from error
    except Exception as error:
        return error
    return None


@check(
    "errors/raised",
    "errors/2",
    "errors/4",
    "axes/2",
    "dtypes/2",
    "dtypes/4",
    "fans/5",
    "fans/6",
    "randomness/7",
    "schemes/2",
    "schemes/10",
    "schemes/11",
    "schemes/13",
    cases=_bad,
)
def raised(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A wrong request raises a ValueError or a TypeError."""
    error = _ask(subject, case["request"])
    kinds = isinstance(error, ValueError | TypeError)
    yield exact("error", kinds, repr(error), "ValueError or TypeError")


@check("errors/named", "errors/1", cases=_bad)
def named(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The error of a wrong request names the argument, in backquotes, and the value it got."""
    error = _ask(subject, case["request"])
    message = "" if error is None else str(error)
    told = re.search(rf"`{case['name']}`", message) is not None and "got" in message
    yield exact("message", told, message, f"`{case['name']}` ..., got ...")


@check("errors/before", "errors/3", cases=_bad)
def before(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Nothing is drawn before the error: the library's random state is what it was."""
    fingerprint = subject.hook("fingerprint")
    state = hashlib.sha256(fingerprint()).digest()
    if _ask(subject, case["request"]) is None:
        raise Unsupported(f"{subject.name} raises nothing: errors/raised tells")
    yield exact("state", hashlib.sha256(fingerprint()).digest() == state)
