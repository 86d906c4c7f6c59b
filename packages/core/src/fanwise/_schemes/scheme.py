"""Schemes: rules for initial weights, as immutable data (spec: schemes/1, schemes/2).

One table has a row for each name. A scheme keeps what was written, `he_normal(fan="out")`, and
knows what that comes to, `variance_scaling(gain=1.41..., fan="out", family="normal")`: equality,
hashes and laws go by the second, text and JSON by the first. Longer than most modules, for
the table and the scheme need each other.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeAlias

from .._axes import Axes, Shape
from .._errors import SchemeError, plain, positive
from .._fans import Fans
from .._laws.joint import Field
from .._laws.real import Law
from .depth import Depth

Gain: TypeAlias = float | str | tuple[str | float, ...]
Option: TypeAlias = Any  # a Gain, a choice, or a tuple of schemes
Options: TypeAlias = Mapping[str, Option]
Matrix: TypeAlias = Literal["haar", "identity", "sparse"]
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a law depends on besides the options of its scheme.

    Attributes
    ----------
    shape, axes : tuple of int and Axes or None
        One independent block of a parameter.
    fans : Fans or None
        Its fans, where they are defined or given.
    field : {"real", "complex"}
        Whether the weights are real or complex.
    """

    shape: Shape
    axes: Axes | None
    fans: Fans | None
    field: Field


