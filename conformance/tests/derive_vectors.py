"""Derive the vectors: fans counted by hand, laws integrated by mpmath to 30 digits.

``python conformance/tests/derive_vectors.py`` writes them; `test_vectors.py` derives them again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mp, mpf

mp.dps = 40
VECTORS = Path(__file__).parents[1] / "src/fanwise_conformance/vectors"
VERSION = "0.1"  # of the specification

# Name, shape, axes, fans of each block as counted by hand, clause, reason.
FANS: list[tuple[str, list[int], Any, list[list[str]], str, str]] = [
    ("matrix", [7, 3], "out in", [["3", "7"]], "fans/1", "3 inputs feed each of 7 units"),
    ("matrix, inputs first", [7, 3], "in out", [["7", "3"]], "fans/1", "roles, not places, say what an axis is"),
    ("convolution", [8, 5, 3, 2], "out in kernel kernel", [["30", "48"]], "fans/1", "5 inputs and 8 outputs at each of 6 positions"),
    ("convolution, channels last", [3, 2, 5, 8], "kernel kernel in out", [["30", "48"]], "fans/1", "the order of axes does not count"),
    ("grouped convolution", [12, 2, 3, 3], {"roles": "out in kernel kernel", "groups": 4}, [["18", "27"]], "axes/4", "a unit sees the 2 inputs of its group, an input 3 of 12 units"),
    ("depthwise convolution", [10, 1, 5], {"roles": "out in kernel", "groups": 10}, [["5", "5"]], "axes/4", "each channel by itself"),
    ("depthwise convolution with two units a channel", [10, 1, 5], {"roles": "out in kernel", "groups": 5}, [["5", "10"]], "axes/4", "each of 5 channels feeds 2 units"),
    ("strided convolution", [8, 4, 4, 4], {"roles": "out in kernel kernel", "stride": [2, 2]}, [["64", "32"]], "fans/3", "an input is within every fourth window"),
    ("strided convolution, not a whole number", [3, 2, 5], {"roles": "out in kernel", "stride": [2]}, [["10", "15/2"]], "fans/3", "fans are exact rationals"),
    ("transposed convolution", [6, 4, 4, 4], {"roles": "in out kernel kernel", "transposed": True, "stride": [2, 2]}, [["24", "64"]], "fans/3", "an output is reached from every fourth position"),
    ("transposed grouped convolution", [6, 2, 3], {"roles": "in out kernel", "transposed": True, "groups": 3}, [["6", "6"]], "axes/4", "of a transposed kernel, `in` has the units of all groups"),
    ("embedding", [100, 16], {"roles": "in out", "one_hot": True}, [["1", "16"]], "fans/4", "one token is active at a time"),
    ("experts", [4, 8, 6], "stack out in", [["6", "8"]], "fans/2", "copies do not count"),
    ("scanned layers, second axis", [8, 4, 6], "in stack out", [["8", "6"]], "fans/2", "wherever they are"),
    ("heads of attention", [16, 4, 8], "in out out", [["16", "32"]], "axes/3", "units of a role with several axes multiply"),
    ("output of attention", [4, 8, 16], "in in out", [["32", "16"]], "axes/3", "of inputs, too"),
    ("bilinear", [5, 3, 4], "out in in", [["12", "5"]], "axes/3", "each pair of inputs feeds each unit"),
    ("fused projections", [24, 8], {"roles": "out in", "blocks": {"out": 3}}, [["8", "8"]] * 3, "axes/5", "three matrices of 8 by 8"),
    ("grouped-query projections", [16, 24], {"roles": "in out", "blocks": {"out": [16, 4, 4]}}, [["16", "16"], ["16", "4"], ["16", "4"]], "axes/5", "blocks of their own sizes"),
    ("gates", [12, 5], {"roles": "out in", "blocks": {"out": 4}}, [["5", "3"]] * 4, "axes/5", "four matrices of 3 by 5"),
    ("two heads fused, grouped", [12, 3, 3], {"roles": "out in kernel", "groups": 4, "blocks": {"out": 2}}, [["9", "9"]] * 2, "axes/5", "each block is two whole groups"),
    ("kernel alone", [3, 5], "kernel kernel", [["15", "15"]], "axes/1", "a role without an axis counts one unit"),
    ("one unit", [1, 1], "out in", [["1", "1"]], "fans/1", "the smallest matrix"),
]  # fmt: skip


def _cut(low: Any, high: Any) -> tuple[Any, Any]:
    """Mean and variance of a standard normal within two bounds, by integration."""
    low, high = mpf(low), mpf(high)
    mode = min(max(mpf(0), low), high)
    inner = [low + (high - low) * k / 16 for k in range(17)]
    points = sorted({*inner, *(mpf(p) for p in (-8, -4, -2, 0, 2, 4, 8) if low < p < high)})

    def integral(k: int) -> Any:  # about the mode, and relative to its density: exact in a tail
        return mpmath.quad(
            lambda x: (x - mode) ** k * mpmath.exp((mode**2 - x**2) / 2), points, maxdegree=12
        )

    total, first, second = (integral(k) for k in range(3))
    return mode + first / total, second / total - (first / total) ** 2


def _normal(std: Any, mean: Any = 0) -> dict[str, Any]:
    return {"mean": mpf(mean), "std": mpf(std), "low": mpf("-inf"), "high": mpf("inf")}


def _uniform(low: Any, high: Any) -> dict[str, Any]:
    low, high = mpf(low), mpf(high)
    return {
        "mean": (low + high) / 2,
        "std": (high - low) / mpmath.sqrt(12),
        "low": low,
        "high": high,
    }


def _uniform_of(variance: Any) -> dict[str, Any]:
    bound = mpmath.sqrt(3 * mpf(variance))
    return _uniform(-bound, bound)


def _truncated(parent_std: Any, low: Any, high: Any, parent_mean: Any = 0) -> dict[str, Any]:
    """By bounds in parent stds about the parent's mean."""
    mean, variance = _cut(low, high)
    parent_std, parent_mean = mpf(parent_std), mpf(parent_mean)
    return {
        "mean": parent_mean + parent_std * mean,
        "std": parent_std * mpmath.sqrt(variance),
        "low": parent_mean + parent_std * mpf(low),
        "high": parent_mean + parent_std * mpf(high),
    }


