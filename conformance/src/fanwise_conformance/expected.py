"""Expected failures: what is known of a backend, in a `conformance.toml` beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .run import Item, Run


@dataclass(frozen=True, slots=True)
class Expected:
    """A failure that is known.

    Attributes
    ----------
    checks : tuple of str
        Each a check, ``"law/tails"``, or its cases, ``"law/tails[normal*"``, with `*` for anything.
    reason : str
        Why it fails.
    link : str
        Where it is reported.
    version : str
        The version that it was seen with.
    """

    checks: tuple[str, ...]
    reason: str
    link: str
    version: str


class ExpectedError(Exception):
    """A file of expected failures is not well formed, or has one that matches nothing."""


def read(path: Path) -> dict[str, list[Expected]]:
    """The expected failures of a file, by backend."""
    found: dict[str, list[Expected]] = {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExpectedError(f"`--expected` must be a file of TOML, got {path}: {error}") from error
    for backend, entries in data.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            if not _well_formed(entry):
                raise ExpectedError(
                    f"an expected failure must have checks, reason, link and version, "
                    f"got {entry} of {backend} in {path}"
                )
            found.setdefault(backend, []).append(
                Expected(**entry | {"checks": (*entry["checks"],)})
            )
    return found


def _well_formed(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == {"checks", "reason", "link", "version"}
        and isinstance(entry["checks"], list)
        and bool(entry["checks"])
        and all(isinstance(one, str) and one for one in entry["checks"])
        and all(isinstance(entry[one], str) and entry[one] for one in ("reason", "link", "version"))
    )


def assign(expected: Iterable[dict[str, list[Expected]]], run: Run) -> dict[int, Expected]:
    """Which items are expected to fail, by their place; an error if a failure is of none.

    Only backends that are selected are looked at.
    """
    assigned: dict[int, Expected] = {}
    for subject in {item.subject.name for item in run.items}:
        for failure in (one for file in expected for one in file.get(subject, ())):
            for check in failure.checks:
                places = [
                    place
                    for place, item in enumerate(run.items)
                    if item.subject.name == subject and _matches(check, item)
                ]
                if not places:
                    raise ExpectedError(
                        f"an expected failure must be of a check, got {check!r} of {subject}"
                    )
                assigned.update(dict.fromkeys(places, failure))
    return assigned


def _matches(check: str, item: Item) -> bool:
    pattern = re.escape(check).replace(r"\*", ".*")
    return item.check.id == check or re.fullmatch(pattern, item.id) is not None
