"""A model of the zoo, and what was found of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


class NotBuilt(Exception):  # noqa: N818  # an outcome, not an error of ours
    """The library does not build the model from a configuration here: its reason."""


@dataclass(frozen=True)
class Case:
    """A model of a library.

    Attributes
    ----------
    name : str
        As its library has it.
    build : callable
        Makes the model.
    example : callable
        From the model to an example of what it takes.
    refit : callable
        From an example and what the model said of it to a better one, or None.
    """

    name: str
    build: Callable[[], Any]
    example: Callable[[Any], Any]
    refit: Callable[[Any, Any, str], Any] = lambda model, example, message: None


@dataclass(frozen=True)
class Row:
    """What was found of a model.

    Attributes
    ----------
    name : str
        Of the model.
    parameters : int
        How many it has.
    computed : int
        Of how many the type of the layer does not say what they are for, but the computation does.
    unknown : dict of str to int
        What nothing says, by layer and name, and how many of them.
    unreached : dict of str to int
        Those of `unknown` that the model did not use with the example.
    replaced : list of str
        Constants of the constructor that the plan replaces without a rule, and warns of.
    wrong : list of str
        Constants of the constructor that the plan draws anew; uses that do not go together; and
        weights of which layer and computation say different axes.
    seconds : float
        To plan it.
    not_run : str
        Why the model did not run on any example, else empty.
    """

    name: str
    parameters: int = 0
    computed: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    unreached: dict[str, int] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    not_run: str = ""

    def to_data(self) -> dict[str, Any]:
        """The row as JSON data."""
        return {key: value for key, value in asdict(self).items() if value}
