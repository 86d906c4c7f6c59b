"""`keras.initializers` under its own names, signatures and laws, drawn right.

Change ``from keras import initializers`` to ``from fanwise_tf import initializers``, and pass
objects (or ``initializers.get("he_normal")``) to layers. Fans are counted as Keras counts them. To
take the fans of the layer itself, use `fanwise_tf.initializer` with axes, or
`fanwise_tf.init_model_`. Every class is a subclass of the class of that name in Keras.

The values differ where Keras gets them wrong:

- Low-precision draws are unbiased and stay within their bounds.
- float8 is drawn.
- `Orthogonal` takes every dtype.
- An object without a seed draws new values at every call.
- With equal seeds, different laws or shapes get independent values.

Longer than most modules for the documentation of its names.
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

    Keras looks up the bare name of a saved class among its own classes. With a bare name, it would
    silently take its own class where this package is not imported.
    """
    cls.__name__ = f"Fanwise{cls.__name__}"
    registered: type = keras.saving.register_keras_serializable(package="fanwise_tf")(cls)
    return registered


class _Drawn:
    """The mixin draws the values; the Keras class beside it holds the arguments."""

    seed: Any
    _init_seed: Any
    _calls = 0

    @unconverted
    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Draw a tensor, as `fanwise_tf.SchemeInitializer` does."""
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
        """Return the scheme, the axes and the fans for a shape."""
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
    """The initializer draws normal weights with `mean` and `stddev`.

    Parameters
    ----------
    mean, stddev : float, default 0 and 0.05
        Mean and standard deviation of the weights. If `stddev` is 0, every weight equals `mean`.
    seed : int or keras.random.SeedGenerator, optional
        With an integer, the values depend on the integer, the class and the shape, and are equal
        at every call. A generator is advanced by every call. Without a seed, every call draws new
        values.

    Notes
    -----
    In Keras, one seed gives correlated values of different laws, and an object without a seed
    repeats its first draw.

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
    """The initializer draws normal weights that are cut two `stddev` below and above `mean`.

    Parameters
    ----------
    mean, stddev : float, default 0 and 0.05
        Mean and standard deviation of the normal before the cut. After the cut, the standard
        deviation of the weights is ``0.88 * stddev``. If `stddev` is 0, every weight equals `mean`.
    seed
        As in `RandomNormal`.

    Notes
    -----
    In `fanwise.truncated_normal`, `std` is the standard deviation after the cut.

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
    """The initializer draws uniform weights on ``[minval, maxval)``.

    Parameters
    ----------
    minval, maxval : float, default -0.05 and 0.05
        Bounds of the weights. If the two are equal, every weight has this value.
    seed
        As in `RandomNormal`.

    Notes
    -----
    In bfloat16, Keras draws biased values, and some of them equal `maxval`.

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
    """The mixin lets a class without randomness store its values in float8, too."""

    def __call__(self, shape: Sequence[int], dtype: Any = None, **options: Any) -> Any:
        """Make a tensor as Keras does; for float8, make it in float32 and round it."""
        name = keras.backend.standardize_dtype(dtype)
        if not name.startswith("float8"):
            return super().__call__(shape, dtype, **options)  # type: ignore[misc]  # Keras' part
        return tf.cast(super().__call__(shape, "float32", **options), name)  # type: ignore[misc]  # as above


@_register
class Zeros(_Constant, keras.initializers.Zeros):  # type: ignore[misc]  # Keras is untyped
    """The initializer sets every weight to 0.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Zeros()((2,), "float8_e5m2").dtype
    tf.float8_e5m2
    """


@_register
class Ones(_Constant, keras.initializers.Ones):  # type: ignore[misc]  # Keras is untyped
    """The initializer sets every weight to 1.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Ones()((2,)).numpy().tolist()
    [1.0, 1.0]
    """


@_register
class Constant(_Constant, keras.initializers.Constant):  # type: ignore[misc]  # Keras is untyped
    """The initializer sets every weight to `value`.

    Parameters
    ----------
    value : float or array, default 0
        Value of the weights. An array is broadcast.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> initializers.Constant(3.0)((2,)).numpy().tolist()
    [3.0, 3.0]
    """


