"""One model, judged within its time."""

from __future__ import annotations

import logging
import signal
import warnings
from typing import Any

from .backends import FAMILIES, cases_of
from .case import NotBuilt

SECONDS = 40  # for a model


class TooLong(BaseException):
    """Not an `Exception`, so that no library catches it."""


def found(family: str, name: str) -> dict[str, Any]:
    """Judge one model, in a process of its own, within its time."""
    case = cases_of_family(family)[name]
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other people's code
            logging.disable(logging.CRITICAL)
            return FAMILIES[family][1](case).to_data()
    except NotBuilt as error:
        return {"name": name, "not_built": str(error)[:160]}
    except TooLong:
        return {"name": name, "not_run": f"longer than {SECONDS} s"}
    finally:
        signal.alarm(0)


_CASES: dict[str, Any] = {}


def cases_of_family(family: str) -> Any:
    """As `cases_of`, once a process."""
    if family not in _CASES:
        _CASES[family] = cases_of(family)
    return _CASES[family]


def _stop(*_: object) -> None:
    raise TooLong