@dataclass(frozen=True, slots=True)
class Base:
    """What only the schemes have that are no special case of another.

    Attributes
    ----------
    law : callable
        From the scheme and a `Setting` to the law of the weights.
    needs : {"nothing", "fans", "axes"}
        What the law cannot do without.
    is_random : bool
        Whether it draws, and so needs a source of randomness.
    matrix : {"haar", "identity", "sparse"} or None
        The matrices that the weights are; None if they are independent.
    center_tap : bool
        Whether the matrices are at the center of a receptive field of zeros.
    """

    law: Callable[[Scheme, Setting], Law]
    needs: Literal["nothing", "fans", "axes"] = "nothing"
    is_random: bool = True
    matrix: Matrix | None = None
    center_tap: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A row of the table: how options are checked, which of them scale, what the base draws."""

    check: Callable[..., Scheme | Options]
    parameters: Mapping[str, inspect.Parameter]
    scales: Callable[[Options], tuple[str, ...]]
    base: Base | None


_TABLE: dict[str, Definition] = {}


def define(
    base: Base | None = None, *, scales: tuple[str, ...] | Callable[[Options], tuple[str, ...]] = ()
) -> Callable[[Callable[P, Scheme | Options]], Callable[P, Scheme]]:
    """Make a scheme of a function that checks its options.

    Parameters
    ----------
    base : Base, optional
        What the scheme draws. The function then returns all options. Without it, the scheme is
        a special case, and the function returns the scheme that it is a case of.
    scales : tuple of str, or callable, default ()
        The options in units of the weights; or a function from all options to them.
    """

    def decorate(check: Callable[P, Scheme | Options]) -> Callable[P, Scheme]:
        name, signature = check.__name__, inspect.signature(check)
        which = scales if callable(scales) else lambda options: scales
        _TABLE[name] = Definition(check, signature.parameters, which, base)

        @functools.wraps(check)
        def factory(*args: P.args, **options: P.kwargs) -> Scheme:
            if args:
                raise SchemeError(f"`{name}` takes its options by name, got {args}")
            return Scheme(name, options)

        documented: Any = factory
        documented.__signature__ = signature.replace(return_annotation="Scheme")
        return factory

    return decorate


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Scheme:
    """A rule for the initial weights of a parameter, whatever its shape.

    The functions named after the schemes, such as `he_normal`, make one. Two schemes are equal
    if they mean the same: ``he_normal()`` is ``variance_scaling(gain=2**0.5, fan="in",
    family="normal")``. Text and JSON data keep the words that were written.

    Parameters
    ----------
    name : str
        The name of the rule.
    options : mapping of str to option, or pairs, default ()
        Its options, by name; None stands for one that is left out.
    depth : Depth, optional
        A factor on the weights that depends on the depth of the network, see `over_depth`.

    Raises
    ------
    SchemeError
        If the name or an option is unknown, or an option is missing or out of range.

    Examples
    --------
    >>> from fanwise import Scheme, he_normal, variance_scaling
    >>> Scheme("he_normal", {"fan": "out"})
    he_normal(fan='out')
    >>> he_normal() == variance_scaling(gain=2**0.5, family="normal")
    True
    """

    name: str
    options: tuple[tuple[str, Option], ...]
    depth: Depth | None
    base_name: str
    base_options: tuple[tuple[str, Option], ...]

    def __init__(
        self,
        name: str,
        options: Options | Iterable[tuple[str, Option]] = (),
        depth: Depth | None = None,
    ) -> None:
        definition = definition_of(name)
        given = {key: value for key, value in dict(options).items() if value is not None}
        _check_names(name, given, definition)
        found = definition.check(**given)
        if isinstance(found, Scheme):
            base, full = found.base_name, dict(found.base_options)
        else:
            base, full = name, {key: value for key, value in found.items() if value is not None}
        if depth is not None and depth.is_known:
            full = _scaled(base, full, depth.factor())
        order = [key for key in definition.parameters if key in given]
        set_attribute = object.__setattr__  # the instance is frozen
        set_attribute(self, "name", name)
        set_attribute(self, "options", tuple((key, _immutable(given[key])) for key in order))
        set_attribute(self, "depth", depth)
        set_attribute(self, "base_name", base)
        set_attribute(self, "base_options", tuple(sorted(full.items())))

    def __getitem__(self, option: str) -> Any:
        """An option as a number or a choice, whether it was written or follows from the name."""
        return dict(self.base_options).get(option)

    @property
    def base(self) -> Base:
        """What is drawn."""
        base = _TABLE[self.base_name].base
        assert base is not None  # as `__init__` has it
        return base

    @property
    def of_blocks(self) -> tuple[Scheme, ...]:
        """The schemes of the blocks of a fused axis, if they differ."""
        return tuple(self["schemes"] or ())

    @property
    def is_random(self) -> bool:
        """Whether it draws, and so needs a source of randomness."""
        blocks = self.of_blocks
        return any(one.is_random for one in blocks) if blocks else self.base.is_random

    def scaled(self, factor: float, /) -> Scheme:
        """The scheme whose weights are `factor` times as large.

        Parameters
        ----------
        factor : float
            A positive number.

        Returns
        -------
        Scheme
            Of the same name, where the name has an option that scales.

        Examples
        --------
        >>> from fanwise import normal
        >>> normal(std=0.02).scaled(0.5)
        normal(std=0.01)
        """
        factor = positive("factor", factor, SchemeError)
        definition = _TABLE[self.name]
        defaults = {key: p.default for key, p in definition.parameters.items()}
        options = {
            key: value
            for key, value in {**defaults, **dict(self.options)}.items()
            if value not in (None, inspect.Parameter.empty)
        }
        which = definition.scales(options)
        if not which:
            return Scheme(self.base_name, _scaled(self.base_name, dict(self.base_options), factor))
        written = dict(self.options)
        for key in set(which) & set(options):
            # A gain that is named becomes a number, and an array becomes tuples.
            value = options[key] if isinstance(options[key], float | int) else self[key]
            written[key] = _times(value, factor)
            if written[key] == defaults[key]:
                del written[key]
        return Scheme(self.name, written, self.depth)

    def over_depth(
        self,
        layers: int | Literal["index", "branches"],
        /,
        *,
        branches: float = 2.0,
        power: float = -0.5,
    ) -> Scheme:
        """The scheme with weights scaled by ``(branches * layers) ** power``.

        Divide the weights that end the residual branches of an L-layer transformer by
        sqrt(2 L), as GPT-2 does, with ``over_depth(L)``: the variance of the residual stream
        then does not grow with depth.

        Parameters
        ----------
        layers : int, "index" or "branches"
            The number of layers. "branches" is for the number of residual branches that the
            computation of the model has, in place of ``branches * layers``. "index" is for the
            depth of the parameter itself, counted from one: by the first number in its path
            (``h.3.``, ``block_3.``), and in scanned layers by the position in the stack.
        branches : float, default 2
            Residual branches in a layer.
        power : float, default -0.5
            Keeps the variance of the sum of all branches.

        Returns
        -------
        Scheme
            Of the same name and options.

        Raises
        ------
        SchemeError
            If a number is out of range, or the scheme has a depth already.

        Examples
        --------
        >>> from fanwise import normal
        >>> normal(std=0.02).over_depth(12)
        normal(std=0.02).over_depth(12)
        >>> normal(std=0.02).over_depth(8) == normal(std=0.005)
        True

        References
        ----------
        Radford et al. (2019), Language Models are Unsupervised Multitask Learners, sec. 2.3.
        """
        if self.depth is not None:
            raise SchemeError(f"`over_depth` must be called once, got it again for {self}")
        return Scheme(self.name, self.options, Depth(layers, branches, power))

    def at_depth(self, layer: int, /) -> Scheme:
        """The scheme of the layer of this number, counted from one."""
        if self.depth is None or self.depth.layers != "index":
            return self
        return Scheme(self.name, self.options, self.depth.at(layer))

    def of_branches(self, branches: int, /) -> Scheme:
        """The scheme in a model of so many residual branches."""
        if self.depth is None or self.depth.layers != "branches":
            return self
        return Scheme(self.name, self.options, self.depth.of(branches))

    def to_data(self) -> dict[str, Any]:
        """The scheme as plain JSON data, as it was written; infinities are "inf"."""
        options = {key: _to_plain(value) for key, value in self.options}
        depth = {} if self.depth is None else {"depth": self.depth.to_data()}
        return {"name": self.name} | options | depth

    @classmethod
    def from_data(cls, data: Any) -> Scheme:
        """Make the scheme that plain data describes.

        Parameters
        ----------
        data : str or mapping
            A name; or an object with a name and options.

        Raises
        ------
        SchemeError
            If the name or an option is unknown, or an option out of range.

        Examples
        --------
        >>> from fanwise import Scheme
        >>> Scheme.from_data({"name": "he_normal", "gain": "gelu"})
        he_normal(gain='gelu')
        """
        if isinstance(data, str):
            data = {"name": data}
        if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
            raise SchemeError(f"`scheme` must be a name or an object with a 'name', got {data!r}")
        options = {
            key: _from_plain(value) for key, value in data.items() if key not in ("name", "depth")
        }
        depth = data.get("depth")
        return cls(data["name"], options, None if depth is None else Depth.from_data(depth))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scheme):
            return NotImplemented
        return self._meaning == other._meaning

    def __hash__(self) -> int:
        return hash(self._meaning)

    @property
    def _meaning(self) -> tuple[Any, ...]:
        pending = None if self.depth is None or self.depth.is_known else self.depth
        return self.base_name, self.base_options, pending

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={_shortened(value)}" for key, value in self.options)
        depth = "" if self.depth is None else f".over_depth({self.depth})"
        return f"{self.name}({options}){depth}"


def _shortened(value: Any) -> str:
    """The text of an option, with few of the values of a long array."""
    if not isinstance(value, tuple):
        return repr(value)
    items = [_shortened(item) for item in value]
    shown = items if len(items) <= 12 else [*items[:3], "...", items[-1]]
    return f"({', '.join(shown)}{',' if len(items) == 1 else ''})"


def as_scheme(value: Any, /, name: str = "scheme") -> Scheme:
    """The value as a scheme of this copy of the package, by its data if it is another copy's.

    Raises
    ------
    SchemeError
        If it is no scheme.
    """
    if isinstance(value, Scheme):
        return value
    if hasattr(value, "base_options") and hasattr(value, "to_data"):
        return Scheme.from_data(value.to_data())
    raise SchemeError(f"`{name}` must be a Scheme, such as he_normal(), got {value!r}")


def definition_of(name: str) -> Definition:
    """The row of the table for a name."""
    found = _TABLE.get(name) if isinstance(name, str) else None
    if found is None:
        raise SchemeError(f"`name` must be one of {', '.join(sorted(_TABLE))}, got {name!r}")
    return found


def scheme_names() -> tuple[str, ...]:
    """The names of all schemes, in order of definition."""
    return tuple(_TABLE)


def documentation(name: str) -> str:
    """The docstring of the scheme of this name."""
    return inspect.getdoc(definition_of(name).check) or ""


def _to_plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value.to_data() if isinstance(value, Scheme) else plain(value)


def _from_plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_from_plain(item) for item in value)
    if isinstance(value, Mapping):
        return Scheme.from_data(value)
    infinities = {"inf": math.inf, "-inf": -math.inf}
    return infinities.get(value, value) if isinstance(value, str) else value


def _check_names(name: str, given: Options, definition: Definition) -> None:
    parameters = definition.parameters
    for option in given:
        if option not in parameters:
            raise SchemeError(
                f"`{name}` must have only the options {sorted(parameters)}, got {option!r}"
            )
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in given:
            raise SchemeError(f"`{name}` must have the option `{option}`, got {dict(given)}")


def _scaled(base: str, options: dict[str, Any], factor: float) -> dict[str, Any]:
    """All options of a base scheme, those in units of the weights multiplied by a factor."""
    which = _TABLE[base].scales(options)
    return {
        key: _times(value, factor) if key in which and value is not None else value
        for key, value in options.items()
    }


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_times(item, factor) for item in value)
    return value.scaled(factor) if isinstance(value, Scheme) else value * factor


def _immutable(value: Any) -> Any:
    """A checked option as immutable data, numbers as floats."""
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "to_data"):
        return as_scheme(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Iterable):
        return tuple(_immutable(item) for item in value)
    return float(value) + 0.0  # never -0.0, as in the law
