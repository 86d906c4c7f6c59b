"""The computation of a module, read from one forward pass that computes nothing.

The pass runs on fake tensors, which have shapes and no values but those that `_values` knows. If
that is not enough, it runs on the values of the model. The module is left as it was.

Longer than most modules: there is a function for each kind of operation that PyTorch has.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ._core import Computation, Operation, RecipeError, call_of
from ._private import TorchDispatchMode, fake_tensor_mode, has_values, value_errors
from ._values import Values, is_tensor, shape_of

Record = Callable[["Recorder", Sequence[Any], Mapping[str, Any], Any], None]
_RECORDS: dict[str, Record] = {}


def trace(model: nn.Module, example: Any, /) -> Computation:
    """Read the computation of a module from one forward pass.

    Parameters
    ----------
    model : torch.nn.Module
        The model, on any device, `meta` included.
    example : object
        What the model takes: a mapping of keyword arguments, a tuple of arguments, or the one
        argument.

    Returns
    -------
    Computation
        With the names of the parameters.

    Raises
    ------
    RecipeError
        If the model does not run on the example, or its course depends on values and it has none.
    """
    args, kwargs = call_of(example)
    tensors = [*model.parameters(), *model.buffers(), *pytree.tree_leaves((args, kwargs))]
    on_meta = any(isinstance(tensor, torch.Tensor) and tensor.is_meta for tensor in tensors)
    try:
        return _trace(model, args, kwargs, fake=True)
    except Exception as error:  # whatever others' code raises
        if on_meta:
            depends = isinstance(error, value_errors())
            what = "have values, as the course of the model depends on them" if depends else ""
            raise _does_not_run(error, what or "be what the model takes") from error
    try:
        return _trace(model, args, kwargs, fake=False)
    except Exception as error:  # as above
        raise _does_not_run(error, "be what the model takes") from error


def _does_not_run(error: Exception, what: str) -> RecipeError:
    first = str(error).strip().partition("\n")[0]
    return RecipeError(f"`example` must {what}, got {type(error).__name__}: {first}")


def _trace(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, fake: bool
) -> Computation:
    mode = fake_tensor_mode() if fake else None
    values = None if mode is None else Values(mode)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    buffers = dict(model.named_buffers(remove_duplicate=False))
    numbers = {id(parameter) for parameter in parameters.values()}
    copies: dict[int, torch.Tensor] = {}

    def copied(tensor: Any) -> Any:
        if not isinstance(tensor, torch.Tensor):
            return tensor
        if id(tensor) not in copies:
            if mode is None:
                copies[id(tensor)] = tensor.detach().clone()
            else:
                device = "cpu" if tensor.is_meta else tensor.device
                with mode:
                    copies[id(tensor)] = torch.empty_strided(
                        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device
                    )
                if values is not None and id(tensor) not in numbers and has_values(tensor):
                    values.know(copies[id(tensor)], tensor.detach().clone().cpu())
        return copies[id(tensor)]

    state = {name: copied(tensor) for name, tensor in (parameters | buffers).items()}
    recorder = Recorder(values)
    for name in parameters:
        recorder.parameters[name] = recorder.number(state[name])
    args, kwargs = pytree.tree_map(copied, (args, kwargs))
    for leaf in pytree.tree_leaves((args, kwargs)):
        if isinstance(leaf, torch.Tensor):
            recorder.inputs.append(recorder.number(leaf))
    with torch.no_grad(), _left_as_it_was(model), recorder.layers_of(model):
        if mode is not None:
            with _without_log(), mode, recorder:
                result = torch.func.functional_call(model, state, args, kwargs)
        else:
            with torch.random.fork_rng(), recorder:
                result = torch.func.functional_call(model, state, args, kwargs)
    for leaf in _leaves(result):
        recorder.outputs.append(recorder.number(leaf))
    return recorder.computation()


@contextmanager
def _without_log() -> Iterator[None]:
    """Fake tensors log what they raise, too."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _leaves(result: Any) -> Iterator[torch.Tensor]:
    """The tensors of what a model returns, of a data class as well."""
    for leaf in pytree.tree_leaves(result):
        if isinstance(leaf, torch.Tensor):
            yield leaf
        elif isinstance(leaf, Mapping):
            yield from _leaves(dict(leaf))
        elif hasattr(leaf, "__dataclass_fields__"):
            yield from _leaves(list(vars(leaf).values()))


