"""Plan the models of the zoo, write what was found, and the table of the docs.

``python -m zoo`` does all, ``python -m zoo timm`` a family, ``python -m zoo timm resnet50`` a
model, which it prints and writes nowhere.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from .backends import FAMILIES
from .report import RESULTS, versions, write_page
from .running import cases_of_family, found

BATCH = 60  # models that processes judge before they are replaced, and their memory with them


def _judged(family: str, names: list[str], jobs: int) -> list[dict[str, Any]]:
    rows = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        tasks = {pool.submit(found, family, name): name for name in names}
        for task in as_completed(tasks):
            try:
                rows.append(task.result())
            except Exception as error:  # a process that died, or a fault of ours
                text = f"{type(error).__name__}: {error}".partition("\n")[0]
                rows.append({"name": tasks[task], "wrong": [text[:160]]})
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__)
    parser.add_argument("family", nargs="?", choices=tuple(FAMILIES))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    if given.names:
        for name in given.names:
            print(json.dumps(found(given.family, name)))
        return 0
    for family in [given.family] if given.family else FAMILIES:
        names = sorted(cases_of_family(family))
        rows: list[dict[str, Any]] = []
        for start in range(0, len(names), BATCH):
            rows += _judged(family, names[start : start + BATCH], given.jobs)
            print(f"\r{family} {len(rows)}/{len(names)}", end="", file=sys.stderr)
        print(file=sys.stderr)
        rows.sort(key=lambda row: str(row["name"]))
        data = {"family": family, "versions": versions(family), "models": rows}
        lines = ",\n".join("  " + json.dumps(row) for row in rows)
        head = json.dumps({k: data[k] for k in ("family", "versions")})[:-1]
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{family}.json").write_text(f'{head}, "models": [\n{lines}\n]}}\n')
    write_page()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
