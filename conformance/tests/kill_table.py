"""Run every check against every mutant: ``python conformance/tests/kill_table.py``.

Prints which checks catch which mutants. A mutant that survives, or is not caught by the check that it
names, is a failure; and so is a check without a mutant that no other catches, unless `KEPT` says why.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fanwise_conformance import CHECKS, EFFORTS, Subject, examine, plan

sys.path.insert(0, str(Path(__file__).parent))

from mutants import MUTANTS, Mutant, Reference  # beside this file

EFFORT = EFFORTS["quick"]

# Checks that catch no mutant by themselves, and why they stay.
KEPT: dict[str, str] = {
    "across/laws": "it needs no oracle, and so sees what the oracle itself has wrong",
}


def caught_by(mutant: Mutant) -> set[str]:
    """The checks that a mutant fails."""
    subject = Subject(mutant.make())
    run = plan([subject, Subject(_Other())], EFFORT)
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a broken backend's arithmetic
        for item in run.items:
            if item.subject is not subject or item.check.id in found:
                continue
            if examine(item, run).status in ("failed", "error"):
                found.add(item.check.id)
    return found


class _Other(Reference):
    """What a mutant is compared with."""

    name = "another"


def faults(table: dict[str, set[str]]) -> Iterable[str]:
    """What is wrong with a table."""
    for name, checks in table.items():
        if MUTANTS[name].caught_by not in checks:
            yield f"{name!r} must be caught by {MUTANTS[name].caught_by}, got {sorted(checks)}"
    for check in CHECKS:
        alone = [name for name, checks in table.items() if checks - {"across/laws"} == {check}]
        if not alone and check not in KEPT:
            yield f"{check} must catch a mutant that no other check catches, or say why it stays"
        if alone and check in KEPT:
            yield f"{check} catches {alone} by itself, and says that it does not"


def _caught_by(name: str) -> set[str]:
    return caught_by(MUTANTS[name])


def main() -> int:
    """Print the table; return 1 if there is a fault."""
    table = {}
    with ProcessPoolExecutor() as pool:
        for name, checks in zip(MUTANTS, pool.map(_caught_by, MUTANTS), strict=True):
            table[name] = checks
            listed = ", ".join(sorted(checks)) or "SURVIVES"
            print(f"{name} ({MUTANTS[name].origin})\n    {listed}", flush=True)
    found = list(faults(table))
    killed = sum(bool(checks) for checks in table.values())
    print(f"{killed} of {len(table)} mutants are caught, by {len(CHECKS)} checks")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
