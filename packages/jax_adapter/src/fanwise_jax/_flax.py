"""The layers of Flax: linen's, and nnx's, which have the same names and kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flax import linen, nnx

from ._core import Axes, Declaration
from ._layers import (
    BUFFER,
    Declarations,
    bias,
    bias_of_norm,
    declare,
    look_up,
    repeat,
    scale_of_norm,
)
from ._tree import abstract_init, walk


@declare.register(linen.Dense)
@declare.register(linen.recurrent.DenseParams)
@declare.register(nnx.Linear)
def _(layer: Any) -> Declarations:
    return {"kernel": Declaration(Axes("in out")), "bias": bias("kernel")}


@declare.register
def _(layer: linen.DenseGeneral) -> Declarations:
    return _general(_length(layer.batch_dims), _length(layer.axis), _length(layer.features))


@declare.register
def _(layer: nnx.LinearGeneral) -> Declarations:
    return _general(len(layer.batch_axis), len(layer.in_features), len(layer.out_features))


def _general(copies: int, inputs: int, outputs: int) -> Declarations:
    copied = repeat("stack", copies)
    kernel = Axes(f"{copied} {repeat('in', inputs)} {repeat('out', outputs)}")
    return {
        "kernel": Declaration(kernel),
        "bias": bias("kernel", Axes(f"{copied} {repeat('out', outputs)}")),
    }


@declare.register(linen.Einsum)
@declare.register(nnx.Einsum)
def _(layer: Any) -> Declarations:
    if layer.einsum_str is None:  # given at each call
        return {}
    axes = Axes.from_einsum(layer.einsum_str)

    def bias_of_einsum(shape: tuple[int, ...]) -> Declaration:
        return bias("kernel", Axes(repeat("out", len(shape))))

    return {"kernel": Declaration(axes), "bias": bias_of_einsum}


@declare.register(linen.Conv)
@declare.register(nnx.Conv)
def _(layer: Any) -> Declarations:
    taps = _length(layer.kernel_size)
    axes = Axes(
        f"{repeat('kernel', taps)} in out",
        groups=layer.feature_group_count,
        stride=_strides(layer.strides, taps),
    )
    return {"kernel": Declaration(axes), "bias": bias("kernel")}


@declare.register
def _(layer: linen.ConvLocal) -> Declarations:
    positions = repeat("stack", _length(layer.kernel_size))
    return {
        "kernel": Declaration(Axes(f"{positions} in out")),
        "bias": bias("kernel", Axes(f"{positions} out")),
    }


@declare.register(linen.ConvTranspose)
@declare.register(nnx.ConvTranspose)
def _(layer: Any) -> Declarations:
    taps = _length(layer.kernel_size)
    axes = Axes(
        f"{repeat('kernel', taps)} {'out in' if layer.transpose_kernel else 'in out'}",
        stride=_strides(layer.strides, taps),
        transposed=True,
    )
    return {"kernel": Declaration(axes), "bias": bias("kernel")}


@declare.register(linen.Embed)
@declare.register(nnx.Embed)
def _(layer: Any) -> Declarations:
    return {"embedding": Declaration(Axes("in out", one_hot=True), "embedding")}


@declare.register
def _(layer: linen.ConvLSTMCell) -> Declarations:
    kernel = Axes(f"{repeat('kernel', _length(layer.kernel_size))} in out", blocks={"out": 4})
    return {**_gates("ih", kernel), **_gates("hh", kernel)}


@declare.register
def _(layer: nnx.OptimizedLSTMCell) -> Declarations:
    kernel = Axes("in out", blocks={"out": 4})
    return {**_gates("dense_i", kernel), **_gates("dense_h", kernel)}


@declare.register
def _(layer: nnx.GRUCell) -> Declarations:
    kernel = Axes("in out", blocks={"out": 3})
    return {**_gates("dense_i", kernel), **_gates("dense_h", kernel)}


def _gates(name: str, kernel: Axes) -> dict[str, Declaration]:
    """A fused kernel and its bias, in a layer of its own."""
    fused = Axes("out", blocks=kernel.blocks)
    return {
        f"{name}.kernel": Declaration(kernel),
        f"{name}.bias": bias(f"{name}.kernel", fused),
    }


@declare.register(linen.LayerNorm)
@declare.register(linen.RMSNorm)
@declare.register(linen.GroupNorm)
@declare.register(linen.InstanceNorm)
@declare.register(linen.BatchNorm)
@declare.register(nnx.LayerNorm)
@declare.register(nnx.RMSNorm)
@declare.register(nnx.GroupNorm)
@declare.register(nnx.InstanceNorm)
@declare.register(nnx.BatchNorm)
def _(layer: Any) -> Declarations:
    return {"scale": scale_of_norm, "bias": bias_of_norm, "mean": BUFFER, "var": BUFFER}


@declare.register(linen.PReLU)
@declare.register(nnx.PReLU)
def _(layer: Any) -> Declarations:
    return {"negative_slope": Declaration(kind="slope")}


@declare.register
def _(layer: nnx.LoRA) -> Declarations:
    return {"lora_a": Declaration(Axes("in out")), "lora_b": Declaration(Axes("in out"))}


def trace(
    model: linen.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Declaration]:
    """What the modules that a linen model calls declare of its variables, by path."""
    modules: dict[tuple[str, ...], linen.Module] = {}
    shapes: dict[tuple[str, ...], tuple[int, ...]] = {}  # within `scan` and `vmap`

    def record(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], context: Any) -> Any:
        result = call(*args, **kwargs)
        module = context.module
        if module.scope is not None:
            modules[module.path] = module
            for collection, variables in module.variables.items():
                for name, variable in variables.items():
                    if hasattr(variable, "shape"):
                        shapes[(collection, *module.path, name)] = variable.shape
        return result

    with linen.intercept_methods(record):
        variables = abstract_init(model.init, args, kwargs)
    declared = {}
    for leaf in walk(variables):
        _, *path, name = leaf.segments
        around = [
            (".".join((*path[depth:], name)), modules[tuple(path[:depth])])
            for depth in range(len(path) + 1)
            if tuple(path[:depth]) in modules
        ]
        inner, outer = shapes.get(leaf.segments, leaf.value.shape), leaf.value.shape
        stack_axis = next((i for i, n in enumerate(inner) if n != outer[i]), len(inner))
        if len(outer) == len(inner) or inner == outer[-len(inner) :]:
            stack_axis = 0
        declared[leaf.path] = look_up(name, outer, around, stack_axis)
    return declared


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sequence) else 1


def _strides(strides: Any, taps: int) -> int | tuple[int, ...]:
    if strides is None:
        return 1
    return (strides,) * taps if isinstance(strides, int) else tuple(strides)
