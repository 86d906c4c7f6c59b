"""An initializer as the layers of Keras take one, which learns what it is for when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ._core import (
    Axes,
    AxesError,
    Fans,
    Scheme,
    SourceError,
    declared_in,
    parse_path,
)
from ._layers import declare
from ._private import variable_being_made
from ._source import TfSource, unconverted
from ._tensor import Generator, Seed, checked_seed, draw_tensor, next_seed


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
