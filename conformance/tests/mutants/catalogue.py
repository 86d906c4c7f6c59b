"""The list of mutants; D1 to D34 are the defects of other libraries that this project collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .reference import Reference


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken backend.

    Attributes
    ----------
    name : str
        What is wrong with it.
    origin : str
        Where the mistake was made.
    caught_by : str
        The check that must catch it.
    make : type
        The backend.
    """

    name: str
    origin: str
    caught_by: str
    make: Callable[[], Reference]


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, origin: str, caught_by: str) -> Callable[[type[Reference]], type[Reference]]:
    """Register a class as a mutant."""

    def register(cls: type[Reference]) -> type[Reference]:
        assert name not in MUTANTS, name
        MUTANTS[name] = Mutant(name, origin, caught_by, cls)
        return cls

    return register


from . import errors, fans, laws, precision, streams, structured  # noqa: E402, F401  # they register
