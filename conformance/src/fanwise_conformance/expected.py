"""Expected failures: what is known, and where it is told, in an adapter's `conformance.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .run import Item


@dataclass(frozen=True, slots=True)
class Expected:
    """A failure that is known.

    Attributes
    ----------
    check : str
        A check, ``"law/tails"``, or its cases, ``"law/tails[normal*"``, with `*` for anything.
    reason : str
        Why it fails.
    link : str
        Where it is reported.
    version : str
        The version that it was seen with.
    """

    check: str
    reason: str
    link: str
    version: str

    def matches(self, item: Item) -> bool:
        """Whether it is of this item."""
        pattern = re.escape(self.check).replace(r"\*", ".*")
        return item.check.id == self.check or re.fullmatch(pattern, item.id) is not None


class ExpectedError(Exception):
    """A file of expected failures is not well formed, or has one that matches nothing."""


def read(path: Path) -> dict[str, list[Expected]]:
    """The expected failures of a file, by backend."""
    found: dict[str, list[Expected]] = {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ExpectedError(f"`--expected` must be a file of TOML, got {path}: {error}") from error
    for backend, entries in data.items():
        for entry in entries:
            if set(entry) != {"check", "reason", "link", "version"} or not all(entry.values()):
                raise ExpectedError(
                    f"an expected failure must have check, reason, link and version, "
                    f"got {entry} of {backend} in {path}"
                )
            found.setdefault(backend, []).append(Expected(**entry))
    return found


def assign(expected: dict[str, list[Expected]], items: Iterable[Item]) -> dict[int, Expected]:
    """Which items are expected to fail, by their place; an error if a failure is of none.

    Only backends that are selected are looked at.
    """
    items = list(items)
    names = {item.subject.name for item in items}
    assigned: dict[int, Expected] = {}
    for backend, failures in expected.items():
        for failure in failures if backend in names else ():
            places = [
                place
                for place, item in enumerate(items)
                if item.subject.name == backend and failure.matches(item)
            ]
            if not places:
                raise ExpectedError(
                    f"an expected failure must be of a check, got {failure.check!r} of {backend}"
                )
            assigned.update(dict.fromkeys(places, failure))
    return assigned
