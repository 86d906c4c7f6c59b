"""The layers of Flax: linen's, and nnx's, which have the same names and kernels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flax import linen, nnx

from ._core import Axes, Declaration
from ._layers import (
    MEAN,
    VARIANCE,
    Declarations,
    Shape,
    bias,
    bias_of_norm,
    declare,
    look_up,
    repeat,
    scale_of_norm,
)
from ._tree import abstract_init, walk


def _kernel(layer: Any, axes: Axes) -> Declaration | Callable[[Shape], Declaration]:
    """A kernel of the axes; one of nnx may be stacked, and only if along its first axes.

    For another stack, there are no axes: which of them it is, its layer does not know.
    """
    if not isinstance(layer, nnx.Module):
        return Declaration(axes)
    own = _shape_of_kernel(layer)
    return lambda shape: Declaration(axes if shape[len(shape) - len(own) :] == own else None)


def _shape_of_kernel(layer: Any) -> Shape:
    if isinstance(layer, nnx.Embed):
        return (layer.num_embeddings, layer.features)
    if isinstance(layer, nnx.Linear):
        return (layer.in_features, layer.out_features)
    if isinstance(layer, nnx.LinearGeneral):
        return (*dict(layer.batch_axis).values(), *layer.in_features, *layer.out_features)
    return tuple(layer.kernel_shape)


@declare.register(linen.Dense)
@declare.register(linen.recurrent.DenseParams)
@declare.register(nnx.Linear)
def _(layer: Any) -> Declarations:
    return {"kernel": _kernel(layer, Axes("in out")), "bias": bias("kernel")}


@declare.register
def _(layer: linen.DenseGeneral) -> Declarations:
    counts = (_length(layer.batch_dims), _length(layer.axis), _length(layer.features))
    return _general(layer, *counts)


@declare.register
def _(layer: nnx.LinearGeneral) -> Declarations:
    counts = (len(layer.batch_axis), len(layer.in_features), len(layer.out_features))
    return _general(layer, *counts)


def _general(layer: Any, copies: int, inputs: int, outputs: int) -> Declarations:
    copied = repeat("stack", copies)
    kernel = Axes(f"{copied} {repeat('in', inputs)} {repeat('out', outputs)}")
    return {
        "kernel": _kernel(layer, kernel),
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

    return {"kernel": _kernel(layer, axes), "bias": bias_of_einsum}


@declare.register(linen.Conv)
@declare.register(nnx.Conv)
def _(layer: Any) -> Declarations:
    taps = _length(layer.kernel_size)
    axes = Axes(
        f"{repeat('kernel', taps)} in out",
        groups=layer.feature_group_count,
        stride=_strides(layer.strides, taps),
    )
    return {"kernel": _kernel(layer, axes), "bias": bias("kernel")}


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
    return {"kernel": _kernel(layer, axes), "bias": bias("kernel")}


@declare.register(linen.Embed)
@declare.register(nnx.Embed)
def _(layer: Any) -> Declarations:
    kernel = _kernel(layer, Axes("in out", one_hot=True))

    def embedding(shape: Shape) -> Declaration:
        return replace(kernel(shape) if callable(kernel) else kernel, kind="embedding")

    return {"embedding": embedding}


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
    return {"scale": scale_of_norm, "bias": bias_of_norm, "mean": MEAN, "var": VARIANCE}


@declare.register(linen.PReLU)
@declare.register(nnx.PReLU)
def _(layer: Any) -> Declarations:
    return {"negative_slope": Declaration(kind="slope")}


@declare.register
def _(layer: nnx.LoRA) -> Declarations:
    # The second is zero, whatever law weights have, so that nothing changes yet.
    return {"lora_a": Declaration(Axes("in out")), "lora_b": MEAN}


if hasattr(nnx, "WeightNorm"):  # Flax 0.12.0 has none

    @declare.register(nnx.WeightNorm)
    def _weight_norm(layer: Any) -> Declarations:
        return {f"scales.{path}": scale_of_norm for path in layer.scales or ()}


@declare.register
def _(layer: nnx.bridge.ToNNX) -> Declarations:
    return declare(layer.to_nnx__module)


def trace(
    model: linen.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Declaration]:
    """What the modules that a linen model calls declare of its variables, by path."""
    modules: dict[tuple[str, ...], linen.Module] = {}
    shapes: dict[tuple[str, ...], Shape] = {}  # within `scan` and `vmap`

    def record(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], context: Any) -> Any:
        result = call(*args, **kwargs)
        module = context.module
        if module.scope is not None:
            modules[module.path] = module
            for collection, variables in module.variables.items():
                for name, boxed in variables.items():
                    variable = linen.unbox(boxed)
                    if hasattr(variable, "shape"):
                        shapes[(collection, *module.path, name)] = variable.shape
        return result

    with linen.intercept_methods(record):
        variables = abstract_init(model.init, args, kwargs)
    leaves = list(walk(variables))
    stacks = {
        leaf.segments: _stacks(shapes.get(leaf.segments, leaf.value.shape), leaf.value.shape)
        for leaf in leaves
    }
    declared = {}
    for leaf in leaves:
        _, *path, name = leaf.segments
        around = [
            (".".join((*path[depth:], name)), modules[tuple(path[:depth])])
            for depth in range(len(path) + 1)
            if tuple(path[:depth]) in modules
        ]
        stacked = _stacked(leaf.segments, stacks)
        declared[leaf.path] = look_up(name, leaf.value.shape, around, stacked)
    return declared


def _stacks(inner: Shape, outer: Shape) -> list[tuple[int, ...]]:
    """The axes that a transform may have added: more than one choice if sizes are equal."""
    axes = range(len(outer))
    return [
        added
        for added in itertools.combinations(axes, len(outer) - len(inner))
        if tuple(outer[i] for i in axes if i not in added) == inner
    ]


def _stacked(
    segments: tuple[str, ...], stacks: Mapping[tuple[str, ...], list[tuple[int, ...]]]
) -> tuple[int, ...]:
    """The axes that were added: where there is a choice, as at the nearest that has none."""

    def near(other: tuple[str, ...]) -> int:
        pairs = zip(segments, other, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    choices = stacks[segments] or [()]
    known = [other for other, found in stacks.items() if len(found) == 1 and found[0]]
    for other in sorted(known, key=near, reverse=True) if len(choices) > 1 else ():
        if stacks[other][0] in choices:
            return stacks[other][0]
    return choices[0]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sequence) else 1


def _strides(strides: Any, taps: int) -> int | tuple[int, ...]:
    if strides is None:
        return 1
    return (strides,) * taps if isinstance(strides, int) else tuple(strides)
