"""From the uses of parameters to what they are for (spec: recipes/17).

Longer than most modules: kinds and roles follow from the same uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._axes import Axes
from .._errors import AxesError
from .._schemes.elementwise import zeros
from .atoms import Axis
from .declaration import Declaration
from .flow import Flow, Use
from .record import Computation

RESIDUAL_END = "residual_end"
# What is a function of a parameter is no weight, as the decay of a state space is none.
CURVED = frozenset(
    {
        "exp", "exp2", "expm1", "log", "log1p", "softplus", "sigmoid", "logistic", "tanh", "sin",
        "cos", "sqrt", "rsqrt", "reciprocal", "pow", "square", "integer_pow", "abs",
    }
)  # fmt: skip
WEIGHT_USES = ("contraction", "convolution", "gather")


@dataclass(frozen=True, slots=True)
class Findings:
    """What follows from a computation.

    Attributes
    ----------
    declarations : mapping of str to Declaration
        What each parameter is for, by path, as far as the computation says. Paths of weights in
        `fans_of` and `norms_of` begin at the model.
    uses : mapping of str to tuple of Use
        The uses of each parameter.
    disagreements : mapping of str to str
        Parameters that are used in ways that do not go together.
    residual_branches : int
        How many branches are added to what they are computed from.
    """

    declarations: Mapping[str, Declaration]
    uses: Mapping[str, tuple[Use, ...]]
    disagreements: Mapping[str, str]
    residual_branches: int


def find(computation: Computation) -> Findings:
    """Follow a computation, and say what each parameter is for."""
    flow = Flow(computation)
    by_parameter: dict[int, list[Use]] = {}
    for use in flow.uses:
        by_parameter.setdefault(use.parameter, []).append(use)
    names: dict[int, str] = {}
    for path, number in computation.parameters.items():
        names.setdefault(number, path)
    disagreements: dict[int, str] = {}
    declared: dict[int, Declaration] = {}
    for number in names:
        uses = by_parameter.get(number, [])
        found, disagreement = _weight(flow, number, uses)
        if disagreement:
            disagreements[number] = disagreement
        elif found is not None:
            declared[number] = found
    weights = {number for number, one in declared.items() if one.axes is not None}
    for number in names:
        if number not in declared and number not in disagreements:
            found = _vector(flow, number, by_parameter.get(number, []), weights, names)
            if found is not None:
                declared[number] = found
    weights = {number for number in weights if declared[number].kind == "weight"}
    roles = _roles(flow, weights)
    paths = computation.parameters
    return Findings(
        {
            path: replace(declared[n], role=roles.get(n, declared[n].role))
            for path, n in paths.items()
            if n in declared
        },
        {path: tuple(by_parameter.get(n, ())) for path, n in paths.items()},
        {path: disagreements[n] for path, n in paths.items() if n in disagreements},
        sum(computation.operations[place].times for place, _, _ in flow.residuals),
    )


def _weight(flow: Flow, number: int, uses: Sequence[Use]) -> tuple[Declaration | None, str]:
    """What a parameter is that is contracted with inputs, or from which rows are gathered."""
    own = [use for use in uses if not use.part.modulates]
    strong = [use for use in own if use.name in WEIGHT_USES]
    if not strong:
        return None, ""
    if any(CURVED & set(use.part.functions) for use in strong):
        return Declaration(None, "scale", known="computation"), ""
    shape = flow.computation.shapes[number]
    stacked = {axis: "stack" for use in own if use.name == "select" for axis in use.roles}
    inner = {axis: role for use in own if use.name == "inner" for axis, role in use.roles.items()}
    gathered = [use for use in strong if use.name == "gather"]
    if gathered and len(gathered) < len(strong):
        heads = [use for use in strong if use.name != "gather"]
        # An embedding that is also the head of a model is drawn as an embedding.
        if all(_is_reverse(use.roles, gathered[0].roles) for use in heads):
            strong = gathered
    ways: dict[tuple[Any, ...], Use] = {}
    for use in strong:
        roles = {**use.roles, **stacked}
        key = (tuple(sorted(roles.items())), tuple(sorted(use.options.items())))
        ways.setdefault(key, use)
    if len(ways) > 1:
        what = [_way(flow, use, shape) for use in ways.values()]
        return None, f"it is used as {' and as '.join(what)}"
    roles = {**strong[0].roles, **stacked}
    if inner and len(set(roles) | set(inner)) == len(shape):
        shared = [axis for axis, role in inner.items() if role == "in" and axis not in roles]
        for axis in shared:  # of two factors of a weight, it is the output of the first
            roles[axis] = "out" if "in" in roles.values() else "in"
    options = dict(strong[0].options)
    for axis, size in enumerate(shape):
        if axis not in roles and size == 1:
            missing = [role for role in ("in", "out") if role not in roles.values()]
            roles[axis] = missing[0] if missing and strong[0].name != "gather" else "stack"
    if len(roles) != len(shape):
        return None, ""
    words = [
        "stack" if roles[axis] == "out" and (number, axis) in flow.stacks else roles[axis]
        for axis in range(len(shape))
    ]
    if not {"in", "kernel"} & set(words):  # each of its numbers multiplies one of the others
        return Declaration(None, "scale", known="computation"), ""
    blocks = _blocks(flow, number, words)
    try:
        axes = Axes(words, one_hot=strong[0].name == "gather", blocks=blocks, **options)
    except AxesError as error:
        return None, str(error)
    kind = "embedding" if strong[0].name == "gather" else "weight"
    if kind == "embedding" and _reaches_scores(flow, strong[0].result):
        kind = "relative_bias"
    return Declaration(axes, kind, known="computation"), ""


def _blocks(flow: Flow, number: int, words: Sequence[str]) -> dict[str, int | tuple[int, ...]]:
    """The blocks of the one axis of outputs that a parameter has, if it is cut."""
    if words.count("out") != 1:
        return {}
    sizes = flow.values[number].axes[words.index("out")][0].blocks()
    if not sizes:
        return {}
    return {"out": len(sizes) if len(set(sizes)) == 1 else sizes}


def _is_reverse(one: Mapping[int, str], other: Mapping[int, str]) -> bool:
    swapped = {"in": "out", "out": "in", "stack": "stack", "kernel": "kernel"}
    return dict(one) == {axis: swapped[role] for axis, role in other.items()}


def _way(flow: Flow, use: Use, shape: Sequence[int]) -> str:
    words = " ".join(use.roles.get(axis, "?") for axis in range(len(shape)))
    layer = flow.computation.operations[use.operation].layer
    return f"{words!r} of a {use.name}" + (f" in {layer!r}" if layer else "")


def _vector(
    flow: Flow, number: int, uses: Sequence[Use], weights: set[int], names: Mapping[int, str]
) -> Declaration | None:
    """What a parameter is that is added, multiplied or put beside something."""
    shape = flow.computation.shapes[number]
    modulating = next((use for use in uses if use.part.modulates), None)
    if modulating is not None:
        return _of_weight(flow, number, modulating, names)
    by_name: dict[str, Use] = {}
    for use in uses:
        if use.name != "select":
            by_name.setdefault(use.name, use)
    stacked = {axis for use in uses if use.name == "select" for axis in use.roles}
    units = Axes(
        "stack" if axis in stacked or (size == 1 and len(shape) > 1) else "out"
        for axis, size in enumerate(shape)
    )
    if "other" in by_name or not by_name:
        curved = all(CURVED & set(use.part.functions) for use in by_name.values())
        return Declaration(None, "scale", known="computation") if by_name and curved else None
    if {"product", "sum"} <= by_name.keys():
        return Declaration(None, "scale", known="computation")
    if "slope" in by_name:
        return Declaration(units, "slope", known="computation")
    # A table of positions may have a row for the token beside the others.
    name = next((name for name in ("sum", "product", "token") if name in by_name), None)
    if name is None:
        return None
    use = by_name[name]
    if name == "token":
        return Declaration(units, "token", known="computation")
    if name == "product" and use.other is not None:
        # A mix `x m + y (1 - m)` is no plain product.
        plainly = not any(u.part.functions for u in uses if u.name == "product")
        is_first = use.other.normalized and not use.other.scaled
        scales = is_first or _scales_statistics(flow, use)
        is_one = all(n == 1 for n in shape)  # as the length that a norm has of its own
        if scales and plainly and not is_one and not _on_branch_of_itself(flow, use):
            start = {0.0: None, 1.0: zeros()}
            if use.part.shift in start:
                default = start[use.part.shift]
                return Declaration(units, "norm_scale", default=default, known="computation")
        kind = "temperature" if is_one else "scale"
        if kind == "scale" and plainly and _ends_branch(flow, use.result):
            kind = "layer_scale"
        return Declaration(units if shape else Axes(()), kind, known="computation")
    if name == "sum" and use.other is not None and not use.part.functions:
        if use.other.normalized and _follows_norm(flow, use):
            return Declaration(units, "norm_bias", known="computation")
        owners, along = _owners_along([u.aligned for u in uses if u.name == "sum"], weights)
        wide = {axis for axis, size in enumerate(shape) if size != 1} - stacked
        if (
            owners
            and wide <= along
            and all(_follows_weight(flow, u) for u in uses if u.name == "sum")
        ):
            words = [
                "out" if axis in along and axis not in stacked else "stack"
                for axis in range(len(shape))
            ]
            blocks = _blocks(flow, number, words)
            of = names[owners[0]] if len(owners) == 1 else None
            kind = "time_step" if _is_positive(flow, use.result) else "bias"
            return Declaration(Axes(words, blocks=blocks), kind, fans_of=of, known="computation")
        if len(wide) >= 2:
            if _reaches_scores(flow, use.result):
                return Declaration(None, "relative_bias", known="computation")
            axes = None
            if len(wide & along) == 1:  # a row for each position, as in an embedding
                words = [
                    "out" if axis in along and axis in wide else "in" if axis in wide else "stack"
                    for axis in range(len(shape))
                ]
                axes = Axes(words, one_hot=True)
            return Declaration(axes, "position", known="computation")
    return Declaration(None, "offset" if name == "sum" else "scale", known="computation")


def _live_input(flow: Flow, place: int) -> int | None:
    """The one input of an operation that depends on the inputs of the model."""
    operation = flow.computation.operations[place]
    live = [number for number in operation.inputs if flow.values[number].live]
    return live[0] if len(live) == 1 else None


def _follows_weight(flow: Flow, use: Use) -> bool:
    """Whether a sum is of what a weight makes and nothing else has taken or changed.

    What is added later is no bias: an embedding of a level or of a time, which does not start at 0.
    """

    def is_made(number: int | None) -> bool:
        if number is None:
            return False
        takers = [operation.name for operation in flow.taken_by(number)]
        if len(takers) > 1 and not set(takers) <= {"slice", "select"}:
            return False
        place = flow.producer.get(number)
        if place is None:
            return False
        operation = flow.computation.operations[place]
        if operation.name in ("contraction", "convolution"):
            return True
        if operation.name in _VIEWS:
            return is_made(operation.inputs[0])
        if operation.name != "elementwise":
            return False
        function = operation.options["function"]
        live = [n for n in operation.inputs if flow.values[n].live]
        if len(live) == 2:  # of two weights, as in the gates of a recurrent layer
            residual = any(place == other for other, _, _ in flow.residuals)
            return function == "add" and not residual and all(map(is_made, live))
        learned = any(flow.values[n].parts for n in operation.inputs)
        linear = function in ("cast", "mul", "div") or (function == "add" and not learned)
        return linear and len(live) == 1 and is_made(live[0])

    return is_made(_live_input(flow, use.operation)) or _adds_to_two(flow, use, is_made)


def _adds_to_two(flow: Flow, use: Use, is_made: Callable[[int | None], bool]) -> bool:
    """Whether the biases of two weights are added to their sum, one after the other."""
    number = _live_input(flow, use.operation)
    place = None if number is None else flow.producer.get(number)
    if place is None:
        return False
    operation = flow.computation.operations[place]
    if operation.name != "elementwise" or operation.options["function"] != "add":
        return False
    live = [n for n in operation.inputs if flow.values[n].live]
    return len(live) == 2 and all(map(is_made, live))


def _follows_norm(flow: Flow, use: Use) -> bool:
    """Whether a sum is of what was normalized and scaled, with nothing added since."""
    number = _live_input(flow, use.operation)
    while number is not None and (place := flow.producer.get(number)) is not None:
        operation = flow.computation.operations[place]
        if operation.name == "normalization":
            return True
        if operation.name in _VIEWS:
            number = operation.inputs[0]
            continue
        if operation.name != "elementwise":
            return False
        live = [n for n in operation.inputs if flow.values[n].live]
        if len(live) != 1:
            return True  # where it is divided
        learned = any(flow.values[n].parts for n in operation.inputs)
        if operation.options["function"] not in ("cast", "mul", "div") or (
            learned and operation.options["function"] != "mul"
        ):
            return False
        number = live[0]
    return False


def _is_positive(flow: Flow, value: int) -> bool:
    """Whether only the softplus of a value is used, as of the time steps of a state space."""
    functions = [
        operation.options["function"]
        for number in _forward(flow, value, _VIEWS, limit=8)
        for operation in flow.taken_by(number)
        if operation.name == "elementwise"
    ]
    return "softplus" in functions and set(functions) <= {"softplus", "cast"}


def _of_weight(flow: Flow, number: int, use: Use, names: Mapping[int, str]) -> Declaration | None:
    """What scales a weight: the scale of a weight normalization, if the weight is normalized."""
    bases = [base for base in use.part.modulates if base in names]
    if len(bases) != 1:
        return Declaration(None, "weight_scale", known="computation")
    shape = flow.computation.shapes[number]
    axes = tuple(axis for axis, size in enumerate(shape) if size != 1)
    sizes = flow.computation.shapes[bases[0]]
    if len(shape) == len(sizes) and all(shape[axis] == sizes[axis] for axis in axes):
        return Declaration(
            None, "weight_norm", norms_of=names[bases[0]], norm_axes=axes, known="computation"
        )
    return Declaration(None, "weight_scale", known="computation")


def _owners_along(
    uses: Sequence[Sequence[Axis | None]], weights: set[int]
) -> tuple[list[int], set[int]]:
    """The weights whose outputs a parameter is along, and the axes that are."""
    owners: dict[int, None] = {}
    along: set[int] = set()
    for axis, other in (pair for aligned in uses for pair in enumerate(aligned)):
        for atom in other or ():
            for (number, _), _ in atom.owners():
                if number in weights:
                    owners[number] = None
                    along.add(axis)
    return list(owners), along


def _forward(flow: Flow, value: int, through: Sequence[str], limit: int = 40) -> list[int]:
    """The values that a value becomes, by way of operations of some names."""
    found: list[int] = []
    stack = [value]
    while stack and len(found) < limit:
        number = stack.pop()
        found.append(number)
        for operation in flow.taken_by(number):
            if operation.name in through:
                stack += operation.outputs
    return found


_VIEWS = ("reshape", "transpose", "broadcast", "slice")


def _reaches_scores(flow: Flow, value: int) -> bool:
    """Whether a value is a part of the scores of an attention."""
    scores = {logits for logits, _ in flow.softmaxes}
    for number in _forward(flow, value, (*_VIEWS, "elementwise")):
        if number in scores:
            return True
        for operation in flow.taken_by(number):
            if operation.name == "attention" and number in operation.inputs[3:]:
                return True
    return False


def _ends_branch(flow: Flow, value: int) -> bool:
    """Whether a value is added, as it is, to what it is computed from."""
    branches = {branch for _, _, branch in flow.residuals}
    return bool(branches & set(_forward(flow, value, (*_VIEWS, "elementwise"), limit=8)))


def _scales_statistics(flow: Flow, use: Use) -> bool:
    """Whether it multiplies what a value is divided by, before the value is."""
    if use.other is None or not use.other.statistics:
        return False
    return any(
        flow.values[operation.outputs[0]].normalized
        for number in _forward(flow, use.result, _VIEWS, limit=8)
        for operation in flow.taken_by(number)
        if operation.name == "elementwise"
    )


def _on_branch_of_itself(flow: Flow, use: Use) -> bool:
    """Whether a normalized value is added to itself, so that its scale is no plain scale."""
    roots = use.other.normalized if use.other is not None else frozenset()
    number = use.result
    for _ in range(3):  # the scale, the bias
        sums = [
            operation
            for operation in flow.taken_by(number)
            if operation.name == "elementwise" and operation.options["function"] == "add"
        ]
        for operation in sums:
            others = [flow.values[n] for n in operation.inputs if n != number]
            if any(other.live and other.root in roots for other in others):
                return True
        if not sums:
            return False
        number = sums[0].outputs[0]
    return False


def _roles(flow: Flow, weights: set[int]) -> dict[int, str]:
    """What weights do in attention, in gated layers and at the ends of residual branches.

    The roles of the blocks of a fused weight are joined by a plus, others follow after a space.
    """
    found: dict[tuple[int, int], str] = {}  # by weight and where its piece begins

    def give(axis: Axis, role: str) -> None:
        for number, start in _owners(axis, weights):
            found.setdefault((number, start), role)

    operations = flow.computation.operations
    for operation in operations:
        if operation.name == "attention":
            for number, role in zip(operation.inputs, ("query", "key", "value"), strict=False):
                give(flow.values[number].axes[-1], role)
    for scores, probabilities in flow.softmaxes:
        _attention_by_hand(flow, scores, probabilities, give)
    gates = _gates(flow, give)
    values = {number for (number, _), role in found.items() if role == "value"}
    for use in flow.uses:
        own = use.parameter
        if own not in weights or use.name not in ("contraction", "convolution"):
            continue
        sources = {
            number
            for other in operations[use.operation].inputs
            if flow.values[other].live
            for axis in flow.values[other].axes
            for number, _ in _owners(axis, weights)
        }
        if not any(number == own for number, _ in found):
            if sources & values:
                found[own, 0] = "attention_output"
            elif sources & gates:
                found[own, 0] = "down"
    ends = {
        number
        for _, _, branch in flow.residuals
        for axis in flow.values[branch].axes
        for number, _ in _owners(axis, weights)
    }
    for use in flow.uses:  # of two layers with an activation between them
        if use.parameter in ends and (use.parameter, 0) not in found:
            operation = operations[use.operation]
            before = {
                source
                for other in operation.inputs
                if flow.values[other].live and flow.values[other].activated
                for axis in flow.values[other].axes
                for source in _owners(axis, weights)
            }
            if before and use.name in ("contraction", "convolution"):
                found[use.parameter, 0] = "down"
                for source in before:
                    found.setdefault(source, "up")
    for operation in operations:
        if operation.name == "selection":
            chosen = flow.values[operation.inputs[0]]
            for number, _ in _owners(chosen.axes[operation.options["axis"]], weights):
                found.setdefault((number, 0), "router")
    heads = {number for value in flow.computation.outputs for number in _made_by(flow, value)}
    parts: dict[int, dict[int, str]] = {}
    for (number, start), role in found.items():
        parts.setdefault(number, {})[start] = role
    words = {
        number: ["+".join(dict.fromkeys(role for _, role in sorted(pieces.items())))]
        for number, pieces in parts.items()
    }
    for number in ends:
        words.setdefault(number, []).append(RESIDUAL_END)
    for number in heads & weights:
        words.setdefault(number, ["head"])
    return {number: " ".join(own) for number, own in words.items()}


def _made_by(flow: Flow, value: int) -> set[int]:
    """The weight of the contraction that a value is, but for a bias and views."""
    for _ in range(20):
        place = flow.producer.get(value)
        if place is None:
            return set()
        operation = flow.computation.operations[place]
        live = [number for number in operation.inputs if flow.values[number].live]
        if operation.name == "contraction" and len(live) == 1:
            return {
                parameter for number in operation.inputs for parameter in flow.values[number].parts
            }
        if operation.name not in (*_VIEWS, "elementwise") or len(live) != 1:
            return set()
        value = live[0]
    return set()


def _owners(axis: Axis, weights: set[int]) -> list[tuple[int, int]]:
    """The weights that an axis is an output of, each with where its piece begins."""
    return [
        (number, piece[0] if piece else 0)
        for atom in axis
        for (number, _), piece in atom.owners()
        if number in weights
    ]


def _attention_by_hand(flow: Flow, logits: int, probabilities: int, give: Any) -> None:
    """Queries, keys and values of a softmax of one contraction that another takes."""
    scores = _backward(flow, logits)
    if scores is None:
        return
    terms, result = scores.options["equation"].split("->")
    letters = terms.split(",")
    last = result[-1]
    for number, own in zip(scores.inputs, letters, strict=True):
        axes = flow.values[number].axes
        for letter, axis in zip(own, axes, strict=True):
            if letter not in result:
                give(axis, "key" if last in own else "query")
    for number in _forward(flow, probabilities, (*_VIEWS, "elementwise")):
        for after in flow.taken_by(number):
            if after.name != "contraction":
                continue
            for other, own in zip(after.inputs, after.options["equation"].split(","), strict=True):
                own = own.split("->")[0]
                if other != number and flow.values[other].live:
                    kept = after.options["equation"].split("->")[1]
                    weights_letters = after.options["equation"].split("->")[0].split(",")
                    mine = weights_letters[after.inputs.index(number)]
                    for letter, axis in zip(own, flow.values[other].axes, strict=True):
                        if letter in kept and letter not in mine:
                            give(axis, "value")


def _backward(flow: Flow, number: int) -> Any:
    """The contraction of two live values that scores come from."""
    for _ in range(40):
        place = flow.producer.get(number)
        if place is None:
            return None
        operation = flow.computation.operations[place]
        if operation.name == "contraction":
            live = all(flow.values[n].live for n in operation.inputs)
            return operation if live else None
        if operation.name not in (*_VIEWS, "elementwise"):
            return None
        live_inputs = [n for n in operation.inputs if flow.values[n].live]
        if not live_inputs:
            return None
        number = live_inputs[0]
    return None


def _gates(flow: Flow, give: Any) -> set[int]:
    """Give the roles of gates and what they gate; return their weights."""
    weights: set[int] = set()
    for _, one, other in flow.products:
        first, second = flow.values[one], flow.values[other]
        if first.activated == second.activated or not first.axes or not second.axes:
            continue
        gate, up = (first, second) if first.activated else (second, first)
        sources = [
            {(number, piece) for atom in value.axes[-1] for (number, _), piece in atom.owners()}
            for value in (gate, up)
        ]
        if not all(sources) or sources[0] == sources[1]:
            continue
        give(gate.axes[-1], "gate")
        give(up.axes[-1], "up")
        weights |= {number for source in sources for number, _ in source}
    return weights
