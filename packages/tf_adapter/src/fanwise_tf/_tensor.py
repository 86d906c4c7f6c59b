"""One tensor: an initializer as Keras' layers take them."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import keras
import tensorflow as tf
from tensorflow.experimental import dtensor

from ._core import Axes, Fans, Plan, Scheme, SourceError, draw, field_of, parse_path, resolve
from ._source import TfSource, dtype_name

_GENERATORS = (keras.random.SeedGenerator, tf.random.Generator, tf.Tensor)

Seed = Any  # int | tf.random.Generator | keras.random.SeedGenerator | tf.Tensor


@keras.saving.register_keras_serializable(package="fanwise")
class Initializer(keras.initializers.Initializer):  # type: ignore[misc]
    """An initializer of Keras' kind that draws a scheme.

    Every call draws anew, so that one object may serve many layers: the n-th tensor of an object is
    a function of `seed` and n. With a `path`, it is a function of `seed` and path, and equal at
    every call, as with Keras' own initializers. A copy made within Keras, as for the projections
    of `MultiHeadAttention`, is a new object with streams of its own.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis; may be left out if the scheme asks for none.
    seed : int, tf.random.Generator, keras.random.SeedGenerator or tf.Tensor
        From 0 up to 2**64 - 1; a generator, which is advanced by each call; or a seed of shape (2,)
        of TensorFlow's stateless functions. May be left out for schemes that draw nothing.
    path : str or sequence of str, optional
        With an integer: the variable's name. Tensors of equal seeds and paths are equal.
    fans : Fans, optional
        Fans to take instead of those that `axes` defines.

    Raises
    ------
    SourceError
        If the seed is missing or of another kind. When it is called, also AxesError, DtypeError,
        FanError, LawError and SchemeError, before anything is drawn.

    Notes
    -----
    Values are drawn in float32 or wider and rounded once; Keras draws in the variable's dtype.

    Examples
    --------
    >>> init = Initializer(he_normal(), Axes("kernel kernel in out", groups=4), seed=0)
    >>> layer = keras.layers.Conv2D(128, 3, groups=4, kernel_initializer=init)
    >>> layer.build((None, 32, 32, 64))
    >>> round(float(keras.ops.std(layer.kernel)), 2)  # sqrt(2 / 144)
    0.12
    """

    def __init__(
        self,
        scheme: Scheme,
        axes: Axes | None = None,
        *,
        seed: Seed = None,
        path: str | Sequence[str] | None = None,
        fans: Fans | None = None,
    ) -> None:
        name = getattr(scheme, "name", None)
        if seed is None and name not in ("constant", "dirac", "identity"):
            raise SourceError(f"`seed` must be given to draw {name}, got None")
        if path is not None and (seed is None or isinstance(seed, _GENERATORS)):
            raise SourceError(f"`path` must come with an integer seed, got {path!r} with {seed!r}")
        self.scheme, self.axes, self.seed, self.fans = scheme, axes, _checked(seed), fans
        self.path = None if path is None else parse_path(path)
        self._streams: tuple[str, ...] = ()  # below which this object's are
        self._calls = itertools.count()
        self._copies = itertools.count()

    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Draw a tensor.

        Parameters
        ----------
        shape : sequence of int
            The tensor's shape.
        dtype : dtype, optional
            Any floating-point or complex dtype; Keras' default one by default.
        layout : keras.distribution.TensorLayout or tf.experimental.dtensor.Layout, optional
            How the tensor is laid out over devices; its values do not depend on that.

        Returns
        -------
        tf.Tensor
            The tensor.
        """
        return draw_tensor(
            self.scheme, shape, self.axes, self.fans, self._source, dtype=dtype, layout=layout
        )

    def _source(self) -> TfSource:
        if isinstance(self.seed, int):
            path = self.path
            if path is None:
                path = (*self._streams, f"call {next(self._calls)}")
            return TfSource(self.seed, path)
        return TfSource(0 if self.seed is None else next_seed(self.seed))

    def get_config(self) -> dict[str, Any]:
        """Plain data from which `from_config` makes an equal initializer."""
        if not isinstance(self.seed, int | keras.random.SeedGenerator | None):
            raise SourceError(
                f"`seed` must be an integer or a SeedGenerator to be saved, got {self.seed!r}"
            )
        config = _Config(
            scheme=self.scheme.to_data(),
            axes=None if self.axes is None else self.axes.to_data(),
            seed=keras.saving.serialize_keras_object(self.seed),
            path=None if self.path is None else list(self.path),
            fans=None
            if self.fans is None
            else [str(f) for f in (self.fans.fan_in, self.fans.fan_out)],
        )
        config.origin = self
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer of `get_config`'s data."""
        seed = config["seed"]
        if isinstance(seed, dict):
            seed = keras.saving.deserialize_keras_object(seed)
        axes, fans = config["axes"], config["fans"]
        made = cls(
            Scheme.from_data(config["scheme"]),
            None if axes is None else Axes.from_data(axes),
            seed=seed,
            path=config["path"],
            fans=None if fans is None else Fans(*map(Fraction, fans)),
        )
        origin = getattr(config, "origin", None)
        if origin is not None:
            made._streams = (*origin._streams, f"copy {next(origin._copies)}")
        return made


class _Config(dict):  # type: ignore[type-arg]
    """A configuration that knows whose it is, as long as it is in memory.

    Keras copies an initializer for each projection of an attention layer by
    `from_config(get_config())`; equal streams would make the projections equal.
    """

    origin: Initializer | None = None


def draw_tensor(
    scheme: Scheme,
    shape: Sequence[int],
    axes: Axes | None,
    fans: Fans | None,
    source: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
) -> Any:
    """Draw a scheme, from the source that a function makes once all is checked."""
    check_backend()
    name = dtype_name(keras.config.floatx() if dtype is None else dtype)
    plan = resolve_cached(scheme, tuple(shape), axes, fans, field_of(name))
    tensor = draw(plan, source(), dtype=name)
    if layout is None:
        return tensor
    if isinstance(layout, keras.distribution.TensorLayout):
        layout = layout.backend_layout
    whole = dtensor.Layout.replicated(layout.mesh, rank=len(plan.shape))
    return dtensor.relayout(dtensor.copy_to_mesh(tensor, whole), layout)


def next_seed(seed: Any) -> Any:
    """A seed of stateless functions: a generator's next one, or the one given."""
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


@functools.lru_cache(maxsize=4096)
def resolve_cached(
    scheme: Scheme, shape: tuple[int, ...], axes: Axes | None, fans: Fans | None, field: Any
) -> Plan:
    """`resolve`, once for equal arguments."""
    return resolve(scheme, shape, axes, fans=fans, field=field)


def _checked(seed: Any) -> Any:
    """A seed, an integer of any kind as one of Python's."""
    if seed is None or isinstance(seed, _GENERATORS):
        return seed
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise SourceError(
            f"`seed` must be an integer, a generator or a tensor of shape (2,), got {seed!r}"
        )
    seed = operator.index(seed)
    if not 0 <= seed < 1 << 64:
        raise SourceError(f"`seed` must be from 0 up to 2**64 - 1, got {seed}")
    return seed
