"""Plans: scheme, shape and axes resolved to numbers (spec: schemes/3)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._axes import Axes, Block, Shape, as_axes, check_fit, check_shape, split_blocks
from .._errors import AxesError, FanError, LawError, SchemeError, integer, one_of
from .._fans import Fans, one_block_fans
from .._laws.joint import FIELDS, Field
from .._laws.real import Law
from .depth import layer_number
from .scheme import Scheme, Setting, as_scheme


@dataclass(frozen=True, slots=True)
class Part:
    """One independent block of a parameter, resolved.

    Attributes
    ----------
    start, shape : tuple of int
        The box of the block in the parameter.
    axes : Axes or None
        The roles of its axes.
    fans : Fans or None
        Its fans, where they are defined.
    scheme : Scheme
        The rule for this block.
    law : Law
        The law of its weights.
    """

    start: Shape
    shape: Shape
    axes: Axes | None
    fans: Fans | None
    scheme: Scheme
    law: Law

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be drawn for one parameter: pure data, no array.

    Attributes
    ----------
    scheme : Scheme
        The rule.
    shape : tuple of int
        The logical shape.
    axes : Axes or None
        The roles of its axes.
    field : {"real", "complex"}
        Whether the weights are real or complex.
    parts : tuple of Part
        The independent blocks, in row-major order: one if no axis is fused, none if the
        parameter is empty.
    padding : int or None
        Position along the `in` axis whose weights are zero.
    """

    scheme: Scheme
    shape: Shape
    axes: Axes | None
    field: Field
    parts: tuple[Part, ...]
    padding: int | None = None

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def law(self) -> Law:
        """The law of the weights, if all blocks share it.

        Raises
        ------
        LawError
            If the blocks of a fused axis have different laws (`parts` has them all), or the
            parameter is empty.
        """
        laws = {part.law for part in self.parts}
        if not laws:
            raise LawError(f"`shape` must not be empty to have a law, got {self.shape}")
        if len(laws) > 1:
            raise LawError(f"`blocks` must share their law to have one answer, got {len(laws)}")
        return laws.pop()


def resolve(
    scheme: Scheme,
    shape: Iterable[int],
    axes: Axes | None = None,
    /,
    *,
    fans: Fans | Sequence[Fans] | None = None,
    field: Field = "real",
    path: Sequence[str] = (),
    padding: int | None = None,
    branches: int | None = None,
) -> Plan:
    """Resolve a scheme to the laws of the weights of one parameter.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        The logical, global shape of the parameter. Of an empty one, nothing is to be drawn.
    axes : Axes, optional
        The role of each axis. Leave it out if the scheme asks for none.
    fans : Fans or sequence of Fans, optional
        Fans to take instead of the fans that `axes` defines, as a bias takes the fans of its
        weight; one for all blocks, or one for each.
    field : {"real", "complex"}, default "real"
        Whether the weights are real or complex.
    path : sequence of str, default ()
        Segments of the name of the parameter, which ``over_depth("index")`` counts by.
    padding : int, optional
        Position along the `in` axis whose weights are zero, as of the padding token of an
        embedding; in every copy.
    branches : int, optional
        How many residual branches the model has, which ``over_depth("branches")`` counts by.

    Returns
    -------
    Plan
        The numbers. Equal arguments give equal plans.

    Raises
    ------
    AxesError, FanError, LawError, SchemeError
        With notes that have the scheme, the shape and the axes.

    Examples
    --------
    >>> from fanwise import Axes, he_normal, resolve
    >>> plan = resolve(he_normal(), (128, 64), Axes("out in"))
    >>> round(plan.law.variance, 12)  # 2 / 64
    0.03125
    """
    try:
        shape = check_shape(shape)
        one_of("field", field, FIELDS, SchemeError)
        scheme = as_scheme(scheme)
        if axes is not None:
            axes = as_axes(axes)
            check_fit(shape, axes)
        if scheme.depth is not None:
            layer = layer_number(path)
            scheme = scheme if layer is None else scheme.at_depth(layer)
        if branches is not None:
            scheme = scheme.of_branches(branches)
        if scheme.depth is not None and scheme.depth.layers == "branches":
            raise SchemeError(
                f"`over_depth` 'branches' must be for a weight that ends a residual branch, as the "
                f"computation of a model shows, got {scheme}"
            )
        plan = _resolve(scheme, shape, axes, _checked_fans(fans), field)
        if padding is None:
            return plan
        return replace(plan, padding=_checked_padding(padding, shape, axes))
    except (AxesError, FanError, LawError, SchemeError) as error:
        error.add_note(f"scheme: {scheme}; shape: {shape}; axes: {axes}")
        raise


