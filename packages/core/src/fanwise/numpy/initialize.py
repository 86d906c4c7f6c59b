"""One array, or all parameters of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._axes import Axes
from .._draws.draw import draw
from .._draws.dtypes import field_of, for_field, rounding
from .._draws.streams import check_seed, parse_path
from .._errors import DtypeError, RecipeError, SourceError
from .._fans import Fans
from .._models.ledger import Ledger, Measured
from .._models.measure import Slices, measure
from .._models.norms import norms_in
from .._models.parameter import Parameter
from .._models.prepare import plan_or_check
from .._models.recipe import Recipe
from .._schemes.plan import Plan, resolve
from .._schemes.scheme import Scheme
from .source import Array, NumpySource, native_dtype, tiles


def init(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    seed: int | None = None,
    path: str | Sequence[str] = (),
    rng: np.random.Generator | None = None,
    fans: Fans | None = None,
    dtype: Any = "float32",
) -> Array:
    """Make an array of initial weights.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        Shape of the parameter.
    axes : Axes, optional
        The role of each axis. Leave it out if the scheme asks for none.
    seed : int, optional
        From 0 up to 2**64 - 1. The values are a function of `seed` and `path`, and of nothing
        else.
    path : str or sequence of str
        The name of the parameter, which must come with a seed: parameters of different names are
        independent, and parameters of equal names are equal.
    rng : numpy.random.Generator, optional
        A generator to draw from instead, which is advanced.
    fans : Fans, optional
        Fans to take instead of the fans that `axes` defines.
    dtype : dtype or str, default "float32"
        Any floating-point or complex dtype of NumPy or ml_dtypes.

    Returns
    -------
    numpy.ndarray
        The weights.

    Raises
    ------
    AxesError, FanError, LawError, SchemeError, DtypeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> from fanwise import Axes, glorot_uniform
    >>> from fanwise.numpy import init
    >>> w = init(glorot_uniform(), (300, 700), Axes("out in"), seed=0, path="encoder.weight")
    >>> round(float(w.var()), 4)  # 2 / (300 + 700)
    0.002
    """
    name = dtype_name(dtype)
    plan = resolve(scheme, shape, axes, fans=fans, field=field_of(name), path=parse_path(path))
    array: Array = draw(plan, _source(plan, seed, path, rng), dtype=name)
    return array


def init_(
    array: Array,
    scheme: Scheme,
    axes: Axes | None = None,
    /,
    *,
    seed: int | None = None,
    path: str | Sequence[str] = (),
    rng: np.random.Generator | None = None,
    fans: Fans | None = None,
) -> Array:
    """Initialize an array in place, contiguous or not.

    Parameters
    ----------
    array : numpy.ndarray
        A writable array of a floating-point or complex dtype.
    scheme, axes, seed, path, rng, fans
        As in `init`, which gives the same values.

    Returns
    -------
    numpy.ndarray
        `array`.

    Raises
    ------
    AxesError, FanError, LawError, SchemeError, DtypeError, SourceError
        Before anything is written.

    Examples
    --------
    >>> import numpy as np
    >>> from fanwise import normal
    >>> from fanwise.numpy import init, init_
    >>> w = init_(np.empty((3, 4), np.float32).T, normal(std=1.0), seed=0, path="w")
    >>> bool((w == init(normal(std=1.0), (4, 3), seed=0, path="w")).all())
    True
    """
    if not (isinstance(array, np.ndarray) and array.flags.writeable):
        raise SourceError(f"`array` must be a writable array, got {type(array).__name__} {array!r}")
    name = dtype_name(array.dtype)
    plan = resolve(
        scheme, array.shape, axes, fans=fans, field=field_of(name), path=parse_path(path)
    )
    drawn: Array = draw(plan, _source(plan, seed, path, rng), dtype=name, out=array)
    return drawn


def init_model(
    parameters: Iterable[Parameter],
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    seed: int,
    dtype: Any = "float32",
) -> tuple[dict[str, Array], Ledger]:
    """Make the arrays of all parameters of a model.

    Parameters
    ----------
    parameters : iterable of Parameter
        What the model says of itself.
    recipe : Recipe, Ledger or Scheme
        The rules; or what `plan_model` made of them.
    seed : int
        From 0 up to 2**64 - 1. The values of a parameter are a function of `seed` and its path.
    dtype : dtype or str, default "float32"
        Storage dtype of all parameters. Complex ones are in complex128 beside float64, and in
        complex64 beside any other.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        Each parameter that is initialized, by path.
    ledger : Ledger
        What happened to each.

    Raises
    ------
    RecipeError, AxesError, FanError, LawError, SchemeError, DtypeError, SourceError
        Before anything is drawn.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal
    >>> from fanwise.numpy import init_model
    >>> model = [Parameter("fc.weight", (8, 4), Axes("out in"))]
    >>> arrays, ledger = init_model(model, he_normal(), seed=0)
    >>> arrays["fc.weight"].shape
    (8, 4)
    """
    parameters = tuple(parameters)
    ledger = plan_or_check(parameters, recipe)
    return dict(draw_ledger(ledger, seed, dtype)), ledger


def draw_ledger(ledger: Ledger, seed: int, dtype: Any, /) -> Iterator[tuple[str, Array]]:
    """Each parameter that a ledger has as initialized or derived, made when it is asked for."""
    name, seed = dtype_name(dtype), check_seed(seed)
    ledger.check_draws(name)
    drawn = {entry.path for entry in ledger.entries if entry.plan is not None}
    missing = [holder.weight for holder in norms_in(ledger) if holder.weight not in drawn]
    missing += [entry.path for entry in ledger.entries if entry.status == "kept"]
    if missing:
        raise RecipeError(
            f"`parameters` must be drawn where values of them are needed, got {missing}"
        )
    return _draw_entries(ledger, seed, name)


def _draw_entries(ledger: Ledger, seed: int, dtype: str) -> Iterator[tuple[str, Array]]:
    holders = norms_in(ledger)
    weights: dict[str, Array] = dict.fromkeys((one.weight for one in holders), np.empty(0))
    for entry in ledger.entries:
        if entry.plan is not None:
            array = _draw(entry.plan, NumpySource(seed, entry.stream), dtype)
            if entry.path in weights:
                weights[entry.path] = array
            yield entry.path, array
    for one in holders:
        weight = np.abs(weights[one.weight])
        wide = weight.astype(np.promote_types(np.float32, weight.dtype))
        norms = np.sqrt((wide**2).sum(axis=one.axes))
        yield one.path, norms.reshape(one.shape).astype(weight.dtype)


def _draw(plan: Plan, source: NumpySource, dtype: str) -> Array:
    array: Array = draw(plan, source, dtype=for_field(dtype, plan.field))
    return array


def measure_model(arrays: Mapping[str, Array], ledger: Ledger, /) -> dict[str, Measured]:
    """Compare the mean and std of drawn parameters with their laws.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        The parameters, by path.
    ledger : Ledger
        What was drawn.

    Returns
    -------
    dict of str to Measured
        Mean and std of each array that the ledger has as initialized, and how many of their
        standard errors they are off. ``ledger.table(measured)`` prints them.

    Raises
    ------
    SourceError
        If an array has another shape than its plan.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal
    >>> from fanwise.numpy import init_model, measure_model
    >>> model = [Parameter("fc.weight", (256, 256), Axes("out in"))]
    >>> measured = measure_model(*init_model(model, he_normal(), seed=0))
    >>> abs(measured["fc.weight"].std_z) < 4
    True
    """
    return {
        entry.path: measure_array(entry.plan, arrays[entry.path])
        for entry in ledger.entries
        if entry.plan is not None and entry.path in arrays
    }


def measure_array(plan: Plan, array: Array, /) -> Measured:
    """Compare the mean and std of one drawn parameter with its laws."""

    def sums(slices: Slices, mean: float) -> tuple[float, float]:
        total = square = 0.0
        for tile in tiles(array[slices]):
            wide = tile.astype(np.complex128 if plan.field == "complex" else np.float64)
            wide -= mean
            total += float(wide.real.sum())
            square += float((wide.real**2).sum() + (wide.imag**2).sum())
        return total, square

    return measure(plan, array.shape, sums, rounding=rounding(dtype_name(array.dtype)))


def dtype_name(dtype: Any) -> str:
    """The name of a floating-point or complex dtype of NumPy or ml_dtypes, or of its name."""
    if dtype is None:
        raise DtypeError("`dtype` must be given, got None")
    return native_dtype(dtype if isinstance(dtype, str) else np.dtype(dtype).name).name


def _source(
    plan: Plan, seed: int | None, path: str | Sequence[str], rng: np.random.Generator | None
) -> NumpySource:
    """The source of a call's randomness; raise unless it says one, and only one."""
    if rng is not None:
        if seed is not None or path:
            raise SourceError(f"`rng` must come without a seed and a path, got {seed} and {path!r}")
        if not isinstance(rng, np.random.Generator):
            raise SourceError(f"`rng` must be a numpy.random.Generator, got {rng!r}")
        return NumpySource(rng)
    if seed is None:
        if plan.scheme.is_random:
            raise SourceError(f"`seed` and `path`, or `rng`, must be given to draw {plan.scheme}")
        seed = 0
    elif not path and plan.scheme.is_random:
        raise SourceError("`path` must come with a seed, got an empty one")
    return NumpySource(seed, path)
