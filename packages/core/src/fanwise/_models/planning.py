"""Planning a model: a recipe and parameters become a ledger (spec: recipes/4 to recipes/7)."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._draws.streams import Path, parse_path
from .._errors import AxesError, FanError, RecipeError
from .._fans import Fans, block_fans, one_if_equal
from .._schemes.elementwise import ones, zeros
from .._schemes.plan import Plan, resolve
from .._schemes.scheme import Scheme
from .ledger import Entry, Ledger
from .parameter import Parameter
from .recipe import Recipe, Rule, as_recipe

# Where a parameter of a kind starts that neither a rule nor its layer says anything of.
STARTS = {"bias": zeros(), "norm_bias": zeros(), "norm_scale": ones()}

_SHOWN = 5  # names of a list in a message


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
        If a path occurs twice, a parameter has neither a rule nor a start of its own, a rule that
        is not optional is the first to match no parameter, or a tie or a weight to take fans of
        is not there. All such faults of a model are in the one error, one a line.
    AxesError
        If a scheme needs axes that nobody declares; all such parameters are in the one error.
    FanError, LawError, SchemeError
        If a scheme does not fit its parameter, whose path is in the notes.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal, plan_model
    >>> print(plan_model([Parameter("weight", (8, 2), Axes("out in"))], he_normal()))
    path    shape   axes    fans    law     std
    weight  (8, 2)  out in  (2, 8)  normal  1
    """
    rules = as_recipe(recipe).rules
    if not isinstance(parameters, Iterable):
        raise RecipeError(f"`parameters` must be Parameters, got {parameters!r}")
    parameters = tuple(parameters)
    for parameter in parameters:
        if not hasattr(parameter, "tied_to"):
            raise RecipeError(f"`parameters` must be Parameters, got {parameter!r}")
    by_path = {parameter.path: parameter for parameter in parameters}
    matches = {parameter.path: _first_match(rules, parameter) for parameter in parameters}
    faults = _faults_of_paths(parameters, by_path)
    faults += _faults_of_ties(parameters, by_path, matches)
    faults += _faults_of_norms(parameters, by_path)
    faults += _faults_without_rule(parameters, matches, rules)
    faults += _faults_of_rules(parameters, matches, rules)
    if faults:
        raise RecipeError("\n".join(faults))
    entries, missing = [], []
    for parameter in parameters:
        try:
            entries.append(_entry(parameter, matches, by_path))
        except _MissingAxesError as error:
            missing.append((parameter, error.scheme))
    if missing:
        raise AxesError(_message_of_missing_axes(missing))
    _check_streams(entries)
    return Ledger(tuple(entries))


class _MissingAxesError(Exception):
    """A scheme asks for axes that nobody declares."""

    def __init__(self, scheme: Scheme) -> None:
        super().__init__()
        self.scheme = scheme


Matches = Mapping[str, "tuple[int, Rule] | None"]


def _first_match(rules: Sequence[Rule], parameter: Parameter) -> tuple[int, Rule] | None:
    return next((pair for pair in enumerate(rules) if pair[1].matches(parameter)), None)


def _start(parameter: Parameter) -> Scheme | None:
    """Where a parameter starts that no rule is for."""
    return parameter.default or STARTS.get(parameter.kind)


def _entry(parameter: Parameter, matches: Matches, by_path: Mapping[str, Parameter]) -> Entry:
    if parameter.tied_to is not None:
        return Entry(parameter, "tied")
    if parameter.status is not None:
        return Entry(parameter, parameter.status)
    found = matches[parameter.path]
    if found is None:
        if parameter.norms_of is not None:
            return Entry(parameter, "derived")
        start = _start(parameter)
        if start is None:
            return Entry(parameter, "skipped")  # a buffer
        return Entry(parameter, "initialized", plan=_resolve(parameter, start, parameter.axes))
    index, rule = found
    if rule.status is not None:
        return Entry(parameter, rule.status, index, note=rule.note)
    scheme = rule.scheme
    assert scheme is not None  # a rule has one, or a status
    try:
        plan = _plan(parameter, scheme, rule, matches, by_path)
    except (ValueError, TypeError) as error:
        error.add_note(f"parameter: {parameter.path}; rule {index} {_selector(rule)}")
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
            raise _MissingAxesError(scheme)
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
        stream = tuple(unicodedata.normalize("NFC", segment) for segment in entry.stream)
        blocks = range(len(entry.plan.parts))
        for key in [stream] if len(blocks) <= 1 else [(*stream, str(i)) for i in blocks]:
            if key in seen:
                raise RecipeError(
                    f"`path` must give every parameter and block a stream of its own, "
                    f"got one for {seen[key]!r} and {entry.path!r}"
                )
            seen[key] = entry.path


def _faults_of_paths(
    parameters: Sequence[Parameter], by_path: Mapping[str, Parameter]
) -> list[str]:
    twice = [path for path, n in Counter(p.path for p in parameters).items() if n > 1]
    faults = [f"`path` must occur once, got {sorted(twice)} more often"] if twice else []
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


