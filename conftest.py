"""The clauses of the specification that tests are for, counted from what ran.

``--clauses`` makes a clause without a test that passed a failure of the whole run.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SPEC = Path(__file__).parent / "spec"
_PASSED = pytest.StashKey[set[str]]()


def clauses() -> set[str]:
    """All clauses of the specification, by file and number."""
    texts = [path.read_text() for path in SPEC.glob("*.md")]
    return {clause for text in texts for clause in re.findall(r"^\*\*([a-z]+/\d+)\*\*", text, re.M)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--clauses", action="store_true", help="fail unless every clause has a test")


def pytest_configure(config: pytest.Config) -> None:
    """Start with no clause."""
    config.stash[_PASSED] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let reports carry the clauses, from whichever process they come."""
    known = clauses()
    for item in items:
        cited = {clause for mark in item.iter_markers("clause") for clause in mark.args}
        if not cited <= known:
            raise pytest.UsageError(f"{item.nodeid} is for no clause: {sorted(cited - known)}")
        item.user_properties += [("clause", clause) for clause in sorted(cited)]


class _Count:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            found = {str(value) for name, value in report.user_properties if name == "clause"}
            self.config.stash[_PASSED] |= found


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Count in the process that has all reports."""
    session.config.pluginmanager.register(_Count(session.config))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if a clause has no test that passed."""
    if not session.config.getoption("--clauses") or hasattr(session.config, "workerinput"):
        return
    missing = sorted(clauses() - session.config.stash[_PASSED])
    if missing:
        print(f"\nno test that passed is for {', '.join(missing)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
