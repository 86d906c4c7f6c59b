"""A conformance suite for weight initialization: any backend against fanwise's specification.

It does not import `fanwise`: it states the laws again, in NumPy and SciPy, and judges what a
backend draws by statistics with stated error rates. Run it with ``python -m fanwise_conformance``,
or as the pytest plugin `fanwise_conformance.plugin`.
"""

__version__ = "2026.11.0"

from .backend import KERNELS, Backend, Subject
from .registry import CHECKS, EFFORTS, Check, Effort, Finding
from .run import Item, Outcome, Run, examine, plan

__all__ = [
    "Backend",
    "CHECKS",
    "Check",
    "EFFORTS",
    "Effort",
    "Finding",
    "Item",
    "KERNELS",
    "Outcome",
    "Run",
    "Subject",
    "__version__",
    "examine",
    "plan",
]