@_register
class Identity(_Constant, keras.initializers.Identity):  # type: ignore[misc]  # Keras is untyped
    """The initializer sets a matrix to `gain` times the identity.

    Parameters
    ----------
    gain : float, default 1
        Value of the diagonal.

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
    """The initializer draws weights of variance ``scale / fan``.

    A truncated normal is cut at two stds and has this variance after the cut.

    Parameters
    ----------
    scale : float, default 1
        Factor on the variance. The schemes of `fanwise` take its square root, the `gain`.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        Which fan divides the variance.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}, default "truncated_normal"
        Family of the law.
    seed
        As in `RandomNormal`.
    input_axes, output_axes : list of int, optional
        Axes of the inputs and of the outputs, from Keras 3.15 on. By default, these are the last
        two axes, and all other axes belong to the receptive field.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The law is the same as in Keras, in every dtype. See `RandomNormal` for seeds.

    Examples
    --------
    >>> from fanwise_tf import initializers
    >>> init = initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=0)
    >>> tuple(init((3, 3, 16, 32), "bfloat16").shape)
    (3, 3, 16, 32)
    """


@_register
class GlorotUniform(_Scaled, keras.initializers.GlorotUniform):  # type: ignore[misc]  # Keras is untyped
    """The initializer draws uniform weights of variance ``2 / (fan_in + fan_out)``.

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
    """The initializer draws truncated normal weights of variance ``2 / (fan_in + fan_out)``.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    The cut is at two stds of the normal before the cut, as in JAX. PyTorch does not cut the normal.

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
    """The initializer draws uniform weights of variance ``1 / fan_in``.

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
    """The initializer draws truncated normal weights of variance ``1 / fan_in``.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    The cut is at two stds of the normal before the cut, as in JAX.

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
    """The initializer draws uniform weights of variance ``2 / fan_in``.

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
    """The initializer draws truncated normal weights of variance ``2 / fan_in``.

    Parameters
    ----------
    seed, input_axes, output_axes
        As in `VarianceScaling`.

    Notes
    -----
    The cut is at two stds of the normal before the cut, as in JAX. PyTorch does not cut the normal.

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
    """The initializer draws `gain` times a random matrix with orthonormal rows or columns.

    The rows are orthonormal if there are fewer rows than columns, else the columns are.

    Parameters
    ----------
    gain : float, default 1
        Singular values of the matrix.
    seed
        As in `RandomNormal`.

    Raises
    ------
    ValueError
        When it is called, if the shape has fewer than two axes.

    Notes
    -----
    The last axis holds the columns, and all other axes are flattened into rows. Keras raises an
    error in bfloat16.

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
    """Make an initializer from the data that `serialize` returns.

    Where the data name a class of Keras, the initializer is of the class in this module.
    """
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
    """Return the initializer for a name, a configuration, a class, a function or a tensor.

    For None, return None.
    """
    if isinstance(identifier, dict) or (isinstance(identifier, str) and identifier in _BY_NAME):
        found = deserialize(identifier)
        if callable(found):  # a class, if it is one that a user has by that name
            return found() if inspect.isclass(found) else found
    return keras.initializers.get(identifier)


def _number(name: str, value: Any) -> float:
    """Convert a number of a law to a Python float, from which the law computes its own numbers."""
    try:
        return float(value)
    except TypeError:
        raise ValueError(
            f"`{name}` must be one number that is known when it is traced, got {value}"
        ) from None


def _fans(shape: tuple[int, ...], input_axes: Any, output_axes: Any) -> core.Fans:
    """Count the fans as Keras does, but each as at least one."""
    if input_axes is not None and output_axes is not None:
        counts = [math.prod(shape[i] for i in axes) for axes in (input_axes, output_axes)]
    elif len(shape) < 2:
        counts = [math.prod(shape)] * 2
    else:
        counts = [shape[-2] * math.prod(shape[:-2]), shape[-1] * math.prod(shape[:-2])]
    return core.Fans(*(max(1, count) for count in counts))