@contextmanager
def _left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Put back what a forward pass sets on a module: attributes, and no hook is left."""
    before = {module: dict(vars(module)) for module in model.modules()}
    try:
        yield
    finally:
        for module, attributes in before.items():
            for name in set(vars(module)) - set(attributes):
                del vars(module)[name]
            vars(module).update(attributes)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's is untyped
    """Within, every operation on tensors is recorded."""

    def __init__(self, values: Values | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._values = values
        self.parameters: dict[str, int] = {}
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.operations: list[Operation] = []
        self._shapes: list[tuple[int, ...]] = []
        self._integers: set[int] = set()
        self._numbers: dict[int, int] = {}
        self._kept: list[torch.Tensor] = []  # so that no other tensor gets its identity
        self._layers: list[str] = []

    def computation(self) -> Computation:
        """What was recorded."""
        return Computation(
            tuple(self._shapes),
            self.parameters,
            tuple(dict.fromkeys(self.inputs)),
            tuple(dict.fromkeys(self.outputs)),
            tuple(self.operations),
            frozenset(self._integers),
        )

    @contextmanager
    def layers_of(self, model: nn.Module) -> Iterator[None]:
        """Within, operations are of the layer that is running."""
        names = {module: name for name, module in model.named_modules()}
        register = torch.nn.modules.module

        def enter(module: nn.Module, args: Any) -> None:
            self._layers.append(names.get(module, ""))

        def leave(module: nn.Module, args: Any, result: Any) -> None:
            self._layers.pop()

        hooks = [
            register.register_module_forward_pre_hook(enter),
            register.register_module_forward_hook(leave, always_call=True),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def number(self, tensor: torch.Tensor) -> int:
        """The value of a tensor: a new one if nothing has made it."""
        if id(tensor) not in self._numbers:
            self.assign(tensor, self.value(tensor.shape))
            if not (tensor.is_floating_point() or tensor.is_complex()):
                self._integers.add(self._numbers[id(tensor)])
        return self._numbers[id(tensor)]

    def value(self, shape: Sequence[int]) -> int:
        """A new value."""
        self._shapes.append(tuple(int(size) for size in shape))
        return len(self._shapes) - 1

    def assign(self, tensor: torch.Tensor, number: int) -> None:
        """Say which value a tensor has from now on."""
        self._numbers[id(tensor)] = number
        self._kept.append(tensor)

    def add(self, name: str, inputs: Sequence[Any], output: Any = None, /, **options: Any) -> int:
        """Record an operation on tensors or values; an output is a tensor, or a shape."""
        numbers = tuple(n if isinstance(n, int) else self.number(n) for n in inputs)
        shape = output.shape if isinstance(output, torch.Tensor) else output
        made = self.value(shape)
        layer = self._layers[-1] if self._layers else ""
        self.operations.append(Operation(name, numbers, (made,), options, layer))
        if isinstance(output, torch.Tensor):
            self.assign(output, made)
        return made

    def elementwise(
        self, function: str, inputs: Sequence[Any], output: Any, scalar: float | None = None
    ) -> int:
        """Record a function of single numbers."""
        return self.add("elementwise", inputs, output, function=function, scalar=scalar)

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a value."""
        return self._shapes[number]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket is torch.ops.aten._grouped_mm and args[0].dim() == 2:
            # Without values, PyTorch refuses the dtypes that it computes for CPUs.
            result = args[0].new_zeros((args[0].shape[0], args[1].shape[-1]))
        elif self._values is not None:
            result = self._values.call(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if is_tensor(leaf)]
        made = [leaf for leaf in pytree.tree_leaves(result) if is_tensor(leaf)]
        if tensors and made:
            self._record(func, args, kwargs, result, tensors, made)
        return result

    def _record(
        self, func: Any, args: Any, kwargs: Any, result: Any, tensors: Any, made: Any
    ) -> None:
        name = func.overloadpacket.__name__
        in_place = name.endswith("_") and not name.startswith("_") and made[0] is tensors[0]
        base = name.removesuffix("_") if in_place else name
        is_known = func.namespace in ("aten", "prims")
        given = {
            argument.name: value
            for argument, value in zip(func._schema.arguments, args, strict=False)
        }
        given |= kwargs
        if is_known and base in _RECORDS:
            _RECORDS[base](self, args, given, result)
        elif is_known and torch.Tag.pointwise in func.tags:
            _pointwise(self, base, args, given, made[0], tensors)
        else:
            self._other(f"{func.namespace}.{base}", tensors, made)
        if in_place and tensors[0]._base is not None:
            whole = tensors[0]._base
            self.add("update", (whole, self.number(tensors[0])), whole)

    def _other(self, name: str, tensors: Any, made: Any) -> None:
        inputs = tuple(self.number(tensor) for tensor in tensors)
        outputs = tuple(self.value(tensor.shape) for tensor in made)
        layer = self._layers[-1] if self._layers else ""
        self.operations.append(Operation("other", inputs, outputs, {"function": name}, layer))
        for tensor, number in zip(made, outputs, strict=True):
            self.assign(tensor, number)


