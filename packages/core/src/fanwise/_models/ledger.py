"""Ledgers: what happens to each parameter and buffer of a model (spec: recipes/4 to recipes/8)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .._axes import Axes
from .._draws.draw import check_draw
from .._draws.dtypes import for_field
from .._draws.streams import Path, parse_path
from .._errors import FanError, RecipeError, annotate_errors, one_of
from .._fans import Fans, one_if_equal
from .._json import SCHEMA_VERSION, as_list, check_keys, read_document
from .._laws.real import law_data
from .._schemes.plan import Part, Plan, resolve
from .._schemes.scheme import Scheme
from .parameter import Parameter
from .table import aligned, printable

Status: TypeAlias = Literal["initialized", "derived", "tied", "frozen", "kept", "loaded", "skipped"]

STATUSES: tuple[Status, ...] = get_args(Status)

_LAW_TOLERANCE = 1e-12  # numbers of laws come from libm, which differs in the last bits

_ENTRY_KEYS = ("parameter", "status", "rule", "note", "axes", "scheme", "fans", "padding", "laws")


@dataclass(frozen=True, slots=True)
class Entry:
    """What happens to one parameter or buffer.

    Attributes
    ----------
    parameter : Parameter
        What the model says of it.
    status : {"initialized", "derived", "tied", "frozen", "kept", "loaded", "skipped"}
        What happens to it. What is derived becomes the norms of another parameter; what is kept
        has the values of its layer's constructor.
    rule : int or None
        Index of the rule of the recipe that says so; None if the model does, or the kind.
    plan : Plan or None
        What is drawn, if it is initialized.
    note : str, default ""
        The note of the rule.
    """

    parameter: Parameter
    status: Status
    rule: int | None = None
    plan: Plan | None = None
    note: str = ""

    @property
    def path(self) -> str:
        """The path of the parameter."""
        return self.parameter.path

    @property
    def known(self) -> Literal["declared", "layer", "computation", "rule", ""]:
        """How its axes are known, or its kind where it has none; empty if they are not."""
        if self.plan is not None and self.plan.axes is not None:
            if self.plan.axes != self.parameter.axes:
                return "rule"
        elif self.parameter.kind == "unknown" or self.parameter.axes is None:
            return "" if self.parameter.kind in ("unknown", "buffer") else self.parameter.known
        return self.parameter.known

    @property
    def stream(self) -> Path:
        """The segments of the path; the values are a function of them and the seed."""
        return parse_path(self.parameter.path)

    def to_data(self) -> dict[str, Any]:
        """The entry as plain JSON data; laws are there for readers."""
        data: dict[str, Any] = {"parameter": self.parameter.to_data(), "status": self.status}
        if self.rule is not None:
            data["rule"] = self.rule
        if self.note:
            data["note"] = self.note
        if self.plan is not None:
            if self.plan.axes is not None and self.plan.axes != self.parameter.axes:
                data["axes"] = self.plan.axes.to_data()
            data["scheme"] = self.plan.scheme.to_data()
            if self.plan.padding is not None:
                data["padding"] = self.plan.padding
            fans = [part.fans for part in self.plan.parts]
            data["fans"] = [f and f.to_data() for f in fans]
            data["laws"] = [law_data(part.law) for part in self.plan.parts]
        return data


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean and std of a drawn parameter, and how many standard errors they are off.

    A z-score is None where the number is exact, as the std of an orthogonal matrix.

    Attributes
    ----------
    mean, std : float
        What was measured.
    mean_z, std_z : float or None
        How many standard errors the mean is from the mean of the law, and the mean square from
        its variance.
    """

    mean: float
    std: float
    mean_z: float | None
    std_z: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """An entry for every parameter and buffer of a model, in its order.

    Print it to see what happens to each. Save it by ``json.dumps(ledger.to_data())``.
    """

    entries: tuple[Entry, ...]

    def check_draws(self, dtype: str | Mapping[str, str]) -> None:
        """Raise `DtypeError`, with the path, unless all plans can be drawn in `dtype`.

        Complex parameters are stored in the complex dtype beside a real `dtype`. A mapping has
        the dtype of each parameter, by path.
        """
        for entry in self.entries:
            if entry.plan is not None:
                name = dtype if isinstance(dtype, str) else dtype[entry.path]
                with annotate_errors(entry.path):
                    check_draw(entry.plan, for_field(name, entry.plan.field))

    def check_model(self, parameters: Iterable[Parameter]) -> None:
        """Raise `RecipeError`, with what differs, unless the ledger is of these parameters.

        Paths, shapes, fields, ties and what is left must be equal. What is known of a parameter
        must be equal where it is known in the same way.
        """
        planned, found = [entry.parameter for entry in self.entries], tuple(parameters)
        for expected, got in itertools.zip_longest(planned, found):
            if expected is None or got is None or expected.path != got.path:
                raise RecipeError(
                    f"`recipe` must be a ledger of this model, got one of "
                    f"{expected and expected.path!r} where the model has {got and got.path!r}"
                )
        ours: dict[str, str] = {}
        theirs: dict[str, str] = {}
        for expected, got in zip(planned, found, strict=True):
            same = ["shape", "field"]
            if got.tied_to is None and expected.tied_to is None:
                same.append("status")
            if expected.known == got.known and "unknown" not in (expected.kind, got.kind):
                same += ["axes", "kind", "fans_of", "padding", "norms_of", "norm_axes"]
            values = [(name, getattr(expected, name), getattr(got, name)) for name in same]
            # Which of tied parameters is drawn may depend on what was known of them.
            one, other = (p.tied_to or p.path for p in (expected, got))
            if ours.setdefault(one, other) != other or theirs.setdefault(other, one) != one:
                raise RecipeError(
                    f"`recipe` must be a ledger of this model, got one where {got.path!r} is tied "
                    f"to {expected.tied_to!r}, and others to {one!r}; in the model it is tied to "
                    f"{got.tied_to!r}, and others to {other!r}"
                )
            for name, value, in_model in values:
                if value != in_model:
                    raise RecipeError(
                        f"`recipe` must be a ledger of this model, got one where {got.path!r} "
                        f"has {name} {value!r}, which the model has as {in_model!r}"
                    )

    def to_data(self) -> dict[str, Any]:
        """The ledger as plain JSON data, with the version of the form."""
        return {
            "format": "ledger",
            "version": SCHEMA_VERSION,
            "entries": [entry.to_data() for entry in self.entries],
        }

    @classmethod
    def from_data(cls, data: Any) -> Ledger:
        """Read a ledger back from the form of `to_data`, and resolve its plans anew.

        Raises
        ------
        RecipeError
            If the form is not this one, or the laws that it states are not the laws of its
            schemes, to a relative 1e-12.
        """
        document = read_document(data, "ledger", {"entries"})
        return cls(tuple(map(_entry_from_data, as_list("entries", document.get("entries")))))

    def table(self, measured: Mapping[str, Measured] | None = None) -> str:
        """Write the ledger as text, one line for each parameter and one more for each block.

        Parameters
        ----------
        measured : mapping of str to Measured, optional
            What was measured of the drawn parameters, by path.

        Returns
        -------
        str
            Lines of columns.
        """
        header = ["path", "shape", "axes", "known", "fans", "law", "std"]
        if measured is not None:
            header += ["mean", "z", "std drawn", "z"]
        rows = [header]
        for entry in self.entries:
            rows += _rows(entry, measured)
        return aligned(rows)

    def __str__(self) -> str:
        return self.table()


