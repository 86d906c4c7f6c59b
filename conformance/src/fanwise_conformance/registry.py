"""Checks: what each claims, by which clause, on which cases, and what it finds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import statistics
from .backend import Subject

LEVELS = (
    "exact",
    "support",
    "moments",
    "law",
    "independence",
    "stream",
    "dtype",
    "errors",
    "across",
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is drawn: the sizes of the effects that a run is to find.

    Attributes
    ----------
    name : str
        Of the level: "quick", "full" or "exhaustive".
    coarser : float
        How many times as great as the full level's the effects are.
    entropy : int
        What seeds are made of besides the names of checks; 0 for the fixed ones.
    """

    name: str = "full"
    coarser: float = 1.0
    entropy: int = 0

    def sample_size(self, effect: str, size: float) -> int:
        """The sample that finds an effect, of this size at the full level."""
        coarser = self.coarser**2 if effect == "leak" else self.coarser
        return statistics.sample_size(effect, size * coarser)

    def seed(self, check: str, case: str) -> int:
        """The seed of a case: of 64 bits, fixed for each check and case."""
        text = "\0".join(map(str, (check, case, 0, self.entropy)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


EFFORTS = {
    "quick": Effort("quick", coarser=3.0),
    "full": Effort("full"),
    "exhaustive": Effort("exhaustive", coarser=0.5),
}


@dataclass(frozen=True, slots=True)
class Case:
    """What a check looks at: a label, unique in the check, and plain data."""

    label: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    label : str
        What was looked at.
    ok : bool or None
        Whether an exact claim holds; None for a statistical one.
    p : float or None
        The p-value of a statistical one.
    observed, expected : object
        What was got, and should have been.
    n : int
        The size of the sample.
    picture : mapping
        Data to draw: quantiles or counts.
    """

    label: str
    ok: bool | None = None
    p: float | None = None
    observed: Any = None
    expected: Any = None
    n: int = 0
    picture: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, alpha: float) -> bool:
        """Whether it is as claimed, for a statistical one at this level."""
        return bool(self.ok) if self.p is None else self.p >= alpha


Run = Callable[[Subject, Case, Effort], Iterable[Finding]]
Cases = Callable[[Subject, Effort], Iterable[Case]]


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about a backend.

    Attributes
    ----------
    id : str
        The level and a name.
    claim : str
        What must be true, in a sentence.
    clauses : tuple of str
        The clauses of the specification that say so.
    hypotheses : int
        The most statistical findings that a case may have.
    cases, run : function
        What it looks at, and how.
    """

    id: str
    claim: str
    clauses: tuple[str, ...]
    hypotheses: int
    cases: Cases
    run: Run

    @property
    def level(self) -> str:
        """The level that it is of."""
        return self.id.partition("/")[0]


CHECKS: dict[str, Check] = {}


def by_level() -> list[Check]:
    """All checks, in the order of their levels: a failure stays local."""
    return sorted(CHECKS.values(), key=lambda check: LEVELS.index(check.level))


def check(id: str, *clauses: str, cases: Cases, hypotheses: int = 0) -> Callable[[Run], Run]:
    """Register a function as a check, its docstring as the claim."""

    def register(run: Run) -> Run:
        claim = " ".join((run.__doc__ or "").split())
        assert claim, id
        assert id not in CHECKS, id
        CHECKS[id] = Check(id, claim, clauses, hypotheses, cases, run)
        return run

    return register


def find(check: Check, subject: Subject, case: Case, effort: Effort) -> Iterator[Finding]:
    """Run a check on a case; raise if it has more statistical findings than it counted with."""
    statistical = 0
    for finding in check.run(subject, case, effort):
        statistical += finding.p is not None
        if statistical > check.hypotheses:
            raise AssertionError(f"{check.id} must have at most {check.hypotheses} hypotheses")
        yield finding


def exact(label: str, ok: Any, observed: Any = None, expected: Any = None, n: int = 0) -> Finding:
    """A finding that holds or does not."""
    return Finding(label, ok=bool(ok), observed=observed, expected=expected, n=n)


def statistical(
    label: str, p: Any, observed: Any = None, expected: Any = None, n: int = 0, **picture: Any
) -> Finding:
    """A finding with a p-value."""
    p = 0.0 if math.isnan(p) else float(p)  # of values that are no numbers
    return Finding(label, p=p, observed=observed, expected=expected, n=n, picture=picture)