def _truncated_of(std: Any, low: Any = -2, high: Any = 2) -> dict[str, Any]:
    return _truncated(mpf(std) / mpmath.sqrt(_cut(low, high)[1]), low, high)


# Name, scheme, laws of a kernel (60, 40) "in out", clause, reason. Fans: in 60, out 40.
LAWS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("constant", {"name": "constant", "value": -0.5}, {"mean": mpf("-0.5"), "std": mpf(0)}, "laws/5", "a point"),
    ("zeros", {"name": "zeros"}, {"mean": mpf(0), "std": mpf(0)}, "schemes/4", "a constant"),
    ("ones", {"name": "ones"}, {"mean": mpf(1), "std": mpf(0)}, "schemes/4", "a constant"),
    ("normal", {"name": "normal", "std": 0.02}, _normal(0.02), "laws/1", "std is as given"),
    ("normal of a mean", {"name": "normal", "std": 0.5, "mean": 0.25}, _normal(0.5, 0.25), "laws/1", "mean is as given"),
    ("uniform", {"name": "uniform", "bound": 0.125}, _uniform(-0.125, 0.125), "laws/2", "symmetric by a bound"),
    ("uniform of two bounds", {"name": "uniform", "low": -0.25, "high": 1.0}, _uniform(-0.25, 1), "laws/2", "variance (high - low)^2 / 12"),
    ("truncated normal", {"name": "truncated_normal", "std": 0.02}, _truncated_of(0.02), "schemes/4", "std is that after the cut"),
    ("truncated normal of a parent", {"name": "truncated_normal", "parent_std": 1.0}, _truncated(1, -2, 2), "laws/3", "0.8796 of the parent's std is left"),
    ("truncated normal, skewed", {"name": "truncated_normal", "std": 0.02, "low": -1.0, "high": 3.0}, _truncated_of(0.02, -1, 3), "laws/3", "its mean is not the parent's"),
    ("truncated normal, one-sided", {"name": "truncated_normal", "parent_std": 1.0, "low": 0.5, "high": float("inf")}, _truncated(1, 0.5, 40) | {"high": mpf("inf")}, "laws/3", "beyond 40 there is nothing to 1e-300"),
    ("truncated normal, far tail", {"name": "truncated_normal", "parent_std": 1.0, "low": 30.0, "high": 31.0}, _truncated(1, 30, 31), "laws/4", "exact 30 stds out"),
    ("truncated normal, narrow", {"name": "truncated_normal", "parent_std": 1.0, "low": 1.0, "high": 1.0 + 2.0**-26}, _truncated(1, 1, 1 + mpf(2) ** -26), "laws/4", "exact for bounds 1e-8 apart"),
    ("truncated normal, absolute", {"name": "truncated_normal", "parent_std": 0.5, "low": -0.25, "high": 0.75, "bounds": "absolute"}, _truncated(0.5, -0.5, 1.5), "laws/3", "bounds in the weights' units"),
    ("truncated normal of a mean", {"name": "truncated_normal", "parent_std": 0.5, "parent_mean": 1.0, "low": -1.0, "high": 2.0}, _truncated(0.5, -1, 2, 1), "laws/3", "bounds are about the mean"),
    ("glorot_normal", {"name": "glorot_normal"}, _normal(mpmath.sqrt(mpf(1) / 50)), "schemes/6", "2 / (60 + 40), and normal, not truncated"),
    ("glorot_normal of a gain", {"name": "glorot_normal", "gain": 2.0}, _normal(mpmath.sqrt(mpf(4) / 50)), "schemes/6", "gain is a factor on the std"),
    ("glorot_uniform", {"name": "glorot_uniform"}, _uniform_of(mpf(1) / 50), "schemes/6", "bound sqrt(6 / (60 + 40))"),
    ("he_normal", {"name": "he_normal"}, _normal(mpmath.sqrt(mpf(2) / 60)), "schemes/6", "2 / fan_in"),
    ("he_normal of fan_out", {"name": "he_normal", "fan": "out"}, _normal(mpmath.sqrt(mpf(2) / 40)), "fans/6", "2 / fan_out"),
    ("he_normal of the greater fan", {"name": "he_normal", "fan": "max"}, _normal(mpmath.sqrt(mpf(2) / 60)), "fans/6", "2 / max"),
    ("he_normal, truncated", {"name": "he_normal", "family": "truncated_normal"}, _truncated_of(mpmath.sqrt(mpf(2) / 60)), "schemes/6", "if asked for"),
    ("he_uniform", {"name": "he_uniform"}, _uniform_of(mpf(2) / 60), "schemes/6", "bound sqrt(6 / 60)"),
    ("lecun_normal", {"name": "lecun_normal"}, _normal(mpmath.sqrt(mpf(1) / 60)), "schemes/6", "1 / fan_in"),
    ("lecun_uniform", {"name": "lecun_uniform"}, _uniform_of(mpf(1) / 60), "schemes/6", "bound sqrt(3 / 60)"),
    ("variance_scaling", {"name": "variance_scaling"}, _truncated_of(mpmath.sqrt(mpf(1) / 60)), "schemes/5", "truncated at two parent stds, the std corrected"),
    ("variance_scaling, cut at three", {"name": "variance_scaling", "cut": 3.0}, _truncated_of(mpmath.sqrt(mpf(1) / 60), -3, 3), "schemes/5", "corrected for its own cut"),
    ("variance_scaling, geometric", {"name": "variance_scaling", "fan": "geometric", "family": "normal"}, _normal(1 / mpmath.sqrt(mpmath.sqrt(mpf(2400)))), "fans/6", "the geometric mean of 60 and 40"),
    ("variance_scaling, least", {"name": "variance_scaling", "fan": "min", "family": "uniform", "gain": 0.5}, _uniform_of(mpf(1) / 160), "schemes/5", "gain^2 / min"),
    ("orthogonal", {"name": "orthogonal", "gain": 2.0}, {"mean": mpf(0), "std": 2 / mpmath.sqrt(mpf(60))}, "laws/7", "gain^2 over the larger dimension"),
    ("sparse", {"name": "sparse", "sparsity": 0.3, "std": 0.5}, {"mean": mpf(0), "std": mpf("0.5") * mpmath.sqrt(mpf(42) / 60)}, "schemes/13", "18 of the 60 weights of a unit are zero"),
]  # fmt: skip


def derive() -> dict[str, Any]:
    """All vectors, by topic."""
    return {
        "fans": [
            {"name": n, "shape": shape, "axes": axes, "fans": fans, "clause": clause, "why": why}
            for n, shape, axes, fans, clause, why in FANS
        ],
        "laws": [
            {
                "name": name,
                "scheme": {k: str(v) if v == float("inf") else v for k, v in scheme.items()},
                "shape": [60, 40],
                "axes": "in out",
                "laws": [{k: mpmath.nstr(v, 20) for k, v in law.items() if mpmath.isfinite(v)}],
                "clause": clause,
                "why": why,
            }
            for name, scheme, law, clause, why in LAWS
        ],
    }


def main() -> None:
    """Write the vectors."""
    for topic, vectors in derive().items():
        data = {"$schema": "vectors.schema.json", "specification": VERSION, "vectors": vectors}
        (VECTORS / f"{topic}.json").write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