def as_ledger(value: Any, /) -> Ledger | None:
    """The value as a ledger of this copy of the package, or None if it is no ledger."""
    if isinstance(value, Ledger):
        return value
    if hasattr(value, "entries") and hasattr(value, "to_data"):  # of another copy
        return Ledger.from_data(value.to_data())
    return None


def _entry_from_data(data: Any) -> Entry:
    if not isinstance(data, Mapping):
        raise RecipeError(f"`entries` must be objects, got {data!r}")
    check_keys("entries", data, _ENTRY_KEYS)
    parameter = Parameter.from_data(data.get("parameter"))
    plan = None
    if "scheme" in data:
        axes = parameter.axes if "axes" not in data else Axes.from_data(data["axes"])
        plan = resolve(
            Scheme.from_data(data["scheme"]),
            parameter.shape,
            axes,
            fans=_read_fans(data.get("fans")),
            field=parameter.field,
            path=parse_path(parameter.path),
            padding=data.get("padding"),
            branches=parameter.branches,
        )
        if not _agree([law_data(part.law) for part in plan.parts], data.get("laws")):
            raise RecipeError(
                f"`laws` must be those of the scheme, got {data.get('laws')} for {parameter.path!r}"
            )
    one_of("status", data.get("status"), STATUSES, RecipeError)
    entry = Entry(parameter, data["status"], data.get("rule"), plan, data.get("note", ""))
    if (entry.status == "initialized") != (plan is not None):
        raise RecipeError(f"`status` must fit the scheme, got {entry.status!r} for {entry.path!r}")
    return entry


def _agree(ours: Any, theirs: Any) -> bool:
    """Whether two pieces of JSON data are equal, their numbers to a relative 1e-12."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return set(ours) == set(theirs) and all(_agree(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_agree, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float | int):
        return math.isclose(ours, theirs, rel_tol=_LAW_TOLERANCE)
    return bool(ours == theirs)


def _read_fans(data: Any) -> tuple[Fans, ...] | None:
    try:
        fans = [Fans.from_data(pair) for pair in as_list("fans", data) if pair is not None]
    except FanError:
        raise RecipeError(f"`fans` must be pairs of counts or null, got {data!r}") from None
    return one_if_equal(fans) or None


def _rows(entry: Entry, measured: Mapping[str, Measured] | None) -> list[list[str]]:
    parameter = entry.parameter
    shape = str(parameter.shape).replace(",)", ")")
    axes: Axes | None = parameter.axes if entry.plan is None else entry.plan.axes
    start = [printable(parameter.path), shape, "" if axes is None else str(axes), entry.known]
    blank = [] if measured is None else [""] * 4
    if entry.plan is None:
        what = {
            "tied": f"tied to {parameter.tied_to}",
            "derived": f"norms of {parameter.norms_of}",
        }.get(entry.status, entry.status)
        return [[*start, "", what, "", *blank]]
    if not entry.plan.parts:
        return [[*start, "", "empty", "", *blank]]
    rows = []
    for part in _distinct(entry.plan):
        fans = "" if part.fans is None else str(part.fans)
        law = part.law
        std = f"{law.std:.6g}" if law.std else f"= {law.mean:g}"
        rows.append([*start, fans, law.family, std, *blank])
        start = [""] * len(start)
    found = None if measured is None else measured.get(parameter.path)
    if found is not None:
        rows[0][-4:] = [
            f"{found.mean:.3g}",
            "exact" if found.mean_z is None else f"{found.mean_z:+.2f}",
            f"{found.std:.6g}",
            "exact" if found.std_z is None else f"{found.std_z:+.2f}",
        ]
    return rows


def _distinct(plan: Plan) -> Sequence[Part]:
    """The parts that differ in fans or law."""
    return list({(part.fans, part.law): part for part in plan.parts}.values())
