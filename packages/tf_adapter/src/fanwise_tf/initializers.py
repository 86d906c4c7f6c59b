"""`keras.initializers` under its own names, signatures and laws, drawn right.

Change ``from keras import initializers`` to ``from fanwise_tf import initializers``, and pass
objects (or ``initializers.get("he_normal")``) to layers. Fans are Keras'; for the layer's own, use
`Initializer` with axes, or `init_model`. What differs is what Keras gets wrong: low-precision draws
are unbiased and stay within their bounds, float8 is drawn, `Orthogonal` takes every dtype,
an object without a seed draws anew at every call, and equal seeds of different laws or shapes are
independent. Every class is a subclass of Keras' own. Longer than most modules for the documentation
of its names.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.initializers import STFT, Initializer

from . import _core as core
from ._source import TfSource, shape_segment, unconverted
from ._tensor import draw_tensor, next_seed

_FANS: dict[str, core.Fan] = {"fan_in": "in", "fan_out": "out", "fan_avg": "avg"}
_FAMILIES: dict[str, core.Family] = {
    "truncated_normal": "truncated_normal",
    "untruncated_normal": "normal",
    "uniform": "uniform",
}


def _register(cls: type) -> type:
    """Register a class under a name of its own.

    Keras looks for a saved class among its own by the bare name, and would take its own in silence
    where this package is not imported.
    """
    cls.__name__ = f"Fanwise{cls.__name__}"
    registered: type = keras.saving.register_keras_serializable(package="fanwise_tf")(cls)
    return registered


class _Drawn:
    """The part that draws of a class whose other part, Keras', has its arguments."""

    seed: Any
    _init_seed: Any
    _calls = 0

    @unconverted
    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Draw a tensor, as `fanwise_tf.Initializer` does."""
        try:
            shape = tuple(map(operator.index, shape))
        except TypeError:
            raise ValueError(
                f"`shape` must be integers that are known when it is traced, got {shape}"
            ) from None
        scheme, axes, fans = self._plan(shape)

        def source() -> TfSource:
            return self._source(shape)

        return draw_tensor(scheme, shape, axes, fans, source, dtype=dtype, layout=layout)

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Scheme, axes and fans for a shape."""
        raise NotImplementedError

    def _source(self, shape: Sequence[int]) -> TfSource:
        if not isinstance(self.seed, int):
            return TfSource(next_seed(self.seed))
        path = [type(self).__name__.removeprefix("Fanwise"), shape_segment(shape)]
        if self._init_seed is None:  # as Keras has it, a seed of the object; but calls differ
            path.append(f"call {self._calls}")
            self._calls += 1
        return TfSource(core.check_seed(self.seed), path)


@_register
class RandomNormal(_Drawn, keras.initializers.RandomNormal):  # type: ignore[misc]  # Keras is untyped
    """Normal of `mean` and `stddev`.

    Parameters
    ----------
    mean, stddev : float, default 0 and 0.05
        A std of 0 makes a constant.
    seed : int or keras.random.SeedGenerator, optional
        With an integer, values are a function of it, of the class and of the shape, and equal at
        every call; a generator is advanced by each. Without one, every call draws anew.

    Notes
    -----
    With one seed, Keras' values of different laws are correlated; its objects without one repeat
    their first draw.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> init = initializers.RandomNormal()
    >>> bool((init((3, 5)).numpy() == init((3, 5)).numpy()).any())
    False
    """

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        mean, std = _number("mean", self.mean), _number("stddev", self.stddev)
        scheme = core.normal(mean=mean, std=std) if std else core.constant(value=mean)
        return scheme, None, None


