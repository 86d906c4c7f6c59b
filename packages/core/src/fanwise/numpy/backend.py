"""The embedded backend as a subject of the conformance suite."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._axes import Axes, Shape
from .._schemes.scheme import Scheme
from ..conformance import Backend
from .initialize import init


class NumpyBackend(Backend):
    """NumPy, by its own generators."""

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
        """Draw one parameter."""
        array = init(scheme, shape, axes, seed=seed, path=path, dtype=dtype)
        return array.astype(np.result_type(array.dtype, np.float32))

    def fingerprint(self) -> bytes:
        """NumPy's global random state."""
        return repr(np.random.get_state()).encode()

    def disturb(self) -> None:
        """Advance NumPy's global random state."""
        np.random.random(5)


_NARROW = ("bfloat16", "float8_e4m3fn", "float8_e5m2")  # with ml_dtypes

backend = NumpyBackend(
    "numpy",
    np.__version__,
    dtypes=("float64", "float32", "float16", *_NARROW, "complex64", "complex128"),
)
