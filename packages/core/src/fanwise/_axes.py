"""Axes: the role that every axis of one parameter plays in its layer (spec: axes).

The shape of a kernel does not tell which of its axes are inputs; frameworks guess from the
rank, and guess wrong for grouped, transposed, fused and stacked kernels. Here the layer says it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from ._errors import AxesError, integer

Role: TypeAlias = Literal["out", "in", "kernel", "stack"]
Shape: TypeAlias = tuple[int, ...]
BlockSizes: TypeAlias = int | tuple[int, ...]

ROLES: tuple[Role, ...] = get_args(Role)
CANONICAL: tuple[Role, ...] = ("stack", "out", "in", "kernel")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Axes:
    """The role of every axis of a parameter, and how the layer uses them.

    A layer computes, for every one of its independent copies (`stack`), an output unit as a
    weighted sum over the inputs (`in`) and the taps of a receptive field (`kernel`).

    Parameters
    ----------
    roles : str or iterable of {"out", "in", "kernel", "stack"}
        One role an axis, in storage order; as a string they are separated by spaces. A role
        may repeat: ``"in out out"`` is a query projection of shape (d, heads, head_dim).
        A role that does not occur counts one unit.
    groups : int, default 1
        Number of groups of a grouped convolution. The `out` axis counts the units of all
        groups and the `in` axis those of one; the other way round if `transposed`.
    stride : int or sequence of int, default 1
        Stride along every `kernel` axis, or along each. At the default, the fans are the
        conventional counts, which take no stride into account.
    transposed : bool, default False
        Whether the layer is a transposed convolution.
    one_hot : bool, default False
        Whether the layer's input is one-hot, as that of an embedding table: one input unit at a
        time feeds every output, whatever the size of the `in` axis.
    blocks : mapping of role to int or sequence of int, default {}
        How a fused axis divides into independent blocks: ``{"out": 3}`` into three equal
        ones, ``{"out": (768, 128, 128)}`` into blocks of these sizes.

    Raises
    ------
    AxesError
        If a role is unknown, or an option is out of range or does not fit the roles.

    Notes
    -----
    PyTorch, Keras and JAX derive the roles from the rank of the array, JAX and Keras (for
    `VarianceScaling`) from axis arguments; none has groups, strides, fused blocks.

    Examples
    --------
    >>> from fanwise import Axes
    >>> Axes("out in kernel kernel", groups=4)
    Axes('out in kernel kernel', groups=4)
    >>> Axes("in out", blocks={"out": 3}).blocks
    (('out', 3),)
    """

    roles: tuple[Role, ...]
    groups: int
    stride: tuple[int, ...]
    transposed: bool
    one_hot: bool
    blocks: tuple[tuple[Role, BlockSizes], ...]

    def __init__(
        self,
        roles: str | Iterable[str],
        *,
        groups: int = 1,
        stride: int | Sequence[int] = 1,
        transposed: bool = False,
        one_hot: bool = False,
        blocks: Mapping[str, int | Sequence[int]] | Iterable[tuple[str, Any]] = (),
    ) -> None:
        if not isinstance(roles, Iterable):
            raise AxesError(f"`roles` must be a string or a sequence, got {roles!r}")
        parsed = tuple(roles.split()) if isinstance(roles, str) else tuple(roles)
        for role in parsed:
            _check_role("roles", role)
        checked = cast(tuple[Role, ...], parsed)
        groups = integer("groups", groups, AxesError, minimum=1)
        grouped: Role = "in" if transposed else "out"
        if groups > 1 and grouped not in checked:
            raise AxesError(f"`groups` needs an {grouped!r} axis to divide, got {parsed}")
        if one_hot and "in" not in checked:
            raise AxesError(f"`one_hot` needs an 'in' axis, got {parsed}")
        for name, flag in (("transposed", transposed), ("one_hot", one_hot)):
            if not isinstance(flag, bool):
                raise AxesError(f"`{name}` must be a bool, got {flag!r}")
        set_field = object.__setattr__  # the instance is frozen
        set_field(self, "roles", checked)
        set_field(self, "groups", groups)
        set_field(self, "stride", _parse_stride(stride, checked.count("kernel")))
        set_field(self, "transposed", transposed)
        set_field(self, "one_hot", one_hot)
        set_field(self, "blocks", _parse_blocks(blocks, checked))

    @property
    def grouped_role(self) -> Role:
        """The role whose axis counts the units of all groups."""
        return "in" if self.transposed else "out"

    @property
    def has_inputs(self) -> bool:
        """Whether there is an axis along which inputs are summed, as a bias has none."""
        return "in" in self.roles or "kernel" in self.roles

    @property
    def canonical_order(self) -> tuple[int, ...]:
        """The axes in the order stack, out, in, kernel: the same in every framework."""
        return tuple(sorted(range(len(self.roles)), key=lambda i: CANONICAL.index(self.roles[i])))

    def size(self, role: Role, shape: Shape) -> int:
        """Number of positions along all axes of one role together; one if there is none."""
        return math.prod(n for n, r in zip(shape, self.roles, strict=True) if r == role)

    def to_data(self) -> str | dict[str, Any]:
        """The axes as plain JSON data: a string if the roles say it all."""
        options = self._options()
        if not options:
            return " ".join(self.roles)
        if "blocks" in options:
            options["blocks"] = {
                role: sizes if isinstance(sizes, int) else list(sizes)
                for role, sizes in self.blocks
            }
        if "stride" in options:
            options["stride"] = list(self.stride)
        return {"roles": " ".join(self.roles), **options}

    @classmethod
    def from_data(cls, data: Any) -> Axes:
        """Read the axes back from `to_data`'s form."""
        if isinstance(data, str):
            return cls(data)
        if not isinstance(data, Mapping) or not isinstance(data.get("roles"), str):
            raise AxesError(f"`axes` must be a string or an object with 'roles', got {data!r}")
        known = {"roles", "groups", "stride", "transposed", "one_hot", "blocks"}
        unknown = sorted(set(data) - known)
        if unknown:
            raise AxesError(f"`axes` must have only the keys {sorted(known)}, got {unknown}")
        options = {key: value for key, value in data.items() if key != "roles"}
        if not isinstance(options.get("blocks", {}), Mapping):
            raise AxesError(f"`blocks` must be an object, got {options['blocks']!r}")
        return cls(data["roles"], **options)

    @classmethod
    def from_einsum(cls, equation: str) -> Axes:
        """The axes of the kernel of an einsum: its second operand.

        An index of the kernel that the input has and the result has not is summed over, `in`; one
        that the result alone has is `out`; and one that all three have is `stack`.

        Parameters
        ----------
        equation : str
            As ``jnp.einsum`` takes it, with two operands and a result.

        Raises
        ------
        AxesError
            If the equation is of another form.

        Examples
        --------
        >>> from fanwise import Axes
        >>> Axes.from_einsum("...d,dhk->...hk")  # query projections
        Axes('in out out')
        """
        text = equation.replace(" ", "").replace("...", "") if isinstance(equation, str) else ""
        operands, arrow, result = text.partition("->")
        inputs, comma, kernel = operands.partition(",")
        if not (arrow and comma) or not (inputs + kernel + result).isalpha():
            raise AxesError(
                f"`equation` must be of two operands and a result, such as 'ab,bc->ac', "
                f"got {equation!r}"
            )
        roles = {(True, False): "in", (False, True): "out", (True, True): "stack"}
        found = [roles.get((index in inputs, index in result)) for index in kernel]
        if None in found:
            raise AxesError(
                f"`equation` must have each index of the kernel in the input or the result, "
                f"got {equation!r}"
            )
        return cls(role for role in found if role is not None)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self.groups != 1:
            options["groups"] = self.groups
        if any(step != 1 for step in self.stride):
            options["stride"] = self.stride
        if self.transposed:
            options["transposed"] = True
        if self.one_hot:
            options["one_hot"] = True
        if self.blocks:
            options["blocks"] = dict(self.blocks)
        return options

    def __repr__(self) -> str:
        options = "".join(f", {key}={value!r}" for key, value in self._options().items())
        return f"Axes({' '.join(self.roles)!r}{options})"

    def __str__(self) -> str:
        return repr(self)[len("Axes(") : -1].replace("'", "")