@_register
class TruncatedNormal(_Drawn, keras.initializers.TruncatedNormal):  # type: ignore[misc]  # Keras is untyped
    """Normal of `mean` and, before it is cut at two of them about the mean, `stddev`.

    Parameters
    ----------
    mean, stddev : float, default 0 and 0.05
        A std of 0 makes a constant. The std of what comes out is 0.88 `stddev`.
    seed
        As in `RandomNormal`.

    Notes
    -----
    `fanwise.truncated_normal` takes the std that comes out.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.TruncatedNormal(stddev=0.02, seed=0)((3, 5))
    >>> bool((abs(w.numpy()) <= 0.04).all())
    True
    """

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        mean, std = _number("mean", self.mean), _number("stddev", self.stddev)
        if std == 0:
            return core.constant(value=mean), None, None
        return core.truncated_normal(parent_mean=mean, parent_std=std), None, None


@_register
class RandomUniform(_Drawn, keras.initializers.RandomUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform on [`minval`, `maxval`).

    Parameters
    ----------
    minval, maxval : float, default -0.05 and 0.05
        Equal ones make a constant.
    seed
        As in `RandomNormal`.

    Notes
    -----
    Keras' draws of bfloat16 are biased, and some are `maxval`.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.RandomUniform(3.0, 4.0, seed=0)((1000,), "bfloat16")
    >>> bool((w.numpy() < 4).all())
    True
    """

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        low, high = _number("minval", self.minval), _number("maxval", self.maxval)
        scheme = core.constant(value=low) if low == high else core.uniform(low=low, high=high)
        return scheme, None, None


class _Constant:
    """The part of a class without randomness that stores its values in float8, too."""

    def __call__(self, shape: Sequence[int], dtype: Any = None, **options: Any) -> Any:
        """Make a tensor, as Keras does, or in float32 and rounded."""
        name = keras.backend.standardize_dtype(dtype)
        if not name.startswith("float8"):
            return super().__call__(shape, dtype, **options)  # type: ignore[misc]  # Keras' part
        return tf.cast(super().__call__(shape, "float32", **options), name)  # type: ignore[misc]  # as above


@_register
class Zeros(_Constant, keras.initializers.Zeros):  # type: ignore[misc]  # Keras is untyped
    """Zeros.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Zeros()((2,), "float8_e5m2").dtype
    tf.float8_e5m2
    """


@_register
class Ones(_Constant, keras.initializers.Ones):  # type: ignore[misc]  # Keras is untyped
    """Ones.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Ones()((2,)).numpy().tolist()
    [1.0, 1.0]
    """


@_register
class Constant(_Constant, keras.initializers.Constant):  # type: ignore[misc]  # Keras is untyped
    """A constant.

    Parameters
    ----------
    value : float or array, default 0
        An array is broadcast.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Constant(3.0)((2,)).numpy().tolist()
    [3.0, 3.0]
    """


@_register
class Identity(_Constant, keras.initializers.Identity):  # type: ignore[misc]  # Keras is untyped
    """`gain` times the identity.

    Parameters
    ----------
    gain : float, default 1
        The diagonal.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Identity()((2, 2)).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """


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
    """Variance `scale` / fan; a normal cut at two stds has it after the cut.

    Parameters
    ----------
    scale : float, default 1
        A factor of the variance; those of `fanwise` have the gain, its root.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        Which count divides the variance.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}, default "truncated_normal"
        The family.
    seed
        As in `RandomNormal`.
    input_axes, output_axes : list of int, optional
        Axes of the inputs and of the outputs, from Keras 3.15 on; by default the last two, and all
        others of the receptive field.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    What Keras' does, in every dtype; see `RandomNormal` for seeds.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> init = initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=0)
    >>> tuple(init((3, 3, 16, 32), "bfloat16").shape)
    (3, 3, 16, 32)
    """


@_register
class GlorotUniform(_Scaled, keras.initializers.GlorotUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 2 / (fan_in + fan_out).

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.GlorotUniform(seed=0)((3, 5))
    >>> bool((abs(w.numpy()) <= (6 / (3 + 5)) ** 0.5).all())
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 16.
    """


