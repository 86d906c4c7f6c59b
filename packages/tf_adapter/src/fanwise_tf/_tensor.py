"""One tensor: an initializer as Keras' layers take them."""

from __future__ import annotations

import itertools
import operator
import uuid
import weakref
from collections.abc import Callable, Sequence
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
    draw,
    field_of,
    parse_path,
    resolve,
    stream_key,
)
from ._source import TfSource, dtype_name, shape_segment, unconverted

_GENERATORS = (keras.random.SeedGenerator, tf.random.Generator)

Seed = Any  # int | tf.random.Generator | keras.random.SeedGenerator | tf.Tensor


class _Copies:
    """What an initializer and its copies have in common: a seed, a count of calls, and a name.

    Kept for as long as one of them is.
    """

    def __init__(self, seed: Seed, name: str | None = None) -> None:
        self.seed, self.calls = seed, itertools.count()
        # In no other process either; no value depends on it.
        self.name = uuid.uuid4().hex if name is None else name
        _COPIES[self.name] = self


_COPIES: weakref.WeakValueDictionary[str, _Copies] = weakref.WeakValueDictionary()


@keras.saving.register_keras_serializable(package="fanwise")
class Initializer(keras.initializers.Initializer):  # type: ignore[misc]  # Keras is untyped
    """An initializer of Keras' kind that draws a scheme.

    Every call draws anew, so that one object may serve many layers: the n-th tensor of an object is
    a function of `seed`, of the scheme and the shape, and of n. With a `path`, it is a function of
    `seed` and path, and equal at every call, as with Keras' own initializers.

    Copies by its configuration are counted with the object, so that theirs are other tensors, too.
    Keras makes copies for the projections of `MultiHeadAttention`, the halves of `Bidirectional`
    and the layers of a cloned or loaded model.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis; may be left out if the scheme asks for none.
    seed : int, tf.random.Generator, keras.random.SeedGenerator or tf.Tensor
        From 0 up to 2**64 - 1; a seed of TensorFlow's stateless functions, two integers; or a
        generator, which is advanced by each call. May be left out for schemes that draw nothing.
    path : str or sequence of str, optional
        The variable's name, unless `seed` is a generator. Tensors of equal seeds and paths are
        equal.
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
    A call that `tf.function` traces is one call, whose tensor is the same at every run. A layer
    with kernels of several roles, as attention with its output projection, gives them one
    initializer: `axes` cannot fit them all, and `init_model` takes each one's. To load a model that
    was saved with one, import `fanwise_tf` first.

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
        if seed is None and getattr(scheme, "is_random", True):
            raise SourceError(f"`seed` must be given to draw {scheme!r}, got None")
        if path is not None and (seed is None or isinstance(seed, _GENERATORS)):
            raise SourceError(
                f"`path` must come with a seed that is no generator, got {path!r} with {seed!r}"
            )
        self.scheme, self.axes, self.seed, self.fans = scheme, axes, _checked(seed), fans
        self.path = None if path is None else parse_path(path)
        self._copies = _Copies(self.seed)

    @unconverted
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

    def _source(self, shape: Sequence[int]) -> TfSource:
        if self.seed is None:
            return TfSource(0)
        if isinstance(self.seed, _GENERATORS):
            return TfSource(next_seed(self.seed))
        if self.path is not None:
            return TfSource(self.seed, self.path)
        call = f"call {next(self._copies.calls)}"
        return TfSource(self.seed, (call, repr(self.scheme), shape_segment(shape)))

    def get_config(self) -> dict[str, Any]:
        """The initializer as plain data, of which `from_config` makes a copy.

        Returns
        -------
        dict
            JSON data. A generator is in it as its state, with which a copy starts in another
            process; in this one, they share the generator.

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
            "fans": None if self.fans is None else self.fans.to_data(),
            "copy_of": self._copies.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make a copy of the initializer that `get_config` has the data of."""
        seed, axes, fans = config["seed"], config["axes"], config["fans"]
        copies = _COPIES.get(config["copy_of"])
        if copies is not None:
            seed = copies.seed
        made = cls(
            Scheme.from_data(config["scheme"]),
            None if axes is None else Axes.from_data(axes),
            seed=tf.constant(seed, tf.int64) if isinstance(seed, list) else seed,
            path=config["path"],
            fans=None if fans is None else Fans.from_data(fans),
        )
        # Where the object is no longer, or is not, its first copy counts for the others.
        made._copies = copies or _Copies(made.seed, config["copy_of"])
        return made

    def __deepcopy__(self, memo: Any) -> Initializer:
        return self.from_config(self.get_config())

    def __repr__(self) -> str:
        given = {"seed": self.seed, "path": self.path, "fans": self.fans}
        options = "".join(f", {k}={v!r}" for k, v in given.items() if v is not None)
        axes = "" if self.axes is None else f", {self.axes!r}"
        return f"Initializer({self.scheme!r}{axes}{options})"


def draw_tensor(
    scheme: Scheme,
    shape: Sequence[int],
    axes: Axes | None,
    fans: Fans | None,
    source: Callable[[Sequence[int]], TfSource],
    *,
    dtype: Any = None,
    layout: Any = None,
) -> Any:
    """Draw a scheme, from the source that a function makes once all is checked."""
    check_backend()
    name = dtype_name(keras.config.floatx() if dtype is None else dtype)
    plan = resolve(scheme, shape, axes, fans=fans, field=field_of(name))
    check_draw(plan, name)
    if isinstance(layout, keras.distribution.TensorLayout):
        layout = layout.backend_layout
    if layout is not None and not isinstance(layout, dtensor.Layout):
        raise SourceError(f"`layout` must be a TensorLayout or a Layout, got {layout!r}")
    tensor = draw(plan, source(plan.shape), dtype=name)
    if layout is None:
        return tensor
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


def _seed_data(seed: Seed) -> int | list[int] | None:
    """A seed as plain data: a tensor's two integers, or two of a generator's state."""
    if seed is None or isinstance(seed, int):
        return seed
    state = seed.state if isinstance(seed, _GENERATORS) else seed
    if not hasattr(state, "numpy"):
        raise SourceError(f"`seed` must have a value to be copied or saved, got {seed!r}")
    numbers = [int(number) for number in state.numpy().reshape(-1)]
    return [numbers[0], numbers[-1]]  # the counter and the key of TensorFlow's, all of Keras'


def _checked(seed: Any) -> Any:
    """A seed, an integer of any kind as one of Python's."""
    if seed is None or isinstance(seed, _GENERATORS):
        return seed
    if isinstance(seed, tf.Tensor | tf.Variable):
        return TfSource(tf.convert_to_tensor(seed)).seed
    try:
        if isinstance(seed, bool):
            raise TypeError
        seed = operator.index(seed)
    except TypeError:
        raise SourceError(
            f"`seed` must be an integer, a generator or a tensor of two integers, got {seed!r}"
        ) from None
    stream_key(seed, ())  # raises unless it is a seed
    return seed
