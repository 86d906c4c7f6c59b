"""Depth: a factor on the weights of the layers of a deep network (spec: recipes/3)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .._errors import SchemeError, finite, integer, positive


@dataclass(frozen=True, slots=True)
class Depth:
    """The factor ``(branches * layers) ** power``.

    Attributes
    ----------
    layers : int, "index" or "branches"
        The number of layers; or "index", for the number of the parameter's own layer; or
        "branches", for the number of residual branches that the model has, in place of
        ``branches * layers``.
    branches : float, default 2
        Residual branches in a layer.
    power : float, default -0.5
        Keeps the variance of the sum of all branches.

    Examples
    --------
    >>> from fanwise.adapting import Depth
    >>> Depth(8).factor()
    0.25
    """

    layers: int | Literal["index", "branches"]
    branches: float = 2.0
    power: float = -0.5

    def __post_init__(self) -> None:
        if self.is_known:
            layers = integer("layers", self.layers, SchemeError, minimum=1)
            object.__setattr__(self, "layers", layers)
        branches = positive("branches", self.branches, SchemeError)
        object.__setattr__(self, "branches", branches)
        object.__setattr__(self, "power", finite("power", self.power, SchemeError))
        if self.is_known:
            self.factor()

    @property
    def is_known(self) -> bool:
        """Whether the factor does not depend on the parameter."""
        return self.layers not in ("index", "branches")

    def at(self, layer: int, /) -> Depth:
        """The factor of the layer of this number, counted from one."""
        return replace(self, layers=layer)

    def of(self, branches: int, /) -> Depth:
        """The factor of a model of so many residual branches."""
        return replace(self, layers=branches, branches=1.0)

    def factor(self) -> float:
        """The number to multiply weights by."""
        if isinstance(self.layers, str):
            raise SchemeError(
                f"`layers` {self.layers!r} must be resolved for a parameter, got none"
            )
        base = self.branches * self.layers
        # The square root is exact to rounding on every platform; `pow` need not be.
        try:
            factor = 1 / math.sqrt(base) if self.power == -0.5 else float(base**self.power)
        except OverflowError:
            factor = math.inf
        return positive("depth", factor, SchemeError)

    def to_data(self) -> dict[str, Any]:
        """The factor as plain JSON data, defaults left out."""
        data: dict[str, Any] = {"layers": self.layers}
        if self.branches != 2:
            data["branches"] = self.branches
        if self.power != -0.5:
            data["power"] = self.power
        return data

    @classmethod
    def from_data(cls, data: Any) -> Depth:
        """Read a factor back from the form of `to_data`."""
        keys = {"layers", "branches", "power"}
        if not isinstance(data, Mapping) or not {"layers"} <= set(data) <= keys:
            raise SchemeError(f"`depth` must be an object of {sorted(keys)}, got {data!r}")
        return cls(**data)

    def __str__(self) -> str:
        data = self.to_data()
        options = "".join(f", {key}={data[key]!r}" for key in ("branches", "power") if key in data)
        return f"{self.layers!r}{options}"


def layer_number(path: Sequence[str], /) -> int | None:
    """The number of a parameter's layer, counted from one: the first number in its path.

    A number is a segment of its own, as in ``h.3.weight``, or ends one after an underscore, as
    in ``block_3.kernel``.
    """
    for segment in path:
        found = re.fullmatch(r"(?:.*_)?(\d+)", segment)
        if found:
            return int(found[1]) + 1
    return None
