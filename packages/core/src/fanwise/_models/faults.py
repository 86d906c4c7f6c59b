"""What is wrong with a recipe for a model: found all at once, one fault a line."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from .._errors import AxesError, RecipeError
from .._schemes.elementwise import ones, zeros
from .._schemes.scheme import Scheme
from .ledger import Entry
from .parameter import Parameter
from .recipe import Rule

# Where a parameter of a kind starts that neither a rule nor its layer says anything of.
STARTS = {"bias": zeros(), "norm_bias": zeros(), "norm_scale": ones()}

_SHOWN = 5  # names of a list in a message

Matches = Mapping[str, "tuple[int, Rule] | None"]


class MissingAxesError(AxesError):
    """A scheme asks for axes that nobody declares."""

    def __init__(self, scheme: Scheme) -> None:
        super().__init__(f"`axes` must be given for {scheme.name}, got None")
        self.scheme = scheme


def start_of(parameter: Parameter) -> Scheme | None:
    """Where a parameter starts that no rule is for."""
    return parameter.default or STARTS.get(parameter.kind)


def is_kept(parameter: Parameter) -> bool:
    """Whether it starts as its layer made it: what is neither a weight nor has a usual start."""
    return (
        parameter.known == "computation"
        and parameter.valued
        and parameter.kind not in ("weight", "embedding", "buffer", "unknown")
        and start_of(parameter) is None
    )


def raise_all(faults: Sequence[str], failed: Sequence[tuple[Parameter, Exception]]) -> NoReturn:
    """Raise one error that has all faults of a model."""
    missing = [(one, e.scheme) for one, e in failed if isinstance(e, MissingAxesError)]
    others = [(one, error) for one, error in failed if not isinstance(error, MissingAxesError)]
    if not faults and not missing and len(others) == 1:
        raise others[0][1]
    lines = [*faults, *_faults_of_axes(missing)]
    groups = _grouped(others, lambda pair: (str(pair[1]), pair[0].layer))
    for (text, layer), pairs in groups.items():
        of_layer = f" of {layer}" if layer else ""
        lines.append(f"{text}: {listed([parameter.path for parameter, _ in pairs])}{of_layer}")
    types = {type(error) for _, error in others} | ({AxesError} if missing else set())
    error = types.pop() if len(types) == 1 and not faults else RecipeError
    raise error("\n".join(lines))


def faults_of_paths(parameters: Sequence[Parameter], by_path: Mapping[str, Parameter]) -> list[str]:
    """Paths that occur twice, and ties to what cannot be tied to."""
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


def faults_of_ties(
    parameters: Sequence[Parameter], by_path: Mapping[str, Parameter], matches: Matches
) -> list[str]:
    """What a rule leaves under one of its names must be left under the one that is drawn."""
    faults = []
    for parameter in parameters:
        found = matches[parameter.path]
        target = by_path.get(parameter.tied_to or "")
        if target is None or found is None or found[1].left_as is None or target.status is not None:
            continue
        drawn = matches[target.path]
        if drawn is None or drawn[1].left_as is None:
            faults.append(
                f"a rule that leaves {parameter.path!r} must leave what it is tied to, "
                f"got {target.path!r} that is drawn"
            )
    return faults


def faults_of_norms(parameters: Sequence[Parameter], by_path: Mapping[str, Parameter]) -> list[str]:
    """Holders of norms whose weight is not there or has other sizes."""
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


def faults_of_unknown(parameters: Sequence[Parameter], matches: Matches) -> list[str]:
    """What nobody knows and no rule names."""
    unknown = [p for p in _open(parameters, matches) if p.kind == "unknown"]
    faults = []
    for layer, group in _grouped(unknown, lambda p: p.layer).items():
        names = _grouped(group, lambda p: p.path.rpartition(".")[2])
        what = "; ".join(f"{name} {_shapes(same)}" for name, same in names.items())
        inner = ", ".join(f'"{name}": {_declaration(same[0])}' for name, same in names.items())
        paste = (
            f"declare.register({layer}, lambda layer: {{{inner}}})"
            if layer
            else f"a declaration such as {_declaration(group[0])}"
        )
        faults.append(
            f"what a parameter is for must be known, got {listed([p.path for p in group])}"
            f"{_of(layer, group)}: {what}: {paste}, "
            f'or a rule that names it by `match`, or by kind="unknown"'
        )
    return faults


def faults_of_names(
    parameters: Sequence[Parameter], matches: Matches, rules: Sequence[Rule]
) -> list[str]:
    """Rules that draw what nobody knows together with something else, by a wide pattern."""
    drawn: dict[int, list[Parameter]] = {}
    for parameter in parameters:
        found = matches[parameter.path]
        if found is not None and found[1].scheme is not None and parameter.status is None:
            drawn.setdefault(found[0], []).append(parameter)
    faults = []
    for index, group in drawn.items():
        types = _grouped(group, lambda p: p.layer or p.path.rpartition(".")[2])
        if len(types) == 1 or not any(map(rules[index].is_by_name, group)):
            continue
        each = [f"{layer} x{len(same)}" for layer, same in types.items()]
        faults.append(
            f"a rule that draws by name must be for one type of layer, or name the kinds, such as "
            f'kind="unknown", got rule {index} {selector(rules[index])} for '
            f"{listed(each, quoted=False)}"
        )
    return faults


def faults_without_values(entries: Sequence[Entry], valued: Iterable[bool]) -> list[str]:
    """What has no values and would get none, or would be made of what has none."""
    has_values = {
        entry.path: there or entry.plan is not None
        for entry, there in zip(entries, valued, strict=True)
    }
    faults = []
    left = [
        entry
        for entry in entries
        if not has_values[entry.path]
        and (
            entry.status in ("frozen", "kept")
            or (entry.status, entry.rule, entry.parameter.kind) == ("skipped", None, "buffer")
        )
    ]
    for (status, layer), group in _grouped(left, lambda e: (e.status, e.parameter.layer)).items():
        faults.append(
            f"`model` must have values where nothing is drawn, got none for "
            f"{listed([entry.path for entry in group])}{_of(layer, group)}, {status}: name them in "
            f"`loaded` and write them, or give them a rule with a scheme"
        )
    for entry in entries:
        weight = entry.parameter.norms_of
        if entry.status == "derived" and weight and not has_values.get(weight, True):
            faults.append(
                f"`model` must have values where norms are taken, got none for {weight!r}, "
                f"whose norms {entry.path!r} holds"
            )
    return faults


def _of(layer: str, group: Sequence[Any]) -> str:
    return f" of {layer} x{len(group)}" if layer else ""


def _open(parameters: Iterable[Parameter], matches: Matches) -> list[Parameter]:
    """What no rule is for, and nothing else settles."""
    return [
        parameter
        for parameter in parameters
        if matches[parameter.path] is None
        and parameter.tied_to is None
        and parameter.status is None
        and parameter.norms_of is None
        and start_of(parameter) is None
        and not is_kept(parameter)
    ]


def faults_without_rule(
    parameters: Sequence[Parameter], matches: Matches, rules: Sequence[Rule]
) -> list[str]:
    """What is known, and yet has neither a rule nor a start."""
    lone = [p for p in _open(parameters, matches) if p.kind not in ("buffer", "unknown")]
    faults = []
    for (kind, layer), group in _grouped(lone, lambda p: (p.kind, p.layer)).items():
        paths = [parameter.path for parameter in group]
        nearest = _nearest(paths[0], [rule.match for rule in rules if rule.match != "*"])
        hint = f"; the nearest rule is for {nearest!r}" if nearest else ""
        if kind not in ("weight", "embedding"):
            hint = f"; a rule for them must name their kind, {kind!r}"
        faults.append(
            f"every parameter must match a rule, got none for {listed(paths)}"
            + (f" of {layer}" if layer else "")
            + hint
        )
    return faults


def faults_of_rules(
    parameters: Sequence[Parameter], matches: Matches, rules: Sequence[Rule]
) -> list[str]:
    """Rules that are for nothing."""
    used = {found[0] for found in matches.values() if found is not None}
    faults = []
    for index, rule in enumerate(rules):
        if index in used or rule.optional:
            continue
        fault = (
            f"every rule must be the first to match a parameter, or be optional, "
            f"got rule {index} {selector(rule)}"
        )
        everything = Rule(left_as="skipped", match=rule.match, layer=rule.layer)
        matched = {p.kind for p in parameters if everything.matches(p)}
        others = sorted(matched - {"unknown"})
        alike = _that_look_like(rule, _open(parameters, matches))
        if alike:
            fault += f"; {alike} but are not known"
        elif matched == {"unknown"}:
            fault += "; what its path matches is not known"
        elif not others:
            nearest = _nearest(rule.match, [parameter.path for parameter in parameters])
            fault += f"; no path matches it, the nearest is {nearest!r}" if nearest else ""
        elif not set(others) & set(rule.kinds) and "*" not in rule.kinds:
            fault += f"; what its path matches is of kind {', '.join(map(repr, others))}: "
            fault += f"give the rule kind={others[0]!r}, or declare another kind"
        else:
            fault += "; earlier rules match all that it does"
        faults.append(fault)
    return faults


def _that_look_like(rule: Rule, parameters: Iterable[Parameter]) -> str:
    """The unknown parameters that a rule without parameters may have been meant for."""
    words = {"norm_scale": "norm", "norm_bias": "norm", "embedding": "embed", "bias": "bias"}
    sought = [words[kind] for kind in rule.kinds if kind in words]
    layers = Counter(
        p.layer or p.path
        for p in parameters
        if p.kind == "unknown" and any(word in f"{p.layer}.{p.path}".lower() for word in sought)
    )
    names = [f"{layer} x{count}" for layer, count in layers.most_common()]
    what = {"norm": "norms", "embed": "embeddings", "bias": "biases"}
    return f"{listed(names, quoted=False)} look like {what[sought[0]]}" if names else ""


def _faults_of_axes(missing: Sequence[tuple[Parameter, Scheme]]) -> list[str]:
    lines = []
    grouped = _grouped(
        missing,
        lambda pair: (pair[0].layer, pair[0].path.rpartition(".")[2], len(pair[0].shape)),
    )
    for (layer, name, _), pairs in grouped.items():
        parameters = [parameter for parameter, _ in pairs]
        declare = (
            f'declare.register({layer}, lambda layer: {{"{name}": {_declaration(parameters[0])}}})'
            if layer
            else f'Parameter(..., axes=Axes("{_roles(parameters[0])}"))'
        )
        lines.append(
            f"`axes` must be given for {pairs[0][1].name}, got None for "
            f"{listed([parameter.path for parameter in parameters])}"
            + (f" of {layer}" if layer else "")
            + f", {_shapes(parameters)}: {declare}, or a rule with axes"
        )
    return lines


def _shapes(parameters: Iterable[Parameter]) -> str:
    return listed(list(dict.fromkeys(str(p.shape) for p in parameters)), quoted=False)


def _roles(parameter: Parameter) -> str:
    return " ".join(["?"] * len(parameter.shape))


def _declaration(parameter: Parameter) -> str:
    kind = ', kind="?"' if parameter.kind == "unknown" else ""
    return f'Declaration(Axes("{_roles(parameter)}"){kind})'


def _grouped(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def listed(names: Sequence[str], *, quoted: bool = True) -> str:
    """A few of many names, and how many more there are."""
    shown = ", ".join(repr(name) if quoted else name for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more} more"


def _nearest(word: str, words: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(word, words[:2000], n=1, cutoff=0.3)
    return found[0] if found else None


def selector(rule: Rule) -> str:
    """A rule by what it selects."""
    words = [repr(rule.match)]
    for name in ("kind", "layer", "role"):
        value = getattr(rule, name)
        words += [] if value is None else [f"{name} {value!r}"]
    return f"({', '.join(words)})"
