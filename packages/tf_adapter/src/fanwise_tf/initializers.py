"""`keras.initializers` under its own names, signatures and laws, drawn right.

Change ``from keras import initializers`` to ``from fanwise_tf import initializers``, and pass
objects (or ``initializers.get("he_normal")``) to layers. Fans are Keras'; for the layer's own, use
`Initializer` with axes, or `init_model`. What differs is what Keras gets wrong: low-precision draws
are unbiased and stay within their bounds, float8 is drawn, `Orthogonal` takes every dtype,
an object without a seed draws anew at every call, and equal seeds of different laws or shapes are
independent. Every class is a subclass of Keras' own.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.initializers import STFT, Constant, Identity, Initializer, Ones, Zeros

from . import _core as core
from ._source import TfSource
from ._tensor import draw_tensor, next_seed

_FANS: dict[str, core.Fan] = {"fan_in": "in", "fan_out": "out", "fan_avg": "avg"}
_FAMILIES: dict[str, core.Family] = {
    "truncated_normal": "truncated_normal",
    "untruncated_normal": "normal",
    "uniform": "uniform",
}
_register: Callable[[type], type] = keras.saving.register_keras_serializable(package="fanwise_tf")


class _Drawn:
    """The part that draws of a class whose other part, Keras', has its arguments."""

    seed: Any
    _init_seed: Any

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # Keras is untyped
    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Draw a tensor, as `fanwise_tf.Initializer` does."""
        try:
            shape = tuple(map(int, shape))
        except TypeError:
            raise ValueError(f"`shape` must be known when it is traced, got {shape}") from None
        scheme, axes, fans = self._plan(shape)
        return draw_tensor(
            scheme, shape, axes, fans, lambda: self._source(shape), dtype=dtype, layout=layout
        )

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Scheme, axes and fans for a shape."""
        raise NotImplementedError

    def _source(self, shape: tuple[int, ...]) -> TfSource:
        if not isinstance(self.seed, int):
            return TfSource(next_seed(self.seed))
        path = [type(self).__name__, "x".join(["shape", *map(str, shape)])]
        if self._init_seed is None:  # as Keras has it, a seed of the object; but calls differ
            calls = self.__dict__.setdefault("_calls", itertools.count())
            path.append(f"call {next(calls)}")
        return TfSource(self.seed % (1 << 64), path)


@_register
class RandomNormal(_Drawn, keras.initializers.RandomNormal):  # type: ignore[misc]  # Keras is untyped
    """Normal of `mean` and `stddev`."""

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        mean, std = float(self.mean), float(self.stddev)
        scheme = core.normal(mean=mean, std=std) if std else core.constant(value=mean)
        return scheme, None, None


@_register
class TruncatedNormal(_Drawn, keras.initializers.TruncatedNormal):  # type: ignore[misc]  # Keras is untyped
    """Normal of `mean` and, before it is cut at two of them about the mean, `stddev`."""

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        mean, std = float(self.mean), float(self.stddev)
        if std == 0:
            return core.constant(value=mean), None, None
        return core.truncated_normal(parent_mean=mean, parent_std=std), None, None


@_register
class RandomUniform(_Drawn, keras.initializers.RandomUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform on [`minval`, `maxval`)."""

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        low, high = float(self.minval), float(self.maxval)
        scheme = core.constant(value=low) if low == high else core.uniform(low=low, high=high)
        return scheme, None, None


class _Scaled(_Drawn):
    scale: float
    mode: str
    distribution: str
    input_axes: Any = None  # set by Keras from 3.15 on
    output_axes: Any = None

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        scheme = core.variance_scaling(
            gain=math.sqrt(self.scale),
            fan=_FANS[self.mode],
            family=_FAMILIES[self.distribution],
        )
        return scheme, None, _fans(shape, self.input_axes, self.output_axes)


@_register
class VarianceScaling(_Scaled, keras.initializers.VarianceScaling):  # type: ignore[misc]  # Keras is untyped
    """Variance `scale` / fan; a normal cut at two stds has it after the cut."""


@_register
class GlorotUniform(_Scaled, keras.initializers.GlorotUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 2 / (fan_in + fan_out)."""


@_register
class GlorotNormal(_Scaled, keras.initializers.GlorotNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 2 / (fan_in + fan_out)."""


@_register
class LecunUniform(_Scaled, keras.initializers.LecunUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 1 / fan_in."""


@_register
class LecunNormal(_Scaled, keras.initializers.LecunNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 1 / fan_in."""


@_register
class HeUniform(_Scaled, keras.initializers.HeUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 2 / fan_in."""


@_register
class HeNormal(_Scaled, keras.initializers.HeNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 2 / fan_in."""


@_register
class Orthogonal(_Drawn, keras.initializers.Orthogonal):  # type: ignore[misc]  # Keras is untyped
    """`gain` times a random matrix of orthonormal rows or columns, the first axes flattened."""

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        if len(shape) < 2:
            raise ValueError(
                f"`shape` must be at least two-dimensional for Orthogonal, got {shape}"
            )
        if self.gain == 0 or 0 in shape:
            return core.constant(value=0.0), None, None
        axes = core.Axes(" ".join(["in"] * (len(shape) - 1) + ["out"]))
        return core.orthogonal(gain=abs(float(self.gain))), axes, None


_CLASSES = (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    STFT,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)

constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = IdentityInitializer = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = OrthogonalInitializer = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFTInitializer = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_BY_NAME: dict[str, Any] = {
    **{name: value for name, value in globals().items() if value in _CLASSES},
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}

__all__ = sorted(
    [*(set(_BY_NAME) - {"normal", "one", "uniform", "zero"}), "deserialize", "get", "serialize"]
)

serialize = keras.initializers.serialize


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """An initializer of `serialize`'s data; of these classes where it names one of Keras'."""
    if isinstance(config, dict) and config.get("registered_name") is None:
        name = config.get("class_name")
        if name in _BY_NAME and name not in (custom_objects or {}):
            return _BY_NAME[name].from_config(config.get("config", {}))
    return keras.initializers.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """An initializer of a name, a configuration, a class, a function or a tensor; None of None."""
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier]()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if inspect.isclass(identifier):
        return identifier()
    return keras.initializers.get(identifier)


def _fans(shape: tuple[int, ...], input_axes: Any, output_axes: Any) -> core.Fans:
    """Fans as Keras counts them, each at least one."""
    if input_axes is not None and output_axes is not None:
        counts = [math.prod(shape[i] for i in axes) for axes in (input_axes, output_axes)]
    elif len(shape) < 2:
        counts = [math.prod(shape)] * 2
    else:
        counts = [shape[-2] * math.prod(shape[:-2]), shape[-1] * math.prod(shape[:-2])]
    return core.Fans(*(max(1, count) for count in counts))