def _records(*names: str) -> Callable[[Record], Record]:
    def decorate(record: Record) -> Record:
        _RECORDS.update(dict.fromkeys(names, record))
        return record

    return decorate


_FUNCTIONS = {"rsub": "sub", "true_divide": "div", "floor_divide": "div", "relu6": "relu"}


def _pointwise(
    recorder: Recorder, name: str, args: Any, given: Any, output: Any, tensors: Any
) -> None:
    function = _FUNCTIONS.get(name, name)
    scalars = [v for v in args if isinstance(v, int | float) and not isinstance(v, bool)]
    scalar = None
    if len(tensors) == 1 and name in ("add", "sub", "mul", "div", "rsub") and scalars:
        scalar = float(scalars[0])
        if name == "sub":
            function, scalar = "add", -scalar
    recorder.elementwise(function, tensors, output, scalar)


@_records("clone", "contiguous", "detach", "alias", "_to_copy", "lift_fresh", "lift_fresh_copy",
          "to", "native_dropout", "bernoulli", "masked_fill", "roll", "flip", "cumsum", "triu",
          "tril", "rand_like", "_conj", "view_as_real_copy", "nan_to_num", "dropout", "fill",
          "lift", "_pin_memory", "copy_to")  # fmt: skip
def _same(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    output = result[0] if isinstance(result, tuple) else result
    recorder.elementwise("cast", args[:1], output)


def _added(function: str) -> Record:
    def record(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
        tensor, one, other = args[:3]
        made = recorder.elementwise(function, (one, other), shape_of(one, other))
        recorder.elementwise("add", (tensor, made), result)

    return record


_RECORDS |= {"addcmul": _added("mul"), "addcdiv": _added("div")}


@_records("lerp")
def _interpolation(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    start, end, weight = args[:3]
    made = recorder.elementwise("sub", (end, start), shape_of(start, end))
    if isinstance(weight, torch.Tensor):
        made = recorder.elementwise("mul", (made, weight), tuple(result.shape))
    recorder.elementwise("add", (start, made), result)


@_records("prelu", "_prelu_kernel")
def _prelu(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.elementwise("prelu", args[:2], result)


@_records("view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten",
          "view_as_real", "view_as_complex", "unflatten", "view_copy")  # fmt: skip
def _reshape(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.add("reshape", args[:1], result)


@_records("t", "transpose", "permute", "swapaxes", "numpy_T", "mT", "adjoint")
def _transpose(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    rank = args[0].dim()
    order = list(range(rank))
    if len(args) == 2:
        order = [axis % rank for axis in args[1]]
    elif rank > 1:
        one, other = (axis % rank for axis in args[1:3]) if len(args) == 3 else (rank - 2, rank - 1)
        order[one], order[other] = other, one
    recorder.add("transpose", args[:1], result, order=tuple(order))


@_records("expand", "repeat", "constant_pad_nd", "avg_pool2d", "max_pool2d_with_indices",
          "_adaptive_avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "avg_pool1d",
          "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
          "max_pool3d_with_indices", "avg_pool3d", "_adaptive_avg_pool3d", "upsample_nearest1d",
          "upsample_trilinear3d", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
          "replication_pad2d", "adaptive_max_pool2d", "repeat_interleave", "upsample_linear1d",
          "upsample_nearest3d")  # fmt: skip
def _resized(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    output = result[0] if isinstance(result, tuple) else result
    extra = output.dim() - args[0].dim()
    axes = tuple(range(extra, output.dim()))
    recorder.add("broadcast", args[:1], output, axes=axes)


def _cut(recorder: Recorder, tensor: Any, output: Any, axis: int, start: int, stop: int) -> None:
    limits = [(0, size, 1) for size in tensor.shape]
    limits[axis] = (start, stop, 1)
    starts, stops, steps = zip(*limits, strict=True)
    recorder.add("slice", (tensor,), output, start=starts, stop=stops, step=steps)


@_records("slice", "narrow")
def _slice(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, axis = args[0], int(given.get("dim", 0)) % args[0].dim()
    size, step = tensor.shape[axis], int(given.get("step", 1))
    start = min(max(_within(given.get("start"), 0, size), 0), size)
    stop = min(start + result.shape[axis] * step, size) if step > 1 else start + result.shape[axis]
    limits = [(0, n, 1) for n in tensor.shape]
    limits[axis] = (start, stop, step)
    starts, stops, steps = zip(*limits, strict=True)
    recorder.add("slice", (tensor,), result, start=starts, stop=stops, step=steps)


def _within(place: Any, default: int, size: int) -> int:
    number = default if place is None else int(place)
    return number + size if number < 0 else number


@_records("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk",
          "unsafe_split_with_sizes")  # fmt: skip
def _split(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    axis, start = int(given.get("dim", 0)) % args[0].dim(), 0
    for output in result:
        stop = start + output.shape[axis]
        _cut(recorder, args[0], output, axis, start, stop)
        start = stop


@_records("select", "unbind")
def _select(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    axis = int(given.get("dim", 0)) % args[0].dim()
    if isinstance(result, torch.Tensor):
        index = _within(given["index"], 0, args[0].shape[axis])
        recorder.add("select", args[:1], result, axis=axis, index=index)
        return
    for index, output in enumerate(result):
        recorder.add("select", args[:1], output, axis=axis, index=index)


@_records("cat")
def _concatenation(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensors = [tensor for tensor in args[0] if tensor.dim() == result.dim()]
    axis = int(given.get("dim", 0)) % result.dim()
    recorder.add("concatenation", tensors, result, axis=axis)


@_records("stack")
def _stack(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.add("stack", args[0], result, axis=int(given.get("dim", 0)) % result.dim())


_EQUATIONS = {"mm": "ab,bc->ac", "bmm": "xab,xbc->xac", "mv": "ab,b->a", "dot": "a,a->"}


@_records(*_EQUATIONS)
def _contraction(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    name = {(2, 2): "mm", (3, 3): "bmm", (2, 1): "mv", (1, 1): "dot"}
    equation = _EQUATIONS[name[args[0].dim(), args[1].dim()]]
    recorder.add("contraction", args[:2], result, equation=equation)


@_records("addmm", "addmv", "baddbmm", "addbmm")
def _added_contraction(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    bias, one, other = args[:3]
    equation = {2: "ab,bc->ac", 3: "xab,xbc->xac"}[one.dim()]
    equation = "ab,b->a" if other.dim() == 1 else equation
    made = recorder.add("contraction", (one, other), tuple(result.shape), equation=equation)
    recorder.elementwise("add", (made, bias), result)


@_records("_grouped_mm")
def _grouped(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    one, other = args[:2]
    if other.dim() == 3 and one.dim() == 2:
        weight = recorder.add("select", (other,), tuple(other.shape[1:]), axis=0, index=None)
        recorder.add("contraction", (one, weight), result, equation="ab,bc->ac")
    else:
        recorder._other("aten._grouped_mm", [one, other], [result])


@_records("convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution")
def _convolution(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, kernel, bias = args[:3]
    rank = kernel.dim() - 2
    transposed = bool(given.get("transposed", False))
    spatial = tuple(range(2, rank + 2))
    out, inputs = (1, 0) if transposed else (0, 1)
    stride = tuple(int(n) for n in given["stride"])
    options = {
        "input": {"batch": 0, "channel": 1, "spatial": spatial},
        "kernel": {"out": out, "in": inputs, "spatial": spatial},
        "groups": int(given.get("groups", 1)),
        "stride": stride * rank if len(stride) == 1 else stride,
        "transposed": transposed,
    }
    if not isinstance(bias, torch.Tensor):
        recorder.add("convolution", (tensor, kernel), result, **options)
        return
    made = recorder.add("convolution", (tensor, kernel), tuple(result.shape), **options)
    _along_channels(recorder, "add", made, bias, result)


def _along_channels(recorder: Recorder, function: str, made: int, vector: Any, output: Any) -> int:
    rank = len(recorder.shape(made))
    shape = (vector.shape[0], *(1,) * (rank - 2)) if rank > 1 else tuple(vector.shape)
    column = recorder.add("reshape", (vector,), shape)
    return recorder.elementwise(function, (made, column), output)


@_records("embedding")
def _embedding(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.add("gather", args[:2], result, axis=0)


@_records("index_select")
def _index_select(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.add("gather", (args[0], args[2]), result, axis=int(args[1]) % args[0].dim())


@_records("index")
def _index(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, indices = args[:2]
    used = {axis: index for axis, index in enumerate(indices) if index is not None}
    first, count = min(used), len(used)
    is_mask = any(index.dtype in (torch.bool, torch.uint8) for index in used.values())
    if max(used) - first + 1 != count or (is_mask and (count > 1 or used[first].dim() > 1)):
        recorder._other("aten.index", [tensor, *used.values()], [result])
        return
    merged = tensor
    if count > 1:  # of axes side by side, as of one
        size = math.prod(tensor.shape[first : first + count])
        shape = (*tensor.shape[:first], size, *tensor.shape[first + count :])
        merged = recorder.add("reshape", (tensor,), shape)
    rows: Any = used[first]
    if is_mask or count > 1:
        rank = result.dim() - tensor.dim() + count
        rows = recorder.value(result.shape[first : first + rank])
    recorder.add("gather", (merged, rows), result, axis=first)


@_records("_embedding_bag", "_embedding_bag_forward_only")
def _embedding_bag(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    table, indices = args[:2]
    rows = recorder.add("gather", (table, indices), (*indices.shape, table.shape[1]), axis=0)
    made = recorder.value(result[0].shape)
    recorder.operations.append(Operation("other", (rows,), (made,), {"function": "bags"}))
    recorder.assign(result[0], made)


@_records("native_layer_norm", "_fused_rms_norm")
def _layer_norm(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, shape, *scales = args[: 4 if "bias" in given or len(args) > 4 else 3]
    rank = tensor.dim()
    axes = tuple(range(rank - len(shape), rank))
    _normalized(recorder, tensor, axes, scales, result[0], along_channels=False)


@_records("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
          "cudnn_batch_norm", "batch_norm", "_batch_norm_with_update",
          "_native_batch_norm_legit_functional", "_batch_norm_no_update")  # fmt: skip
def _batch_norm(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, *scales = args[:3]
    axes = tuple(axis for axis in range(tensor.dim()) if axis != 1)
    _normalized(recorder, tensor, axes, scales, result[0], along_channels=True)


@_records("native_group_norm")
def _group_norm(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, *scales = args[:3]
    axes = tuple(range(1, tensor.dim()))
    _normalized(recorder, tensor, axes, scales, result[0], along_channels=True)


def _normalized(
    recorder: Recorder, tensor: Any, axes: tuple[int, ...], scales: Any, output: Any,
    *, along_channels: bool,
) -> None:  # fmt: skip
    given = [
        (function, scale)
        for function, scale in zip(("mul", "add"), scales, strict=False)
        if isinstance(scale, torch.Tensor)
    ]
    shape = tuple(output.shape)
    made = recorder.add("normalization", (tensor,), shape if given else output, axes=axes)
    for place, (function, scale) in enumerate(given):
        last = output if place == len(given) - 1 else shape
        if along_channels:
            made = _along_channels(recorder, function, made, scale, last)
        else:
            made = recorder.elementwise(function, (made, scale), last)


@_records("_softmax", "_log_softmax", "_safe_softmax", "softmax", "log_softmax")
def _softmax(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    recorder.add("softmax", args[:1], result, axis=int(args[1]) % max(args[0].dim(), 1))


@_records("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
          "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
          "_scaled_dot_product_fused_attention_overrideable")  # fmt: skip
def _attention(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    mask = given.get("attn_mask", given.get("attn_bias"))
    inputs = [*args[:3], *([mask] if isinstance(mask, torch.Tensor) else [])]
    recorder.add("attention", inputs, result[0])


@_records("mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm", "prod", "norm",
          "logsumexp", "var_mean", "std_mean", "max", "min", "any", "all")  # fmt: skip
def _reduction(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    tensor, axes = args[0], given.get("dim")
    if len(args) > 1 and isinstance(args[1], torch.Tensor):  # the larger of two
        recorder.elementwise("max", args[:2], result)
        return
    rank = tensor.dim()
    chosen = range(rank) if axes is None or axes == [] else axes
    chosen = tuple(axis % rank for axis in ([chosen] if isinstance(chosen, int) else chosen))
    for output in result if isinstance(result, tuple) else (result,):
        keep = output.dim() == rank and rank > 0
        recorder.add("reduction", (tensor,), output, function="sum", axes=chosen, keep=keep)


@_records("topk", "sort", "argmax", "argsort", "multinomial")
def _selection(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    outputs = result if isinstance(result, tuple) else (result,)
    if outputs[0].dim() != args[0].dim():
        recorder._other("aten.selection", [args[0]], list(outputs))
        return
    axis = int(given.get("dim") if given.get("dim") is not None else -1) % max(args[0].dim(), 1)
    for output in outputs:
        recorder.add("selection", args[:1], output, axis=axis)


@_records("copy", "index_put", "scatter", "slice_scatter", "select_scatter", "masked_scatter",
          "index_add", "scatter_add", "index_copy", "_index_put_impl",
          "scatter_reduce")  # fmt: skip
def _update(recorder: Recorder, args: Any, given: Any, result: Any) -> None:
    target = args[0]
    values = [leaf for leaf in args[1:] if is_tensor(leaf) and leaf.is_floating_point()]
    if "non_blocking" in given or (len(args) == 2 and values):  # a copy of all
        recorder.elementwise("cast", values[:1], result)
    else:
        recorder.add("update", (target, *values), result)
