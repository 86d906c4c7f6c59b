"""Schemes of structured matrices: orthogonal and its kin (spec: schemes/8 to schemes/13).

They see a parameter as matrices, one for every independent copy and group. A matrix has `rows`
output units as rows. Its columns are `inputs` input units by `taps` positions of the receptive
field, flattened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from .._axes import Axes, Shape
from .._errors import SchemeError, finite, one_of, positive
from .._laws.complex import ComplexNormal
from .._laws.joint import HaarOrthogonal, ZeroInflated
from .._laws.real import Constant, Law, Normal
from .elementwise import checked_gain
from .scheme import Base, Gain, Options, Scheme, Setting, define

Center: TypeAlias = Literal["lower", "upper"]
Unit: TypeAlias = Literal["out", "in"]

CENTERS: tuple[Center, ...] = get_args(Center)
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True, slots=True)
class MatrixView:
    """A block of a parameter, seen as ``copies * groups`` matrices.

    Each matrix has `rows` rows and ``inputs * taps`` columns.
    """

    copies: int
    groups: int
    rows: int
    inputs: int
    kernel: Shape
    has_columns: bool

    @classmethod
    def of(cls, shape: Shape, axes: Axes) -> MatrixView:
        """Make the view of a shape that `axes` fits and does not split further."""
        units = {"out": axes.size("out", shape), "in": axes.size("in", shape)}
        units[axes.grouped_role] //= axes.groups
        kernel = tuple(n for n, role in zip(shape, axes.roles, strict=True) if role == "kernel")
        copies = axes.size("stack", shape)
        return cls(copies, axes.groups, units["out"], units["in"], kernel, axes.has_inputs)

    @property
    def matrices(self) -> int:
        """The number of matrices is ``copies * groups``."""
        return self.copies * self.groups

    @property
    def taps(self) -> int:
        """The taps are the positions of the receptive field."""
        return math.prod(self.kernel)

    @property
    def columns(self) -> int:
        """The number of columns is ``inputs * taps``."""
        return self.inputs * self.taps

    @property
    def size(self) -> int:
        """The size is the number of weights."""
        return self.matrices * self.rows * self.columns


def _view(scheme: Scheme, setting: Setting, kernel: bool | None = None) -> MatrixView:
    """Return the matrices of a block, or raise if it has none.

    If `kernel` is True, raise unless there is a receptive field. If it is False, raise if there is
    one.
    """
    if setting.axes is None:
        raise SchemeError(f"`axes` must be given for {scheme}, got None")
    view = MatrixView.of(setting.shape, setting.axes)
    if kernel is not None and kernel != bool(view.kernel):
        rule = "have a 'kernel' axis" if kernel else "have no 'kernel' axis (see `dirac`)"
        raise SchemeError(
            f"`axes` must {rule} for {scheme.base_name}, got a kernel of {view.kernel}"
        )
    if not view.has_columns:
        raise SchemeError(
            f"`axes` must have an 'in' or a 'kernel' axis for {scheme.base_name}, got none: "
            f"a vector is no matrix"
        )
    return view


def _orthogonal_law(scheme: Scheme, setting: Setting) -> Law:
    view = _view(scheme, setting)
    return HaarOrthogonal(scheme["gain"], view.rows, view.columns, setting.field)


@define(Base(_orthogonal_law, needs="axes", matrix="haar"), scales=("gain",))
def orthogonal(*, gain: Gain = 1.0) -> Options:
    """Draw `gain` times a Haar-random orthogonal (complex: unitary) matrix.

    Every independent copy, group and block is a matrix of its own. It has a row for every `out`
    unit, and a column for every `in` unit and `kernel` position. The rows are orthonormal if there
    are fewer rows than columns, else the columns are.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Singular values of the matrix, or the activation whose gain to use.

    Raises
    ------
    SchemeError, GainError
        If `gain` is not positive and finite, or names no activation that has a gain.

    Notes
    -----
    PyTorch, Keras and JAX take the fused gates of an LSTM or GRU for one matrix, so that no gate
    has an orthogonal matrix. They cannot draw in half precision.

    Examples
    --------
    >>> from fanwise import orthogonal
    >>> orthogonal(gain="relu")
    orthogonal(gain='relu')

    References
    ----------
    Saxe, McClelland and Ganguli (2013), arXiv:1312.6120; Mezzadri (2006), arXiv:math-ph/0609050.
    """
    return {"gain": checked_gain(gain)}


def _delta_orthogonal_law(scheme: Scheme, setting: Setting) -> Law:
    view = _view(scheme, setting, kernel=True)
    if view.inputs > view.rows:
        raise SchemeError(
            f"`axes` must have at least as many 'out' as 'in' units for delta_orthogonal, "
            f"got {view.rows} and {view.inputs}: "
            f"no linear map to fewer dimensions preserves every norm"
        )
    haar = HaarOrthogonal(scheme["gain"], view.rows, view.inputs, setting.field)
    return ZeroInflated(haar, view.matrices * view.rows * view.inputs, view.size, "center tap")


@define(Base(_delta_orthogonal_law, needs="axes", matrix="haar", center_tap=True), scales=("gain",))
def delta_orthogonal(*, gain: Gain = 1.0, center: Center = "lower") -> Options:
    """Draw a convolution whose center tap is an orthogonal matrix, and whose other taps are 0.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Singular values of the matrix, or the activation whose gain to use.
    center : {"lower", "upper"}, default "lower"
        Which of the two middle taps of an even kernel is its center. ``"lower"`` is the index
        ``(k - 1) // 2``, which `same` padding aligns with the input. ``"upper"`` is the index
        ``k // 2``.

    Raises
    ------
    SchemeError, GainError
        If `gain` is not positive and finite, or names no activation that has a gain. On resolving:
        if there is no `kernel` axis, or there are more inputs than outputs, since no linear map
        to fewer dimensions preserves norms.

    Examples
    --------
    >>> from fanwise import delta_orthogonal
    >>> delta_orthogonal()
    delta_orthogonal()

    References
    ----------
    Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington (2018), arXiv:1806.05393.
    """
    one_of("center", center, CENTERS, SchemeError)
    return {"gain": checked_gain(gain), "center": center}


def _identity_law(scheme: Scheme, setting: Setting) -> Law:
    view = _view(scheme, setting, kernel=scheme.base.center_tap)
    pattern = "diagonal of the center tap" if scheme.base.center_tap else "diagonal"
    count = view.matrices * min(view.rows, view.inputs)
    return ZeroInflated(Constant(scheme["gain"]), count, view.size, pattern)


@define(
    Base(_identity_law, needs="axes", is_random=False, matrix="identity"),
    scales=("gain",),
)
def identity(*, gain: Gain = 1.0) -> Options:
    """Set a matrix to `gain` times the identity: output unit i is `gain` times input unit i.

    A matrix that is not square has zeros in the rows or columns that are left over.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Value of the diagonal, or the activation whose gain to use.

    Raises
    ------
    SchemeError, GainError
        If `gain` is not positive and finite, or names no activation that has a gain. On resolving:
        if there is a `kernel` axis (`dirac` is the identity of a convolution).

    Notes
    -----
    For every copy, group and block, this is the same as ``eye_`` of PyTorch and ``Identity`` of
    Keras.

    Examples
    --------
    >>> from fanwise import identity
    >>> identity()
    identity()

    References
    ----------
    Le, Jaitly and Hinton (2015), arXiv:1504.00941.
    """
    return {"gain": checked_gain(gain)}


@define(
    Base(_identity_law, needs="axes", is_random=False, matrix="identity", center_tap=True),
    scales=("gain",),
)
def dirac(*, gain: Gain = 1.0, center: Center = "lower") -> Options:
    """Set a convolution to `gain` times the identity, in every group.

    Parameters
    ----------
    gain : float, str or tuple, default 1
        Value of the weights that are not zero, or the activation whose gain to use.
    center : {"lower", "upper"}, default "lower"
        Which tap is the center, as in `delta_orthogonal`. ``dirac_`` of PyTorch takes ``"upper"``.

    Raises
    ------
    SchemeError, GainError
        If `gain` is not positive and finite, or names no activation that has a gain. On resolving:
        if there is no `kernel` axis.

    Examples
    --------
    >>> from fanwise import dirac
    >>> dirac(center="upper")
    dirac(center='upper')

    References
    ----------
    Zagoruyko and Komodakis (2017), arXiv:1706.00388.
    """
    one_of("center", center, CENTERS, SchemeError)
    return {"gain": checked_gain(gain), "center": center}


def _sparse_law(scheme: Scheme, setting: Setting) -> Law:
    view = _view(scheme, setting)
    zeros, weights = zeros_per_unit(scheme, view)
    std = scheme["std"]
    entry = Normal(0.0, std) if setting.field == "real" else ComplexNormal(std)
    count = view.size // weights * (weights - zeros)
    return ZeroInflated(entry, count, view.size, f"random, per {scheme['per']} unit")


@define(Base(_sparse_law, needs="axes", matrix="sparse"), scales=("std",))
def sparse(*, sparsity: float, std: float, per: Unit = "out") -> Options:
    """Draw normal weights, and set an exact number of each unit to 0 at random positions.

    Of the n weights of a unit, ``ceil(sparsity * n)`` are zero.

    Parameters
    ----------
    sparsity : float
        Share of zeros, within [0, 1). It is read as the decimal number that it prints as, so that
        0.07 of 100 are 7.
    std : float
        Standard deviation of the weights that are not zero.
    per : {"out", "in"}, default "out"
        What a unit is. ``"out"`` counts the weights into every output unit, as in the paper.
        ``"in"`` counts the weights out of every input unit.

    Raises
    ------
    SchemeError
        If a number is out of range. On resolving: if no weight of a unit would be left.

    Notes
    -----
    ``sparse_`` of PyTorch has ``per="in"`` (its "columns") and std 0.01. MLX has zeros per row.
    Even with a `generator`, PyTorch takes the positions from the global generator.

    Examples
    --------
    >>> from fanwise import sparse
    >>> sparse(sparsity=0.9, std=0.01)
    sparse(sparsity=0.9, std=0.01)

    References
    ----------
    Martens (2010), ICML, sec. 5.
    """
    sparsity = finite("sparsity", sparsity, SchemeError)
    if not 0 <= sparsity < 1:
        raise SchemeError(f"`sparsity` must be within [0, 1), got {sparsity}")
    one_of("per", per, UNITS, SchemeError)
    return {"sparsity": sparsity, "std": positive("std", std, SchemeError), "per": per}


def zeros_per_unit(scheme: Scheme, view: MatrixView) -> tuple[int, int]:
    """Count the weights of a unit that a sparse scheme sets to zero, and all of its weights."""
    weights = (view.inputs if scheme["per"] == "out" else view.rows) * view.taps
    zeros = math.ceil(Fraction(repr(scheme["sparsity"])) * weights)
    if zeros == weights:
        raise SchemeError(
            f"`sparsity` must leave a weight to every unit, got {scheme['sparsity']} of {weights}"
        )
    return zeros, weights
