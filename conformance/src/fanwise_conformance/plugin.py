"""The suite as a pytest plugin: ``pytest -p fanwise_conformance.plugin --backend NAME``.

Every item of a run is a test. The level of significance is that of the whole run, so that a verdict
is the same if only some of it is selected.
"""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from . import __version__, discovery, expected, report, statistics
from .registry import EFFORTS, by_level
from .run import Item, Outcome, Run, examine, plan


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    group = parser.getgroup("fanwise", "conformance of backends")
    group.addoption(
        "--backend", action="append", default=[], help="a backend: a name, pkg.mod:obj, or all"
    )
    group.addoption("--device", default="cpu", help="where backends draw (default: cpu)")
    group.addoption("--dtype", action="append", default=[], help="only cases of this dtype")
    group.addoption("--level", choices=list(EFFORTS), default="full", help="how much is drawn")
    group.addoption(
        "--seeds", default="fixed", help="fixed; random; or the number that random printed"
    )
    group.addoption(
        "--expected", action="append", default=[], help="a further file of expected failures"
    )
    group.addoption("--report", default=None, help="write a report in JSON to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Plan the run; whatever is wrong with it is a usage error, of exit code 4."""
    if config.getoption("help"):
        return
    effort = EFFORTS[config.getoption("level")]
    seeds = config.getoption("seeds")
    if seeds == "random":
        effort = replace(effort, entropy=secrets.randbits(32) + 1)
    elif seeds != "fixed":
        try:
            effort = replace(effort, entropy=int(seeds))
        except ValueError:
            effort = replace(effort, entropy=0)
        if effort.entropy < 1:
            raise pytest.UsageError(
                f"`--seeds` must be fixed, random or a number from 1 on, got {seeds!r}"
            )
    path = config.getoption("report")
    if path is not None and not Path(path).parent.is_dir():
        raise pytest.UsageError(f"`--report` must be in a folder that there is, got {path!r}")
    try:
        subjects = discovery.select(config.getoption("backend"), config.getoption("device"))
        run = plan(subjects, effort)
        files = [subject.known_failures for subject in subjects if subject.known_failures]
        files += map(Path, config.getoption("expected"))
        failures = [expected.read(path) for path in dict.fromkeys(files)]
        names = {subject.name for subject in subjects} | set(discovery.known())
        strange = sorted({name for file in failures for name in file} - names)
        if strange:
            raise expected.ExpectedError(
                f"an expected failure must be of one of {sorted(names)}, got {strange}"
            )
        known = expected.assign(failures, run)
    except (discovery.SelectionError, expected.ExpectedError) as error:
        raise pytest.UsageError(str(error)) from None
    had = {dtype for subject in subjects for dtype in subject.feature("dtypes")}
    strange = sorted(set(config.getoption("dtype")) - had)
    if strange:
        raise pytest.UsageError(f"`--dtype` must be one of {sorted(had)}, got {strange}")
    config.stash[_RUN] = run
    config.stash[_KNOWN] = known
    config.stash[_OUTCOMES] = []


_RUN: pytest.StashKey[Run] = pytest.StashKey()
_KNOWN: pytest.StashKey[dict[int, expected.Expected]] = pytest.StashKey()
_OUTCOMES: pytest.StashKey[list[tuple[Outcome, expected.Expected | None]]] = pytest.StashKey()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is run, and how often it is wrong."""
    run = config.stash[_RUN]
    names = {f"{item.subject.name} {item.subject.version}" for item in run.items}
    again = f" (again: --seeds {run.effort.entropy})" if run.effort.entropy else ""
    return [
        f"fanwise-conformance {__version__}: {', '.join(sorted(names))}; "
        f"device {config.getoption('device')}; level {run.effort.name}{again}",
        f"{len(run.items)} items with {run.hypotheses} hypotheses, each at level {run.alpha:.2g}: "
        f"the run has a false alarm with probability {run.alpha * run.hypotheses:.1g} at most "
        f"(bound: {statistics.FAMILY_WISE:.0e})",
    ]


def pytest_collection(session: pytest.Session) -> bool:
    """Collect the run's items, in place of files."""
    config, run = session.config, session.config.stash[_RUN]
    dtypes = config.getoption("dtype")
    session.items = []
    for place, item in enumerate(run.items):
        if not dtypes or item.case.data.get("dtype", "float32") in dtypes:
            session.items.append(
                ConformanceItem.from_parent(
                    session,
                    name=f"{item.subject.name}::{item.id}",
                    item=item,
                    known=config.stash[_KNOWN].get(place),
                )
            )
    collected = pytest.CollectReport("", "passed", None, [*session.items])
    config.hook.pytest_collectreport(report=collected)
    config.hook.pytest_collection_modifyitems(session=session, config=config, items=session.items)
    session.testscollected = len(session.items)
    config.hook.pytest_collection_finish(session=session)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.isatty and importlib.util.find_spec("rich"):
        from .progress import ProgressPlugin

        config.pluginmanager.register(ProgressPlugin(reporter, len(session.items)))
    return True


class ConformanceItem(pytest.Item):
    """One check of one case of one backend."""

    def __init__(self, *, item: Item, known: expected.Expected | None, **options: Any) -> None:
        super().__init__(**options)
        self.item, self.known = item, known
        self.user_properties.append(("clauses", ", ".join(item.check.clauses)))

    def runtest(self) -> None:
        """Run it."""
        run = self.config.stash[_RUN]
        outcome = examine(self.item, run)
        self.config.stash[_OUTCOMES].append((outcome, self.known))
        if outcome.status == "skipped":
            pytest.skip(outcome.reason)
        if self.known is not None and outcome.status == "passed":
            pytest.fail(
                f"was expected to fail, and passed: {self.known.reason} ({self.known.link})",
                pytrace=False,
            )
        if self.known is not None and outcome.status in ("failed", "error"):
            pytest.xfail(self.known.reason)
        if outcome.status != "passed":
            pytest.fail(f"{self.item.check.claim}\n{outcome.reason}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is."""
        return Path(__file__), 0, self.name


@pytest.hookimpl(hookwrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Write the report."""
    yield
    path = session.config.getoption("report")
    if path is not None and _RUN in session.config.stash:
        run, outcomes = session.config.stash[_RUN], session.config.stash[_OUTCOMES]
        report.write(Path(path), report.of_run(run, outcomes, session.config.getoption("device")))


def explain() -> str:
    """The sample sizes, and what they are for."""
    lines = [
        f"level of each hypothesis {statistics.ALPHA:.2g}: at most {statistics.MOST_HYPOTHESES} of "
        f"them, a family-wise rate of {statistics.FAMILY_WISE:.0e} (Bonferroni); "
        f"power {statistics.POWER}",
        f"{'effect':24}" + "".join(f"{name:>14}" for name in EFFORTS),
    ]
    for effect, size in (
        ("mean", 0.002),
        ("mean", 0.004),
        ("variance", 0.01),
        ("kurtosis", 0.02),
        ("leak", 4e-6),
        ("correlation", 0.003),
        ("correlation", 0.01),
    ):
        sizes = [effort.sample_size(effect, size) for effort in EFFORTS.values()]
        lines.append(f"{effect + f' off by {size:g}':24}" + "".join(f"{n:>14,}" for n in sizes))
    lines.append("The quick level finds effects three times as great; leaks, nine times.")
    lines += [f"{check.id}: {check.claim} ({', '.join(check.clauses)})" for check in by_level()]
    return "\n".join(lines)
