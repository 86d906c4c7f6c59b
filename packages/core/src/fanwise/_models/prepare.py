"""From what an adapter finds in a model to its ledger: once, for all frameworks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._errors import RecipeError
from .._schemes.scheme import Scheme
from .._structure.record import Computation
from .faults import faults_without_values, listed
from .ledger import Ledger, as_ledger
from .parameter import Parameter
from .planning import plan_all
from .recipe import Recipe
from .structure import Structure


@dataclass(frozen=True, slots=True)
class Found:
    """A parameter or buffer as an adapter found it in a model, under one of its names.

    Attributes
    ----------
    parameter : Parameter
        What is known of it, but for `loaded` and ties.
    dtype : str
        Its storage dtype, by its usual name.
    storage : hashable
        What is equal for those that are one in memory.
    names : tuple of str, default ()
        Further names that `loaded` may call it by.
    layer_shape : tuple of int or None, or None
        The shape that it has by the sizes that its layer knows, None for an axis of any size.
    """

    parameter: Parameter
    dtype: str
    storage: Hashable
    names: tuple[str, ...] = ()
    layer_shape: tuple[int | None, ...] | None = None


def prepare(
    found: Sequence[Found],
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    loaded: Iterable[str] = (),
    ignored: Iterable[str] = (),
    computation: Computation | None = None,
) -> Ledger:
    """Plan a model, or check that a ledger is of it: all errors come before anything is drawn.

    Parameters
    ----------
    found : sequence of Found
        In the order of the model.
    recipe : Recipe, Ledger or Scheme
        The rules; or a ledger that was planned for the same model.
    loaded : iterable of str, default ()
        Names of what is loaded from a checkpoint.
    ignored : iterable of str, default ()
        Names that `loaded` may have although no parameter is called so.
    computation : Computation, optional
        What the model computes with its parameters.

    Returns
    -------
    Ledger
        An entry for each, in order.

    Raises
    ------
    RecipeError
        If a name of `loaded` is not in the model, the ledger is of another model, or as
        `plan_model`.
    AxesError, DtypeError, FanError, LawError, SchemeError
        With the path of the parameter in the notes.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal
    >>> from fanwise.adapting import Found, prepare
    >>> embedding = Parameter("embed", (50, 8), Axes("in out", one_hot=True), "embedding")
    >>> head = Parameter("head", (50, 8), Axes("out in"))
    >>> ledger = prepare([Found(embedding, "float32", 0), Found(head, "float32", 0)], he_normal())
    >>> [(entry.path, entry.status) for entry in ledger.entries]
    [('embed', 'initialized'), ('head', 'tied')]
    """
    names = _check_loaded(loaded, found, ignored)
    faults = _faults_of_shapes(found)
    if computation is not None:
        structure = Structure.of([one.parameter for one in found], computation)
        faults += structure.faults
        found = [
            replace(one, parameter=parameter)
            for one, parameter in zip(found, structure.parameters, strict=True)
        ]
    parameters = tie(
        [
            replace(one.parameter, status="loaded", tied_to=None)
            if names & {one.parameter.path, *one.names}
            else one.parameter
            for one in found
        ],
        [one.storage for one in found],
    )
    ledger = plan_or_check(parameters, recipe, faults=faults)
    ledger.check_draws(
        {
            entry.path: one.dtype
            for entry, one in zip(ledger.entries, found, strict=True)
            if entry.plan is not None
        }
    )
    return ledger


def plan_or_check(
    parameters: Sequence[Parameter],
    recipe: Recipe | Ledger | Scheme,
    /,
    *,
    faults: Sequence[str] = (),
) -> Ledger:
    """Plan a model by a recipe; of a ledger, check that it is of this model."""
    ledger = as_ledger(recipe)
    if ledger is None:
        return plan_all(parameters, recipe, faults)  # type: ignore[arg-type]  # it is no ledger
    ledger.check_model(parameters)
    valued = [parameter.valued for parameter in parameters]
    if faults := [*faults, *faults_without_values(ledger.entries, valued)]:
        raise RecipeError("\n".join(faults))
    return ledger


def _faults_of_shapes(found: Sequence[Found]) -> list[str]:
    """What has another shape than its layer's own sizes say."""
    groups: dict[tuple[str, str], list[tuple[Parameter, Any]]] = {}
    for one in found:
        shape, parameter = one.parameter.shape, one.parameter
        expected = one.layer_shape
        if expected is None or parameter.status == "skipped":  # packed, as quantized weights are
            continue
        fits = len(expected) == len(shape) and all(
            n in (None, size) for n, size in zip(expected, shape, strict=True)
        )
        if not fits:
            key = (parameter.layer, parameter.path.rpartition(".")[2])
            groups.setdefault(key, []).append((parameter, expected))
    return [
        f"`shape` must be {' x '.join('any' if n is None else str(n) for n in group[0][1])}, by "
        f"the sizes of {layer or 'the layer'}, got {group[0][0].shape} for "
        f"{listed([parameter.path for parameter, _ in group])}"
        for (layer, _), group in groups.items()
    ]


def tie(parameters: Sequence[Parameter], storages: Sequence[Hashable], /) -> list[Parameter]:
    """Mark as tied the parameters that are one in memory, and leave all names if one is left.

    The first parameter with axes is drawn, of those with padding if there are any; else the first
    parameter, else the first buffer.
    """
    groups: dict[Hashable, list[Parameter]] = {}
    for parameter, storage in zip(parameters, storages, strict=True):
        groups.setdefault(storage, []).append(parameter)
    tied = []
    for parameter, storage in zip(parameters, storages, strict=True):
        same = groups[storage]
        if len(same) == 1:
            tied.append(parameter)
            continue
        first = min(same, key=lambda p: (p.kind == "buffer", p.axes is None, p.padding is None))
        reasons = {p.status for p in same} - {None}
        reason: Any = "loaded" if "loaded" in reasons else next(iter(reasons), None)
        paddings = {p.padding for p in same} - {None}
        if len(paddings) > 1:
            raise RecipeError(
                f"`padding` must be one of tied parameters, got {sorted(map(str, paddings))} "
                f"for {first.path!r}"
            )
        tied.append(
            replace(parameter, status=reason, padding=next(iter(paddings), None))
            if parameter is first
            else replace(parameter, tied_to=first.path, status=None, default=None, padding=None)
        )
    return tied


def _check_loaded(loaded: Any, found: Sequence[Found], ignored: Iterable[str]) -> frozenset[str]:
    given = list(loaded) if isinstance(loaded, Iterable) else [None]
    if isinstance(loaded, str) or not all(isinstance(name, str) for name in given):
        raise RecipeError(f"`loaded` must be a collection of names, got {loaded!r}")
    names = frozenset(map(str, given))
    known = {name for one in found for name in (one.parameter.path, *one.names)}
    unknown = sorted(names - known - frozenset(ignored))
    if unknown:
        raise RecipeError(f"`loaded` must be names in the model, got {unknown}")
    return names
