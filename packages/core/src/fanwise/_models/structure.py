"""The structure of a model: what it computes with each parameter (spec: recipes/17)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._errors import RecipeError, one_of
from .._json import SCHEMA_VERSION, as_list, read_document
from .._structure.declaration import Declaration
from .._structure.flow import Use
from .._structure.record import Computation
from .._structure.uses import RESIDUAL_END, Findings, find
from .parameter import Parameter
from .table import aligned, printable

# Where the computation sees more than the type of a layer.
_FINER_KINDS = ("time_step", "relative_bias")


@dataclass(frozen=True)
class Structure:
    """What a model computes, and what follows from it for each parameter.

    Print it to see the axes, the kind and the role of each parameter, and how they are known.

    Attributes
    ----------
    parameters : tuple of Parameter
        In the order of the model.
    computation : Computation
        The operations.

    Examples
    --------
    >>> from fanwise import Parameter, Structure
    >>> from fanwise.adapting import Computation, Operation
    >>> linear = Operation("contraction", (1, 0), (2,), {"equation": "ab,bc->ac"})
    >>> computation = Computation(((4, 8), (2, 4), (2, 8)), {"w": 0}, (1,), (2,), (linear,))
    >>> structure = Structure.of([Parameter("w", (4, 8), kind="unknown")], computation)
    >>> print(structure)
    path  shape   axes    kind    role  known
    w     (4, 8)  in out  weight  head  computation
    >>> print(structure.explain("w"))
    w is %0: weight, 'in out', head
    %2 = contraction(%1, %0; equation=ab,bc->ac)
    """

    parameters: tuple[Parameter, ...]
    computation: Computation

    @classmethod
    def of(cls, parameters: Iterable[Parameter], computation: Computation, /) -> Structure:
        """Join what a model says of its parameters with what it computes.

        Parameters
        ----------
        parameters : iterable of Parameter
            What declarations and types of layers say.
        computation : Computation
            What is computed with them.

        Returns
        -------
        Structure
            A declaration of the user's is believed first, then the computation, then the type
            of a layer.
        """
        found = find(computation)
        structure = cls(tuple(_joined(one, found) for one in parameters), computation)
        vars(structure)["findings"] = found  # found once
        return structure

    @functools.cached_property
    def findings(self) -> Findings:
        """What follows from the computation alone."""
        return find(self.computation)

    @property
    def faults(self) -> list[str]:
        """Parameters that are used in ways that do not go together, and are not declared."""
        return [
            f"a parameter must be used in one way, or be declared, got {parameter.path!r}"
            f"{f' of {parameter.layer}' if parameter.layer else ''}: "
            f"{self.findings.disagreements[parameter.path]}"
            for parameter in self.parameters
            if parameter.path in self.findings.disagreements and not _is_declared(parameter)
        ]

    def explain(self, path: str, /) -> str:
        """Say from which operations it follows what a parameter is for.

        Parameters
        ----------
        path : str
            Its path.

        Returns
        -------
        str
            One operation a line: from the parameter to its uses.

        Raises
        ------
        RecipeError
            If no parameter has the path.
        """
        numbers = self.computation.parameters
        one_of("path", path, tuple(numbers), RecipeError)
        number = numbers[path]
        parameter = next((p for p in self.parameters if p.path == path), None)
        lines = [f"{path} is %{number}: {_what(parameter)}"]
        if disagreement := self.findings.disagreements.get(path):
            lines[0] += f"; {disagreement}"
        uses = self.findings.uses.get(path, ())
        if not uses:
            lines.append("nothing that the example reaches uses it")
        return "\n".join([*lines, *_chain(self.computation, number, uses)])

    def to_data(self) -> dict[str, Any]:
        """The structure as plain JSON data, with the version of the form."""
        return {
            "format": "structure",
            "version": SCHEMA_VERSION,
            "parameters": [parameter.to_data() for parameter in self.parameters],
            "computation": self.computation.to_data(),
        }

    @classmethod
    def from_data(cls, data: Any) -> Structure:
        """Read a structure back from the form of `to_data`.

        Raises
        ------
        RecipeError
            If the form or its version is not this one, or a key is unknown.
        """
        document = read_document(data, "structure", {"parameters", "computation"})
        parameters = as_list("parameters", document.get("parameters"))
        return cls(
            tuple(map(Parameter.from_data, parameters)),
            Computation.from_data(document.get("computation")),
        )

    def __str__(self) -> str:
        rows = [["path", "shape", "axes", "kind", "role", "known"]]
        for one in self.parameters:
            shape = str(one.shape).replace(",)", ")")
            axes = "" if one.axes is None else str(one.axes)
            known = "" if one.kind == "unknown" else one.known
            rows.append([printable(one.path), shape, axes, one.kind, one.role or "", known])
        return aligned(rows)


def _is_declared(parameter: Parameter) -> bool:
    return parameter.known == "declared" and parameter.kind != "unknown"


def _joined(parameter: Parameter, found: Findings) -> Parameter:
    declared = found.declarations.get(parameter.path)
    if declared is None or parameter.kind == "buffer":
        return parameter
    role = declared.role
    ends = RESIDUAL_END in (role or "").split(" ")
    branches = found.residual_branches if ends else None
    parameter = replace(parameter, role=parameter.role or role, branches=branches)
    if _is_declared(parameter):
        return parameter
    if parameter.kind == "unknown":
        return replace(
            parameter,
            axes=declared.axes,
            kind=declared.kind,
            fans_of=declared.fans_of,
            default=declared.default,
            norms_of=declared.norms_of,
            norm_axes=declared.norm_axes,
            known="computation",
        )
    return _beyond_layer(parameter, declared)


def _beyond_layer(parameter: Parameter, declared: Declaration) -> Parameter:
    """What the computation says of a parameter beyond the type of its layer."""
    if declared.kind in _FINER_KINDS and parameter.kind != declared.kind:
        parameter = replace(parameter, kind=declared.kind, known="computation")
    one, other = parameter.axes, declared.axes
    if one is None or other is None or one == other:
        return parameter
    if replace(one, blocks=()) == replace(other, blocks=()):
        return parameter if one.blocks else replace(parameter, axes=other, known="computation")
    if declared.kind not in ("weight", "embedding"):
        return parameter  # of which axis is which, a vector says nothing
    return replace(
        parameter, axes=other, kind=declared.kind, padding=None, default=None, known="computation"
    )


def _what(parameter: Parameter | None) -> str:
    if parameter is None or parameter.kind == "unknown":
        return "unknown"
    axes = "" if parameter.axes is None else f", {str(parameter.axes)!r}"
    return f"{parameter.kind}{axes}" + (f", {parameter.role}" if parameter.role else "")


def _chain(computation: Computation, number: int, uses: Sequence[Use]) -> list[str]:
    """The operations from a parameter to its uses."""
    ends = {use.operation for use in uses}
    producers: Mapping[int, int] = {
        output: place for place, one in enumerate(computation.operations) for output in one.outputs
    }
    reached, places = {number}, set()
    last = max(ends, default=-1)
    for place, operation in enumerate(computation.operations[: last + 1]):
        if reached & set(operation.inputs):
            places.add(place)
            if place not in ends:
                reached |= set(operation.outputs)
    # Back from the uses: what is on the way, and nothing else.
    wanted, stack = set(ends), [n for end in ends for n in computation.operations[end].inputs]
    while stack:
        place = producers.get(stack.pop(), -1)
        if place in places and place not in wanted:
            wanted.add(place)
            stack += computation.operations[place].inputs
    return [str(computation.operations[place]) for place in sorted(wanted)]
