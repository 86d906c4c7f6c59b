"""What is drawn: schemes of every law, and parameters of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import oracle
from .backend import Array, AxesData, Shape, Subject, Unsupported
from .registry import Case, Cases, Effort

# Each elementwise scheme in forms whose laws a usual mistake would change.
SCHEMES: dict[str, dict[str, Any]] = {
    "normal": {"name": "normal", "std": 0.02},
    "normal of a mean": {"name": "normal", "std": 0.5, "mean": 0.3},
    "uniform": {"name": "uniform", "bound": 0.1},
    "uniform of two bounds": {"name": "uniform", "low": -0.25, "high": 1.0},
    "truncated normal": {"name": "truncated_normal", "std": 0.02},
    "truncated normal of a parent": {"name": "truncated_normal", "parent_std": 0.7},
    "truncated normal, skewed": {"name": "truncated_normal", "std": 0.02, "low": -1.0, "high": 3.0},
    "truncated normal, absolute": {
        "name": "truncated_normal", "parent_std": 1.0, "low": -0.5, "high": 1.5,
        "bounds": "absolute",
    },
    "truncated normal, tail": {
        "name": "truncated_normal", "parent_std": 1.0, "low": 4.0, "high": 7.0,
        "bounds": "absolute",
    },
    "glorot_normal": {"name": "glorot_normal"},
    "glorot_uniform": {"name": "glorot_uniform"},
    "he_normal": {"name": "he_normal"},
    "he_normal of fan_out": {"name": "he_normal", "fan": "out"},
    "he_uniform": {"name": "he_uniform"},
    "lecun_normal": {"name": "lecun_normal"},
    "lecun_uniform": {"name": "lecun_uniform"},
    "variance_scaling, truncated": {"name": "variance_scaling", "fan": "in"},
    "variance_scaling, geometric": {
        "name": "variance_scaling", "fan": "geometric", "family": "uniform", "gain": 1.5,
    },
    "variance_scaling, max": {"name": "variance_scaling", "fan": "max", "family": "normal"},
    "variance_scaling, min": {"name": "variance_scaling", "fan": "min", "family": "normal"},
}  # fmt: skip

# Units of every role, pairwise different primes, so that no two fans are alike.
_UNITS: dict[str, dict[str, Any]] = {
    "linear": {"out": 499, "in": 397},
    "convolution": {"out": 151, "in": 127, "kernel": (5, 3)},
    "grouped convolution": {"out": 4 * 83, "in": 67, "kernel": (5, 3)},
    "depthwise convolution": {"out": 59 * 127, "in": 1, "kernel": (7, 5)},
    "transposed convolution": {"out": 151, "in": 127, "kernel": (5, 3)},
    "embedding": {"out": 211, "in": 1009},
    "fused projections": {"out": 3 * 331, "in": 241},
    "uneven projections": {"out": 331 + 83 + 83, "in": 397},
    "gates": {"out": 4 * 251, "in": 199},
    "experts": {"stack": 7, "out": 211, "in": 139},
}
KERNELS = tuple(_UNITS)


def shape_of(kernel: str, axes: AxesData) -> Shape:
    """The shape of a kernel, its axes in the order that a backend has."""
    units = {role: [n] if isinstance(n, int) else list(n) for role, n in _UNITS[kernel].items()}
    roles = oracle.Roles.read(axes)
    if roles.roles.count("out") == 2:  # a depthwise kernel of Keras: channels, and units of each
        units["out"] = [roles.groups, units["out"][0] // roles.groups]
    return tuple(units[role].pop(0) for role in roles.roles)


def of(*labels: str) -> Cases:
    """A case for each of these schemes that the backend has."""

    def listed(subject: Subject, effort: Effort) -> Iterator[Case]:
        for label in labels:
            if SCHEMES[label]["name"] in subject.feature("schemes"):
                yield Case(label, {"scheme": SCHEMES[label]})

    return listed


of_schemes = of(*SCHEMES)


def of_wide_schemes(subject: Subject, effort: Effort) -> Iterator[Case]:
    """A case for each scheme that the backend has, in float32 and in float64."""
    for case in of_schemes(subject, effort):
        yield Case(case.label, {**case.data, "dtype": "float32"})
        if "float64" in subject.feature("dtypes"):
            yield Case(f"{case.label}, float64", {**case.data, "dtype": "float64"})


def of_kernels(subject: Subject, effort: Effort) -> Iterator[Case]:
    """A case for each kind of kernel and each of two schemes that scale by fans."""
    for kernel in KERNELS:
        axes = subject.axes(kernel)
        for scheme in ("he_normal", "glorot_uniform", "lecun_uniform"):
            if axes is not None and scheme in subject.feature("schemes"):
                yield Case(f"{kernel}, {scheme}", {"kernel": kernel, "scheme": {"name": scheme}})


def matrix(n: int) -> Shape:
    """The shape of a matrix of about n entries, of different sizes."""
    rows = max(2, round((n * 1.3) ** 0.5))
    return (rows, max(2, round(n / rows)))


def linear_axes(subject: Subject) -> AxesData:
    """The axes of a matrix, in the backend's order."""
    axes = subject.axes("linear")
    if axes is None:
        raise Unsupported(f"{subject.name} has no linear kernels")
    return axes


def law_of(scheme: dict[str, Any], shape: Shape, axes: AxesData) -> oracle.Law:
    """The law of a parameter of one block."""
    (block,) = oracle.blocks(shape, axes)
    return oracle.law(scheme, block)


def parts_of(values: Array, roles: oracle.Roles) -> Array:
    """The copies and the groups of a block, a row each."""
    stacked = [i for i, role in enumerate(roles.roles) if role == "stack"]
    grouped = roles.roles.index("in" if roles.transposed else "out")
    order = [*stacked, grouped, *(i for i in range(values.ndim) if i not in (*stacked, grouped))]
    copies = int(np.prod([values.shape[i] for i in stacked], dtype=int))
    return values.transpose(order).reshape(copies * roles.groups, -1)
