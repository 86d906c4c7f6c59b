"""NumPy arrays, from the generators of NumPy: for scripts, tests, and files of weights.

Needs NumPy, and ml_dtypes for bfloat16 and float8.
"""

try:
    import numpy as _numpy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("this module needs NumPy: pip install numpy") from error

from .._models.planning import plan_model
from .initialize import init, init_, init_model, measure_model
from .source import NumpySource

__all__ = ["NumpySource", "init", "init_", "init_model", "measure_model", "plan_model"]

del _numpy
