"""Plans: scheme, shape and axes resolved to numbers (spec: schemes/3)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._axes import Axes, Block, Shape, check_fit, check_shape, split_blocks
from ._elementwise import ELEMENTWISE, elementwise_law
from ._errors import (
    AxesError,
    DtypeError,
    FanError,
    LawError,
    SchemeError,
    one_of,
)
from ._fans import Fans, one_block_fans
from ._joint_laws import FIELDS, Field
from ._laws import Law
from ._schemes import Scheme
from ._structured import MatrixView, structured_law


@dataclass(frozen=True, slots=True)
class Part:
    """One independent block of a parameter, resolved.

    Attributes
    ----------
    start, shape : tuple of int
        The block's box in the parameter.
    axes : Axes or None
        The roles of its axes.
    fans : Fans or None
        Its fans, where they are defined.
    law : Law
        The law of its entries.
    """

    start: Shape
    shape: Shape
    axes: Axes | None
    fans: Fans | None
    law: Law

    @property
    def size(self) -> int:
        """Number of entries."""
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
        The independent blocks, in row-major order; one if no axis is fused.
    """

    scheme: Scheme
    shape: Shape
    axes: Axes | None
    field: Field
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def law(self) -> Law:
        """The law, if all blocks share it.

        Raises
        ------
        LawError
            If the blocks of a fused axis have different laws (`parts` has them all).
        """
        laws = {part.law for part in self.parts}
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
) -> Plan:
    """Resolve a scheme to the laws of one parameter's entries.

    Parameters
    ----------
    scheme : Scheme
        The rule.
    shape : iterable of int
        The logical, global shape of the parameter.
    axes : Axes, optional
        The role of each of its axes; may be left out if the scheme asks for none.
    fans : Fans or sequence of Fans, optional
        Fans to take instead of those that `axes` defines, as a bias does those of its weight;
        one for all blocks, or one for each.
    field : {"real", "complex"}, default "real"
        Whether the weights are real or complex.

    Returns
    -------
    Plan
        The numbers; equal for equal arguments.

    Raises
    ------
    AxesError, FanError, LawError, SchemeError
        With notes that have the scheme, the shape and the axes.

    Examples
    --------
    >>> plan = resolve(he_normal(), (128, 64), Axes("out in"))
    >>> round(plan.law.variance, 12)  # 2 / 64
    0.03125
    """
    try:
        shape = check_shape(shape)
        one_of("field", field, FIELDS, SchemeError)
        if not hasattr(scheme, "options"):
            raise SchemeError(f"`scheme` must be a Scheme, such as he_normal(), got {scheme!r}")
        if axes is not None:
            check_fit(shape, axes)
        return _resolve(scheme, shape, axes, _checked_fans(fans), field)
    except (AxesError, FanError, LawError, SchemeError, DtypeError) as error:
        error.add_note(f"scheme: {scheme}; shape: {shape}; axes: {axes}")
        raise


def _checked_fans(fans: Fans | Sequence[Fans] | None) -> tuple[Fans | None, ...]:
    given = tuple(fans) if isinstance(fans, Sequence) else (fans,)
    for one in given:
        if one is not None and not hasattr(one, "fan_in"):
            raise FanError(f"`fans` must be Fans, such as Fans(12, 34), got {fans!r}")
    return given


@functools.lru_cache(maxsize=4096)
def _resolve(
    scheme: Scheme,
    shape: Shape,
    axes: Axes | None,
    fans: tuple[Fans | None, ...],
    field: Field,
) -> Plan:
    needs_fans = scheme.name == "variance_scaling" and fans == (None,)
    if axes is None:
        if needs_fans or scheme.name not in ELEMENTWISE:
            raise AxesError(f"`axes` must be given for {scheme.name}, got None")
        blocks: tuple[Block | None, ...] = (None,)
    else:
        blocks = split_blocks(shape, axes)
    parts = []
    for block, block_fans in zip(blocks, _fans_by_block(fans, len(blocks)), strict=True):
        if block is None:
            law = elementwise_law(scheme, block_fans, field)
            parts.append(Part((0,) * len(shape), shape, None, block_fans, law))
            continue
        if block_fans is None and (needs_fans or block.axes.has_inputs):
            block_fans = one_block_fans(block.shape, block.axes)
        if scheme.name in ELEMENTWISE:
            law = elementwise_law(scheme, block_fans, field)
        else:
            law = structured_law(scheme, MatrixView.of(block.shape, block.axes), field)
        parts.append(Part(block.start, block.shape, block.axes, block_fans, law))
    return Plan(scheme, shape, axes, field, tuple(parts))


def _fans_by_block(fans: tuple[Fans | None, ...], count: int) -> tuple[Fans | None, ...]:
    if len(fans) == 1:
        return fans * count
    if len(fans) != count:
        raise FanError(f"`fans` must be one, or one for each of {count} blocks, got {len(fans)}")
    return fans
