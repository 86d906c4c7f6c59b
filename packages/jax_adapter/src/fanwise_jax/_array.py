"""One array: an initializer as JAX and Flax call them, or the array itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from ._core import Axes, Fans, Scheme, SourceError, field_of, parse_path, resolve
from ._sharded import Sharding, draw_sharded
from ._source import check_dtype, check_key, dtype_name

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SchemeInitializer:
    """An initializer of the protocol of JAX that draws a scheme; made by `initializer`.

    It is data: equal if made from equal parts, hashable, and so a static argument of `jit` and an
    attribute of a Flax module.

    Attributes
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, function of a shape, or None
        The role of each axis.
    fans : Fans, function of a shape, or None
        Fans to take instead of the fans that `axes` defines.
    dtype : dtype or None
        The dtype of calls that give none.
    """

    scheme: Scheme
    axes: Axes | Callable[[Shape], Axes] | None = None
    fans: Fans | Callable[[Shape], Fans] | None = None
    dtype: Any = None

    def __call__(
        self,
        key: jax.Array,
        shape: Sequence[int],
        dtype: Any = None,
        out_sharding: Sharding = None,
    ) -> jax.Array:
        """Draw an array.

        Parameters
        ----------
        key : jax.Array
            One key, typed or legacy. Equal keys give equal arrays.
        shape : sequence of int
            The shape of the array.
        dtype : dtype, optional
            Any floating-point or complex dtype; by default the dtype of the initializer, else the
            default dtype of JAX.
        out_sharding : jax.sharding.NamedSharding or jax.sharding.PartitionSpec, optional
            How the array is laid out; its values do not depend on it.

        Returns
        -------
        jax.Array
            The array.
        """
        axes = self.axes(tuple(shape)) if callable(self.axes) else self.axes
        if axes is not None:
            axes = _flattened(axes, tuple(shape))
        fans = self.fans(tuple(shape)) if callable(self.fans) else self.fans
        name = self.dtype_of_call(dtype)
        if getattr(self.scheme, "is_random", True):
            check_key(key)
        plan = resolve(self.scheme, shape, axes, fans=fans, field=field_of(name))
        return draw_sharded(plan, key, (), name, out_sharding)

    def dtype_of_call(self, dtype: Any) -> str:
        """The name of the dtype that a call draws in: its own, the initializer's, or JAX's."""
        chosen = self.dtype if dtype is None else dtype
        return dtype_name(float if chosen is None else chosen)


def _flattened(axes: Axes, shape: Shape) -> Axes:
    """The axes of a kernel that Flax hands to its initializer as a matrix.

    `DenseGeneral` and attention flatten a kernel to (inputs, outputs) before it is initialized.
    """
    roles = " ".join(axes.roles)
    if len(shape) != 2 or len(axes.roles) <= 2 or axes.blocks or axes.groups > 1:
        return axes
    if "stack" in axes.roles:
        raise SourceError(
            f"`axes` {roles!r} must not have 'stack' for the flattened kernel of {shape} that "
            f"Flax hands over: say Axes('in out', blocks={{'in': copies}})"
        )
    inputs, outputs = axes.roles.count("in"), axes.roles.count("out")
    if axes.roles == ("in",) * inputs + ("out",) * outputs:
        return Axes("in out", one_hot=axes.one_hot)
    return axes


def initializer(
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    fans: Fans | None = None,
    dtype: Any = None,
) -> SchemeInitializer:
    """Make an initializer of the protocol of JAX, for a scheme and the roles of a kernel's axes.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    axes : Axes, optional
        The role of each axis. Leave it out if the scheme asks for none.
    fans : Fans, optional
        Fans to take instead of the fans that `axes` defines.
    dtype : dtype, optional
        The dtype of calls that give none; by default the default dtype of JAX.

    Returns
    -------
    SchemeInitializer
        A function of a key, a shape, a dtype and a sharding, as `jax.nn.initializers.Initializer`.

    Raises
    ------
    DtypeError
        If `dtype` is not a floating-point or complex dtype.
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        When it is called, before anything is drawn.

    Notes
    -----
    Values are drawn in float32 or wider and rounded once; JAX draws in the dtype of the array, of
    which bfloat16 has 128 values. Orthogonal schemes take every dtype and sharding.

    `DenseGeneral` and the attention of Flax hand a kernel over as a matrix, inputs by outputs.
    Axes such as ``layers.flax.attention_projection()`` fit it as they are; of a kernel with batch
    axes, say ``Axes("in out", blocks={"in": copies})``.

    Examples
    --------
    >>> import jax
    >>> from fanwise import he_normal, layers
    >>> from fanwise_jax import initializer
    >>> init = initializer(he_normal(), layers.flax.conv(2, groups=4))
    >>> kernel = init(jax.random.key(0), (3, 3, 16, 128), "bfloat16")
    >>> round(float(kernel.std()), 2)  # sqrt(2 / 144)
    0.12
    """
    if dtype is not None:
        check_dtype(dtype)
    return SchemeInitializer(scheme, axes, fans, dtype)


def init(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    key: jax.Array | None = None,
    path: str | Sequence[str] = (),
    fans: Fans | None = None,
    dtype: Any = None,
    out_sharding: Sharding = None,
) -> jax.Array:
    """Make an array of initial weights.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        Shape of the parameter.
    axes, fans, dtype
        As in `initializer`.
    key : jax.Array
        One key, typed or legacy. Schemes that draw nothing need no key.
    path : str or sequence of str, default ()
        The name of the parameter, which is folded into the key: the array is then the one that
        `init_model` draws for that path.
    out_sharding : jax.sharding.NamedSharding or jax.sharding.PartitionSpec, optional
        How the array is laid out; its values do not depend on it.

    Returns
    -------
    jax.Array
        The weights.

    Raises
    ------
    AxesError, DtypeError, FanError, LawError, SchemeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> import jax
    >>> from fanwise import Axes, glorot_uniform
    >>> from fanwise_jax import init
    >>> init(glorot_uniform(), (4, 8), Axes("in out"), key=jax.random.key(0), path="fc").shape
    (4, 8)
    """
    segments = parse_path(path)
    if getattr(scheme, "is_random", True):
        check_key(key)
    name = dtype_name(float if dtype is None else dtype)
    plan = resolve(scheme, shape, axes, fans=fans, field=field_of(name), path=segments)
    where: Any = key  # None, where nothing is drawn from it
    if where is None:
        where = jax.random.key(0)
    return draw_sharded(plan, where, segments, name, out_sharding)