def _checked_fans(fans: Any) -> tuple[Fans | None, ...]:
    given = tuple(fans) if isinstance(fans, Sequence) else (fans,)
    for one in given:
        if one is not None and not hasattr(one, "fan_in"):
            raise FanError(f"`fans` must be Fans, such as Fans(12, 34), got {fans!r}")
    return given


def _checked_padding(padding: Any, shape: Shape, axes: Axes | None) -> int:
    if axes is None or axes.roles.count("in") != 1:
        raise AxesError(f"`padding` needs one 'in' axis to count along, got {padding!r} for {axes}")
    number, size = integer("padding", padding, AxesError, minimum=0), axes.size("in", shape)
    if number >= size:
        raise AxesError(f"`padding` must be below the {size} units of 'in', got {number}")
    return number


@functools.lru_cache(maxsize=4096)
def _resolve(
    scheme: Scheme,
    shape: Shape,
    axes: Axes | None,
    fans: tuple[Fans | None, ...],
    field: Field,
) -> Plan:
    if math.prod(shape) == 0:  # a layer without inputs or outputs: nothing is to be drawn
        return Plan(scheme, shape, axes, field, ())
    layered = axes
    if scheme.depth is not None and not scheme.depth.is_known:
        layered = _one_block_a_layer(scheme, shape, axes)
    if layered is None or (layered is axes and isinstance(scheme["value"], tuple)):
        # The values of an array are those of the whole parameter.
        blocks: Sequence[Block | None] = (None,)
    else:
        blocks = split_blocks(shape, layered)
    schemes = _schemes_of_blocks(scheme, blocks, layered)
    parts = []
    for block, own, given in zip(blocks, schemes, _fans_of_blocks(fans, len(blocks)), strict=True):
        needs = own.base.needs
        if block is None:
            if needs == "axes" or (needs == "fans" and given is None):
                raise AxesError(f"`axes` must be given for {own.name}, got None")
            law = own.base.law(own, Setting(shape, None, given, field))
            parts.append(Part((0,) * len(shape), shape, None, given, own, law))
            continue
        if given is None and (needs == "fans" or block.axes.has_inputs):
            given = one_block_fans(block.shape, block.axes)
        law = own.base.law(own, Setting(block.shape, block.axes, given, field))
        parts.append(Part(block.start, block.shape, block.axes, given, own, law))
    return Plan(scheme, shape, axes, field, tuple(parts))


def _one_block_a_layer(scheme: Scheme, shape: Shape, axes: Axes | None) -> Axes:
    """The axes with a block for each position of the stack of scanned layers."""
    if axes is None or axes.roles.count("stack") != 1:
        raise SchemeError(
            f"`over_depth` 'index' needs a number in the path or one 'stack' axis, got none "
            f"for {scheme}"
        )
    size = axes.size("stack", shape)
    return replace(axes, blocks=(*axes.blocks, ("stack", size)))


def _schemes_of_blocks(
    scheme: Scheme, blocks: Sequence[Block | None], axes: Axes | None
) -> list[Scheme]:
    given = scheme.of_blocks
    if given and len(given) != len(blocks):
        raise SchemeError(
            f"`schemes` must be one for each of {len(blocks)} blocks, got {len(given)}"
        )
    schemes = list(given) if given else [scheme] * len(blocks)
    if axes is None or all(one.depth is None or one.depth.is_known for one in schemes):
        return schemes
    stack = axes.roles.index("stack")
    return [
        one.at_depth(block.start[stack] + 1) if block is not None else one
        for one, block in zip(schemes, blocks, strict=True)
    ]


def _fans_of_blocks(fans: tuple[Fans | None, ...], count: int) -> tuple[Fans | None, ...]:
    if len(fans) == 1:
        return fans * count
    if len(fans) != count:
        raise FanError(f"`fans` must be one, or one for each of {count} blocks, got {len(fans)}")
    return fans
