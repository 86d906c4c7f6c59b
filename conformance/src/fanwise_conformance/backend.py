"""What a backend is: plain data, and a function that draws (README, "A backend of your own")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from . import formats

Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
AxesData: TypeAlias = Any  # a string of roles, or an object with "roles" and options; or None

# The axes of kernels in fanwise's own order, which a backend may state in another.
KERNELS: dict[str, AxesData] = {
    "linear": "out in",
    "convolution": "out in kernel kernel",
    "grouped convolution": {"roles": "out in kernel kernel", "groups": 4},
    "depthwise convolution": {"roles": "out in kernel kernel", "groups": 59},
    "transposed convolution": {
        "roles": "in out kernel kernel",
        "transposed": True,
        "stride": [2, 2],
    },
    "embedding": {"roles": "in out", "one_hot": True},
    "fused projections": {"roles": "out in", "blocks": {"out": 3}},
    "uneven projections": {"roles": "out in", "blocks": {"out": [331, 83, 83]}},
    "gates": {"roles": "out in", "blocks": {"out": 4}},
    "experts": "stack out in",
}


class Backend(Protocol):
    """The protocol of backends.

    Attributes
    ----------
    name : str
        What it is called in reports.
    version : str
        Of the library that draws.
    features : mapping
        ``schemes``, ``dtypes``, ``devices`` and ``transforms``: the names of what it can do;
        ``kernels``: the axes of the kernels of `KERNELS` as it lays them out, where it differs, or
        None for kernels that it does not have; and ``stacks``, false if it takes a stack of
        matrices for one.
    """

    name: str
    version: str
    features: Mapping[str, Any]

    def draw(
        self,
        scheme: Mapping[str, Any],
        shape: Shape,
        axes: AxesData,
        *,
        seed: int,
        path: str,
        dtype: str,
        device: str,
        transform: str | None,
    ) -> Array:
        """Draw one parameter.

        Parameters
        ----------
        scheme : mapping
            Its name and options, as in ``{"name": "normal", "std": 0.02}``.
        shape : tuple of int
            The shape.
        axes : str, mapping or None
            The roles of the axes, as in ``"out in"``.
        seed : int
            From 0 up to 2**64 - 1.
        path : str
            The parameter's name: equal seeds and paths give equal values.
        dtype : str
            One of ``features["dtypes"]``, to round to.
        device : str
            One of ``features["devices"]``.
        transform : str or None
            One of ``features["transforms"]`` to draw under, as "jit".

        Returns
        -------
        array
            A NumPy array of float64, float32, complex128 or complex64, to which values of the dtype
            were converted exactly.

        Raises
        ------
        NotImplementedError
            If it has no such thing: the check is then skipped, and says so.
        ValueError, TypeError
            If the request is wrong.
        """
        ...


class Hooks(Protocol):
    """What a backend may have besides, each for the checks that ask for it."""

    def resolve(self, scheme: Mapping[str, Any], shape: Shape, axes: AxesData) -> Mapping[str, Any]:
        """The numbers of a parameter.

        ``fans``: of each block, or once for all that are alike, fan_in and fan_out as text of exact
        rationals, as in ``["144", "288"]``. ``laws``: of each block, ``mean``, ``std``, ``low`` and
        ``high``; an infinite one as a float.
        """
        ...

    def serialize(self, scheme: Mapping[str, Any]) -> Mapping[str, Any]:
        """The scheme as JSON data, once it was made: its name, its options, and defaults if any."""
        ...

    def fingerprint(self) -> bytes:
        """The state of all global random generators of the library."""
        ...

    def disturb(self) -> None:
        """Advance them."""
        ...


class Unsupported(Exception):  # noqa: N818  # it is no error: a check is skipped
    """A backend does not have what a check asks for."""


class BrokenBackend(Exception):  # noqa: N818  # the error is the backend's
    """A backend does not keep to the protocol."""


@dataclass(slots=True)
class Subject:
    """A backend as checks see it: its features checked, its arrays in float64 or complex128."""

    backend: Any
    device: str = "cpu"
    known_failures: Path | None = None  # a file of them
    others: list[Subject] = field(default_factory=list)  # that it is compared with
    name: str = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        for attribute in ("name", "version", "features", "draw"):
            if not hasattr(self.backend, attribute):
                raise BrokenBackend(f"a backend must have `{attribute}`, got {self.backend!r}")
        self.name, self.version = str(self.backend.name), str(self.backend.version)
        if isinstance(self.backend, type):
            raise BrokenBackend(f"a backend must be an object, got the class {self.name}")
        for feature in ("schemes", "dtypes", "devices", "transforms"):
            if isinstance(self.feature(feature), str):
                raise BrokenBackend(
                    f"`features` must have names of {feature!r} in a sequence, "
                    f"got {self.feature(feature)!r} for {self.name}"
                )
        for feature in ("schemes", "dtypes"):
            if not self.feature(feature):
                raise BrokenBackend(f"`features` must have {feature!r}, got none for {self.name}")
        for what, known in (("dtypes", formats.DTYPES), ("kernels", tuple(KERNELS))):
            unknown = sorted(set(self.feature(what)) - set(known))
            if unknown:
                raise BrokenBackend(
                    f"{what!r} of `features` must be of {list(known)}, "
                    f"got {unknown} for {self.name}"
                )
        if self.device not in self.feature("devices", ("cpu",)):
            raise BrokenBackend(
                f"`device` must be one of {list(self.feature('devices', ('cpu',)))}, "
                f"got {self.device!r} for {self.name}"
            )

    def feature(self, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """The names of a feature."""
        found: Sequence[str] = self.backend.features.get(name, default)
        return found

    @property
    def draws_stacks(self) -> bool:
        """Whether many matrices can be had from one draw."""
        return bool(self.backend.features.get("stacks", True))

    def axes(self, kernel: str) -> AxesData:
        """The axes of a kernel, as the backend lays it out."""
        return {**KERNELS, **self.backend.features.get("kernels", {})}[kernel]

    def draw(
        self,
        scheme: Mapping[str, Any],
        shape: Shape,
        axes: AxesData = None,
        *,
        seed: int,
        path: str = "weight",
        dtype: str = "float32",
        transform: str | None = None,
    ) -> Array:
        """Draw one parameter; raise Unsupported if the backend cannot."""
        if scheme["name"] not in self.feature("schemes"):
            raise Unsupported(f"{self.name} has no {scheme['name']}")
        if dtype not in self.feature("dtypes"):
            raise Unsupported(f"{self.name} has no {dtype}")
        try:
            drawn = self.backend.draw(
                dict(scheme),
                tuple(shape),
                axes,
                seed=seed,
                path=path,
                dtype=dtype,
                device=self.device,
                transform=transform,
            )
        except NotImplementedError as error:
            raise Unsupported(f"{self.name}: {error}") from error
        array = np.asarray(drawn)
        kind = "c" if formats.is_complex(dtype) else "f"
        if array.shape != tuple(shape) or array.dtype.kind != kind or array.itemsize < 4:
            wanted = "complex64" if kind == "c" else "float32"
            raise BrokenBackend(
                f"`draw` must return {wanted} or wider of shape {tuple(shape)}, "
                f"got {array.dtype} of shape {array.shape} from {self.name}"
            )
        return array.astype(np.complex128 if formats.is_complex(dtype) else np.float64)

    def hook(self, name: str) -> Any:
        """An optional function of the backend; raise Unsupported if it has none."""
        found = getattr(self.backend, name, None)
        if found is None:
            raise Unsupported(f"{self.name} has no `{name}`")
        return found