@dataclass(frozen=True, slots=True)
class Block:
    """One independent block of a parameter: a box of its array, and the axes within it."""

    start: Shape
    shape: Shape
    axes: Axes


def as_axes(value: Any, /) -> Axes:
    """The value as axes of this copy of the package, by its data if it is another copy's.

    Raises
    ------
    AxesError
        If it is no axes.
    """
    if isinstance(value, Axes):
        return value
    if hasattr(value, "roles") and hasattr(value, "to_data"):
        return Axes.from_data(value.to_data())
    raise AxesError(f"`axes` must be an Axes, such as Axes('out in'), got {value!r}")


def check_shape(shape: Any) -> Shape:
    """Return `shape` as a tuple of whole numbers, none below zero."""
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise AxesError(f"`shape` must be a sequence of whole numbers, got {shape!r}")
    try:
        return tuple(integer("shape", size, AxesError, minimum=0) for size in shape)
    except AxesError:
        if not hasattr(shape, "shape"):
            raise
    raise AxesError("`shape` must be a sequence of whole numbers, got an array: give its shape")


def check_fit(shape: Shape, axes: Axes) -> None:
    """Raise unless `axes` describes an array of `shape` (spec: axes/2, axes/4)."""
    if len(axes.roles) != len(shape):
        raise AxesError(
            f"`axes` must have one role for each axis of `shape`, "
            f"got {len(axes.roles)} ({' '.join(axes.roles)!r}) for {shape}"
        )
    total = axes.size(axes.grouped_role, shape)
    if total % axes.groups:
        raise AxesError(
            f"`groups` must divide the {total} units of {axes.grouped_role!r}, got {axes.groups}"
        )


