"""Reports: a run as JSON data, the difference of two, and tables of what a backend can do."""

from __future__ import annotations

import json
import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import __version__, statistics
from .expected import Expected
from .registry import Finding, by_level
from .run import Outcome, Run

FORMAT = 1


def of_run(
    run: Run, outcomes: Iterable[tuple[Outcome, Expected | None]], device: str
) -> dict[str, Any]:
    """A run as plain JSON data (`report.schema.json`)."""
    subjects = {item.subject.name: item.subject for item in run.items}
    return {
        "format": FORMAT,
        "suite": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": device,
        "level": run.effort.name,
        "seeds": run.effort.entropy or "fixed",
        "hypotheses": run.hypotheses,
        "alpha": run.alpha,
        "family_wise": statistics.FAMILY_WISE,
        "backends": [
            {
                "name": subject.name,
                "version": subject.version,
                **{
                    feature: list(subject.feature(feature))
                    for feature in ("schemes", "dtypes", "devices", "transforms")
                },
            }
            for subject in subjects.values()
        ],
        "checks": [
            {"id": check.id, "claim": check.claim, "clauses": list(check.clauses)}
            for check in by_level()
        ],
        "items": [_item(outcome, known) for outcome, known in outcomes],
    }


def _item(outcome: Outcome, known: Expected | None) -> dict[str, Any]:
    item = outcome.item
    status = outcome.status
    if known is not None:
        status = {"skipped": status, "passed": "unexpected"}.get(status, "expected")
    data: dict[str, Any] = {
        "backend": item.subject.name,
        "check": item.check.id,
        "case": item.case.label,
        "dtype": item.case.data.get("dtype", "float32"),
        "status": status,
        "seconds": round(outcome.seconds, 4),
        "findings": [_finding(finding) for finding in outcome.findings],
    }
    if outcome.reason:
        data["reason"] = outcome.reason
    if known is not None:
        data["known"] = {
            "reason": known.reason,
            "link": known.link,
            "version": known.version,
        }
    return data


def _finding(finding: Finding) -> dict[str, Any]:
    data: dict[str, Any] = {"label": finding.label, "n": finding.n}
    if finding.p is not None:
        data["p"] = finding.p
    else:
        data["ok"] = finding.ok
    for name in ("observed", "expected"):
        value = getattr(finding, name)
        if value is not None:
            data[name] = _plain(value)
    if finding.picture:
        data["picture"] = {
            key: [_plain(x) for x in values] for key, values in finding.picture.items()
        }
    return data


def _plain(value: Any) -> Any:
    """The value as JSON has it: numbers of NumPy as Python's, what is not finite as text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    return str(value)


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a report whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Read a report back."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if data.get("format") != FORMAT:
        raise ValueError(f"`format` must be {FORMAT}, got {data.get('format')!r} in {path}")
    return data


def compact(data: Mapping[str, Any]) -> dict[str, Any]:
    """A report without what held: of each item its status, and of one that failed, why."""
    kept = ("backend", "check", "case", "dtype", "status", "reason", "known")
    items = [
        {key: item[key] for key in kept if key in item}
        | ({} if item["status"] != "error" else {"reason": item["reason"].strip().splitlines()[-1]})
        for item in data["items"]
    ]
    return {**data, "items": items}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed from one report to another, a line each."""
    before, after = (
        {(i["backend"], i["check"], i["case"]): i["status"] for i in data["items"]}
        for data in (old, new)
    )
    lines = [
        f"{name}: {old[name]} -> {new[name]}"
        for name in ("suite", "device", "level", "seeds")
        if old[name] != new[name]
    ]
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key, "absent"), after.get(key, "absent")
        if one != other:
            lines.append(f"{key[0]}::{key[1]}[{key[2]}]: {one} -> {other}")
    return lines


def support_table(data: Mapping[str, Any]) -> str:
    """What each backend has, and how much of it passed, as a table in Markdown."""
    counts: dict[str, Counter[str]] = {backend["name"]: Counter() for backend in data["backends"]}
    for item in data["items"]:
        counts[item["backend"]][item["status"]] += 1
    lines = ["| backend | release | schemes | dtypes | compiled by | cases passed |"]
    lines.append("|---|---|---|---|---|---|")
    for backend in data["backends"]:
        count = counts[backend["name"]]
        cells = (
            backend["name"],
            backend["version"],
            len(backend["schemes"]),
            ", ".join(backend["dtypes"]),
            ", ".join(backend["transforms"]) or "-",
            f"{count['passed']} of {count.total() - count['skipped']}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def results_table(data: Mapping[str, Any]) -> str:
    """What each backend passed of each check, as a table in Markdown."""
    names = [backend["name"] for backend in data["backends"]]
    lines = ["| check | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for item in data["items"]:
        counts.setdefault((item["check"], item["backend"]), Counter())[item["status"]] += 1
    for check in data["checks"]:
        cells = [_cell(counts.get((check["id"], name), Counter())) for name in names]
        lines.append(f"| `{check['id']}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(counts: Counter[str]) -> str:
    total = counts.total() - counts["skipped"]
    if not total:
        return "-"
    if counts["passed"] == total:
        return f"{total}"
    return f"**{counts['passed']} of {total}**"
