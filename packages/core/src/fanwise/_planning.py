"""Planning a model: a recipe and parameters become a ledger (spec: recipes/4 to recipes/7)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from ._errors import AxesError, FanError, LawError, RecipeError, SchemeError
from ._fans import Fans, block_fans, one_if_equal
from ._ledger import Entry, Ledger
from ._parameter import Parameter
from ._plan import resolve
from ._recipe import Recipe, Rule
from ._stream import Path, parse_path


def plan_model(recipe: Recipe, parameters: Iterable[Parameter], /) -> Ledger:
    """Decide what happens to each parameter of a model, before anything is drawn.

    Parameters
    ----------
    recipe : Recipe
        The rules.
    parameters : iterable of Parameter
        What the model declares.

    Returns
    -------
    Ledger
        An entry for each parameter, in order.

    Raises
    ------
    RecipeError
        If a path occurs twice, a parameter matches no rule, a rule that is not optional is the
        first to match no parameter, or a tie or a weight to take fans of is not there. All such
        faults of a model are in the one error.
    AxesError, FanError, LawError, SchemeError
        If a scheme does not fit its parameter, whose path is in the notes.

    Examples
    --------
    >>> recipe = Recipe((Rule(scheme=he_normal()),))
    >>> print(plan_model(recipe, [Parameter("weight", (8, 2), Axes("out in"))]))
    path    shape   axes    fans    law     std
    weight  (8, 2)  out in  (2, 8)  normal  1
    """
    if not hasattr(recipe, "rules"):
        raise RecipeError(f"`recipe` must be a Recipe, got {recipe!r}")
    if not isinstance(parameters, Iterable):
        raise RecipeError(f"`parameters` must be Parameters, got {parameters!r}")
    parameters = tuple(parameters)
    for parameter in parameters:
        if not hasattr(parameter, "left_as"):
            raise RecipeError(f"`parameters` must be Parameters, got {parameter!r}")
    by_path = {parameter.path: parameter for parameter in parameters}
    faults = _structural_faults(parameters, by_path)
    entries, used = [], set()
    for parameter in parameters:
        found = _first_match(recipe, parameter)
        if found is not None:
            used.add(found[0])
        if parameter.tied_to is not None:
            entries.append(Entry(parameter, "tied"))
            if found is not None and found[1].left_as is not None:
                faults += _faults_of_left_tie(recipe, parameter, by_path)
        elif parameter.left_as is not None:
            entries.append(Entry(parameter, parameter.left_as))
        elif found is None and parameter.default is not None:
            plan = resolve(
                parameter.default, parameter.shape, parameter.axes, field=parameter.field
            )
            entries.append(Entry(parameter, "initialized", plan=plan))
        elif found is None and parameter.kind == "buffer":
            entries.append(Entry(parameter, "skipped"))
        elif found is None:
            faults.append(f"every parameter must match a rule, got none for {parameter.path!r}")
        else:
            if not faults:
                entries.append(_plan(parameter, *found, recipe, by_path))
    kinds = sorted({parameter.kind for parameter in parameters})
    faults += [
        f"every rule must be the first to match a parameter, or be optional, "
        f"got rule {index} {_selector(rule)}"
        + ("" if rule.kind in (None, *kinds) else f" of a model whose kinds are {kinds}")
        for index, rule in enumerate(recipe.rules)
        if index not in used and not rule.optional
    ]
    if faults:
        raise RecipeError("; ".join(faults))
    _check_streams(entries)
    return Ledger(tuple(entries))


def _check_streams(entries: Iterable[Entry]) -> None:
    """Raise if two parameters, or blocks of them, would have equal values (spec: randomness/2)."""
    seen: dict[Path, str] = {}
    for entry in entries:
        if entry.plan is None:
            continue
        stream = tuple(unicodedata.normalize("NFC", segment) for segment in entry.stream)
        blocks = range(len(entry.plan.parts))
        for key in [stream] if len(blocks) == 1 else [(*stream, str(i)) for i in blocks]:
            if key in seen:
                raise RecipeError(
                    f"`path` must give every parameter and block a stream of its own, "
                    f"got one for {seen[key]!r} and {entry.path!r}"
                )
            seen[key] = entry.path


def _structural_faults(
    parameters: tuple[Parameter, ...], by_path: Mapping[str, Parameter]
) -> list[str]:
    faults = []
    twice = [path for path, n in Counter(p.path for p in parameters).items() if n > 1]
    if twice:
        faults.append(f"`path` must occur once, got {sorted(twice)} more often")
    for parameter in parameters:
        if parameter.tied_to is None:
            continue
        target = by_path.get(parameter.tied_to)
        like = target is not None and (target.shape, target.field) == (
            parameter.shape,
            parameter.field,
        )
        if target is None or target.tied_to is not None or not like:
            faults.append(
                f"`tied_to` must name an untied {parameter.field} parameter "
                f"of shape {parameter.shape}, got {parameter.tied_to!r} for {parameter.path!r}"
            )
    return faults


def _faults_of_left_tie(
    recipe: Recipe, parameter: Parameter, by_path: Mapping[str, Parameter]
) -> list[str]:
    """What a rule leaves under one of its names must be left under the one that is drawn."""
    target = by_path.get(parameter.tied_to or "")
    if target is None or target.left_as is not None:
        return []
    drawn = _first_match(recipe, target)
    if drawn is not None and drawn[1].left_as is not None:
        return []
    return [
        f"a rule that leaves {parameter.path!r} must leave what it is tied to, "
        f"got {target.path!r} that is drawn"
    ]


def _first_match(recipe: Recipe, parameter: Parameter) -> tuple[int, Rule] | None:
    for index, rule in enumerate(recipe.rules):
        if rule.matches(parameter):
            return index, rule
    return None


def _selector(rule: Rule) -> str:
    return f"({rule.match!r})" if rule.kind is None else f"({rule.match!r}, kind {rule.kind!r})"


def _plan(
    parameter: Parameter,
    index: int,
    rule: Rule,
    recipe: Recipe,
    by_path: Mapping[str, Parameter],
) -> Entry:
    if rule.left_as is not None:
        return Entry(parameter, rule.left_as, index, note=rule.note)
    try:
        scheme = rule.scheme_for(parameter.path)
        assert scheme is not None  # a rule has one or is left
        axes = parameter.axes if parameter.axes is not None else rule.axes
        try:
            fans = _fans_of_weight(parameter, rule, recipe, by_path)
        except RecipeError as missing:
            try:  # few schemes need them
                plan = resolve(scheme, parameter.shape, axes, field=parameter.field)
            except (AxesError, FanError):
                raise missing from None
        else:
            plan = resolve(scheme, parameter.shape, axes, fans=fans, field=parameter.field)
    except (AxesError, FanError, LawError, SchemeError, RecipeError) as error:
        error.add_note(f"parameter: {parameter.path}; rule {index} {_selector(rule)}")
        if parameter.axes is None and rule.axes is None and isinstance(error, AxesError):
            error.add_note("neither the parameter nor the rule declares axes")
        raise
    return Entry(parameter, "initialized", index, plan, rule.note)


def _fans_of_weight(
    parameter: Parameter, rule: Rule, recipe: Recipe, by_path: Mapping[str, Parameter]
) -> tuple[Fans, ...] | None:
    path = parameter.fans_of
    if path is None and rule.fans_of is not None:
        path = ".".join((*parse_path(parameter.path)[:-1], rule.fans_of))
    if path is None:
        return None
    weight = by_path.get(path)
    axes = None if weight is None else weight.axes
    if weight is not None and axes is None:  # then those that its own rule supplies
        found = _first_match(recipe, weight)
        axes = None if found is None else found[1].axes
    if weight is None or axes is None:
        raise RecipeError(
            f"`fans_of` must name a parameter with axes, got {path!r} for {parameter.path!r}"
        )
    return one_if_equal(block_fans(weight.shape, axes))