def split_blocks(shape: Shape, axes: Axes) -> tuple[Block, ...]:
    """The independent blocks of a parameter, in row-major order (spec: axes/5).

    Examples
    --------
    >>> from fanwise import Axes
    >>> from fanwise._axes import split_blocks
    >>> [b.shape for b in split_blocks((12, 4), Axes("out in", blocks={"out": (8, 2, 2)}))]
    [(8, 4), (2, 4), (2, 4)]
    """
    check_fit(shape, axes)
    sizes_of = dict(axes.blocks)
    sizes_along: list[tuple[int, ...]] = []
    for size, role in zip(shape, axes.roles, strict=True):
        sizes_along.append(
            _block_sizes(role, size, sizes_of[role]) if role in sizes_of else (size,)
        )
    group = axes.size(axes.grouped_role, shape) // axes.groups
    blocks = []
    for indices in itertools.product(*(range(len(sizes)) for sizes in sizes_along)):
        pairs = list(zip(sizes_along, indices, strict=True))
        box = tuple(sizes[i] for sizes, i in pairs)
        blocks.append(
            Block(
                start=tuple(sum(sizes[:i]) for sizes, i in pairs),
                shape=box,
                axes=_within_block(axes, box, group) if axes.blocks else axes,
            )
        )
    return tuple(blocks)


def _within_block(axes: Axes, box: Shape, group: int) -> Axes:
    size = axes.size(axes.grouped_role, box)
    if not group:  # an axis of size 0
        size = group = 1
    if axes.groups > 1 and size % group:
        raise AxesError(
            f"`blocks` must divide {axes.grouped_role!r} at the borders of its groups of {group}, "
            f"got a block of {size}"
        )
    return Axes(
        axes.roles,
        groups=size // group if axes.groups > 1 else 1,
        stride=axes.stride,
        transposed=axes.transposed,
        one_hot=axes.one_hot,
    )


def _block_sizes(role: Role, size: int, sizes: BlockSizes) -> tuple[int, ...]:
    if isinstance(sizes, int):
        if size % sizes:
            raise AxesError(f"`blocks` must divide {role!r} of size {size}, got {sizes} blocks")
        return (size // sizes,) * sizes
    if sum(sizes) != size:
        raise AxesError(
            f"`blocks` must add up to the size of {role!r}, {size}, got {sizes} = {sum(sizes)}"
        )
    return sizes


def _check_role(name: str, role: Any) -> None:
    if role not in ROLES:
        raise AxesError(f"`{name}` must be among {', '.join(map(repr, ROLES))}, got {role!r}")


def _parse_stride(stride: Any, kernel_axes: int) -> tuple[int, ...]:
    if isinstance(stride, str) or not isinstance(stride, Sequence):
        step = integer("stride", stride, AxesError, minimum=1)
        if step > 1 and not kernel_axes:
            raise AxesError(f"`stride` needs a 'kernel' axis, got {step}")
        return (step,) * kernel_axes
    steps = tuple(integer("stride", step, AxesError, minimum=1) for step in stride)
    if len(steps) != kernel_axes:
        raise AxesError(
            f"`stride` must have one value for each of the {kernel_axes} 'kernel' axes, got {steps}"
        )
    return steps


def _parse_blocks(
    blocks: Mapping[str, int | Sequence[int]] | Iterable[tuple[str, Any]],
    roles: tuple[Role, ...],
) -> tuple[tuple[Role, BlockSizes], ...]:
    if not isinstance(blocks, Mapping | tuple):
        raise AxesError(f"`blocks` must be a mapping from roles to sizes, got {blocks!r}")
    parsed: dict[Role, BlockSizes] = {}
    try:
        pairs = list(blocks.items() if isinstance(blocks, Mapping) else dict(blocks).items())
    except (TypeError, ValueError):
        raise AxesError(f"`blocks` must be a mapping from roles to sizes, got {blocks!r}") from None
    for role, sizes in pairs:
        _check_role("blocks", role)
        if roles.count(cast(Role, role)) != 1:
            raise AxesError(
                f"`blocks` must divide a role with exactly one axis, "
                f"got {role!r} with {roles.count(cast(Role, role))}"
            )
        if isinstance(sizes, Sequence) and not isinstance(sizes, str):
            checked: BlockSizes = tuple(
                integer("blocks", size, AxesError, minimum=1) for size in sizes
            )
            if not checked:
                raise AxesError(f"`blocks` must name at least one block of {role!r}, got {sizes!r}")
        else:
            checked = integer("blocks", sizes, AxesError, minimum=1)
        if checked not in (1, (1,)):
            parsed[cast(Role, role)] = checked
    return tuple(sorted(parsed.items()))