@_register
class GlorotNormal(_Scaled, keras.initializers.GlorotNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 2 / (fan_in + fan_out).

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    Cut at two stds of the normal before it is cut, as JAX's; PyTorch's is not cut.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.get("glorot_normal")((3, 5), "bfloat16").dtype
    tf.bfloat16

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 12.
    """


@_register
class LecunUniform(_Scaled, keras.initializers.LecunUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 1 / fan_in.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.LecunUniform(seed=0)((3, 5))
    >>> bool((abs(w.numpy()) <= (3 / 3) ** 0.5).all())
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """


@_register
class LecunNormal(_Scaled, keras.initializers.LecunNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 1 / fan_in.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    Cut at two stds of the normal before it is cut, as JAX's.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.get("lecun_normal")((3, 5), "bfloat16").dtype
    tf.bfloat16

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """


@_register
class HeUniform(_Scaled, keras.initializers.HeUniform):  # type: ignore[misc]  # Keras is untyped
    """Uniform of variance 2 / fan_in.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.HeUniform(seed=0)((3, 5))
    >>> bool((abs(w.numpy()) <= (6 / 3) ** 0.5).all())
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """


@_register
class HeNormal(_Scaled, keras.initializers.HeNormal):  # type: ignore[misc]  # Keras is untyped
    """Truncated normal of variance 2 / fan_in.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    Cut at two stds of the normal before it is cut, as JAX's; PyTorch's is not cut.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.get("he_normal")((3, 5), "bfloat16").dtype
    tf.bfloat16

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """


@_register
class Orthogonal(_Drawn, keras.initializers.Orthogonal):  # type: ignore[misc]  # Keras is untyped
    """`gain` times a random matrix of orthonormal rows or columns, whichever are fewer.

    Parameters
    ----------
    gain : float, default 1
        The singular values.
    seed
        As in `RandomNormal`.

    Raises
    ------
    ValueError
        When it is called, if the shape has fewer than two axes.

    Notes
    -----
    The last axis is of columns, and all others are flattened into rows. Keras' raises in bfloat16.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> w = initializers.Orthogonal(seed=0)((5, 3)).numpy()
    >>> bool(abs(w.T @ w - [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).max() < 1e-6)
    True

    References
    ----------
    Saxe, McClelland and Ganguli (2013), arXiv:1312.6120.
    """

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        if len(shape) < 2:
            raise ValueError(
                f"`shape` must be at least two-dimensional for Orthogonal, got {shape}"
            )
        gain = abs(_number("gain", self.gain))
        if gain == 0 or 0 in shape:
            return core.constant(value=0.0), None, None
        axes = core.Axes(" ".join(["in"] * (len(shape) - 1) + ["out"]))
        return core.orthogonal(gain=gain), axes, None


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
    is_bare = isinstance(config, dict) and config.get("registered_name") is None
    name = config if isinstance(config, str) else config.get("class_name") if is_bare else None
    if (
        isinstance(name, str)
        and name in _BY_NAME
        and keras.saving.get_registered_object(name, custom_objects) is None
    ):
        arguments = {} if isinstance(config, str) else config.get("config", {})
        return _BY_NAME[name].from_config(arguments)
    return keras.initializers.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """An initializer of a name, a configuration, a class, a function or a tensor; None of None."""
    if isinstance(identifier, dict) or (isinstance(identifier, str) and identifier in _BY_NAME):
        found = deserialize(identifier)
        if callable(found):  # a class, if it is one that a user has by that name
            return found() if inspect.isclass(found) else found
    return keras.initializers.get(identifier)


def _number(name: str, value: Any) -> float:
    """A number of a law, which the law's own numbers are made of in Python."""
    try:
        return float(value)
    except TypeError:
        raise ValueError(
            f"`{name}` must be one number that is known when it is traced, got {value}"
        ) from None


def _fans(shape: tuple[int, ...], input_axes: Any, output_axes: Any) -> core.Fans:
    """Fans as Keras counts them, each at least one."""
    if input_axes is not None and output_axes is not None:
        counts = [math.prod(shape[i] for i in axes) for axes in (input_axes, output_axes)]
    elif len(shape) < 2:
        counts = [math.prod(shape)] * 2
    else:
        counts = [shape[-2] * math.prod(shape[:-2]), shape[-1] * math.prod(shape[:-2])]
    return core.Fans(*(max(1, count) for count in counts))
