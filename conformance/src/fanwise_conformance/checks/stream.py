"""Streams: values are a function of seed and path, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from .. import cases, oracle
from ..backend import Array, Subject
from ..registry import Case, Effort, Finding, check, exact


@check("stream/repeats", "randomness/1", cases=cases.of_schemes)
def repeats(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Equal seeds and paths give equal values; another seed or another path, others."""
    axes, shape = cases.linear_axes(subject), (23, 29)
    seed = effort.seed("stream/repeats", case.label) >> 1

    def drawn(seed: int, path: str) -> Array:
        return subject.draw(case["scheme"], shape, axes, seed=seed, path=path)

    first = drawn(seed, "a.weight")
    yield exact("the same", np.array_equal(first, drawn(seed, "a.weight")))
    for what, other in (("seed", drawn(seed + 1, "a.weight")), ("path", drawn(seed, "b.weight"))):
        same = float(np.mean(first == other))
        yield exact(f"another {what}", same < 0.1, same, "less than 0.1", first.size)


@check("stream/order", "randomness/1", cases=cases.of_schemes)
def order(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The order in which parameters are drawn, and one put between, change no other."""
    axes, seed = cases.linear_axes(subject), effort.seed("stream/order", case.label)
    shapes = {"a": (5, 7), "b": (11, 3), "c": (5, 7), "d": (2, 31)}

    def model(names: str) -> dict[str, Array]:
        return {
            name: subject.draw(case["scheme"], shapes[name], axes, seed=seed, path=name)
            for name in names
        }

    first = model("abc")
    for names in ("cba", "adbc", "c"):
        other = model(names)
        same = all(np.array_equal(first[name], other[name]) for name in names if name in first)
        yield exact(f"drawn as {names}", same)


@check("stream/global-state", "randomness/1", cases=cases.of_schemes)
def global_state(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """The library's global random state is neither advanced nor read."""
    fingerprint, disturb = subject.hook("fingerprint"), subject.hook("disturb")
    axes, seed = cases.linear_axes(subject), effort.seed("stream/global-state", case.label)
    before = hashlib.sha256(fingerprint()).hexdigest()
    first = subject.draw(case["scheme"], (9, 7), axes, seed=seed)
    after = hashlib.sha256(fingerprint()).hexdigest()
    yield exact("not advanced", before == after, after, before)
    disturb()
    again = subject.draw(case["scheme"], (9, 7), axes, seed=seed)
    yield exact("not read", np.array_equal(first, again))


def _fused(subject: Subject, effort: Effort) -> Iterator[Case]:
    for scheme in ("he_normal", "lecun_uniform", "orthogonal"):
        for kernel in ("fused projections", "uneven projections", "gates"):
            if scheme in subject.feature("schemes") and subject.axes(kernel) is not None:
                data = {"scheme": {"name": scheme}, "kernel": kernel}
                yield Case(f"{kernel}, {scheme}", data)


@check("stream/blocks", "randomness/3", "axes/5", cases=_fused)
def blocks(subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """A fused parameter is the concatenation of its blocks, drawn by themselves as its children."""
    axes = subject.axes(case["kernel"])
    shape = cases.shape_of(case["kernel"], axes)
    seed = effort.seed("stream/blocks", case.label)
    whole = subject.draw(case["scheme"], shape, axes, seed=seed, path="w")
    alone = " ".join(oracle.Roles.read(axes).roles)
    for number, block in enumerate(oracle.blocks(shape, axes)):
        part = whole[block.index]
        drawn = subject.draw(case["scheme"], part.shape, alone, seed=seed, path=f"w.{number}")
        worst = float(np.abs(part - drawn).max())
        yield exact(f"block {number}", worst < 1e-5, worst, 0.0, part.size)
