"""Calibrate the suite: ``python conformance/tests/calibration.py [SEEDS] [PLOT.svg]``.

Under the null hypothesis, here a backend that keeps to the specification, p-values must be uniform
over seeds, or, of counts, which are discrete, no smaller than that. At the effect that a sample size is
computed for, a check must find it as often as its power says.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from fanwise_conformance import CHECKS, EFFORTS, Subject, statistics
from fanwise_conformance.registry import find
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))

from mutants import Reference  # beside this file

LEVEL = 1e-6  # of the whole calibration, by Bonferroni
COARSER = 60.0  # effects sixty times as great: samples are small, and asymptotics at their worst
DISCRETE = ("beyond", "bit", "determinants", "birthday", "runs", "positions", "another parameter")
CASES = 2  # of each check


class Calibrated(Reference):
    """The reference, of the cases that calibrate."""

    schemes = ("normal", "uniform", "truncated_normal", "he_normal", "orthogonal", "sparse")
    dtypes = ("float32", "bfloat16", "complex64")


class _Other(Calibrated):
    """What it is compared with."""

    name = "another"


def p_values(seeds: int) -> dict[str, list[float]]:
    """The p-values of every statistical finding, over seeds."""
    jobs = [
        (check.id, number, seeds)
        for check in CHECKS.values()
        if check.hypotheses
        for number in range(CASES)
    ]
    found: dict[str, list[float]] = {}
    with ProcessPoolExecutor() as pool:
        for part in pool.map(_of_case, jobs):
            found |= part
    return found


def _of_case(job: tuple[str, int, int]) -> dict[str, list[float]]:
    identity, number, seeds = job
    check, subject = CHECKS[identity], Subject(Calibrated())
    subject.others = [Subject(_Other())]
    effort = replace(EFFORTS["full"], coarser=COARSER)
    found: dict[str, list[float]] = defaultdict(list)
    for case in list(check.cases(subject, effort))[number : number + 1]:
        for seed in range(1, seeds + 1):
            for finding in find(check, subject, case, replace(effort, entropy=seed)):
                if finding.p is not None:
                    found[f"{check.id}[{case.label}] {finding.label}"].append(finding.p)
    return found


def faults(found: dict[str, list[float]]) -> list[str]:
    """The findings whose p-values are not as they should be."""
    wrong = []
    for name, values in found.items():
        discrete = any(word in name for word in DISCRETE)
        side = "greater" if discrete else "two-sided"
        p = stats.kstest(values, "uniform", alternative=side).pvalue
        if p < LEVEL / len(found):
            wrong.append(f"{name}: p-values are not uniform (p = {p:.2g})")
    return wrong


def power(trials: int = 300) -> dict[str, float]:
    """How often effects are found for which sample sizes are computed."""
    rates = {}
    generator = np.random.default_rng(20261124)
    components = statistics.Components(_Standard())
    for effect, size, draw in (
        ("mean", 0.05, lambda n: generator.standard_normal(n) + 0.05),
        ("variance", 0.03, lambda n: generator.standard_normal(n) * np.sqrt(1.03)),
        ("correlation", 0.05, None),
        ("leak", 2e-3, None),
    ):
        n = statistics.sample_size(effect, size)
        hits = 0
        for _ in range(trials):
            if draw is not None:
                p = components.p_value(draw(n), {"mean": 1, "variance": 2}[effect])
            elif effect == "correlation":
                z = generator.standard_normal((2, n))
                p = statistics.correlation(z[0], size * z[0] + np.sqrt(1 - size**2) * z[1])
            else:
                p = float(not (generator.random(n) < size).any())
            hits += bool(p < statistics.ALPHA)
        rates[f"{effect} off by {size}"] = hits / trials
    return rates


class _Standard:
    """The standard normal law's numbers."""

    mean, std = 0.0, 1.0
    moments = np.array([1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395.0])


def plot(found: dict[str, list[float]], path: Path) -> None:
    """Draw the distributions of the p-values."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 6))
    shares = np.linspace(0, 1, 41)
    for values in found.values():
        axes.plot(np.quantile(values, shares), shares, lw=0.4, color="C0")
    axes.plot([0, 1], [0, 1], color="black", lw=1)
    seeds = len(next(iter(found.values())))
    title = f"{len(found)} findings, {seeds} seeds"
    axes.set(xlabel="p-value", ylabel="share of seeds at or below", title=title)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: list[str]) -> int:
    """Calibrate; return 1 if there is a fault."""
    seeds = int(arguments[0]) if arguments else 1000
    found = p_values(seeds)
    rates = power()
    wrong = faults(found)
    wrong += [f"{name}: power {rate}" for name, rate in rates.items() if rate < 0.98]
    print(f"{len(found)} findings over {seeds} seeds; power: {rates}")
    print("\n".join(wrong))
    if len(arguments) > 1:
        plot(found, Path(arguments[1]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
