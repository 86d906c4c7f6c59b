"""The command: a run with ``--backend NAME``; ``diff``, ``table`` and ``compact`` of reports."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from . import html, report

USAGE = """usage: python -m fanwise_conformance --backend NAME [options of pytest]
       python -m fanwise_conformance --explain
       python -m fanwise_conformance diff OLD.json NEW.json
       python -m fanwise_conformance table REPORT.json
       python -m fanwise_conformance compact REPORT.json SMALLER.json
       python -m fanwise_conformance html REPORT.json [MORE.json ...] PAGE.html"""


def main(arguments: list[str]) -> int:
    """Run the suite, or compare reports; the exit code is that of pytest, or 1 for a difference."""
    if "--explain" in arguments:
        from .plugin import explain  # pytest imports its plugins itself, and first

        print(explain())
        return 0
    try:
        return _command(arguments)
    except (OSError, ValueError) as error:  # of a report
        print(f"error: {error}", file=sys.stderr)
        return 4


def _command(arguments: list[str]) -> int:
    if arguments[:1] == ["diff"] and len(arguments) == 3:
        old, new = (report.read(Path(path)) for path in arguments[1:])
        lines = report.difference(old, new)
        print("\n".join(lines) or "no difference")
        return 1 if lines else 0
    if arguments[:1] == ["table"] and len(arguments) == 2:
        data = report.read(Path(arguments[1]))
        print(f"{report.support_table(data)}\n\n{report.results_table(data)}")
        return 0
    if arguments[:1] == ["compact"] and len(arguments) == 3:
        report.write(Path(arguments[2]), report.compact(report.read(Path(arguments[1]))))
        return 0
    if arguments[:1] == ["html"] and len(arguments) >= 3:
        reports = [report.read(Path(path)) for path in arguments[1:-1]]
        Path(arguments[-1]).write_text(html.page(reports), encoding="utf-8")
        return 0
    if not arguments or arguments[0] in ("diff", "table", "compact", "html"):
        print(USAGE, file=sys.stderr)
        return 4
    # Of its own: a project's pytest configuration is not for these items.
    with tempfile.TemporaryDirectory() as empty:
        configuration = Path(empty) / "pytest.ini"
        configuration.write_text("[pytest]\n", encoding="utf-8")
        own = ["-c", str(configuration), "--rootdir", empty, "-p", "fanwise_conformance.plugin"]
        return int(pytest.main([*own, "-p", "no:cacheprovider", "-ra", *arguments]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
