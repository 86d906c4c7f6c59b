"""The computation of a model, read from the jaxpr of its apply function: nothing is computed.

Longer than most modules: there is a function for each kind of primitive that JAX has.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ._core import Computation, Operation, RecipeError, call_of
from ._tree import Leaf, is_array, open_tree

Record = Callable[["Recorder", Any, list[int]], list[int]]
_RECORDS: dict[str, Record] = {}


def trace(
    model: Any, example: Any, apply: Callable[..., Any] | None, paths: Mapping[str, str], /
) -> Computation:
    """Read what a model computes from the jaxpr of a call.

    Parameters
    ----------
    model : pytree
        The model: arrays, or their shapes.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, or their shapes.
    apply : callable, optional
        From the model and its arguments to what it returns; by default, the model is called.
    paths : mapping of str to str
        The parameters, by their path in the tree.

    Returns
    -------
    Computation
        With the paths of the parameters.

    Raises
    ------
    RecipeError
        If the model does not run on the example, or there is nothing to call.
    """
    args, kwargs = call_of(example)
    if apply is None:
        if not callable(model):
            raise RecipeError(
                f"`apply` must be given for a model that cannot be called, got None for "
                f"{type(model).__name__}"
            )
        apply = _call
    leaves, rebuild = open_tree(model)
    arrays = [leaf for leaf in leaves if is_array(leaf.value)]
    given, structure = jax.tree_util.tree_flatten((args, kwargs))
    inputs = [leaf for leaf in given if is_array(leaf)]

    def run(values: list[Any], called: list[Any]) -> Any:
        found, place = iter(values), iter(called)
        own = [next(found) if is_array(leaf.value) else leaf.value for leaf in leaves]
        filled = [next(place) if is_array(leaf) else leaf for leaf in given]
        positional, named = jax.tree_util.tree_unflatten(structure, filled)
        result = apply(rebuild(own), *positional, **named)
        return [leaf for leaf in jax.tree_util.tree_leaves(result) if is_array(leaf)]

    try:
        closed = jax.make_jaxpr(run)(
            [_shape(leaf.value) for leaf in arrays], list(map(_shape, inputs))
        )
    except Exception as error:  # whatever others' code raises
        first = str(error).strip().partition("\n")[0]
        raise RecipeError(
            f"`example` must be what the model takes, got {type(error).__name__}: {first}"
        ) from error
    return _read(closed, arrays, paths)


def _call(model: Any, *args: Any, **kwargs: Any) -> Any:
    return model(*args, **kwargs)


def _shape(value: Any) -> Any:
    return jax.ShapeDtypeStruct(value.shape, value.dtype)  # type: ignore[no-untyped-call]  # JAX's is


def _read(closed: ClosedJaxpr, arrays: Sequence[Leaf], paths: Mapping[str, str]) -> Computation:
    recorder = Recorder()
    variables = closed.jaxpr.invars
    numbers = [recorder.of(variable) for variable in variables]
    parameters: dict[str, int] = {}
    shared: dict[int, int] = {}
    for leaf, number in zip(arrays, numbers, strict=False):
        if leaf.path in paths:
            key = id(leaf.value if leaf.variable is None else leaf.variable)
            parameters[paths[leaf.path]] = shared.setdefault(key, number)
    constants = [recorder.value(np.shape(constant)) for constant in closed.consts]
    results = recorder.inline(closed.jaxpr, [*constants, *numbers])
    return Computation(
        tuple(recorder.shapes),
        parameters,
        tuple(numbers[len(arrays) :]),
        tuple(dict.fromkeys(results)),
        tuple(recorder.operations),
        frozenset(recorder.integers),
    )


def _is_integer(aval: Any) -> bool:
    dtype = getattr(aval, "dtype", None)  # of keys, NumPy knows nothing
    return dtype is not None and jnp.issubdtype(dtype, np.integer)


class Recorder:
    """The operations of a jaxpr, one after another, loops and calls taken apart."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.operations: list[Operation] = []
        self.integers: set[int] = set()
        self._times = 1

    def value(self, shape: Sequence[int]) -> int:
        """A new value."""
        self.shapes.append(tuple(int(size) for size in shape))
        return len(self.shapes) - 1

    def of(self, variable: Any) -> int:
        """A new value of the shape of a variable."""
        number = self.value(variable.aval.shape)
        if _is_integer(variable.aval):
            self.integers.add(number)
        return number

    def add(self, name: str, inputs: Sequence[int], shape: Sequence[int], /, **options: Any) -> int:
        """Record an operation; return the value that it makes."""
        made = self.value(shape)
        self.operations.append(Operation(name, tuple(inputs), (made,), options, times=self._times))
        return made

    def other(self, name: str, inputs: Sequence[int], outputs: Sequence[Any]) -> list[int]:
        """Record an operation of which nothing is known."""
        made = [self.of(variable) for variable in outputs]
        if inputs and made:
            options = {"function": name}
            self.operations.append(
                Operation("other", tuple(inputs), tuple(made), options, times=self._times)
            )
        return made

    def inline(self, jaxpr: Jaxpr, inputs: Sequence[int], times: int = 1) -> list[int]:
        """Record the operations of a jaxpr on values; return its results."""
        names: dict[Any, int] = dict(zip([*jaxpr.constvars, *jaxpr.invars], inputs, strict=True))
        before, self._times = self._times, self._times * times

        def number(atom: Any) -> int:
            return self.value(np.shape(atom.val)) if isinstance(atom, Literal) else names[atom]

        for equation in jaxpr.eqns:
            given = [number(atom) for atom in equation.invars]
            record = _RECORDS.get(equation.primitive.name)
            if record is not None:
                made = record(self, equation, given)
            else:
                made = self._default(equation, given)
            names |= dict(zip(equation.outvars, made, strict=True))
        self._times = before
        return [number(atom) for atom in jaxpr.outvars]

    def _default(self, equation: Any, given: list[int]) -> list[int]:
        """A call of another jaxpr, a function of single numbers, or what is not known."""
        inner = [
            value for value in equation.params.values() if isinstance(value, ClosedJaxpr | Jaxpr)
        ]
        for one in inner:
            jaxpr = one.jaxpr if isinstance(one, ClosedJaxpr) else one
            if len(jaxpr.invars) == len(given) and len(jaxpr.outvars) == len(equation.outvars):
                return self.inline(jaxpr, [*self._constants(one), *given])
        if len(equation.outvars) == 1:
            shape = equation.outvars[0].aval.shape
            shapes = [self.shapes[number] for number in given]
            if given and all(_broadcasts(own, shape) for own in shapes):
                return [self._elementwise(equation, given, shape)]
        return self.other(equation.primitive.name, given, equation.outvars)

    def _constants(self, one: Any) -> list[int]:
        consts = one.consts if isinstance(one, ClosedJaxpr) else ()
        return [self.value(np.shape(constant)) for constant in consts]

    def _elementwise(self, equation: Any, given: list[int], shape: Sequence[int]) -> int:
        name = equation.primitive.name
        literals = [
            a.val for a in equation.invars if isinstance(a, Literal) and np.ndim(a.val) == 0
        ]
        arrays = [
            number
            for number, atom in zip(given, equation.invars, strict=True)
            if not isinstance(atom, Literal)
        ]
        function = _FUNCTIONS.get(name, name)
        scalar = None
        if len(arrays) == 1 and len(literals) == 1 and function in ("add", "sub", "mul", "div"):
            scalar = float(literals[0])
            if function == "sub":
                function, scalar = "add", -scalar
        made = self.add("elementwise", arrays, shape, function=function, scalar=scalar)
        if _is_integer(equation.outvars[0].aval):
            self.integers.add(made)
        return made


