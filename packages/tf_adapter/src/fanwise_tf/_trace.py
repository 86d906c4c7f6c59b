"""The computation of a Keras model, read from the graph of a call: nothing is computed.

Longer than most modules: there is a function for each kind of operation that TensorFlow has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ._core import Computation, Operation, RecipeError, call_of

Record = Callable[["Recorder", Any, list[int]], "list[int] | int"]
_RECORDS: dict[str, Record] = {}


def trace(model: Any, example: Any, variables: Mapping[str, Any], /) -> Computation:
    """Read what a model computes from the graph of a call.

    Parameters
    ----------
    model : keras.Layer or keras.Model
        The model, built.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument; arrays, tensors, or instances of `tf.TensorSpec`.
    variables : mapping of str to keras.Variable
        The parameters, by path.

    Returns
    -------
    Computation
        With the paths of the parameters.

    Raises
    ------
    RecipeError
        If the model does not run on the example.
    """
    args, kwargs = call_of(example)
    specs = tf.nest.map_structure(_spec, (args, kwargs))

    def call(args: Any, kwargs: Any) -> Any:
        return model(*args, **kwargs)

    try:
        concrete = tf.function(call, autograph=False).get_concrete_function(*specs)
    except Exception as error:  # whatever others' code raises
        first = next((line for line in str(error).splitlines() if line.strip()), "").strip()
        raise RecipeError(
            f"`example` must be what the model takes, got {type(error).__name__}: {first}"
        ) from error
    recorder = Recorder()
    handles: dict[str, tuple[Any, int]] = {}
    for path, variable in variables.items():
        tensor = variable.value
        shared = next((n for handle, n in handles.values() if handle is tensor.handle), None)
        number = recorder.value(tensor.shape) if shared is None else shared
        handles[path] = (tensor.handle, number)
        recorder.parameters[path] = number
    by_handle = {id(handle): number for handle, number in handles.values()}
    graph = concrete.graph
    own = {}
    for outer, inner in graph.captures:
        if id(outer) in by_handle:
            own[inner.name] = by_handle[id(outer)]
    captured = {inner.name for _, inner in graph.captures}
    for tensor in graph.inputs:
        if tensor.name not in captured:
            own[tensor.name] = recorder.tensor(tensor)
            recorder.inputs.append(own[tensor.name])
    names = recorder.inline(graph, own)
    return Computation(
        tuple(recorder.shapes),
        recorder.parameters,
        tuple(recorder.inputs),
        tuple(dict.fromkeys(names[tensor.name] for tensor in graph.outputs)),
        tuple(recorder.operations),
        frozenset(recorder.integers),
    )


def _spec(value: Any) -> Any:
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic):
        return tf.TensorSpec(value.shape, value.dtype)
    return value


class Recorder:
    """The operations of a graph, one after another, loops and calls taken apart."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.parameters: dict[str, int] = {}
        self.inputs: list[int] = []
        self.operations: list[Operation] = []
        self.integers: set[int] = set()

    def value(self, shape: Any) -> int:
        """A new value; sizes that are not known are 1."""
        sizes = [] if getattr(shape, "rank", 0) is None else list(shape)
        self.shapes.append(tuple(1 if size is None else int(size) for size in sizes))
        return len(self.shapes) - 1

    def tensor(self, tensor: Any) -> int:
        """A new value of the shape of a tensor."""
        number = self.value(tensor.shape)
        if tensor.dtype.is_integer:
            self.integers.add(number)
        return number

    def add(self, name: str, inputs: Sequence[int], shape: Any, /, **options: Any) -> int:
        """Record an operation; return the value that it makes."""
        made = self.value(shape)
        self.operations.append(Operation(name, tuple(inputs), (made,), options))
        return made

    def elementwise(
        self, function: str, inputs: Sequence[int], shape: Any, scalar: float | None = None
    ) -> int:
        """Record a function of single numbers."""
        return self.add("elementwise", inputs, shape, function=function, scalar=scalar)

    def inline(self, graph: Any, given: Mapping[str, int]) -> dict[str, int]:
        """Record the operations of a graph; return its values, by the names of tensors."""
        names = dict(given)
        for operation in graph.get_operations():
            if all(tensor.name in names for tensor in operation.outputs):
                continue
            inputs = [
                names[tensor.name] if tensor.name in names else self.tensor(tensor)
                for tensor in operation.inputs
            ]
            record = _RECORDS.get(operation.type, _default)
            made = record(self, operation, inputs)
            numbers = [made] if isinstance(made, int) else made
            names |= {t.name: n for t, n in zip(operation.outputs, numbers, strict=True)}
        return names


