"""One tensor: an initializer as the layers of Keras take them, a new tensor, or a variable."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.experimental import dtensor

from ._core import (
    Axes,
    AxesError,
    Fans,
    Scheme,
    SourceError,
    check_draw,
    check_seed,
    declared_in,
    draw,
    field_of,
    parse_path,
    resolve,
)
from ._layers import declare
from ._private import variable_being_made
from ._source import TfSource, dtype_name, unconverted

_GENERATORS = (keras.random.SeedGenerator, tf.random.Generator)

Seed = Any  # int | tf.Tensor
Generator = Any  # tf.random.Generator | keras.random.SeedGenerator


@keras.saving.register_keras_serializable(package="fanwise_tf")
class SchemeInitializer(keras.initializers.Initializer):  # type: ignore[misc]  # Keras is untyped
    """An initializer of Keras that draws a scheme; made by `initializer`.

    It knows which variable it is called for. The values are a function of the seed and the path
    of the variable, so that one object may serve many layers, and so may its copies. The axes are
    those that the layer declares for the variable, unless `axes` says them.

    Attributes
    ----------
    scheme : Scheme
        The rule.
    axes : Axes or None
        The role of each axis.
    seed : int, tf.Tensor or None
        A seed.
    path : tuple of str or None
        The path to take instead of the path of the variable.
    rng : tf.random.Generator, keras.random.SeedGenerator or None
        A generator, which is advanced by each call.
    fans : Fans or None
        Fans to take instead of the fans that the axes define.
    """

    def __init__(
        self,
        scheme: Scheme,
        axes: Axes | None = None,
        *,
        seed: Seed = None,
        path: str | Sequence[str] | None = None,
        rng: Generator = None,
        fans: Fans | None = None,
    ) -> None:
        self.seed = checked_seed(scheme, seed, rng)
        self.scheme, self.axes, self.rng, self.fans = scheme, axes, rng, fans
        self.path = None if path is None else parse_path(path)

    @unconverted
    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Draw a tensor.

        Parameters
        ----------
        shape : sequence of int
            The shape of the tensor.
        dtype : dtype, optional
            Any floating-point or complex dtype; the default dtype of Keras by default.
        layout : keras.distribution.TensorLayout or tf.experimental.dtensor.Layout, optional
            How the tensor is laid out over devices; its values do not depend on it.

        Returns
        -------
        tf.Tensor
            The tensor.
        """
        variable, layer = variable_being_made()
        path = self.path
        if path is None:
            path = () if variable is None else tuple(variable.path.split("/"))
        if self.seed is not None and not path and self.scheme.is_random:
            raise SourceError(
                f"`path` must come with a seed where no variable is made, got none for {self}"
            )
        axes = _axes_for(self.axes, tuple(shape), variable, layer)

        def source() -> TfSource:
            return TfSource(next_seed(self.rng) if self.seed is None else self.seed, path)

        return draw_tensor(
            self.scheme, shape, axes, self.fans, source, dtype=dtype, layout=layout, path=path
        )

    def get_config(self) -> dict[str, Any]:
        """The initializer as plain data, from which `from_config` makes an equal one.

        Returns
        -------
        dict
            JSON data. Of a generator, its state: a copy starts there with a generator of its own.

        Raises
        ------
        SourceError
            If the seed is a tensor of a graph that is being traced, which has no value yet.
        """
        return {
            "scheme": self.scheme.to_data(),
            "axes": None if self.axes is None else self.axes.to_data(),
            "seed": _seed_data(self.seed),
            "path": None if self.path is None else list(self.path),
            "rng": _generator_data(self.rng),
            "fans": None if self.fans is None else self.fans.to_data(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SchemeInitializer:
        """Make the initializer that `get_config` has the data of."""
        seed, axes, fans = config["seed"], config["axes"], config["fans"]
        return cls(
            Scheme.from_data(config["scheme"]),
            None if axes is None else Axes.from_data(axes),
            seed=tf.constant(seed, tf.int64) if isinstance(seed, list) else seed,
            path=config["path"],
            rng=_generator_of(config["rng"]),
            fans=None if fans is None else Fans.from_data(fans),
        )

    def __repr__(self) -> str:
        given = {"seed": self.seed, "path": self.path, "rng": self.rng, "fans": self.fans}
        options = "".join(f", {k}={v!r}" for k, v in given.items() if v is not None)
        axes = "" if self.axes is None else f", {self.axes!r}"
        return f"initializer({self.scheme!r}{axes}{options})"


def initializer(
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    seed: Seed = None,
    path: str | Sequence[str] | None = None,
    rng: Generator = None,
    fans: Fans | None = None,
) -> SchemeInitializer:
    """Make an initializer that the layers of Keras take.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis. By default the axes that the layer declares for the variable,
        groups and strides included; see `declare`.
    seed : int or tf.Tensor, optional
        From 0 up to 2**64 - 1; or a seed of the stateless functions of TensorFlow, two integers.
        Values are a function of the seed and the path of the variable, such as ``dense/kernel``.
        Schemes that draw nothing need no seed.
    path : str or sequence of str, optional
        The path to take instead of the path of the variable. Every tensor is then the same.
    rng : tf.random.Generator or keras.random.SeedGenerator, optional
        A generator to draw from instead of a seed, which is advanced by each call.
    fans : Fans, optional
        Fans to take instead of the fans that the axes define.

    Returns
    -------
    SchemeInitializer
        An object to pass as `kernel_initializer` and the like, to one layer or to many.

    Raises
    ------
    SourceError
        If neither or both of a seed and a generator are given. When it is called, also AxesError,
        DtypeError, FanError, LawError and SchemeError, before anything is drawn: for example if
        `axes` has other roles than the layer declares.

    Notes
    -----
    Values are drawn in float32 or wider and rounded once; Keras draws in the dtype of the
    variable. A name that Keras gives a layer, such as ``dense_3``, counts the layers that were
    built before: name layers to keep their values, or use `init_model_`. To load a model that was
    saved with one, import `fanwise_tf` first.

    Examples
    --------
    >>> import keras
    >>> from fanwise import he_normal
    >>> from fanwise_tf import initializer
    >>> init = initializer(he_normal(), seed=0)
    >>> layer = keras.layers.Conv2D(128, 3, groups=4, kernel_initializer=init)
    >>> layer.build((None, 32, 32, 64))
    >>> round(float(keras.ops.std(layer.kernel)), 2)  # sqrt(2 / 144)
    0.12
    """
    return SchemeInitializer(scheme, axes, seed=seed, path=path, rng=rng, fans=fans)


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
        raise SourceError(f"`path` must come with a seed, got {path!r}")

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


def _axes_for(given: Axes | None, shape: tuple[int, ...], variable: Any, layer: Any) -> Axes | None:
    """The axes of the variable that is being made; raise if what was given is of another one."""
    if layer is None:
        return given
    declared = declared_in(declare(layer), variable.name, shape, owner=type(layer).__name__)
    if declared is None or declared.axes is None:
        return given
    if given is None:
        return declared.axes
    if given.roles != declared.axes.roles:
        raise AxesError(
            f"`axes` must be those of the variable or left out, got {' '.join(given.roles)!r} "
            f"for {variable.path!r} of {type(layer).__name__}, whose axes are "
            f"{' '.join(declared.axes.roles)!r}"
        )
    return given


def _seed_data(seed: Any) -> int | list[int] | None:
    """A seed as plain data."""
    if seed is None or isinstance(seed, int):
        return seed
    if not hasattr(seed, "numpy"):
        raise SourceError(f"`seed` must have a value to be copied or saved, got {seed!r}")
    return [int(number) for number in seed.numpy()]


def _generator_data(rng: Any) -> dict[str, Any] | None:
    """The state of a generator as plain data."""
    if rng is None:
        return None
    if not hasattr(rng.state, "numpy"):
        raise SourceError(f"`rng` must have a value to be copied or saved, got {rng!r}")
    state = [int(number) for number in rng.state.numpy().reshape(-1)]
    if isinstance(rng, keras.random.SeedGenerator):
        return {"keras": state}
    return {"tensorflow": state, "algorithm": int(rng.algorithm)}


def _generator_of(data: Any) -> Any:
    if data is None:
        return None
    if "keras" in data:
        generator = keras.random.SeedGenerator(0)
        generator.state.assign(data["keras"])
        return generator
    return tf.random.Generator.from_state(data["tensorflow"], alg=data["algorithm"])
