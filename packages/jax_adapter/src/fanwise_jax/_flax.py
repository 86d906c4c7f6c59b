"""The layers of Flax: linen's, and nnx's, which have the same names and kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flax import linen, nnx

from ._core import UNKNOWN, Axes, Declaration, Declarations, Declared, constant, layers
from ._layers import (
    BUFFER,
    LORA_B,
    ONES,
    SCALE,
    SHIFT,
    VECTOR,
    ZEROS,
    Shape,
    bias,
    bias_of_norm,
    declare,
    layers_around,
    look_up,
    scale_of_norm,
    sized,
    stacks,
)
from ._private import params_of_lstm, path_of_transform, wrapped_by_nnx
from ._tree import Leaf, abstract_init, is_array, walk


def _kernel(layer: Any, axes: Axes, kind: str = "weight") -> Declared:
    """A kernel of the axes; one of nnx may be stacked, of which its layer does not know."""
    declared = Declaration(axes, kind)
    return sized(declared, _shape_of_kernel(layer)) if isinstance(layer, nnx.Module) else declared


def _bias(layer: Any) -> Declared:
    """The bias of as many units as the layer has."""
    declared, is_nnx = bias("kernel"), isinstance(layer, nnx.Module)
    return sized(declared, (layer.out_features,)) if is_nnx else declared


def _shape_of_kernel(layer: Any) -> Shape:
    if isinstance(layer, nnx.Embed):
        return (layer.num_embeddings, layer.features)
    if isinstance(layer, nnx.Linear):
        return (layer.in_features, layer.out_features)
    if isinstance(layer, nnx.LinearGeneral):
        return (*dict(layer.batch_axis).values(), *layer.in_features, *layer.out_features)
    return tuple(layer.kernel_shape)


@declare.register
def _(layer: linen.Dense) -> Declarations:
    units = layer.features
    kernel = Declaration(layers.flax.dense(), shape=(None, units))
    return {"kernel": kernel, "bias": replace(bias("kernel"), shape=(units,))}


@declare.register
def _(layer: linen.Embed) -> Declarations:
    shape = (layer.num_embeddings, layer.features)
    return {"embedding": Declaration(layers.flax.embedding(), "embedding", shape=shape)}


@declare.register(params_of_lstm(linen))
@declare.register(nnx.Linear)
def _(layer: Any) -> Declarations:
    return {"kernel": _kernel(layer, layers.flax.dense()), "bias": _bias(layer)}


@declare.register
def _(layer: linen.DenseGeneral) -> Declarations:
    counts = (_length(layer.batch_dims), _length(layer.axis), _length(layer.features))
    return _general(layer, *counts)


@declare.register
def _(layer: nnx.LinearGeneral) -> Declarations:
    counts = (len(layer.batch_axis), len(layer.in_features), len(layer.out_features))
    return _general(layer, *counts)


def _general(layer: Any, copies: int, inputs: int, outputs: int) -> Declarations:
    kernel = layers.flax.dense_general(inputs, outputs, batch=copies)
    units = bias("kernel", Axes(role for role in kernel.roles if role != "in"))
    is_nnx = isinstance(layer, nnx.Module)
    if is_nnx:
        own = (*dict(layer.batch_axis).values(), *layer.out_features)
        return {"kernel": _kernel(layer, kernel), "bias": sized(units, own)}
    return {"kernel": _kernel(layer, kernel), "bias": units}


@declare.register(linen.Einsum)
@declare.register(nnx.Einsum)
def _(layer: Any) -> Declarations:
    if layer.einsum_str is None:  # given at each call
        return {}
    axes = layers.flax.einsum(layer.einsum_str)

    def bias_of_einsum(shape: tuple[int, ...]) -> Declaration:
        return bias("kernel", layers.flax.norm(len(shape)))

    return {"kernel": _kernel(layer, axes), "bias": bias_of_einsum}


@declare.register(linen.Conv)
@declare.register(nnx.Conv)
def _(layer: Any) -> Declarations:
    taps = _length(layer.kernel_size)
    stride = _strides(layer.strides, taps)
    axes = layers.flax.conv(taps, groups=layer.feature_group_count, stride=stride)
    return {"kernel": _kernel(layer, axes), "bias": _bias(layer)}


@declare.register
def _(layer: linen.ConvLocal) -> Declarations:
    kernel = layers.flax.conv_local(_length(layer.kernel_size))
    units = Axes(role for role in kernel.roles if role != "in")
    return {"kernel": Declaration(kernel), "bias": bias("kernel", units)}


@declare.register(linen.ConvTranspose)
@declare.register(nnx.ConvTranspose)
def _(layer: Any) -> Declarations:
    taps, transposed = _length(layer.kernel_size), layer.transpose_kernel
    stride = _strides(layer.strides, taps)
    axes = layers.flax.conv_transpose(taps, stride=stride, transpose_kernel=transposed)
    return {"kernel": _kernel(layer, axes), "bias": _bias(layer)}


@declare.register
def _(layer: nnx.Embed) -> Declarations:
    return {"embedding": _kernel(layer, layers.flax.embedding(), "embedding")}


@declare.register
def _(layer: linen.ConvLSTMCell) -> Declarations:
    return _gates(4, layers.flax.conv_lstm(_length(layer.kernel_size)), ih=None, hh=None)


@declare.register
def _(layer: nnx.OptimizedLSTMCell) -> Declarations:
    return _gates(4, layers.flax.lstm(), dense_i=layer.dense_i, dense_h=layer.dense_h)


@declare.register
def _(layer: nnx.GRUCell) -> Declarations:
    return _gates(3, layers.flax.gru(), dense_i=layer.dense_i, dense_h=layer.dense_h)


def _gates(count: int, axes: Axes, **inner: Any) -> Declarations:
    """Fused kernels and their biases, each in a layer of its own within the cell."""
    declared: dict[str, Declared] = {}
    for name, layer in inner.items():
        declared[f"{name}.kernel"] = _kernel(layer, axes)
        fused = bias(f"{name}.kernel", layers.flax.bias(count))
        own = None if layer is None else (layer.out_features,)
        declared[f"{name}.bias"] = fused if own is None else sized(fused, own)
    return declared


@declare.register(linen.LayerNorm)
@declare.register(linen.RMSNorm)
@declare.register(linen.GroupNorm)
@declare.register(linen.InstanceNorm)
@declare.register(linen.BatchNorm)
def _(layer: Any) -> Declarations:
    return {"scale": scale_of_norm, "bias": bias_of_norm, "mean": ZEROS, "var": ONES}


@declare.register(nnx.LayerNorm)
@declare.register(nnx.RMSNorm)
@declare.register(nnx.GroupNorm)
@declare.register(nnx.InstanceNorm)
@declare.register(nnx.BatchNorm)
def _(layer: Any) -> Declarations:
    own = (layer.num_features,)
    scale, shift = sized(SCALE, own), sized(SHIFT, own)
    return {"scale": scale, "bias": shift, "mean": ZEROS, "var": ONES}


@declare.register(linen.PReLU)
@declare.register(nnx.PReLU)
def _(layer: Any) -> Declarations:
    return {"negative_slope": Declaration(kind="slope", default=constant(value=0.01))}


@declare.register
def _(layer: nnx.LoRA) -> Declarations:
    return {"lora_a": Declaration(layers.flax.dense()), "lora_b": LORA_B}


def _weight_norm_scale(layer: Any, weight: str) -> Callable[[Shape], Declaration]:
    """The scale of a weight norm: at 1, as in Flax, the scheme of the weight would mean nothing."""
    axes = layer.feature_axes
    own = (axes,) if isinstance(axes, int) else tuple(axes or ())

    def of_shape(shape: Shape) -> Declaration:
        added = len(shape) - len(own)  # by transforms, in front
        norm_axes = (*range(added), *(axis if axis < 0 else axis + added for axis in own))
        return Declaration(kind="weight_norm", norms_of=weight, norm_axes=norm_axes)

    return of_shape


_OF_SPECTRAL_NORM = {"u": VECTOR, "sigma": ONES}

if hasattr(nnx, "WeightNorm"):  # Flax 0.12.0 has neither

    @declare.register(nnx.WeightNorm)
    def _weight_norm(layer: Any) -> Declarations:
        return {
            f"scales.{path}": _weight_norm_scale(layer, ".".join(("layer_instance", *path)))
            for path in layer.scales or ()
        }

    @declare.register(nnx.SpectralNorm)
    def _spectral_norm(layer: Any) -> Declarations:
        return {f"batch_stats.{path}": _OF_SPECTRAL_NORM[path[-1]] for path in layer.batch_stats}


@declare.register(linen.Fp8DotGeneralOp)
@declare.register(linen.Fp8DirectDotGeneralOp)
@declare.register(linen.Fp8Einsum)
def _(layer: Any) -> Declarations:
    tensors = ("input", "kernel", "output_grad")
    histories = {f"{name}_amax_history": ZEROS for name in tensors}
    return {**histories, **{f"{name}_scale": ONES for name in tensors}}


@declare.register
def _(layer: nnx.bridge.ToNNX) -> Declarations:
    return declare(wrapped_by_nnx(layer))


@declare.register
def _(layer: nnx.bridge.ToLinen) -> Declarations:
    def make() -> Any:
        streams = {} if layer.skip_rng else {"rngs": nnx.Rngs(0)}
        return layer.nnx_class(*layer.args, **layer.kwargs, **streams)

    return {
        leaf.path: look_up(leaf.segments[-1], leaf.value.shape, leaf.layers) or UNKNOWN
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
                            variable.shape, getattr(boxed, "names", None), path_of_transform(module)
                        )
        return result

    declared: dict[str, Declaration] = {}

    def declare_all(variables: Any) -> None:
        leaves = list(walk(variables))
        places = _places_of_stacks(leaves, found)
        for leaf in leaves:
            _, *path, name = leaf.segments
            around = layers_around(path, name, modules)
            if around and isinstance(around[-1][1], linen.WeightNorm) and name.endswith("/scale"):
                weight = "." + name.removesuffix("/scale").replace("/", ".")  # beside the norm
                declared[leaf.path] = _weight_norm_scale(around[-1][1], weight)(leaf.value.shape)
                continue
            if around and isinstance(around[-1][1], linen.SpectralNorm):
                declared[leaf.path] = _OF_SPECTRAL_NORM.get(name.rpartition("/")[2], BUFFER)
                continue
            known = look_up(name, leaf.value.shape, around, places[leaf.segments])
            is_param = leaf.segments[0] == "params"
            declared[leaf.path] = known or (UNKNOWN if is_param else BUFFER)
        modules.clear()  # they hold what was traced

    with linen.intercept_methods(record):
        abstract_init(model.init, args, kwargs, declare_all)
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
    # A transform may stack each collection along an axis of its own.
    known: dict[tuple[str, ...], set[tuple[int, ...]]] = defaultdict(set)
    for segments, added in choices.items():
        if segments in found and len(added) == 1 and added[0]:
            known[(segments[0], *found[segments].transform)].add(added[0])
    places: dict[tuple[str, ...], tuple[int, ...] | None] = {}
    for segments, added in choices.items():
        others = set[tuple[int, ...]]()
        if segments in found:
            others = known[(segments[0], *found[segments].transform)]
        fitting = added if len(added) == 1 else [place for place in added if place in others]
        places[segments] = fitting[0] if len(fitting) == 1 else None
    return places


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sequence) else 1


def _strides(strides: Any, taps: int) -> int | tuple[int, ...]:
    if strides is None:
        return 1
    return (strides,) * taps if isinstance(strides, int) else tuple(strides)