_FUNCTIONS = {
    "AddV2": "add", "Add": "add", "Sub": "sub", "Mul": "mul", "RealDiv": "div", "Div": "div",
    "Maximum": "max", "SelectV2": "where", "Cast": "cast", "Identity": "cast", "Relu": "relu",
    "StopGradient": "cast", "Softplus": "softplus", "Exp": "exp", "Tanh": "tanh",
    "Sigmoid": "sigmoid", "Elu": "elu", "Selu": "selu", "LeakyRelu": "leaky_relu",
    "Relu6": "relu6", "Erf": "erf",
}  # fmt: skip


def _default(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    """A function of single numbers, or what is not known."""
    outputs = list(operation.outputs)
    if len(outputs) == 1 and given:
        shape = tuple(recorder.shapes[recorder.tensor(outputs[0])])
        own = [recorder.shapes[number] for number in given]
        if all(_broadcasts(one, shape) for one in own) and (
            operation.type in _FUNCTIONS or operation.type in _UNARY
        ):
            return [_pointwise(recorder, operation, given, shape)]
    made = [recorder.tensor(tensor) for tensor in outputs]
    if given and made:
        options = {"function": operation.type}
        recorder.operations.append(Operation("other", tuple(given), tuple(made), options))
    return made


_UNARY = frozenset(
    {"Rsqrt", "Sqrt", "Square", "Neg", "Abs", "Log", "Log1p", "Pow", "SquaredDifference", "Erfc",
     "Minimum", "Floor", "Sign", "Sin", "Cos", "Reciprocal", "Expm1", "Round", "DivNoNan",
     "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd",
     "LogicalNot", "LogicalOr", "Softsign"}
)  # fmt: skip


def _broadcasts(own: Sequence[int], shape: Sequence[int]) -> bool:
    padded = (1,) * (len(shape) - len(own)) + tuple(own)
    return len(padded) == len(shape) and all(
        n in (1, size) for n, size in zip(padded, shape, strict=True)
    )


def _pointwise(recorder: Recorder, operation: Any, given: list[int], shape: Any) -> int:
    function = _FUNCTIONS.get(operation.type, operation.type.lower())
    constants = [_constant(tensor) for tensor in operation.inputs]
    arrays = [
        n for n, value in zip(given, constants, strict=True) if np.ndim(value) or value is None
    ]
    scalars = [float(value) for value in constants if value is not None and not np.ndim(value)]
    scalar = None
    if len(arrays) == 1 and len(scalars) == 1 and function in ("add", "sub", "mul", "div"):
        scalar = scalars[0]
        if function == "sub":
            function, scalar = "add", -scalar
    return recorder.elementwise(function, arrays or given, shape, scalar)


def _constant(tensor: Any) -> Any:
    """The number of a constant, or None."""
    while tensor.op.type in ("Identity", "Cast"):
        tensor = tensor.op.inputs[0]
    return tf.get_static_value(tensor) if tensor.op.type == "Const" else None


def _records(*names: str) -> Callable[[Record], Record]:
    def decorate(record: Record) -> Record:
        _RECORDS.update(dict.fromkeys(names, record))
        return record

    return decorate


@_records("Placeholder", "Const")
def _leaf(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    return [recorder.tensor(tensor) for tensor in operation.outputs]


@_records("IdentityN")
def _identities(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    return given


@_records("ReadVariableOp")
def _read(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    shape = operation.outputs[0].shape
    if recorder.shapes[given[0]] != tuple(shape):  # of no parameter: what it holds is a constant
        return [recorder.tensor(operation.outputs[0])]
    return given[:1]


@_records("MatMul", "BatchMatMulV2", "BatchMatMul", "BatchMatMulV3")
def _matmul(recorder: Recorder, operation: Any, given: list[int]) -> int:
    names = ("transpose_a", "transpose_b") if operation.type == "MatMul" else ("adj_x", "adj_y")
    flips = [operation.get_attr(name) for name in names]
    ranks = [len(recorder.shapes[number]) for number in given]
    batch = "".join(chr(ord("m") + i) for i in range(max(ranks) - 2))
    one = batch[len(batch) - (ranks[0] - 2) :] + ("ba" if flips[0] else "ab")
    other = batch[len(batch) - (ranks[1] - 2) :] + ("cb" if flips[1] else "bc")
    equation = f"{one},{other}->{batch}ac"
    return recorder.add("contraction", given, operation.outputs[0].shape, equation=equation)


@_records("Einsum", "XlaEinsum")
def _einsum(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    equation = operation.get_attr("equation").decode()
    terms = equation.split("->")[0].split(",")
    if len(terms) == 2 and "." not in equation:
        return recorder.add("contraction", given, operation.outputs[0].shape, equation=equation)
    return _default(recorder, operation, given)


@_records("Conv2D", "Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2")
def _convolution(recorder: Recorder, operation: Any, given: list[int]) -> int:
    transposed = "Backprop" in operation.type
    tensor, kernel = (given[2], given[1]) if transposed else given[:2]
    layout = operation.get_attr("data_format").decode()
    channel, batch = layout.index("C"), layout.index("N")
    rank = len(layout)
    spatial = tuple(axis for axis in range(rank) if axis not in (channel, batch))
    strides = operation.get_attr("strides")
    inputs, out = (rank - 1, rank - 2) if transposed else (rank - 2, rank - 1)
    per_group = recorder.shapes[kernel][rank - 2 if not transposed else rank - 1]
    groups = max(recorder.shapes[tensor][channel] // max(per_group, 1), 1)
    return recorder.add(
        "convolution",
        (tensor, kernel),
        operation.outputs[0].shape,
        input={"batch": batch, "channel": channel, "spatial": spatial},
        kernel={"out": out, "in": inputs, "spatial": tuple(range(rank - 2))},
        groups=groups,
        stride=tuple(int(strides[axis]) for axis in spatial),
        transposed=transposed,
    )


@_records("BiasAdd")
def _bias_add(recorder: Recorder, operation: Any, given: list[int]) -> int:
    shape = operation.outputs[0].shape
    bias = given[1]
    if operation.get_attr("data_format") == b"NCHW" and len(shape) > 2:
        column = (recorder.shapes[bias][0], *(1,) * (len(shape) - 2))
        bias = recorder.add("reshape", (bias,), column)
    return recorder.elementwise("add", (given[0], bias), shape)


@_records("ResourceGather", "GatherV2", "Gather")
def _gather(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    axis = 0
    if operation.type == "GatherV2":
        found = _constant(operation.inputs[2])
        if found is None or operation.get_attr("batch_dims"):
            return _default(recorder, operation, given)
        axis = int(found) % max(len(recorder.shapes[given[0]]), 1)
    return recorder.add("gather", given[:2], operation.outputs[0].shape, axis=axis)


@_records("Reshape", "ExpandDims", "Squeeze")
def _reshape(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    made = recorder.tensor(operation.outputs[0])
    if math.prod(recorder.shapes[made]) != math.prod(recorder.shapes[given[0]]):
        return _default(recorder, operation, given[:1])
    return recorder.add("reshape", given[:1], recorder.shapes[made])


@_records("Transpose")
def _transpose(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    order = tf.get_static_value(operation.inputs[1])
    if order is None:
        return _default(recorder, operation, given)
    axes = tuple(int(axis) for axis in order)
    return recorder.add("transpose", given[:1], operation.outputs[0].shape, order=axes)


@_records("BroadcastTo", "Tile", "Pad", "PadV2", "MirrorPad", "MaxPool", "AvgPool", "ReverseV2",
          "Cumsum", "ResizeNearestNeighbor", "ResizeBilinear", "MaxPool3D", "AvgPool3D",
          "MaxPoolV2", "Roll")  # fmt: skip
def _resized(recorder: Recorder, operation: Any, given: list[int]) -> int:
    shape = operation.outputs[0].shape
    extra = len(shape) - len(recorder.shapes[given[0]])
    return recorder.add("broadcast", given[:1], shape, axes=tuple(range(extra, len(shape))))


@_records("Split", "SplitV", "Unpack")
def _split(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    if operation.type == "Unpack":
        axis = operation.get_attr("axis") % len(recorder.shapes[given[0]])
        return [
            recorder.add("select", given[:1], tensor.shape, axis=axis, index=index)
            for index, tensor in enumerate(operation.outputs)
        ]
    place, source = (0, given[1]) if operation.type == "Split" else (2, given[0])
    shape = recorder.shapes[source]
    axis, begin, made = int(tf.get_static_value(operation.inputs[place])) % len(shape), 0, []
    for tensor in operation.outputs:
        end = begin + int(tensor.shape[axis])
        made.append(_cut(recorder, source, tensor.shape, axis, begin, end, 1))
        begin = end
    return made


def _cut(
    recorder: Recorder, source: int, shape: Any, axis: int, begin: int, end: int, step: int
) -> int:
    sizes = recorder.shapes[source]
    limits = [(begin, end, step) if i == axis else (0, n, 1) for i, n in enumerate(sizes)]
    start, stop, steps = zip(*limits, strict=True)
    return recorder.add("slice", (source,), shape, start=start, stop=stop, step=steps)


@_records("StridedSlice")
def _strided_slice(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    """Cut by one axis after another; axes of one position that are dropped are selected."""
    bounds = [tf.get_static_value(tensor) for tensor in operation.inputs[1:4]]
    masks = {
        name: operation.get_attr(f"{name}_mask")
        for name in ("begin", "end", "shrink_axis", "ellipsis", "new_axis")
    }
    if any(bound is None for bound in bounds) or masks["new_axis"]:
        return _default(recorder, operation, given[:1])
    number, axis = given[0], 0
    rank = len(recorder.shapes[number])
    for i, (begin, end, step) in enumerate(zip(*bounds, strict=True)):
        if masks["ellipsis"] >> i & 1:
            axis += rank - len(bounds[0]) + 1
            continue
        shape = recorder.shapes[number]
        size = shape[axis]
        if masks["shrink_axis"] >> i & 1:
            rest = (*shape[:axis], *shape[axis + 1 :])
            number = recorder.add("select", (number,), rest, axis=axis, index=int(begin) % size)
            continue
        given_slice = slice(
            None if masks["begin"] >> i & 1 else int(begin),
            None if masks["end"] >> i & 1 else int(end),
            int(step),
        )
        start, stop, stride = given_slice.indices(size)
        if stride < 0:
            return _default(recorder, operation, given[:1])
        if (start, stop, stride) != (0, size, 1):
            cut = (*shape[:axis], len(range(start, stop, stride)), *shape[axis + 1 :])
            number = _cut(recorder, number, cut, axis, start, stop, stride)
        axis += 1
    return number


@_records("ConcatV2")
def _concatenation(recorder: Recorder, operation: Any, given: list[int]) -> int:
    shape = operation.outputs[0].shape
    axis = int(tf.get_static_value(operation.inputs[-1])) % len(shape)
    return recorder.add("concatenation", given[:-1], shape, axis=axis)


@_records("Pack")
def _pack(recorder: Recorder, operation: Any, given: list[int]) -> int:
    shape = operation.outputs[0].shape
    axis = operation.get_attr("axis") % max(len(shape), 1)
    return recorder.add("stack", given, shape, axis=axis)


@_records("Mean", "Sum", "Max", "Min", "Prod", "All", "Any")
def _reduction(recorder: Recorder, operation: Any, given: list[int]) -> list[int] | int:
    axes = tf.get_static_value(operation.inputs[1])
    rank = len(recorder.shapes[given[0]])
    if axes is None or rank == 0:
        return _default(recorder, operation, given[:1])
    chosen = tuple(int(axis) % rank for axis in np.reshape(axes, -1))
    keep = bool(operation.get_attr("keep_dims"))
    options = {"function": operation.type.lower(), "axes": chosen, "keep": keep}
    return recorder.add("reduction", given[:1], operation.outputs[0].shape, **options)


@_records("Softmax", "LogSoftmax")
def _softmax(recorder: Recorder, operation: Any, given: list[int]) -> int:
    shape = operation.outputs[0].shape
    return recorder.add("softmax", given, shape, axis=len(shape) - 1)


@_records("TopKV2", "ArgMax")
def _selection(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    axis = len(recorder.shapes[given[0]]) - 1
    if operation.type == "ArgMax":
        return _default(recorder, operation, given[:1])
    return [
        recorder.add("selection", given[:1], tensor.shape, axis=axis)
        for tensor in operation.outputs
    ]


@_records("FusedBatchNormV3")
def _batch_norm(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    shape = operation.outputs[0].shape
    channel = operation.get_attr("data_format").decode().index("C")
    axes = tuple(axis for axis in range(len(shape)) if axis != channel)
    made = recorder.add("normalization", given[:1], shape, axes=axes)
    for function, number in zip(("mul", "add"), given[1:3], strict=True):
        if channel != len(shape) - 1:
            column = (recorder.shapes[number][0], *(1,) * (len(shape) - 1 - channel))
            number = recorder.add("reshape", (number,), column)
        made = recorder.elementwise(function, (made, number), shape)
    return [made, *(recorder.tensor(tensor) for tensor in operation.outputs[1:])]


@_records("PartitionedCall", "StatefulPartitionedCall")
def _call(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    return _function(recorder, operation, operation.get_attr("f").name, given)


@_records("While", "StatelessWhile")
def _while(recorder: Recorder, operation: Any, given: list[int]) -> list[int]:
    return _function(recorder, operation, operation.get_attr("body").name, given)


def _function(recorder: Recorder, operation: Any, name: str, given: list[int]) -> list[int]:
    """The operations of a function of the graph's library, on given values."""
    functions = operation.graph._functions
    found = functions.get(name)
    inner = getattr(found, "graph", None)
    if inner is None or len(inner.inputs) != len(given):
        return _default(recorder, operation, given)
    own = {tensor.name: number for tensor, number in zip(inner.inputs, given, strict=True)}
    names = recorder.inline(inner, own)
    return [names[tensor.name] for tensor in inner.outputs]
