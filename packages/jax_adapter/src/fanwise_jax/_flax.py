"""The layers of Flax: linen's, and nnx's, which have the same names and kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flax import linen, nnx

from ._core import Axes, Declaration
from ._layers import (
    BUFFER,
    MEAN,
    SCALE,
    SHIFT,
    VARIANCE,
    DeclarationOfShape,
    Declarations,
    Shape,
    bias,
    bias_of_norm,
    declare,
    layers_around,
    look_up,
    repeat,
    scale_of_norm,
    sized,
    stacks,
)
from ._tree import Leaf, abstract_init, is_array, walk


def _kernel(layer: Any, axes: Axes, kind: str = "weight") -> DeclarationOfShape:
    """A kernel of the axes; one of nnx may be stacked, of which its layer does not know."""
    declared = Declaration(axes, kind)
    return sized(declared, _shape_of_kernel(layer)) if isinstance(layer, nnx.Module) else declared


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
    return {"embedding": _kernel(layer, Axes("in out", one_hot=True), "embedding")}


@declare.register
def _(layer: linen.ConvLSTMCell) -> Declarations:
    roles = f"{repeat('kernel', _length(layer.kernel_size))} in out"
    return _gates(4, roles, ih=None, hh=None)


@declare.register
def _(layer: nnx.OptimizedLSTMCell) -> Declarations:
    return _gates(4, "in out", dense_i=layer.dense_i, dense_h=layer.dense_h)


@declare.register
def _(layer: nnx.GRUCell) -> Declarations:
    return _gates(3, "in out", dense_i=layer.dense_i, dense_h=layer.dense_h)


def _gates(count: int, roles: str, **layers: Any) -> Declarations:
    """Fused kernels and their biases, each in a layer of its own within the cell."""
    declared: dict[str, DeclarationOfShape] = {}
    for name, layer in layers.items():
        declared[f"{name}.kernel"] = _kernel(layer, Axes(roles, blocks={"out": count}))
        fused = bias(f"{name}.kernel", Axes("out", blocks={"out": count}))
        own = None if layer is None else (layer.out_features,)
        declared[f"{name}.bias"] = fused if own is None else sized(fused, own)
    return declared


@declare.register(linen.LayerNorm)
@declare.register(linen.RMSNorm)
@declare.register(linen.GroupNorm)
@declare.register(linen.InstanceNorm)
@declare.register(linen.BatchNorm)
def _(layer: Any) -> Declarations:
    return {"scale": scale_of_norm, "bias": bias_of_norm, "mean": MEAN, "var": VARIANCE}


@declare.register(nnx.LayerNorm)
@declare.register(nnx.RMSNorm)
@declare.register(nnx.GroupNorm)
@declare.register(nnx.InstanceNorm)
@declare.register(nnx.BatchNorm)
def _(layer: Any) -> Declarations:
    return {"scale": SCALE, "bias": SHIFT, "mean": MEAN, "var": VARIANCE}


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


@declare.register
def _(layer: nnx.bridge.ToLinen) -> Declarations:
    def make() -> Any:
        streams = {} if layer.skip_rng else {"rngs": nnx.Rngs(0)}
        return layer.nnx_class(*layer.args, **layer.kwargs, **streams)

    return {
        leaf.path: look_up(leaf.segments[-1], leaf.value.shape, leaf.layers)
        or Declaration.of_name(leaf.segments[-1])
        for leaf in walk(nnx.eval_shape(make))
        if is_array(leaf.value)
    }


def trace(
    model: linen.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Declaration]:
    """What the modules that a linen model calls declare of its variables, by path."""
    modules: dict[tuple[str, ...], linen.Module] = {}
    found: dict[tuple[str, ...], _Inner] = {}

    def record(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], context: Any) -> Any:
        result = call(*args, **kwargs)
        module = context.module
        if module.scope is not None:
            modules[module.path] = module
            for collection, variables in module.variables.items():
                for name, boxed in variables.items():
                    variable = linen.unbox(boxed)
                    if hasattr(variable, "shape"):
                        found[(collection, *module.path, name)] = _Inner(
                            variable.shape, getattr(boxed, "names", None), module.scope.root.path
                        )
        return result

    with linen.intercept_methods(record):
        variables = abstract_init(model.init, args, kwargs)
    leaves = list(walk(variables))
    places = _places_of_stacks(leaves, found)
    declared = {}
    for leaf in leaves:
        _, *path, name = leaf.segments
        around = layers_around(path, name, modules)
        if around and isinstance(around[-1][1], linen.WeightNorm) and name.endswith("/scale"):
            declared[leaf.path] = scale_of_norm(leaf.value.shape)
            continue
        known = look_up(name, leaf.value.shape, around, places[leaf.segments])
        is_param = leaf.segments[0] == "params"
        declared[leaf.path] = known or (Declaration.of_name(name) if is_param else BUFFER)
    return declared


@dataclass(frozen=True, slots=True)
class _Inner:
    """A variable as its module sees it, within `scan` and `vmap`."""

    shape: Shape
    names: tuple[Any, ...] | None  # of its axes, if it is partitioned
    transform: tuple[str, ...]  # the path of the module that is transformed


def _places_of_stacks(
    leaves: Sequence[Leaf], found: Mapping[tuple[str, ...], _Inner]
) -> dict[tuple[str, ...], tuple[int, ...] | None]:
    """Which axes of each variable transforms have added; None where that is not to be told.

    Where sizes leave a choice, names of axes may tell, or other variables of the same transform.
    """
    choices = {}
    for leaf in leaves:
        shape = tuple(leaf.value.shape)
        inner = found.get(leaf.segments, _Inner(shape, None, ()))
        outer_names = next((n.names for _, n in leaf.layers if hasattr(n, "names")), None)
        choices[leaf.segments] = [
            added
            for added in stacks(inner.shape, shape)
            if inner.names is None
            or outer_names is None
            or inner.names == tuple(n for i, n in enumerate(outer_names) if i not in added)
        ]
    known: dict[tuple[str, ...], set[tuple[int, ...]]] = defaultdict(set)
    for segments, added in choices.items():
        if segments in found and len(added) == 1 and added[0]:
            known[found[segments].transform].add(added[0])
    places: dict[tuple[str, ...], tuple[int, ...] | None] = {}
    for segments, added in choices.items():
        others = known[found[segments].transform] if segments in found else set()
        fitting = added if len(added) == 1 else [place for place in added if place in others]
        places[segments] = fitting[0] if len(fitting) == 1 else None
    return places


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sequence) else 1


def _strides(strides: Any, taps: int) -> int | tuple[int, ...]:
    if strides is None:
        return 1
    return (strides,) * taps if isinstance(strides, int) else tuple(strides)
