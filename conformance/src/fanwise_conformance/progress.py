"""Progress of a run, in place of pytest's dots, where a terminal watches and rich is installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class ProgressPlugin:
    """A bar, the item that runs, and how many have failed."""

    def __init__(self, reporter: Any, total: int) -> None:
        # Pytest's own writer: what goes to sys.stdout during a run is captured.
        self.bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TextColumn("{task.description}", markup=False),
            console=Console(file=reporter._tw, force_terminal=True),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        reporter.showfspath = False
        self.counts: Counter[str] = Counter()
        self.task = self.bar.add_task("", total=total, failed=0)
        self.bar.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which item runs."""
        self.bar.update(self.task, description=nodeid.partition("::")[2])

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: Any
    ) -> Generator[None, tuple[str, Any, Any], tuple[str, Any, Any]]:
        """Count an item, and print no letter for it."""
        category, _, _ = yield
        return category, "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Move on."""
        if report.when == "call":
            self.counts[report.outcome] += 1
            self.bar.update(self.task, advance=1, failed=self.counts["failed"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave the terminal to the summary."""
        self.bar.stop()
