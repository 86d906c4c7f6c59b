"""Planning a model: a recipe and parameters become a ledger (spec: recipes/4 to recipes/7)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._draws.streams import Path, parse_path
from .._errors import AxesError, FanError, RecipeError
from .._fans import Fans, block_fans, one_if_equal
from .._schemes.elementwise import zeros
from .._schemes.plan import Plan, resolve
from .._schemes.scheme import Scheme
from .faults import (
    Matches,
    MissingAxesError,
    faults_of_names,
    faults_of_norms,
    faults_of_paths,
    faults_of_rules,
    faults_of_ties,
    faults_of_unknown,
    faults_without_rule,
    faults_without_values,
    is_kept,
    raise_all,
    selector,
    start_of,
)
from .ledger import Entry, Ledger
from .parameter import Parameter
from .recipe import Recipe, Rule, as_recipe


def plan_model(parameters: Iterable[Parameter], recipe: Recipe | Scheme, /) -> Ledger:
    """Decide what happens to each parameter of a model, before anything is drawn.

    Parameters
    ----------
    parameters : iterable of Parameter
        What the model says of itself.
    recipe : Recipe or Scheme
        The rules; a scheme alone is for all weights and embeddings.

    Returns
    -------
    Ledger
        An entry for each parameter, in order.

    Raises
    ------
    RecipeError
        If a path occurs twice, a parameter has neither a rule nor a start of its own, nobody
        knows what it is for, it has no values and would get none, a rule that is not optional is
        the first to match no parameter, or a tie or a weight to take fans of is not there.
    AxesError, DtypeError, FanError, LawError, SchemeError
        If a scheme does not fit its parameter, whose path is in the text or the notes.

    All faults of a model are in one error, one a line: of their type if they have one, else a
    `RecipeError`.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal, plan_model
    >>> print(plan_model([Parameter("weight", (8, 2), Axes("out in"))], he_normal()))
    path    shape   axes    known     fans    law     std
    weight  (8, 2)  out in  declared  (2, 8)  normal  1
    """
    return plan_all(parameters, recipe)


def plan_all(
    parameters: Iterable[Parameter], recipe: Recipe | Scheme, faults: Sequence[str] = (), /
) -> Ledger:
    """As `plan_model`, of a model of which other faults are known already."""
    rules = as_recipe(recipe).rules
    if not isinstance(parameters, Iterable):
        raise RecipeError(f"`parameters` must be Parameters, got {parameters!r}")
    parameters = tuple(parameters)
    for parameter in parameters:
        if not hasattr(parameter, "tied_to"):
            raise RecipeError(f"`parameters` must be Parameters, got {parameter!r}")
    by_path = {parameter.path: parameter for parameter in parameters}
    matches = {parameter.path: _first_match(rules, parameter) for parameter in parameters}
    entries, failed = [], []
    for parameter in parameters:
        try:
            entries.append(_entry(parameter, matches, by_path))
        except (ValueError, TypeError) as error:
            failed.append((parameter, error))
    found = [
        *faults,
        *faults_of_paths(parameters, by_path),
        *faults_of_ties(parameters, by_path, matches),
        *faults_of_norms(parameters, by_path),
        *faults_of_unknown(parameters, matches),
        *faults_without_rule(parameters, matches, rules),
        *faults_of_rules(parameters, matches, rules),
        *faults_of_names(parameters, matches, rules),
        *faults_without_values(entries, [entry.parameter.valued for entry in entries]),
    ]
    if found or failed:
        raise_all(found, failed)
    _check_streams(entries)
    return Ledger(tuple(entries))


def _first_match(rules: Sequence[Rule], parameter: Parameter) -> tuple[int, Rule] | None:
    return next((pair for pair in enumerate(rules) if pair[1].matches(parameter)), None)


def _entry(parameter: Parameter, matches: Matches, by_path: Mapping[str, Parameter]) -> Entry:
    if parameter.tied_to is not None:
        return Entry(parameter, "tied")
    if parameter.status is not None:
        return Entry(parameter, parameter.status)
    found = matches[parameter.path]
    if found is None:
        if parameter.norms_of is not None:
            return Entry(parameter, "derived")
        start = start_of(parameter)
        if start is None and is_kept(parameter):
            return Entry(parameter, "kept")
        if start is None:
            return Entry(parameter, "skipped")  # a buffer; of others, this is a fault
        return Entry(parameter, "initialized", plan=_resolve(parameter, start, parameter.axes))
    index, rule = found
    if rule.left_as is not None:
        return Entry(parameter, rule.left_as, index, note=rule.note)
    scheme = rule.scheme
    assert scheme is not None  # a rule has one, or a status
    try:
        plan = _plan(parameter, scheme, rule, matches, by_path)
    except (ValueError, TypeError) as error:
        error.add_note(f"parameter: {parameter.path}; rule {index} {selector(rule)}")
        raise
    return Entry(parameter, "initialized", index, plan, rule.note)


def _plan(
    parameter: Parameter,
    scheme: Scheme,
    rule: Rule,
    matches: Matches,
    by_path: Mapping[str, Parameter],
) -> Plan:
    axes = rule.axes or parameter.axes
    path = _weight_of(parameter, rule)
    if path is None:
        needs = {one.base.needs for one in scheme.of_blocks or (scheme,)}
        if axes is None and needs != {"nothing"}:
            raise MissingAxesError(scheme)
        return _resolve(parameter, scheme, axes, rule)
    try:
        fans = _fans_of(path, parameter, matches, by_path)
    except RecipeError as missing:
        try:  # few schemes need them
            return _resolve(parameter, scheme, axes, rule)
        except (AxesError, FanError):
            raise missing from None
    if scheme.base.needs == "fans" and any(one.fan_in == 0 for one in fans):
        scheme = zeros()  # the bias of units without inputs, as PyTorch has it
    return _resolve(parameter, scheme, axes, rule, fans)


def _resolve(
    parameter: Parameter, scheme: Scheme, axes: Any, rule: Rule | None = None, fans: Any = None
) -> Plan:
    padding = parameter.padding
    if rule is not None and rule.padding is not None:
        padding = rule.padding
    return resolve(
        scheme,
        parameter.shape,
        axes,
        fans=fans,
        field=parameter.field,
        path=parse_path(parameter.path),
        padding=padding,
        branches=parameter.branches,
    )


def _weight_of(parameter: Parameter, rule: Rule) -> str | None:
    """Path of the weight whose fans a parameter takes."""
    if rule.fans_of is None:
        return parameter.fans_of
    return ".".join((*parse_path(parameter.path)[:-1], rule.fans_of))


def _fans_of(
    path: str, parameter: Parameter, matches: Matches, by_path: Mapping[str, Parameter]
) -> tuple[Fans, ...]:
    weight, found = by_path.get(path), matches.get(path)
    axes = None if found is None else found[1].axes
    if axes is None and weight is not None:
        axes = weight.axes
    if weight is None or axes is None:
        raise RecipeError(
            f"`fans_of` must name a parameter with axes, got {path!r} for {parameter.path!r}"
        )
    return one_if_equal(block_fans(weight.shape, axes))


def _check_streams(entries: Iterable[Entry]) -> None:
    """Raise if two parameters, or blocks of them, would have equal values (spec: randomness/2)."""
    seen: dict[Path, str] = {}
    for entry in entries:
        if entry.plan is None:
            continue
        stream = parse_path(unicodedata.normalize("NFC", entry.path))
        blocks = range(len(entry.plan.parts))
        for key in [stream] if len(blocks) <= 1 else [(*stream, str(i)) for i in blocks]:
            if key in seen:
                raise RecipeError(
                    f"`path` must give every parameter and block a stream of its own, "
                    f"got one for {seen[key]!r} and {entry.path!r}"
                )
            seen[key] = entry.path
