"""NumPy draws against numpy.random.Generator, as ratios of speeds taken in turn in one run.

    nox -s bench

A ratio above 1 is faster than numpy.random. NumPy has no truncated normal of its own: it is
compared with the usual way to one, drawing normals again where they are out of bounds.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import fanwise
from fanwise.numpy import init

SHAPE = (4096, 4096)
REPEAT = 5

Draw = Callable[[], object]


def native_normal(rng: np.random.Generator) -> object:
    """Scaled in place, as one would."""
    values = rng.standard_normal(SHAPE, dtype=np.float32)
    values *= np.float32(0.02)
    return values


def native_uniform(rng: np.random.Generator) -> object:
    """Scaled and shifted in place."""
    values = rng.random(SHAPE, dtype=np.float32)
    values *= np.float32(0.1)
    values -= np.float32(0.05)
    return values


def native_truncated(rng: np.random.Generator) -> object:
    """Drawn again until all are within two standard deviations."""
    values = rng.standard_normal(SHAPE, dtype=np.float32)
    while True:
        outside = np.abs(values) > 2
        count = int(np.count_nonzero(outside))
        if not count:
            return values
        values[outside] = rng.standard_normal(count, dtype=np.float32)


def seconds(draw: Draw) -> float:
    """Time of one call."""
    start = time.perf_counter()
    draw()
    return time.perf_counter() - start


def main() -> None:
    """Print a table of ratios, the import time, and the lines of each module."""
    rng = np.random.default_rng(0)
    cases: dict[str, tuple[fanwise.Scheme, Callable[[np.random.Generator], object]]] = {
        "normal": (fanwise.normal(std=0.02), native_normal),
        "uniform": (fanwise.uniform(bound=0.05), native_uniform),
        "truncated normal": (fanwise.truncated_normal(std=0.02), native_truncated),
    }
    million = SHAPE[0] * SHAPE[1] / 1e6
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{'law':18}{'here M/s':>10}{'numpy M/s':>11}{'ratio':>8}")
    for law, (scheme, native) in cases.items():
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(REPEAT):
            ours.append(seconds(partial(init, scheme, SHAPE, seed=0, path="w")))
            theirs.append(seconds(partial(native, rng)))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{law:18}{million / a:10.0f}{million / b:11.0f}{b / a:8.2f}")
    code = (
        "import time, sys; before = set(sys.modules); start = time.perf_counter(); import fanwise; "
        "print(time.perf_counter() - start, *sorted(m.partition('.')[0] for m in "
        "set(sys.modules) - before))"
    )
    runs = []
    for _ in range(REPEAT):
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        runs.append(run.stdout.split())
    elapsed = statistics.median(float(words[0]) for words in runs)
    print(
        f"\nimport fanwise: {elapsed * 1000:.0f} ms; brings {', '.join(sorted(set(runs[0][1:])))}"
    )
    root = Path(fanwise.__file__).parent
    modules = sorted(root.rglob("*.py"))
    lines = {str(p.relative_to(root)): len(p.read_text().splitlines()) for p in modules}
    print("lines: " + ", ".join(f"{name} {count}" for name, count in lines.items()))


if __name__ == "__main__":
    main()
