"""What reaches what: the axes of every value, and every use of a parameter (spec: recipes/17).

Longer than most modules: there is one handler for each operation of the record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .atoms import Atom, Axis, Owner, join, plain, regroup, rejoin, size_of, slice_axis, take
from .record import Computation, Operation

SUMS = ("add", "sub")
PRODUCTS = ("mul", "div")
LINEAR = (*SUMS, *PRODUCTS, "cast")
ACTIVATIONS = frozenset(
    {
        "relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "elu", "selu", "celu", "softplus",
        "leaky_relu", "mish", "hardswish", "hardsigmoid", "hardtanh", "logistic", "erf", "max",
        "where", "activation",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter that a value without inputs is made of.

    Attributes
    ----------
    functions : tuple of str
        What was applied to it.
    shift : float
        What was added to it.
    modulates : tuple of int
        The parameters that it multiplies.
    """

    functions: tuple[str, ...] = ()
    shift: float = 0.0
    modulates: tuple[int, ...] = ()


@dataclass(slots=True)
class Value:
    """What is known of a value.

    Attributes
    ----------
    axes : tuple
        The atoms of each axis.
    live : bool
        Whether it depends on an input.
    parts : dict
        The parameters that it is made of, if it does not.
    root : int
        The value that it was before functions of single numbers.
    statistics : frozenset of int
        Roots whose sums it is a function of.
    normalized : frozenset of int
        Roots that it is, divided by their own statistics.
    scaled : bool
        Whether a parameter has multiplied it since it was normalized.
    activated : bool
        Whether an activation function was applied last.
    exponent : int or None
        The value whose exponential it is.
    """

    axes: tuple[Axis, ...]
    live: bool = False
    parts: dict[int, Part] = field(default_factory=dict)
    root: int = -1
    statistics: frozenset[int] = frozenset()
    normalized: frozenset[int] = frozenset()
    scaled: bool = False
    activated: bool = False
    exponent: int | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a parameter.

    Attributes
    ----------
    parameter : int
        Its value.
    name : str
        "contraction", "convolution", "gather", "inner" (of two parameters), "sum", "product",
        "token", "select" or "other".
    operation : int
        The operation, by its place.
    roles : dict
        The role of each of its axes that the operation gives one.
    options : dict
        Of axes: groups, stride, transposed.
    part : Part
        How it gets there.
    aligned : tuple
        For sums and products: the axis of the other value that each of its axes is along.
    other : Value or None
        The other value.
    result : int
        The value that comes out.
    """

    parameter: int
    name: str
    operation: int
    roles: dict[int, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    part: Part = Part()
    aligned: tuple[Axis | None, ...] = ()
    other: Value | None = None
    result: int = -1


class Flow:
    """The values of a computation, followed from its parameters and inputs on."""

    def __init__(self, computation: Computation) -> None:
        self.computation = computation
        self.uses: list[Use] = []
        self.values: dict[int, Value] = {}
        self.producer: dict[int, int] = {}
        self.consumers: dict[int, list[int]] = {}
        self.residuals: list[tuple[int, int, int]] = []  # operation, stream, branch
        self.stacks: set[Owner] = set()
        self.softmaxes: list[tuple[int, int]] = []  # scores and probabilities
        self.products: list[tuple[int, int, int]] = []  # of live values: operation, factors
        shapes = computation.shapes
        self._layers = {
            number: path.rpartition(".")[0] for path, number in computation.parameters.items()
        }
        for number in set(computation.parameters.values()):
            axes = tuple((Atom(size, (number, i)),) for i, size in enumerate(shapes[number]))
            self.values[number] = Value(axes, parts={number: Part()}, root=number)
        for number in computation.inputs:
            self.values[number] = Value(plain(shapes[number]), live=True, root=number)
        for place, operation in enumerate(computation.operations):
            for number in operation.inputs:
                self.consumers.setdefault(number, []).append(place)
                if number not in self.values:
                    self.values[number] = Value(plain(shapes[number]), root=number)
            for number in operation.outputs:
                self.producer[number] = place
            handler: Callable[[int, Operation], None] = getattr(self, f"_{operation.name}")
            handler(place, operation)

    # Every handler makes the values of the outputs.

    def _inputs(self, operation: Operation) -> list[Value]:
        return [self.values[number] for number in operation.inputs]

    def taken_by(self, number: int) -> list[Operation]:
        """The operations that a value goes into."""
        return [self.computation.operations[place] for place in self.consumers.get(number, ())]

    def _shape(self, operation: Operation) -> tuple[int, ...]:
        return self.computation.shapes[operation.outputs[0]]

    def _like(self, operation: Operation, axes: Sequence[Axis]) -> None:
        """A view of the first input, of other axes."""
        first = self.values[operation.inputs[0]]
        self.values[operation.outputs[0]] = replace(first, axes=tuple(axes))

    def _fresh(self, operation: Operation) -> None:
        """Values of which nothing is known but whether they depend on inputs."""
        for number in operation.outputs:
            self._make(operation, number, plain(self.computation.shapes[number]))

    def _make(self, operation: Operation, number: int, axes: Sequence[Axis]) -> None:
        """A value of all inputs, of these axes."""
        given = self._inputs(operation)
        live = any(value.live for value in given)
        parts = {} if live else {k: p for value in given for k, p in value.parts.items()}
        self.values[number] = Value(tuple(axes), live, parts, root=number)

    def _use_all(self, place: int, operation: Operation, name: str) -> None:
        """Note a use of every parameter that meets what depends on inputs."""
        given = self._inputs(operation)
        if any(value.live for value in given):
            for value in given:
                for number, part in value.parts.items():
                    self.uses.append(Use(number, name, place, part=part))

    def _reshape(self, place: int, operation: Operation) -> None:
        (value,) = self._inputs(operation)
        self._like(operation, regroup(value.axes, self._shape(operation)))

    def _transpose(self, place: int, operation: Operation) -> None:
        (value,) = self._inputs(operation)
        self._like(operation, [value.axes[i] for i in operation.options["order"]])

    def _broadcast(self, place: int, operation: Operation) -> None:
        (value,) = self._inputs(operation)
        shape = self._shape(operation)
        axes = list(plain(shape))
        for i, target in enumerate(operation.options["axes"]):
            if size_of(value.axes[i]) == shape[target]:
                axes[target] = value.axes[i]
        self._like(operation, axes)

    def _slice(self, place: int, operation: Operation) -> None:
        (value,) = self._inputs(operation)
        options = operation.options
        limits = zip(options["start"], options["stop"], options["step"], strict=True)
        self._like(
            operation,
            [slice_axis(axis, *limit) for axis, limit in zip(value.axes, limits, strict=True)],
        )

    def _select(self, place: int, operation: Operation) -> None:
        value, axis = self.values[operation.inputs[0]], operation.options["axis"]
        axes = [a for i, a in enumerate(value.axes) if i != axis]
        if not value.live:
            self._give_roles(place, operation, value, "select", {axis: "stack"})
        elif len(value.axes[axis]) == 1 and operation.options["index"] is not None:
            axes = take(axes, value.axes[axis][0], operation.options["index"])
        self._like(operation, axes)

    def _stack(self, place: int, operation: Operation) -> None:
        value, axis = self.values[operation.inputs[0]], operation.options["axis"]
        axes = list(value.axes)
        axes.insert(axis, (Atom(self._shape(operation)[axis]),))
        self._make(operation, operation.outputs[0], axes)

    def _concatenation(self, place: int, operation: Operation) -> None:
        given, axis = self._inputs(operation), operation.options["axis"]
        whole = rejoin([value.axes[axis] for value in given])
        first = next((value for value in given if value.live), given[0])
        axes = list(first.axes)
        axes[axis] = whole or (Atom(self._shape(operation)[axis]),)
        if first.live:
            for value in given:
                for number, part in value.parts.items():
                    self._use_elementwise(place, operation, "token", number, part, value, first)
        self._make(operation, operation.outputs[0], axes)

    def _reduction(self, place: int, operation: Operation) -> None:
        (value,) = self._inputs(operation)
        reduced = {axis % len(value.axes) for axis in operation.options["axes"]}
        axes = [
            (Atom(1),) if i in reduced else axis
            for i, axis in enumerate(value.axes)
            if operation.options["keep"] or i not in reduced
        ]
        number = operation.outputs[0]
        roots = frozenset({value.root}) | value.statistics
        # Statistics of a parameter say nothing of it, as its norm in a weight normalization.
        self.values[number] = Value(tuple(axes), value.live, {}, number, roots)

    def _softmax(self, place: int, operation: Operation) -> None:
        self._like(operation, self.values[operation.inputs[0]].axes)
        made = self.values[operation.outputs[0]]
        made.root, made.normalized, made.parts = operation.outputs[0], frozenset(), {}
        self.softmaxes.append((operation.inputs[0], operation.outputs[0]))

    def _normalization(self, place: int, operation: Operation) -> None:
        value = self.values[operation.inputs[0]]
        self._like(operation, value.axes)
        made = self.values[operation.outputs[0]]
        made.normalized, made.scaled, made.activated = frozenset({value.root}), False, False

    def _selection(self, place: int, operation: Operation) -> None:
        self._fresh(operation)
        value, axis = self.values[operation.inputs[0]], operation.options["axis"]
        for number in operation.outputs:
            axes = list(value.axes)
            axes[axis] = (Atom(self.computation.shapes[number][axis]),)
            self.values[number].axes = tuple(axes)

    def _update(self, place: int, operation: Operation) -> None:
        self._use_all(place, operation, "token")
        self._make(operation, operation.outputs[0], self._inputs(operation)[0].axes)

    def _other(self, place: int, operation: Operation) -> None:
        self._use_all(place, operation, "other")
        self._fresh(operation)

    def _attention(self, place: int, operation: Operation) -> None:
        query, _, value = self._inputs(operation)[:3]
        self._fresh(operation)
        rank = len(query.axes)
        axes = [*query.axes[: rank - 1], value.axes[-1]]
        fits = tuple(map(size_of, axes)) == self._shape(operation)
        self.values[operation.outputs[0]].axes = (
            tuple(axes) if fits else plain(self._shape(operation))
        )

    def _gather(self, place: int, operation: Operation) -> None:
        table, indices = self._inputs(operation)
        axis = operation.options["axis"]
        if not (table.live or indices.live or indices.axes):  # one of each, as a loop counts
            self._give_roles(place, operation, table, "select", {axis: "stack"})
            self._like(operation, [*table.axes[:axis], *table.axes[axis + 1 :]])
            return
        if not table.live and table.parts:
            roles = {i: "in" if i == axis else "out" for i in range(len(table.axes))}
            self._give_roles(place, operation, table, "gather", roles)
        axes = (*table.axes[:axis], *indices.axes, *table.axes[axis + 1 :])
        fits = tuple(map(size_of, axes)) == self._shape(operation)
        number, live = operation.outputs[0], table.live or indices.live
        self.values[number] = Value(
            axes if fits else plain(self._shape(operation)), live, {}, number
        )

    def _contraction(self, place: int, operation: Operation) -> None:
        left, right = self._layers_own(operation, *self._inputs(operation))
        terms, result = operation.options["equation"].split("->")
        letters = dict(zip("lr", terms.split(","), strict=True))
        made: dict[str, Axis] = {}
        for side, value in (("l", left), ("r", right)):
            for letter, axis in zip(letters[side], value.axes, strict=True):
                made[letter] = _merged(made[letter], axis) if letter in made else axis
        for side, value, other in (("l", left, right), ("r", right, left)):
            if value.live or not value.parts:
                continue
            own, others = letters[side], letters["r" if side == "l" else "l"]
            if other.live:
                self._note_stacks(other, others, own, result)
            roles = {}
            for i, letter in enumerate(own):
                shared, kept = letter in others, letter in result
                roles[i] = "stack" if shared and kept else "in" if shared else "out"
            name = "inner" if other.parts and not other.live else "contraction"
            self._give_roles(place, operation, value, name, roles)
        number = operation.outputs[0]
        # Constants that go through a weight are like inputs from there on, as positions are.
        live = left.live or right.live or bool(left.parts) != bool(right.parts)
        parts = {} if live else {**left.parts, **right.parts}
        self.values[number] = Value(
            tuple(made[letter] for letter in result), live, parts, root=number
        )

    def _note_stacks(self, value: Value, letters: str, weight: str, result: str) -> None:
        """Note the outputs of weights that go, one each, to the copies of another weight."""
        for letter, axis in zip(letters, value.axes, strict=True):
            if letter in weight and letter in result:
                self.stacks |= {atom.owner for atom in axis if atom.owner is not None}

    def _layers_own(self, operation: Operation, left: Value, right: Value) -> tuple[Value, Value]:
        """Two factors without inputs: what a layer multiplies its own weight by is its input.

        So queries that are learned go through a projection. Where a layer has both, they are
        two factors of one weight.
        """
        if left.live or right.live or not (left.parts and right.parts):
            return left, right
        owned = [
            any(self._layers[number] == operation.layer for number in value.parts)
            for value in (left, right)
        ]
        if owned[0] == owned[1]:
            return left, right
        given = [
            value if own else replace(value, live=True, parts={})
            for value, own in zip((left, right), owned, strict=True)
        ]
        for value, own in zip((left, right), owned, strict=True):
            for number, part in () if own else value.parts.items():
                self.uses.append(
                    Use(number, "token", self.producer[operation.outputs[0]], part=part)
                )
        return given[0], given[1]

    def _convolution(self, place: int, operation: Operation) -> None:
        value, kernel = self._inputs(operation)
        options = operation.options
        layout, groups, transposed = options["kernel"], options["groups"], options["transposed"]
        self._fresh(operation)
        if kernel.live or not kernel.parts:
            return
        result = self.values[operation.outputs[0]]
        if not value.parts:  # constants that go through a kernel, as in a contraction
            result.live, result.parts = True, {}
        out, inputs = layout["out"], layout["in"]
        roles = {out: "out", inputs: "in"} | dict.fromkeys(layout["spatial"], "kernel")
        given = {
            "groups": groups,
            "stride": self._own_strides(kernel, options),
            "transposed": transposed,
        }
        self._give_roles(place, operation, kernel, "convolution", roles, given)
        made = self.values[operation.outputs[0]]
        axes = list(made.axes)
        channel = options["input"]["channel"]
        own = (
            kernel.axes[out] if not transposed or groups == 1 else (Atom(groups), *kernel.axes[out])
        )
        if size_of(own) == size_of(axes[channel]):
            axes[channel] = own
        axes[options["input"]["batch"]] = value.axes[options["input"]["batch"]]
        made.axes = tuple(axes)

    def _own_strides(self, kernel: Value, options: Any) -> tuple[int, ...]:
        """The strides along the windows that a kernel has; others are of axes that a view added."""
        spatial, strides = options["kernel"]["spatial"], tuple(options["stride"])
        shape = tuple(map(size_of, kernel.axes))
        if any(self.computation.shapes[number] == shape for number in kernel.parts):
            return strides
        owned = [any(atom.owners() for atom in kernel.axes[axis]) for axis in spatial]
        return tuple(n for n, own in zip(strides, owned, strict=True) if own)

    def _elementwise(self, place: int, operation: Operation) -> None:
        given, function = self._inputs(operation), operation.options["function"]
        number, shape = operation.outputs[0], self._shape(operation)
        live = [value for value in given if value.live]
        arrays = live or [value for value in given if value.parts] or given
        residual = (
            self._is_residual(place, operation) if len(live) == 2 and function == "add" else False
        )
        axes = []
        for i, size in enumerate(shape):
            along = [
                value.axes[i - len(shape) + len(value.axes)]
                for value in (*arrays, *(v for v in given if not any(v is a for a in arrays)))
                if i - len(shape) + len(value.axes) >= 0
            ]
            fitting = [axis for axis in along if size_of(axis) == size]
            merged: Axis = (Atom(size),)
            if fitting:
                merged = fitting[0]
                if not residual:
                    for axis in fitting[1:]:
                        merged = _merged(merged, axis)
            axes.append(merged)
        made = Value(tuple(axes), bool(live), root=number)
        self.values[number] = made
        if not live:
            self._combine_parts(made, given, function, operation.options["scalar"])
        if len(given) == 1 or (len(arrays) == 1 and not any(v.parts for v in given if not v.live)):
            base = arrays[0]  # a function of single numbers, possibly with constants
            made.root, made.statistics = base.root, base.statistics
            made.normalized = (
                base.normalized if function in (*SUMS, *PRODUCTS, "cast") else frozenset()
            )
            made.scaled = base.scaled
            made.activated = function in ACTIVATIONS or (base.activated and function in LINEAR)
            made.exponent = operation.inputs[0] if function == "exp" else None
        elif len(given) >= 2:
            self._combine_statistics(made, given, function)
        if live:
            for value in given:
                for parameter, part in value.parts.items():
                    name = {"add": "sum", "sub": "sum", "mul": "product", "div": "product"}.get(
                        function, {"where": "token", "prelu": "slope"}.get(function, "other")
                    )
                    self._use_elementwise(place, operation, name, parameter, part, value, live[0])
        if len(live) == 2 and function == "mul":
            self.products.append((place, operation.inputs[0], operation.inputs[1]))

    def _combine_parts(
        self, made: Value, given: Sequence[Value], function: str, scalar: float | None
    ) -> None:
        sizes = [math.prod(map(size_of, value.axes)) for value in given]
        for value, size in zip(given, sizes, strict=True):
            others = [o for o in given if o is not value and o.parts]
            for number, part in value.parts.items():
                if function in PRODUCTS and others and size < max(sizes):
                    bases = tuple(n for other in others for n in other.parts if n != number)
                    part = replace(part, modulates=(*part.modulates, *bases))
                elif function == "add" and scalar is not None:
                    part = replace(part, shift=part.shift + scalar)
                elif function not in LINEAR or (function in SUMS and not others):
                    part = replace(part, functions=(*part.functions, function))
                made.parts[number] = part

    def _combine_statistics(self, made: Value, given: Sequence[Value], function: str) -> None:
        one, two = given[0], given[1]
        shared = {
            value.root
            for value, other in ((one, two), (two, one))
            if value.root in other.statistics or value.normalized & other.statistics
        }
        if function == "div" and shared and one.exponent is not None:
            made.activated = False
            self.softmaxes.append((one.exponent, made.root))
            return
        if function in PRODUCTS and shared:
            roots = {r for value in (one, two) for r in value.normalized} | shared
            made.normalized = frozenset(roots)
            made.root = next(iter(shared))
        elif shared:
            made.root = next(iter(shared))  # less its mean, or the square of that
        elif one.root == two.root:
            made.root = one.root  # a function of single numbers, as x * sigmoid(x)
            made.activated = one.activated or two.activated
        dead = [value for value in given if not value.live]
        alive = [value for value in given if value.live]
        if len(alive) == 1 and dead:
            made.statistics = alive[0].statistics
            made.normalized |= alive[0].normalized
            learned = function in PRODUCTS and any(value.parts for value in dead)
            made.scaled = alive[0].scaled or learned
            if function in SUMS and any(value.parts for value in dead):
                made.activated = False
        if one.statistics and two.statistics:
            made.statistics = one.statistics | two.statistics
        if len(alive) == 2 and function in PRODUCTS:
            made.activated = made.activated or one.activated != two.activated

    def _is_residual(self, place: int, operation: Operation) -> bool:
        """Whether one of two summands is computed from the other, by way of a weight."""
        for stream, branch in (operation.inputs, operation.inputs[::-1]):
            root = self.values[stream].root
            if self.reaches({stream, root}, branch):
                self.residuals.append((place, stream, branch))
                return True
        return False

    def reaches(self, starts: set[int], end: int) -> bool:
        """Whether a value is computed from others, by way of a contraction or convolution."""
        first = min(self.producer.get(start, -1) for start in starts)
        stack, seen = [(end, False)], set()
        while stack:
            number, weighted = stack.pop()
            if number in starts and weighted:
                return True
            if (number, weighted) in seen or number in starts:
                continue
            seen.add((number, weighted))
            place = self.producer.get(number)
            if place is None or place < first:
                continue
            operation = self.computation.operations[place]
            weighted = weighted or operation.name in ("contraction", "convolution")
            stack += [(n, weighted) for n in operation.inputs if self.values[n].live]
        return False

    def _give_roles(
        self,
        place: int,
        operation: Operation,
        value: Value,
        name: str,
        roles: dict[int, str],
        options: dict[str, Any] | None = None,
    ) -> None:
        """Note a use of every parameter that a value is made of."""
        found: dict[int, dict[int, str]] = {number: {} for number in value.parts}
        for i, axis in enumerate(value.axes):
            for atom in axis if i in roles else ():
                for (number, own), _ in atom.owners():
                    if number in found:
                        found[number][own] = roles[i]
        shape = tuple(map(size_of, value.axes))
        for number, given in found.items():
            if self.computation.shapes[number] == shape:  # its axes of one position, by place
                given |= {i: role for i, role in roles.items() if shape[i] == 1 and i not in given}
            self.uses.append(
                Use(
                    number, name, place, given, options or {}, value.parts[number],
                    result=operation.outputs[0],
                )
            )  # fmt: skip

    def _use_elementwise(
        self, place: int, operation: Operation, name: str, number: int, part: Part,
        value: Value, other: Value,
    ) -> None:  # fmt: skip
        rank = len(self.computation.shapes[number])
        aligned: list[Axis | None] = [None] * rank
        offset = len(other.axes) - len(value.axes)
        for i, axis in enumerate(value.axes):
            for atom in axis:
                for (owner, own), _ in atom.owners():
                    if owner == number and i + offset >= 0:
                        aligned[own] = other.axes[i + offset]
        self.uses.append(
            Use(number, name, place, {}, {}, part, tuple(aligned), other, operation.outputs[0])
        )


def _merged(one: Axis, other: Axis) -> Axis:
    """The axis of what two values that are along it make together."""
    if len(one) != len(other) or any(a.size != b.size for a, b in zip(one, other, strict=True)):
        return one if any(atom.owner or atom.members or atom.parent for atom in one) else other
    atoms = []
    for a, b in zip(one, other, strict=True):
        known = [x for x in (a, b) if x.owner or x.members or x.parent]
        if a is b or len(known) < 2:
            atoms.append(known[0] if known else a)
        elif a in b.members or b in a.members:
            atoms.append(b if a in b.members else a)
        else:
            atoms.append(Atom(a.size, members=(a, b)))
    return join(atoms)
