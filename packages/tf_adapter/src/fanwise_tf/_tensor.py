"""One tensor: a new one, or a variable that is there."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.experimental import dtensor

from ._core import (
    Axes,
    Fans,
    Scheme,
    SourceError,
    check_draw,
    check_seed,
    draw,
    field_of,
    parse_path,
    resolve,
)
from ._source import TfSource, dtype_name

_GENERATORS = (keras.random.SeedGenerator, tf.random.Generator)

Seed = Any  # int | tf.Tensor
Generator = Any  # tf.random.Generator | keras.random.SeedGenerator


def init(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    seed: Seed = None,
    path: str | Sequence[str] = (),
    rng: Generator = None,
    fans: Fans | None = None,
    dtype: Any = None,
    layout: Any = None,
) -> Any:
    """Make a tensor of initial weights.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        Shape of the parameter.
    axes : Axes, optional
        The role of each axis. Leave it out if the scheme asks for none.
    seed : int or tf.Tensor, optional
        From 0 up to 2**64 - 1; or a seed of the stateless functions of TensorFlow, two integers.
        The values are a function of `seed` and `path`, and of nothing else.
    path : str or sequence of str
        The name of the parameter, which must come with a seed: parameters of different names are
        independent, and parameters of equal names are equal.
    rng : tf.random.Generator or keras.random.SeedGenerator, optional
        A generator to draw from instead, which is advanced.
    fans : Fans, optional
        Fans to take instead of the fans that `axes` defines.
    dtype, layout
        As in the call of an `initializer`.

    Returns
    -------
    tf.Tensor
        The weights.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> from fanwise import Axes, glorot_uniform
    >>> from fanwise_tf import init
    >>> tuple(init(glorot_uniform(), (4, 8), Axes("in out"), seed=0, path="fc").shape)
    (4, 8)
    """
    where = checked_seed(scheme, seed, rng)
    segments = parse_path(path)
    if where is None and segments and rng is None:
        raise SourceError(f"`path` must come with a seed, got {path!r}")
    if where is not None and not segments and scheme.is_random:
        raise SourceError("`path` must come with a seed, got none")

    def source() -> TfSource:
        return TfSource(next_seed(rng) if where is None else where, segments)

    return draw_tensor(
        scheme, tuple(shape), axes, fans, source, dtype=dtype, layout=layout, path=segments
    )


def init_(
    variable: Any,
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    seed: Seed = None,
    path: str | Sequence[str] = (),
    rng: Generator = None,
    fans: Fans | None = None,
) -> Any:
    """Initialize a variable in place.

    Parameters
    ----------
    variable : tf.Variable or keras.Variable
        The variable, of a floating-point or complex dtype.
    scheme, axes, seed, path, rng, fans
        As in `init`, which gives the same values.

    Returns
    -------
    tf.Variable or keras.Variable
        `variable`.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is assigned.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from fanwise import constant
    >>> from fanwise_tf import init_
    >>> init_(tf.Variable(tf.zeros(2)), constant(value=3)).numpy().tolist()
    [3.0, 3.0]
    """
    if not isinstance(variable, tf.Variable | keras.Variable):
        raise SourceError(f"`variable` must be a variable, got {type(variable).__name__}")
    options = {"seed": seed, "path": path, "rng": rng, "fans": fans, "dtype": variable.dtype}
    variable.assign(init(scheme, tuple(variable.shape), axes, **options))
    return variable


def draw_tensor(
    scheme: Scheme,
    shape: Sequence[int],
    axes: Axes | None,
    fans: Fans | None,
    source: Callable[[], TfSource],
    *,
    dtype: Any = None,
    layout: Any = None,
    path: Sequence[str] = (),
) -> Any:
    """Draw a scheme, from the source that a function makes once all is checked."""
    check_backend()
    name = dtype_name(keras.config.floatx() if dtype is None else dtype)
    plan = resolve(scheme, shape, axes, fans=fans, field=field_of(name), path=path)
    check_draw(plan, name)
    if isinstance(layout, keras.distribution.TensorLayout):
        layout = layout.backend_layout
    if layout is not None and not isinstance(layout, dtensor.Layout):
        raise SourceError(f"`layout` must be a TensorLayout or a Layout, got {layout!r}")
    tensor = draw(plan, source(), dtype=name)
    if layout is None:
        return tensor
    whole = dtensor.Layout.replicated(layout.mesh, rank=len(plan.shape))
    return dtensor.relayout(dtensor.copy_to_mesh(tensor, whole), layout)


def next_seed(seed: Any) -> Any:
    """A seed of stateless functions: the next one of a generator, or the one given."""
    if seed is None:  # nothing is drawn
        return 0
    if isinstance(seed, keras.random.SeedGenerator):
        return seed.next()
    if isinstance(seed, tf.random.Generator):
        return seed.make_seeds(1)[:, 0]
    return seed


def check_backend() -> None:
    """Raise unless Keras runs on TensorFlow."""
    backend = keras.config.backend()
    if backend != "tensorflow":
        raise SourceError(f"Keras must run on the backend tensorflow, got {backend}")


def checked_seed(scheme: Scheme, seed: Any, rng: Any) -> Any:
    """A seed, an integer of any kind as one of Python's; None if a generator is given."""
    if rng is not None:
        if seed is not None:
            raise SourceError(f"one of `seed` and `rng` must be given, got both for {scheme!r}")
        if not isinstance(rng, _GENERATORS):
            raise SourceError(
                f"`rng` must be a tf.random.Generator or a keras.random.SeedGenerator, got {rng!r}"
            )
        return None
    if seed is None:
        if getattr(scheme, "is_random", True):
            raise SourceError(f"`seed` or `rng` must be given to draw {scheme!r}")
        return None
    if isinstance(seed, tf.Tensor | tf.Variable):
        pair = tf.convert_to_tensor(seed)
        TfSource(pair)  # raises unless it is a pair of integers
        return pair
    return operator.index(check_seed(seed))
