"""A backend as the conformance suite sees it, whose protocol is plain data.

The suite does not import this package: what it asks for is read here, and handed to a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._axes import Axes, Shape
from ._fans import block_fans
from ._schemes.plan import resolve
from ._schemes.scheme import Scheme, scheme_names

__all__ = ["Backend"]


class Backend:
    """A subject of the suite; a framework's adapter defines how it draws.

    Parameters
    ----------
    name : str
        What it is called in reports.
    version : str
        Of the framework.
    dtypes, devices, transforms : tuple of str
        What it can do.
    """

    def __init__(
        self,
        name: str,
        version: str,
        *,
        dtypes: tuple[str, ...],
        devices: tuple[str, ...] = ("cpu",),
        transforms: tuple[str, ...] = (),
    ) -> None:
        self.name, self.version = name, version
        self.features: Mapping[str, Any] = {
            # The suite asks for one scheme at a time.
            "schemes": tuple(name for name in scheme_names() if name != "by_block"),
            "dtypes": dtypes,
            "devices": devices,
            "transforms": transforms,
        }

    def draw(
        self,
        scheme: Mapping[str, Any],
        shape: Shape,
        axes: Any,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Any:
        """Draw one parameter, of plain data."""
        return self.initialize(
            Scheme.from_data(scheme),
            shape,
            None if axes is None else Axes.from_data(axes),
            seed=seed,
            path=path,
            dtype=dtype,
            device=device,
            transform=transform,
        )

    def initialize(
        self,
        scheme: Scheme,
        shape: Shape,
        axes: Axes | None,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Any:
        """Draw one parameter, as a NumPy array of float32 or wider."""
        raise NotImplementedError

    def resolve(self, scheme: Mapping[str, Any], shape: Shape, axes: Any) -> dict[str, Any]:
        """What a scheme is for a parameter: the fans and the law of each block."""
        roles = Axes.from_data(axes)
        laws = [part.law for part in resolve(Scheme.from_data(scheme), shape, roles).parts]
        return {
            "fans": [fans.to_data() for fans in block_fans(shape, roles)],
            "laws": [
                {"mean": law.mean, "std": law.std, "low": law.support[0], "high": law.support[1]}
                for law in laws
            ],
        }

    def serialize(self, scheme: Mapping[str, Any]) -> dict[str, Any]:
        """A scheme's own form of its data."""
        return Scheme.from_data(scheme).to_data()