def _faults_of_ties(
    parameters: Sequence[Parameter], by_path: Mapping[str, Parameter], matches: Matches
) -> list[str]:
    """What a rule leaves under one of its names must be left under the one that is drawn."""
    faults = []
    for parameter in parameters:
        found = matches[parameter.path]
        target = by_path.get(parameter.tied_to or "")
        if target is None or found is None or found[1].status is None or target.status is not None:
            continue
        drawn = matches[target.path]
        if drawn is None or drawn[1].status is None:
            faults.append(
                f"a rule that leaves {parameter.path!r} must leave what it is tied to, "
                f"got {target.path!r} that is drawn"
            )
    return faults


def _faults_of_norms(
    parameters: Sequence[Parameter], by_path: Mapping[str, Parameter]
) -> list[str]:
    faults = []
    for parameter in parameters:
        if parameter.norms_of is None:
            continue
        weight = by_path.get(parameter.norms_of)
        if weight is None or weight.norms_of is not None:
            faults.append(
                f"`norms_of` must name a weight of the model, got {parameter.norms_of!r} "
                f"for {parameter.path!r}"
            )
            continue
        shape, axes = weight.shape, parameter.norm_axes
        within = all(-len(shape) <= axis < len(shape) for axis in axes)
        kept = sorted({axis % len(shape) for axis in axes}) if within else []
        sizes = [size for size in (shape[axis] for axis in kept) if size != 1]
        if not within or sizes != [size for size in parameter.shape if size != 1]:
            faults.append(
                f"`norm_axes` must be axes of {weight.path!r}, {shape}, with the sizes "
                f"{parameter.shape} of {parameter.path!r}, got {axes}"
            )
    return faults


def _faults_without_rule(
    parameters: Sequence[Parameter], matches: Matches, rules: Sequence[Rule]
) -> list[str]:
    lone = [
        parameter
        for parameter in parameters
        if matches[parameter.path] is None
        and parameter.tied_to is None
        and parameter.status is None
        and parameter.kind != "buffer"
        and parameter.norms_of is None
        and _start(parameter) is None
    ]
    faults = []
    for (kind, layer), group in _grouped(lone, lambda p: (p.kind, p.layer)).items():
        paths = [parameter.path for parameter in group]
        nearest = _nearest(paths[0], [rule.match for rule in rules if rule.match != "*"])
        hint = f"; the nearest rule is for {nearest!r}" if nearest else ""
        if kind not in ("weight", "embedding"):
            hint = f"; a rule for them must name their kind, {kind!r}"
        faults.append(
            f"every parameter must match a rule, got none for {_listed(paths)}"
            + (f" of {layer}" if layer else "")
            + hint
        )
    return faults


def _faults_of_rules(
    parameters: Sequence[Parameter], matches: Matches, rules: Sequence[Rule]
) -> list[str]:
    used = {found[0] for found in matches.values() if found is not None}
    faults = []
    for index, rule in enumerate(rules):
        if index in used or rule.optional:
            continue
        fault = (
            f"every rule must be the first to match a parameter, or be optional, "
            f"got rule {index} {_selector(rule)}"
        )
        everything = Rule(status="skipped", match=rule.match)
        others = sorted({p.kind for p in parameters if everything.matches(p)})
        if not others:
            nearest = _nearest(rule.match, [parameter.path for parameter in parameters])
            fault += f"; no path matches it, the nearest is {nearest!r}" if nearest else ""
        elif not set(others) & set(rule.kinds) and "*" not in rule.kinds:
            fault += f"; what its path matches is of kind {', '.join(map(repr, others))}: "
            fault += f"give the rule kind={others[0]!r}, or declare another kind"
        else:
            fault += "; earlier rules match all that it does"
        faults.append(fault)
    return faults


def _message_of_missing_axes(missing: Sequence[tuple[Parameter, Scheme]]) -> str:
    lines = []
    grouped = _grouped(
        missing,
        lambda pair: (pair[0].layer, pair[0].path.rpartition(".")[2], len(pair[0].shape)),
    )
    for (layer, name, _), pairs in grouped.items():
        parameters = [parameter for parameter, _ in pairs]
        shapes = dict.fromkeys(str(parameter.shape) for parameter in parameters)
        roles = " ".join(["?"] * len(parameters[0].shape))
        declare = (
            f'declare.register({layer}, lambda layer: {{"{name}": Declaration(Axes("{roles}"))}})'
            if layer
            else f'Parameter(..., axes=Axes("{roles}"))'
        )
        lines.append(
            f"`axes` must be given for {pairs[0][1].name}, got None for "
            f"{_listed([parameter.path for parameter in parameters])}"
            + (f" of {layer}" if layer else "")
            + f", {_listed(list(shapes), quoted=False)}: {declare}, or a rule with axes"
        )
    return "\n".join(lines)


def _grouped(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _listed(names: Sequence[str], *, quoted: bool = True) -> str:
    """A few of many names, and how many more there are."""
    shown = ", ".join(repr(name) if quoted else name for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more} more"


def _nearest(word: str, words: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(word, words[:2000], n=1, cutoff=0.3)
    return found[0] if found else None


def _selector(rule: Rule) -> str:
    kinds = "" if rule.kind is None else f", kind {rule.kind!r}"
    return f"({rule.match!r}{kinds})"
