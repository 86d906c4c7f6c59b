"""Schemes of structured matrices: orthogonal and its kin (spec: schemes/8 to schemes/13).

They see a parameter as matrices: for every independent copy and group, `rows` output units by
`inputs` input units by `taps` positions of the receptive field, the last two flattened to columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from ._axes import Axes, Shape
from ._complex_laws import ComplexNormal
from ._errors import SchemeError, finite, one_of, positive
from ._joint_laws import Field, HaarOrthogonal, ZeroInflated
from ._laws import Constant, Law, Normal
from ._schemes import Scheme, make, named

Center: TypeAlias = Literal["lower", "upper"]
Unit: TypeAlias = Literal["out", "in"]

CENTERS: tuple[Center, ...] = get_args(Center)
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True, slots=True)
class MatrixView:
    """A block of a parameter as matrices: `copies` x `groups` of `rows` x (`inputs` x `taps`)."""

    copies: int
    groups: int
    rows: int
    inputs: int
    kernel: Shape
    has_columns: bool

    @classmethod
    def of(cls, shape: Shape, axes: Axes) -> MatrixView:
        """The view of a shape that `axes` fits and does not split further."""
        units = {"out": axes.size("out", shape), "in": axes.size("in", shape)}
        units[axes.grouped_role] //= axes.groups
        kernel = tuple(n for n, role in zip(shape, axes.roles, strict=True) if role == "kernel")
        copies = axes.size("stack", shape)
        return cls(copies, axes.groups, units["out"], units["in"], kernel, axes.has_inputs)

    @property
    def taps(self) -> int:
        """Positions of the receptive field."""
        return math.prod(self.kernel)

    @property
    def columns(self) -> int:
        """Inputs times taps."""
        return self.inputs * self.taps

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.copies * self.groups * self.rows * self.columns


@named
def orthogonal(*, gain: float = 1.0) -> Scheme:
    r"""`gain` times a Haar-random orthogonal (complex: unitary) matrix.

    Every independent copy, group and block is a matrix of out rows and in x kernel columns of its
    own; its rows are orthonormal if there are fewer of them than columns, else its columns.

    Parameters
    ----------
    gain : float, default 1
        The singular values.

    Raises
    ------
    SchemeError
        If `gain` is not positive and finite.

    Notes
    -----
    PyTorch, Keras and JAX take the fused gates of an LSTM or GRU for one matrix, so that no gate's
    is orthogonal, and cannot draw in half precision.

    Examples
    --------
    >>> orthogonal()
    orthogonal(gain=1.0)

    References
    ----------
    Saxe, McClelland and Ganguli (2013), arXiv:1312.6120; Mezzadri (2006), arXiv:math-ph/0609050.
    """
    return make("orthogonal", gain=positive("gain", gain, SchemeError))


@named
def delta_orthogonal(*, gain: float = 1.0, center: Center = "lower") -> Scheme:
    """A convolution whose center tap is an orthogonal matrix, and whose other taps are 0.

    Parameters
    ----------
    gain : float, default 1
        The singular values.
    center : {"lower", "upper"}, default "lower"
        Which of the two middle taps of an even kernel is its center: index (k - 1) // 2, which
        `same` padding aligns with the input, or k // 2.

    Raises
    ------
    SchemeError
        If `gain` is not positive and finite. On resolving: if there is no `kernel` axis, or if
        there are more inputs than outputs: no linear map to fewer dimensions preserves norms.

    Examples
    --------
    >>> delta_orthogonal()
    delta_orthogonal(center='lower', gain=1.0)

    References
    ----------
    Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington (2018), arXiv:1806.05393.
    """
    one_of("center", center, CENTERS, SchemeError)
    return make("delta_orthogonal", gain=positive("gain", gain, SchemeError), center=center)


@named
def identity(*, gain: float = 1.0) -> Scheme:
    """`gain` times the identity: output unit i is input unit i, as far as there are both.

    Parameters
    ----------
    gain : float, default 1
        The entries of the diagonal.

    Raises
    ------
    SchemeError
        If `gain` is not positive and finite. On resolving: if there is a `kernel` axis (`dirac`
        is the identity of a convolution).

    Notes
    -----
    The identity of PyTorch's and Keras' `eye_` and `Identity`, for every copy, group and block.

    Examples
    --------
    >>> identity()
    identity(gain=1.0)

    References
    ----------
    Le, Jaitly and Hinton (2015), arXiv:1504.00941.
    """
    return make("identity", gain=positive("gain", gain, SchemeError))


@named
def dirac(*, gain: float = 1.0, center: Center = "lower") -> Scheme:
    """A convolution that is `gain` times the identity, in every group.

    Parameters
    ----------
    gain : float, default 1
        The entries that are not zero.
    center : {"lower", "upper"}, default "lower"
        As in `delta_orthogonal`. PyTorch's `dirac_` has the upper one.

    Raises
    ------
    SchemeError
        If `gain` is not positive and finite. On resolving: if there is no `kernel` axis.

    Examples
    --------
    >>> dirac()
    dirac(center='lower', gain=1.0)

    References
    ----------
    Zagoruyko and Komodakis (2017), arXiv:1706.00388.
    """
    one_of("center", center, CENTERS, SchemeError)
    return make("dirac", gain=positive("gain", gain, SchemeError), center=center)


@named
def sparse(*, sparsity: float, std: float, per: Unit = "out") -> Scheme:
    r"""Normal entries, but for an exact number of zeros at random positions of every unit.

    Of the n weights of a unit, :math:`\lceil \text{sparsity} \cdot n \rceil` are zero.

    Parameters
    ----------
    sparsity : float
        Share of zeros, within [0, 1); taken as the decimal number that it prints as, so that
        0.07 of 100 are 7.
    std : float
        Standard deviation of the other entries.
    per : {"out", "in"}, default "out"
        Whether the count is of the weights into every output unit, as in the paper, or of those
        out of every input unit.

    Raises
    ------
    SchemeError
        If a number is out of range. On resolving: if no entry of a unit would be left.

    Notes
    -----
    PyTorch's `sparse_` has `per="in"` (its "columns") and std 0.01; MLX has zeros per row. With
    a `generator`, PyTorch takes the positions from the global one all the same.

    Examples
    --------
    >>> sparse(sparsity=0.9, std=0.01)
    sparse(per='out', sparsity=0.9, std=0.01)

    References
    ----------
    Martens (2010), ICML, sec. 5.
    """
    sparsity = finite("sparsity", sparsity, SchemeError)
    if not 0 <= sparsity < 1:
        raise SchemeError(f"`sparsity` must be within [0, 1), got {sparsity}")
    one_of("per", per, UNITS, SchemeError)
    return make("sparse", sparsity=sparsity, std=positive("std", std, SchemeError), per=per)


def zeros_per_unit(scheme: Scheme, view: MatrixView) -> tuple[int, int]:
    """How many of how many weights of a unit a sparse scheme sets to zero."""
    weights = (view.inputs if scheme["per"] == "out" else view.rows) * view.taps
    zeros = math.ceil(Fraction(repr(scheme["sparsity"])) * weights)
    if weights and zeros == weights:
        raise SchemeError(
            f"`sparsity` must leave a weight to every unit, got {scheme['sparsity']} of {weights}"
        )
    return zeros, weights


def structured_law(scheme: Scheme, view: MatrixView, field: Field) -> Law:
    """The joint law of a block's entries under a structured scheme (spec: laws/7)."""
    needs_kernel = scheme.name in ("dirac", "delta_orthogonal")
    if needs_kernel != bool(view.kernel) and scheme.name in (
        "dirac",
        "delta_orthogonal",
        "identity",
    ):
        rule = "have a 'kernel' axis" if needs_kernel else "have no 'kernel' axis (see `dirac`)"
        raise SchemeError(f"`axes` must {rule} for {scheme.name}, got a kernel of {view.kernel}")
    if not view.has_columns:
        raise SchemeError(
            f"`axes` must have an 'in' or a 'kernel' axis for {scheme.name}, got none: "
            f"a vector is no matrix"
        )
    if view.size == 0:
        raise SchemeError(f"`shape` must have no axis of size 0 for {scheme.name}, got one")
    if scheme.name == "orthogonal":
        return HaarOrthogonal(scheme["gain"], view.rows, view.columns, field)
    matrices = view.copies * view.groups
    if scheme.name == "delta_orthogonal":
        if view.inputs > view.rows:
            raise SchemeError(
                f"`axes` must have at least as many 'out' as 'in' units for delta_orthogonal, "
                f"got {view.rows} and {view.inputs}: "
                f"no linear map to fewer dimensions preserves every norm"
            )
        haar = HaarOrthogonal(scheme["gain"], view.rows, view.inputs, field)
        return ZeroInflated(haar, matrices * view.rows * view.inputs, view.size, "center tap")
    if scheme.name in ("identity", "dirac"):
        pattern = "diagonal" if scheme.name == "identity" else "diagonal of the center tap"
        count = matrices * min(view.rows, view.inputs)
        return ZeroInflated(Constant(scheme["gain"]), count, view.size, pattern)
    zeros, weights = zeros_per_unit(scheme, view)
    entry = Normal(0.0, scheme["std"]) if field == "real" else ComplexNormal(scheme["std"])
    count = view.size // weights * (weights - zeros)
    return ZeroInflated(entry, count, view.size, f"random, per {scheme['per']} unit")
