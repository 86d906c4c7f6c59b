"""Constants of a model that its plan replaces without a rule (spec: recipes/18)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .faults import listed
from .ledger import Entry, Ledger

MOST = 1 << 14  # numbers of a parameter that are looked at


def warn_of_replaced(ledger: Ledger, held: Callable[[str], Any], /) -> None:
    """Warn of parameters that get the start of their kind, and hold constants that somebody set.

    Parameters
    ----------
    ledger : Ledger
        The plan, before it is carried out.
    held : callable
        From a path to the numbers of the parameter, a one-dimensional array that has `tolist`,
        or None if it has no values.

    Warns
    -----
    UserWarning
        One for all, with what they held, and the rule that keeps them.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal, plan_model
    >>> from fanwise.adapting import warn_of_replaced
    >>> weight = Parameter("weight", (2, 3), Axes("out in"))
    >>> bias = Parameter("bias", (2,), Axes("out"), "bias", fans_of="weight")
    >>> ledger = plan_model([weight, bias], he_normal())
    >>> from array import array
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_replaced(ledger, {"bias": array("d", [-4.6, -4.6])}.get)
    >>> print(caught[0].message)
    constants of the model are replaced, as no rule names their kind: 'bias' held -4.6 and starts \
at 0. Keep them with Rule(left_as="kept", kind='bias'), or name the kind in a rule with a scheme
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for entry in ledger.entries:
        start = _start(entry)
        if start is None:
            continue
        array = held(entry.path)
        values = [] if array is None else array[:MOST].tolist()
        if not is_set(values, start):
            continue
        own = "a pattern" if len(set(values)) > 1 else f"{values[0]:.6g}"
        key = (entry.parameter.layer, entry.parameter.kind, own, f"{start:g}")
        groups.setdefault(key, []).append(entry.path)
    if not groups:
        return
    kinds = sorted({kind for _, kind, _, _ in groups})
    lines = [
        f"{listed(paths)}{f' of {layer}' if layer else ''} held {own} and starts at {start}"
        for (layer, _, own, start), paths in groups.items()
    ]
    kind = repr(kinds[0]) if len(kinds) == 1 else repr(tuple(kinds))
    warnings.warn(
        f"constants of the model are replaced, as no rule names their kind: {'; '.join(lines)}. "
        f'Keep them with Rule(left_as="kept", kind={kind}), or name the kind in a rule with a '
        "scheme",
        stacklevel=3,
    )


def _start(entry: Entry) -> float | None:
    """The constant that a parameter starts at without a rule; running statistics start anew."""
    if entry.plan is None or entry.rule is not None or len(entry.plan.parts) != 1:
        return None
    if entry.parameter.kind == "buffer":
        return None
    law = entry.plan.parts[0].law
    return float(law.mean) if law.std == 0 and not isinstance(law.mean, complex) else None


def is_set(values: Sequence[float], start: float, /) -> bool:
    """Whether numbers are constants that somebody chose, and not the start.

    Random numbers of a continuous law differ from each other and are not in order.
    """
    if len(values) < 2 or all(value == start for value in values):
        return False
    if 2 * len(set(values)) <= len(values):
        return True
    steps = list(itertools.pairwise(values))
    is_sorted = all(a < b for a, b in steps) or all(a > b for a, b in steps)
    return len(values) >= 8 and is_sorted
