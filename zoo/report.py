"""The table of the docs, made of what was found."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs/zoo.md"
FAMILIES = ("transformers", "timm", "torchvision", "diffusers", "keras", "jax")

_PACKAGES: Mapping[str, Sequence[str]] = {
    "transformers": ("transformers", "torch"),
    "timm": ("timm", "torch"),
    "torchvision": ("torchvision", "torch"),
    "diffusers": ("diffusers", "torch"),
    "keras": ("keras", "keras-hub", "tensorflow-cpu"),
    "jax": ("jax", "flax", "equinox", "dm-haiku"),
}


def versions(family: str) -> dict[str, str]:
    """The releases that a family's models are of."""
    return {package: version(package).partition("+")[0] for package in _PACKAGES[family]}


def read() -> dict[str, Any]:
    """What was found, by family."""
    return {
        family: json.loads((RESULTS / f"{family}.json").read_text())
        for family in FAMILIES
        if (RESULTS / f"{family}.json").exists()
    }


def write_page() -> None:
    """Write the page of the docs."""
    PAGE.write_text(page(read()))


def page(found: Mapping[str, Any]) -> str:
    """The page of the docs."""
    return "\n".join([_HEAD, *_table(found), "", *_lists(found)]).rstrip() + "\n"


_HEAD = """# Other people's models

Each model below is built from a configuration of its library, with few layers, and planned with the
recipe `normal(std=0.02)` and an example of what it takes. No line is written for a model.
`python -m nox -s zoo -- all` measures this page anew.

- **planned whole**: fanwise knows what every parameter is for.
- **not used**: the model has parameters that it did not use with the example, such as the mask
  token of a vision transformer. They are unknown: planning the model is an error until a rule names
  them, or an example uses them.
- **unknown**: the model uses a parameter in a way that fanwise cannot read. It is an error.
- **wrong**: a constant of the constructor is drawn anew, a use contradicts the axes of a layer, or
  the plan fails.
- **not run**: no example was found for the model, or the model did not run on it.
- **replaced**: the constructor sets constants, such as the zero scales of norms that end a residual
  branch, and the start of their kind replaces them. `init_model_` warns of them where the model has
  values. A model counts here and in one of the columns before.

A parameter that is unknown is never drawn in silence."""


def kind_of(row: Mapping[str, Any]) -> str:
    """What became of a model."""
    for key, kind in (("not_built", "not built"), ("not_run", "not run"), ("wrong", "wrong")):
        if row.get(key):
            return kind
    if not row.get("unknown"):
        return "planned whole"
    return "not used" if row["unknown"] == row.get("unreached") else "unknown"


def _table(found: Mapping[str, Any]) -> list[str]:
    kinds = ("planned whole", "not used", "unknown", "wrong", "not run")
    lines = [
        f"| library | models | {' | '.join(kinds)} | replaced | parameters | seconds, median |",
        "|" + "---|" * (len(kinds) + 5),
    ]
    for data in found.values():
        rows = [row for row in data["models"] if "not_built" not in row]
        counts = Counter(map(kind_of, rows))
        seconds = sorted(row["seconds"] for row in rows if row.get("seconds"))
        median = seconds[len(seconds) // 2] if seconds else 0
        names = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
        cells = [
            names,
            len(rows),
            *(counts[kind] for kind in kinds),
            sum(bool(row.get("replaced")) for row in rows),
            f"{sum(row.get('parameters', 0) for row in rows):,}",
            f"{median:.2f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _lists(found: Mapping[str, Any]) -> list[str]:
    """What is left, with its reason."""
    lines: list[str] = []
    for kind, title in (
        ("wrong", "Wrong"), ("unknown", "Unknown, and used"), ("not used", "Not used"),
        ("not run", "Not run"), ("not built", "Not built by their library"),
    ):  # fmt: skip
        reasons: dict[str, list[str]] = defaultdict(list)
        for data in found.values():
            for row in data["models"]:
                if kind_of(row) == kind:
                    for reason in _reasons(row, kind):
                        reasons[reason].append(row["name"])
        if reasons:
            lines += [f"## {title}", "", "| what | models |", "|---|---|"]
            for reason, names in sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0])):
                shown = ", ".join(f"`{name}`" for name in names[:6])
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"| {reason} | {shown}{more} |")
            lines.append("")
    return lines


def _reasons(row: Mapping[str, Any], kind: str) -> list[str]:
    if kind == "wrong":
        return [_cell(text) for text in row["wrong"]]
    if kind in ("not run", "not built"):
        return [_cell(row[kind.replace(" ", "_")])]
    used = {name for name in row["unknown"] if row["unknown"] != row.get("unreached")}
    return [f"`{name}`" for name in (used or row["unknown"])]


def _cell(text: str) -> str:
    text = text.removeprefix("`example` must be what the model takes, got ").replace("|", r"\|")
    return f"`{text.replace('`', '')[:110]}`"