def _broadcasts(own: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an operand of a function of single numbers is as large, or of size one."""
    if not own:
        return True
    return len(own) == len(shape) and all(
        n in (1, size) for n, size in zip(own, shape, strict=True)
    )


_FUNCTIONS = {
    "add_any": "add",
    "convert_element_type": "cast",
    "copy": "cast",
    "copy_p": "cast",
    "reduce_precision": "cast",
    "stop_gradient": "cast",
    "sharding_constraint": "cast",
    "optimization_barrier": "cast",
    "name": "cast",
    "max": "max",
    "select_n": "where",
    "neg": "neg",
}


def _records(*names: str) -> Callable[[Record], Record]:
    def decorate(record: Record) -> Record:
        _RECORDS.update(dict.fromkeys(names, record))
        return record

    return decorate


def _output(equation: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = equation.outvars[0].aval.shape
    return shape


@_records("dot_general")
def _contraction(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    (left_sum, right_sum), (left_batch, right_batch) = equation.params["dimension_numbers"]
    ranks = [len(recorder.shapes[number]) for number in given]
    letters = iter(string.ascii_letters)
    left = [""] * ranks[0]
    right = [""] * ranks[1]
    for one, other in (
        *zip(left_batch, right_batch, strict=True),
        *zip(left_sum, right_sum, strict=True),
    ):
        left[one] = right[other] = next(letters)
    left = [letter or next(letters) for letter in left]
    right = [letter or next(letters) for letter in right]
    batch = [left[axis] for axis in left_batch]
    summed = {left[axis] for axis in left_sum}
    free = [x for x in (*left, *right) if x not in batch and x not in summed]
    text = f"{''.join(left)},{''.join(right)}->{''.join([*batch, *free])}"
    return [recorder.add("contraction", given, _output(equation), equation=text)]


@_records("conv_general_dilated")
def _convolution(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    numbers = equation.params["dimension_numbers"]
    (batch, channel, *spatial), (out, inputs, *taps) = numbers.lhs_spec, numbers.rhs_spec
    dilation = tuple(equation.params["lhs_dilation"])
    transposed = any(n > 1 for n in dilation)
    shape = _output(equation)
    order = [0] * len(shape)
    for place, axis in zip(numbers.lhs_spec, numbers.out_spec, strict=True):
        order[axis] = place  # the output as the input is laid out, and then as it is
    laid = [0] * len(shape)
    for axis, place in enumerate(order):
        laid[place] = shape[axis]
    options = {
        "input": {"batch": batch, "channel": channel, "spatial": tuple(spatial)},
        "kernel": {"out": out, "in": inputs, "spatial": tuple(taps)},
        "groups": equation.params["feature_group_count"],
        "stride": dilation if transposed else tuple(equation.params["window_strides"]),
        "transposed": transposed,
    }
    if equation.params["batch_group_count"] != 1:
        return recorder.other("conv_general_dilated", given, equation.outvars)
    made = recorder.add("convolution", given, laid, **options)
    if list(order) != list(range(len(shape))):
        made = recorder.add("transpose", (made,), shape, order=tuple(order))
    return [made]


@_records("gather")
def _gather(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    table, indices = (recorder.shapes[number] for number in given[:2])
    axes = tuple(numbers.start_index_map)
    batched = tuple(getattr(numbers, "operand_batching_dims", ()))
    if len(axes) == 1 and axes == tuple(numbers.collapsed_slice_dims) and not batched:
        (axis,) = axes
        whole = all(
            size == n for i, (size, n) in enumerate(zip(sizes, table, strict=True)) if i != axis
        )
        picked = indices[:-1]
        shape = (*table[:axis], *picked, *table[axis + 1 :])
        before = tuple(range(axis))
        after = tuple(range(axis + len(picked), len(shape)))
        if whole and tuple(numbers.offset_dims) == (*before, *after):
            places = recorder.add("reshape", (given[1],), picked)
            recorder.integers.add(places)
            return [recorder.add("gather", (given[0], places), shape, axis=axis)]
    return recorder.other("gather", given, equation.outvars)


@_records("reshape", "squeeze", "expand_dims", "bitcast_convert_type")
def _reshape(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    if np.prod(recorder.shapes[given[0]]) != np.prod(_output(equation)):
        return recorder.other(equation.primitive.name, given, equation.outvars)
    return [recorder.add("reshape", given[:1], _output(equation))]


@_records("transpose")
def _transpose(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    order = tuple(equation.params["permutation"])
    return [recorder.add("transpose", given, _output(equation), order=order)]


@_records("broadcast_in_dim")
def _broadcast(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    axes = tuple(equation.params["broadcast_dimensions"])
    return [recorder.add("broadcast", given[:1], _output(equation), axes=axes)]


@_records("pad", "rev", "cumsum", "cummax", "cumprod", "cumlogsumexp", "reduce_window_max",
          "reduce_window_sum", "reduce_window", "clamp")  # fmt: skip
def _along(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    if equation.primitive.name == "clamp":
        given = given[1:2]
    shape = _output(equation)
    if len(recorder.shapes[given[0]]) != len(shape):
        return recorder.other(equation.primitive.name, given, equation.outvars)
    return [recorder.add("broadcast", given[:1], shape, axes=tuple(range(len(shape))))]


@_records("slice")
def _slice(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    start, stop = equation.params["start_indices"], equation.params["limit_indices"]
    step = equation.params["strides"] or (1,) * len(start)
    options = {"start": tuple(start), "stop": tuple(stop), "step": tuple(step)}
    return [recorder.add("slice", given, _output(equation), **options)]


@_records("split")
def _split(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    axis, begin, made = equation.params["axis"], 0, []
    shape = recorder.shapes[given[0]]
    for variable, size in zip(equation.outvars, equation.params["sizes"], strict=True):
        start = [begin if i == axis else 0 for i in range(len(shape))]
        stop = [begin + size if i == axis else n for i, n in enumerate(shape)]
        options = {"start": tuple(start), "stop": tuple(stop), "step": (1,) * len(shape)}
        made.append(recorder.add("slice", given, variable.aval.shape, **options))
        begin += size
    return made


@_records("dynamic_slice")
def _dynamic_slice(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    shape, sizes = recorder.shapes[given[0]], equation.params["slice_sizes"]
    cut = [axis for axis, (n, size) in enumerate(zip(shape, sizes, strict=True)) if n != size]
    if len(cut) == 1 and sizes[cut[0]] == 1:
        rest = tuple(size for axis, size in enumerate(sizes) if axis != cut[0])
        one = recorder.add("gather", (given[0], given[1 + cut[0]]), rest, axis=cut[0])
        return [recorder.add("reshape", (one,), _output(equation))]
    axes = tuple(range(len(shape)))
    return [recorder.add("broadcast", given[:1], _output(equation), axes=axes)]


@_records("concatenate")
def _concatenation(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    axis = equation.params["dimension"]
    return [recorder.add("concatenation", given, _output(equation), axis=axis)]


@_records("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or")
def _reduction(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    axes, function = tuple(equation.params["axes"]), equation.primitive.name[7:]
    options = {"function": function, "axes": axes, "keep": False}
    return [recorder.add("reduction", given, _output(equation), **options)]


@_records("top_k", "sort", "approx_top_k")
def _selection(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    shape = recorder.shapes[given[0]]
    axis = equation.params.get("dimension", len(shape) - 1) % len(shape)
    return [
        recorder.add("selection", given[:1], variable.aval.shape, axis=axis)
        for variable in equation.outvars
    ]


@_records("argmax", "argmin")
def _choice(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    (axis,) = equation.params["axes"]
    shape = recorder.shapes[given[0]]
    one = tuple(1 if i == axis else n for i, n in enumerate(shape))
    made = recorder.add("selection", given[:1], one, axis=axis)
    return [recorder.add("reshape", (made,), _output(equation))]


@_records("dynamic_update_slice", "scatter", "scatter-add", "scatter_add", "scatter-mul")
def _update(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    new = given[2] if equation.primitive.name.startswith("scatter") else given[1]
    return [recorder.add("update", (given[0], new), _output(equation))]


@_records("scan")
def _scan(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    params = equation.params
    consts, carries, closed = params["num_consts"], params["num_carry"], params["jaxpr"]
    steps = [
        recorder.add("select", (number,), recorder.shapes[number][1:], axis=0, index=None)
        for number in given[consts + carries :]
    ]
    inputs = [*recorder._constants(closed), *given[: consts + carries], *steps]
    results = recorder.inline(closed.jaxpr, inputs, times=max(int(params["length"]), 1))
    made = results[:carries]
    for variable, number in zip(equation.outvars[carries:], results[carries:], strict=True):
        made.append(recorder.add("stack", (number,), variable.aval.shape, axis=0))
    return made


@_records("while")
def _while(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    params = equation.params
    body, skipped = params["body_jaxpr"], params["cond_nconsts"]
    return recorder.inline(body.jaxpr, [*recorder._constants(body), *given[skipped:]])


@_records("cond")
def _cond(recorder: Recorder, equation: Any, given: list[int]) -> list[int]:
    results = [
        recorder.inline(branch.jaxpr, [*recorder._constants(branch), *given[1:]])
        for branch in equation.params["branches"]
    ]
    return [
        recorder.add("update", numbers, variable.aval.shape)
        for variable, *numbers in zip(equation.outvars, *results, strict=True)
    ]
