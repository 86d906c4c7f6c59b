"""The report as one page of HTML, with everything in it: ``python -m fanwise_conformance html``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

_RUN = ("backends", "device", "level", "seeds", "hypotheses", "alpha", "family_wise", "suite")


def clauses() -> dict[str, str]:
    """The text of each clause of the specification."""
    text = (resources.files(__package__) / "clauses.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def page(reports: Sequence[Mapping[str, Any]]) -> str:
    """One page for reports, such as those of several devices.

    Parameters
    ----------
    reports : sequence of mapping
        As `report.of_run` makes them.

    Returns
    -------
    str
        HTML that needs no other file, and no network.
    """
    checks: dict[str, Any] = {}
    for report in reports:
        checks |= {check["id"]: check for check in report["checks"]}
    data = {
        "runs": [{key: report[key] for key in _RUN} for report in reports],
        "checks": list(checks.values()),
        "clauses": clauses(),
        "items": [
            {**item, "device": report["device"], "alpha": report["alpha"]}
            for report in reports
            for item in report["items"]
        ],
    }
    # Within a script element, only its own end can end it.
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    template = (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
    return template.replace("__DATA__", text)
