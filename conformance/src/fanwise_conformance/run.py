"""A run: what is planned, at which level of significance, and what came out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import checks, statistics
from .backend import BrokenBackend, Subject, Unsupported
from .registry import Case, Check, Effort, Finding, by_level, find

assert checks.__all__  # importing them registers them


@dataclass(frozen=True, slots=True)
class Item:
    """One check of one case of one backend."""

    subject: Subject
    check: Check
    case: Case

    @property
    def id(self) -> str:
        """What it is called, and expected failures name."""
        return f"{self.check.id}[{self.case.label}]"


@dataclass(slots=True)
class Outcome:
    """What came of an item."""

    item: Item
    status: str = "passed"  # or "failed", "skipped", "error"
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """Items, and the level of significance that keeps the rate of false alarms."""

    items: tuple[Item, ...]
    effort: Effort

    @property
    def hypotheses(self) -> int:
        """The most statistical findings that there can be."""
        return sum(item.check.hypotheses for item in self.items)

    @property
    def alpha(self) -> float:
        """Bonferroni's level: the rate of false alarms of the run is at most `FAMILY_WISE`."""
        return statistics.FAMILY_WISE / max(self.hypotheses, statistics.MOST_HYPOTHESES)


def plan(subjects: Iterable[Subject], effort: Effort) -> Run:
    """Everything that there is to check."""
    subjects = tuple(subjects)
    for number, subject in enumerate(subjects):
        subject.others = list(subjects[number + 1 :])
    items = [
        Item(subject, check, case)
        for subject in subjects
        for check in by_level()
        for case in check.cases(subject, effort)
    ]
    return Run(tuple(items), effort)


def examine(item: Item, run: Run) -> Outcome:
    """Run one item."""
    outcome, begin = Outcome(item), time.perf_counter()
    try:
        for finding in find(item.check, item.subject, item.case, run.effort):
            outcome.findings.append(finding)
    except Unsupported as reason:
        outcome.status, outcome.reason = "skipped", str(reason)
        _judge(outcome, run)  # what was found before
    except BrokenBackend as reason:
        outcome.status, outcome.reason = "error", str(reason)
    except Exception:
        outcome.status, outcome.reason = "error", traceback.format_exc()
    else:
        _judge(outcome, run)
    outcome.seconds = time.perf_counter() - begin
    return outcome


def _judge(outcome: Outcome, run: Run) -> None:
    broken = [finding for finding in outcome.findings if not finding.holds(run.alpha)]
    if broken:
        outcome.status = "failed"
        outcome.reason = "; ".join(describe(finding, run.alpha) for finding in broken[:5])


def describe(finding: Finding, alpha: float) -> str:
    """A finding in a line."""
    text = finding.label
    if finding.observed is not None:
        text += f": got {_short(finding.observed)}"
        if finding.expected is not None:
            text += f", expected {_short(finding.expected)}"
    if finding.p is not None:
        text += f" (p = {finding.p:.3g}, threshold {alpha:.3g}, n = {finding.n})"
    return text


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
