"""The record of a computation: operations on arrays, free of any framework (spec: recipes/17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._axes import Shape, check_shape
from .._errors import RecipeError, integer
from .._json import SCHEMA_VERSION, as_list, read_document

# What the options of each operation are. Inputs and outputs are numbers of values.
OPERATIONS: Mapping[str, frozenset[str]] = {
    name: frozenset(options.split())
    for name, options in {
        "contraction": "equation",  # as of einsum, of two arrays
        # Channel and spatial axes of input and output, and of the kernel.
        "convolution": "input kernel groups stride transposed",
        "gather": "axis",  # of a table, at integers
        "elementwise": "function scalar",  # of arrays that broadcast as in NumPy, and of a number
        "reduction": "function axes keep",
        "reshape": "",
        "transpose": "order",
        "broadcast": "axes",  # which axis of the output each axis of the input is
        "slice": "start stop step",
        "select": "axis index",  # one position, without its axis; None is each, as in a loop
        "concatenation": "axis",
        "stack": "axis",  # a new axis, as of the steps of a loop
        "normalization": "axes",  # to a mean square of one, with or without a mean of zero
        "softmax": "axis",
        "attention": "",  # of queries, keys and values: (..., positions, features)
        "selection": "axis",  # the largest along an axis, or their order
        "update": "",  # an array, parts of which are overwritten by others
        "other": "function",  # what is computed here is not known
    }.items()
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a computation.

    Attributes
    ----------
    name : str
        One of `OPERATIONS`.
    inputs, outputs : tuple of int
        Numbers of values.
    options : mapping
        JSON data, as `OPERATIONS` says.
    layer : str, default ""
        Path of the layer that computes it.
    times : int, default 1
        How many times a loop does it.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""
    times: int = 1

    def __post_init__(self) -> None:
        if self.name not in OPERATIONS:
            raise RecipeError(f"`name` must be one of {sorted(OPERATIONS)}, got {self.name!r}")
        if set(self.options) != OPERATIONS[self.name]:
            raise RecipeError(
                f"`options` of {self.name} must be {sorted(OPERATIONS[self.name])}, "
                f"got {sorted(self.options)}"
            )

    def __str__(self) -> str:
        given = ", ".join(f"{key}={value}" for key, value in self.options.items())
        made = ", ".join(f"%{n}" for n in self.outputs)
        taken = ", ".join(f"%{n}" for n in self.inputs)
        where = f"  # {self.layer}" if self.layer else ""
        return f"{made} = {self.name}({taken}{'; ' if given else ''}{given}){where}"


@dataclass(frozen=True, slots=True)
class Computation:
    """What a model computes from its parameters and inputs.

    Attributes
    ----------
    shapes : tuple of tuple of int
        The shape of each value, by its number.
    parameters : mapping of str to int
        The value of each parameter, by path; tied parameters are one value.
    inputs, outputs : tuple of int
        Values that the model takes and returns. Values that are neither, and no operation
        makes, are constants.
    operations : tuple of Operation
        In the order in which they are computed.
    integers : frozenset of int, default empty
        Values that are integers, such as tokens.

    Examples
    --------
    >>> from fanwise.adapting import Computation, Operation
    >>> linear = Operation("contraction", (1, 0), (2,), {"equation": "ab,cb->ac"})
    >>> computation = Computation(((8, 4), (2, 4), (2, 8)), {"weight": 0}, (1,), (2,), (linear,))
    >>> print(computation)
    %0 = parameter weight (8, 4)
    %1 = input (2, 4)
    %2 = contraction(%1, %0; equation=ab,cb->ac)
    return %2
    >>> Computation.from_data(computation.to_data()) == computation
    True
    """

    shapes: tuple[Shape, ...]
    parameters: Mapping[str, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]
    integers: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        made = {*self.parameters.values(), *self.inputs}
        for operation in self.operations:
            for number in (*operation.inputs, *operation.outputs):
                if not 0 <= number < len(self.shapes):
                    raise RecipeError(f"values must have a shape, got %{number} in {operation}")
            if again := made & set(operation.outputs):
                raise RecipeError(f"a value must be made once, got %{min(again)} in {operation}")
            made |= set(operation.outputs)

    def __str__(self) -> str:
        lines = [f"%{n} = parameter {path} {self.shapes[n]}" for path, n in self.parameters.items()]
        lines += [f"%{n} = input {self.shapes[n]}" for n in self.inputs]
        lines += [str(operation) for operation in self.operations]
        return "\n".join([*lines, f"return {', '.join(f'%{n}' for n in self.outputs)}"])

    def to_data(self) -> dict[str, Any]:
        """The computation as plain JSON data, with the version of the form."""
        return {
            "format": "computation",
            "version": SCHEMA_VERSION,
            "shapes": [list(shape) for shape in self.shapes],
            "parameters": dict(self.parameters),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "integers": sorted(self.integers),
            "operations": [
                {
                    "name": one.name,
                    "inputs": list(one.inputs),
                    "outputs": list(one.outputs),
                    **({"options": _plain(one.options)} if one.options else {}),
                    **({"layer": one.layer} if one.layer else {}),
                    **({"times": one.times} if one.times != 1 else {}),
                }
                for one in self.operations
            ],
        }

    @classmethod
    def from_data(cls, data: Any) -> Computation:
        """Read a computation back from the form of `to_data`.

        Raises
        ------
        RecipeError
            If the form or its version is not this one, or a key or an operation is unknown.
        """
        keys = {"shapes", "parameters", "inputs", "outputs", "operations", "integers"}
        document = read_document(data, "computation", keys)
        parameters = document.get("parameters")
        if not isinstance(parameters, Mapping):
            raise RecipeError(f"`parameters` must be an object, got {parameters!r}")
        operations = []
        for one in as_list("operations", document.get("operations")):
            if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
                raise RecipeError(f"`operations` must be objects with a name, got {one!r}")
            operations.append(
                Operation(
                    one["name"],
                    _numbers("inputs", one.get("inputs")),
                    _numbers("outputs", one.get("outputs")),
                    _tuples(one.get("options", {})),
                    one.get("layer", ""),
                    one.get("times", 1),
                )
            )
        return cls(
            tuple(map(check_shape, as_list("shapes", document.get("shapes")))),
            {path: integer(path, n, RecipeError, minimum=0) for path, n in parameters.items()},
            _numbers("inputs", document.get("inputs")),
            _numbers("outputs", document.get("outputs")),
            tuple(operations),
            frozenset(_numbers("integers", document.get("integers", ()))),
        )


def call_of(example: Any, /) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and named arguments that an example of what a model takes stands for.

    Parameters
    ----------
    example : object
        A mapping of keyword arguments, a tuple of arguments, or the one argument.

    Returns
    -------
    args : tuple
        Arguments by position.
    kwargs : dict
        Arguments by name.

    Examples
    --------
    >>> from fanwise.adapting import call_of
    >>> call_of({"tokens": 3}), call_of((1, 2)), call_of(5)
    (((), {'tokens': 3}), ((1, 2), {}), ((5,), {}))
    """
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, tuple) else ((example,), {})


def _numbers(name: str, value: Any) -> tuple[int, ...]:
    return tuple(integer(name, n, RecipeError, minimum=0) for n in as_list(name, value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(map(_tuples, value)) if is_list else value
