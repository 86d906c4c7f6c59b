"""Holds what fanwise plans for a model against what the model does and what its library set."""

from __future__ import annotations

import math
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fanwise import Entry, Ledger, Recipe, RecipeError, Rule, Structure, normal, plan_model

from .case import Case, NotBuilt, Row
from .own_laws import DRAWN, UNWRITTEN, Own

# The README's recipe; what nobody knows is noted instead of refused.
RECIPE = Recipe(
    [
        Rule(normal(std=0.02), optional=True),
        Rule(left_as="kept", kind="unknown", optional=True),
    ]
)
TRIES = 8  # of examples


def judge(
    case: Case,
    structure: Callable[[Any, Any], Structure],
    own_laws: Callable[[Callable[[], Any], int], Mapping[str, Own]],
    abstract: Callable[[Callable[[], Any]], Any],
) -> Row:
    """Plan a model, and say what is known of it.

    Raises
    ------
    NotBuilt
        If its library does not build it here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's code
        try:
            model = abstract(case.build)
        except Exception as error:
            raise NotBuilt(_first_line(error)) from error
        example, message = case.example(model), ""
        for _ in range(TRIES):
            start = time.perf_counter()
            try:
                found = structure(model, example)
                break
            except RecipeError as error:
                message = str(error)
            example = case.refit(model, example, message)
            if example is None:
                return Row(case.name, not_run=_first_line(message))
        else:
            return Row(case.name, not_run=_first_line(message))
        # On `meta` nothing has values; of a model that has them, this is the plan.
        parameters = [replace(parameter, valued=True) for parameter in found.parameters]
        ledger = plan_model(parameters, RECIPE)
        seconds = time.perf_counter() - start
        elements = sum(math.prod(parameter.shape) for parameter in parameters)
        own = own_laws(case.build, elements)
    unknown = [entry for entry in ledger.entries if entry.parameter.kind == "unknown"]
    unreached = [entry for entry in unknown if not found.findings.uses.get(entry.path)]
    replaced, wrong = _replaced(ledger, own)
    return Row(
        case.name,
        len(ledger.entries),
        sum(e.parameter.known == "computation" and e not in unknown for e in ledger.entries),
        _counted(unknown),
        _counted(unreached),
        replaced,
        [*found.faults, *_wrong_axes(found), *wrong],
        round(seconds, 2),
    )


def _first_line(error: object) -> str:
    text = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
    return text.strip().partition("\n")[0][:160]


def _counted(entries: Iterable[Entry]) -> dict[str, int]:
    return dict(Counter(_leaf(entry) for entry in entries))


def _leaf(entry: Entry) -> str:
    name = re.sub(r"(^|\.)\d+", r"\1*", entry.path).rpartition(".")[2]
    return f"{entry.parameter.layer}.{name}" if entry.parameter.layer else name


def _wrong_axes(found: Structure) -> list[str]:
    """Weights of layers that PyTorch declares and whose use says other axes.

    The computation is followed without their types, so one is a check of the other.
    """
    wrong: Counter[str] = Counter()
    for parameter in found.parameters:
        seen = found.findings.declarations.get(parameter.path)
        if seen is None or parameter.known != "layer":
            continue
        if not {seen.kind, parameter.kind} <= {"weight", "embedding"}:
            continue
        axes = seen.axes
        words = [str(one).partition(", blocks")[0] for one in (axes, parameter.axes)]
        if axes is not None and parameter.axes is not None and words[0] != words[1]:
            wrong[f"{parameter.layer}: {axes} for {parameter.axes}"] += 1
    return _listed(wrong)


def _replaced(ledger: Ledger, own: Mapping[str, Own]) -> tuple[list[str], list[str]]:
    """Constants of a constructor that the plan replaces: by a start, and by a draw."""
    replaced: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for entry in ledger.entries:
        law, plan = own.get(entry.path), entry.plan
        if plan is None or law is None or law in (DRAWN, UNWRITTEN):
            continue
        if entry.parameter.kind in ("weight", "embedding"):  # which the scheme is for
            continue
        ours = {part.law.mean if part.law.std == 0 else DRAWN for part in plan.parts}
        if ours != {law}:
            said = ", ".join(_printed(one) for one in ours)
            what = f"{_leaf(entry)} ({entry.parameter.kind}): {said} for {_printed(law)}"
            (wrong if DRAWN in ours else replaced)[what] += 1
    return _listed(replaced), _listed(wrong)


def _printed(law: object) -> str:
    return f"{law:g}" if isinstance(law, float) else str(law)


def _listed(counts: Mapping[str, int]) -> list[str]:
    return [f"{what} ({count})" for what, count in counts.items()]
