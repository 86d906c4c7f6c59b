"""Schemes of independent entries: fixed laws, and laws scaled by a fan (spec: schemes).

Each function is one visible composition; the law that a scheme means for given fans is in
`elementwise_law`. Longer than most modules for the documentation of the twelve names.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

from ._complex_laws import ComplexNormal, ComplexTruncatedNormal, ComplexUniform
from ._errors import LawError, SchemeError, finite, one_of, positive, real
from ._fans import FAN_CHOICES, Fan, Fans
from ._joint_laws import Field
from ._laws import Constant, Law, Normal, TruncatedNormal, Uniform, bisect
from ._schemes import Scheme, make, named

Family: TypeAlias = Literal["normal", "truncated_normal", "uniform"]
Bounds: TypeAlias = Literal["parent_std", "absolute"]

FAMILIES: tuple[Family, ...] = get_args(Family)
BOUNDS: tuple[Bounds, ...] = get_args(Bounds)
SQRT2 = math.sqrt(2)


@named
def zeros() -> Scheme:
    """Every entry is 0.

    Examples
    --------
    >>> zeros()
    constant(value=0.0)
    """
    return constant(value=0.0)


@named
def ones() -> Scheme:
    """Every entry is 1.

    Examples
    --------
    >>> ones()
    constant(value=1.0)
    """
    return constant(value=1.0)


@named
def constant(*, value: float) -> Scheme:
    """Every entry is `value`.

    Parameters
    ----------
    value : float
        A finite number.

    Raises
    ------
    SchemeError
        If `value` is not finite.

    Examples
    --------
    >>> constant(value=-4.5)
    constant(value=-4.5)
    """
    return make("constant", value=finite("value", value, SchemeError))


@named
def normal(*, std: float, mean: float = 0.0) -> Scheme:
    r"""Independent :math:`N(\text{mean}, \text{std}^2)` entries.

    Parameters
    ----------
    std : float
        Standard deviation. For complex weights, variance means E|w|^2 and `mean` must be 0.
    mean : float, default 0
        Mean.

    Raises
    ------
    SchemeError
        If `std` is not positive and finite, or `mean` not finite.

    Notes
    -----
    The defaults of `std` differ: 1 in PyTorch, 0.01 in JAX, 0.05 in Keras. Here there is none.

    Examples
    --------
    >>> normal(std=0.02)
    normal(mean=0.0, std=0.02)
    """
    std = positive("std", std, SchemeError)
    return make("normal", std=std, mean=finite("mean", mean, SchemeError))


@named
def uniform(
    *, bound: float | None = None, low: float | None = None, high: float | None = None
) -> Scheme:
    r"""Independent entries, uniform on [-`bound`, `bound`) or on [`low`, `high`).

    Parameters
    ----------
    bound : float, optional
        Bound of a law that is symmetric about zero. For complex weights, uniform on the disc
        of this radius.
    low, high : float, optional
        Bounds of any other; `high` itself is never drawn.

    Raises
    ------
    SchemeError
        If the bounds are crossed, equal or not finite, or not either of the two forms.

    Notes
    -----
    JAX's `uniform(scale)` is on [0, `scale`). PyTorch, Keras and JAX may return `high`
    in low precision.

    Examples
    --------
    >>> uniform(bound=0.5) == uniform(low=-0.5, high=0.5)
    True
    """
    if (bound is None) == (low is None and high is None) or (low is None) != (high is None):
        raise SchemeError(
            f"`bound`, or `low` and `high`, must be given, got {bound}, {low} and {high}"
        )
    if bound is not None:
        high = positive("bound", bound, SchemeError)
        low = -high
    low, high = finite("low", low, SchemeError), finite("high", high, SchemeError)
    if not low < high:
        raise SchemeError(f"`low` must be below `high`, got {low} and {high}")
    return make("uniform", low=low, high=high)


@named
def truncated_normal(
    *,
    std: float | None = None,
    parent_std: float | None = None,
    parent_mean: float = 0.0,
    low: float = -2.0,
    high: float = 2.0,
    bounds: Bounds = "parent_std",
) -> Scheme:
    r"""Independent normal entries, given that they are within bounds.

    With :math:`z \sim N(0, 1)` given that it is between :math:`a` and :math:`b`, an entry is
    :math:`\text{parent\_mean} + \text{parent\_std}\, z`.

    Parameters
    ----------
    std : float, optional
        Standard deviation of the entries: `parent_std` is chosen so that this comes out.
    parent_std : float, optional
        Standard deviation of the normal before truncation; give one of the two.
    parent_mean : float, default 0
        Mean of the normal before truncation.
    low, high : float, default -2 and 2
        The bounds; one may be infinite.
    bounds : {"parent_std", "absolute"}, default "parent_std"
        Whether the bounds are :math:`a` and :math:`b`, in parent standard deviations from the
        parent mean, or bounds of the entries themselves. For complex weights they bound the
        modulus and must be symmetric.

    Raises
    ------
    SchemeError
        If not exactly one std is given, or a number is out of range, or the bounds are crossed.

    Notes
    -----
    `torch.nn.init.trunc_normal_(std=s, a=a, b=b)` is `truncated_normal(parent_std=s, low=a,
    high=b, bounds="absolute")`: at its default bounds and s = 0.02 it truncates at 100 standard
    deviations. `jax.nn.initializers.truncated_normal(s)` and Keras' `TruncatedNormal(stddev=s)`
    are `truncated_normal(parent_std=s)`, whose std is 0.88 s.

    Examples
    --------
    >>> truncated_normal(std=0.02)
    truncated_normal(bounds='parent_std', high=2.0, low=-2.0, parent_mean=0.0, std=0.02)
    """
    if (std is None) == (parent_std is None):
        raise SchemeError(
            f"one of `std` and `parent_std` must be given, got {std} and {parent_std}"
        )
    if std is not None:
        std = positive("std", std, SchemeError)
    if parent_std is not None:
        parent_std = positive("parent_std", parent_std, SchemeError)
    one_of("bounds", bounds, BOUNDS, SchemeError)
    low, high = real("low", low, SchemeError), real("high", high, SchemeError)
    if not low < high:
        raise SchemeError(f"`low` must be below `high`, got {low} and {high}")
    if low == math.inf or high == -math.inf or (low, high) == (-math.inf, math.inf):
        raise SchemeError(f"one of `low` and `high` must be finite, got {low} and {high}")
    return make(
        "truncated_normal",
        std=std,
        parent_std=parent_std,
        parent_mean=finite("parent_mean", parent_mean, SchemeError),
        low=low,
        high=high,
        bounds=bounds,
    )


@named
def variance_scaling(
    *, gain: float = 1.0, fan: Fan = "in", family: Family = "truncated_normal", cut: float = 2.0
) -> Scheme:
    r"""Independent entries of mean 0 and variance :math:`\text{gain}^2 / \text{fan}`.

    Parameters
    ----------
    gain : float, default 1
        Factor on the standard deviation.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which count divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "truncated_normal"
        Family of the law. The uniform's bound is sqrt(3) standard deviations (sqrt(2), on the
        disc, for complex weights).
    cut : float, default 2
        Where the truncated normal is cut, in parent standard deviations; the others take no
        notice of it. The variance is that of the law that comes out.

    Raises
    ------
    SchemeError
        If `gain` or `cut` is not positive and finite, or a choice unknown.

    Notes
    -----
    JAX's and Keras' `scale` is `gain`^2. Keras' `"normal"` and JAX's `"truncated_normal"` are the
    truncated family here.

    Examples
    --------
    >>> variance_scaling(gain=2.0, fan="out", family="uniform")
    variance_scaling(family='uniform', fan='out', gain=2.0)
    """
    one_of("fan", fan, FAN_CHOICES, SchemeError)
    one_of("family", family, FAMILIES, SchemeError)
    return make(
        "variance_scaling",
        gain=positive("gain", gain, SchemeError),
        fan=fan,
        family=family,
        # Elsewhere it makes no difference, and so must not make schemes differ.
        cut=positive("cut", cut, SchemeError) if family == "truncated_normal" else None,
    )


@named
def glorot_uniform(*, gain: float = 1.0, fan: Fan = "avg") -> Scheme:
    r"""Uniform entries of variance :math:`2\,\text{gain}^2 / (\text{fan\_in} + \text{fan\_out})`.

    The bound is :math:`\text{gain} \sqrt{6 / (\text{fan\_in} + \text{fan\_out})}`.

    Parameters
    ----------
    gain : float, default 1
        Factor on the standard deviation; `gain("tanh")` for layers that follow a tanh.
    fan : {"avg", "in", "out", "geometric", "max", "min"}, default "avg"
        Which count divides the variance.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    Also called Xavier uniform. PyTorch, Keras and JAX agree on the law and differ in the fans.

    Examples
    --------
    >>> glorot_uniform() == variance_scaling(fan="avg", family="uniform")
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 16.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@named
def glorot_normal(*, gain: float = 1.0, fan: Fan = "avg", family: Family = "normal") -> Scheme:
    r"""Normal entries of variance :math:`2\,\text{gain}^2 / (\text{fan\_in} + \text{fan\_out})`.

    Parameters
    ----------
    gain : float, default 1
        Factor on the standard deviation.
    fan : {"avg", "in", "out", "geometric", "max", "min"}, default "avg"
        Which count divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        The family; JAX's and Keras' `glorot_normal` have `"truncated_normal"`.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    Also called Xavier normal. PyTorch's is normal; JAX's and Keras' are truncated at two parent
    standard deviations and corrected to the same variance.

    Examples
    --------
    >>> glorot_normal() == variance_scaling(fan="avg", family="normal")
    True

    References
    ----------
    Glorot and Bengio (2010), AISTATS, eq. 12.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


@named
def he_uniform(*, gain: float = SQRT2, fan: Fan = "in") -> Scheme:
    r"""Uniform entries of variance :math:`\text{gain}^2 / \text{fan\_in}`, 2 / fan_in by default.

    The bound is :math:`\text{gain} \sqrt{3 / \text{fan\_in}}`.

    Parameters
    ----------
    gain : float, default sqrt(2)
        The activation's gain; the default is that of the ReLU.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which count divides the variance.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    Also called Kaiming uniform. MLX's default gain is 1.

    Examples
    --------
    >>> he_uniform() == variance_scaling(gain=2**0.5, fan="in", family="uniform")
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@named
def he_normal(*, gain: float = SQRT2, fan: Fan = "in", family: Family = "normal") -> Scheme:
    r"""Normal entries of variance :math:`\text{gain}^2 / \text{fan\_in}`, 2 / fan_in by default.

    Parameters
    ----------
    gain : float, default sqrt(2)
        The activation's gain; the default is that of the ReLU.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which count divides the variance: fan_in preserves activations, fan_out gradients.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        The family; JAX's and Keras' `he_normal` have `"truncated_normal"`.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    Also called Kaiming normal. The variance 2 / max(fan_in, fan_out) that some texts give as
    He's is `he_normal(fan="max")`; the paper has fan_in or fan_out.

    Examples
    --------
    >>> he_normal() == variance_scaling(gain=2**0.5, fan="in", family="normal")
    True

    References
    ----------
    He, Zhang, Ren and Sun (2015), arXiv:1502.01852, eqs. 10 and 14.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


@named
def lecun_uniform(*, gain: float = 1.0, fan: Fan = "in") -> Scheme:
    r"""Uniform entries of variance :math:`\text{gain}^2 / \text{fan\_in}`.

    Parameters
    ----------
    gain : float, default 1
        Factor on the standard deviation. `gain=3**-0.5` makes the bound 1/sqrt(fan_in), the
        default of PyTorch's linear and convolutional layers and of their biases.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which count divides the variance.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    PyTorch writes the default of its layers as `kaiming_uniform_(a=sqrt(5))`.

    Examples
    --------
    >>> lecun_uniform() == variance_scaling(fan="in", family="uniform")
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(gain=gain, fan=fan, family="uniform")


@named
def lecun_normal(*, gain: float = 1.0, fan: Fan = "in", family: Family = "normal") -> Scheme:
    r"""Normal entries of variance :math:`\text{gain}^2 / \text{fan\_in}`.

    Parameters
    ----------
    gain : float, default 1
        Factor on the standard deviation.
    fan : {"in", "out", "avg", "geometric", "max", "min"}, default "in"
        Which count divides the variance.
    family : {"normal", "truncated_normal", "uniform"}, default "normal"
        The family; JAX's and Keras' `lecun_normal` have `"truncated_normal"`.

    Raises
    ------
    SchemeError
        As `variance_scaling`.

    Notes
    -----
    The scheme for SELU (Klambauer et al. 2017, arXiv:1706.02515), whose gain is 1.

    Examples
    --------
    >>> lecun_normal() == variance_scaling(fan="in", family="normal")
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, sec. 4.6.
    """
    return variance_scaling(gain=gain, fan=fan, family=family)


ELEMENTWISE = ("constant", "normal", "uniform", "truncated_normal", "variance_scaling")


def elementwise_law(scheme: Scheme, fans: Fans | None, field: Field) -> Law:
    """The law of an entry under an elementwise scheme (spec: laws/1 to laws/6)."""
    if scheme.name == "constant":
        return Constant(scheme["value"])
    if scheme.name == "normal":
        if field == "real":
            return Normal(scheme["mean"], scheme["std"])
        if scheme["mean"] != 0:
            raise SchemeError(f"`mean` must be 0 for complex weights, got {scheme['mean']}")
        return ComplexNormal(scheme["std"])
    if scheme.name == "uniform":
        if field == "real":
            return Uniform(scheme["low"], scheme["high"])
        return ComplexUniform(_modulus_bound(scheme))
    if scheme.name == "truncated_normal":
        return _truncated_law(scheme, field)
    assert fans is not None  # resolve's promise to variance_scaling
    std = scheme["gain"] / math.sqrt(fans.value(scheme["fan"]))
    return _law_of_std(scheme["family"], std, scheme["cut"], field)


def _law_of_std(family: Family, std: float, cut: float | None, field: Field) -> Law:
    if family == "normal":
        return Normal(0.0, std) if field == "real" else ComplexNormal(std)
    if family == "uniform":
        if field == "complex":
            return ComplexUniform(math.sqrt(2) * std)
        bound = math.sqrt(3) * std
        return Uniform(-bound, bound)
    assert cut is not None  # as the factory has it
    return _truncated_law(truncated_normal(std=std, low=-cut, high=cut), field)


def _truncated_law(scheme: Scheme, field: Field) -> Law:
    mean, low, high = scheme["parent_mean"], scheme["low"], scheme["high"]
    absolute = scheme["bounds"] == "absolute"

    def law(parent_std: float) -> Law:
        if field == "complex":
            bound = _modulus_bound(scheme)
            return ComplexTruncatedNormal(parent_std, bound if absolute else bound * parent_std)
        if absolute:
            return TruncatedNormal(mean, parent_std, low, high)
        return TruncatedNormal.in_std_units(low, high, parent_std=parent_std, parent_mean=mean)

    if scheme["parent_std"] is not None:
        return law(scheme["parent_std"])
    std: float = scheme["std"]
    if not absolute:
        unit = (
            ComplexTruncatedNormal(1.0, _modulus_bound(scheme))
            if field == "complex"
            else (TruncatedNormal.in_std_units(low, high, parent_std=1.0))
        )
        return law(std / unit.std)
    widest = high / math.sqrt(2) if field == "complex" else (high - low) / math.sqrt(12)
    if std >= widest:
        raise SchemeError(
            f"`std` must be below {widest}, that of the uniform law on the bounds, got {std}"
        )
    upper = std  # truncation narrows, so the parent's std is larger
    while law(upper).std < std and upper < 1e8 * std:
        upper *= 2
    return law(bisect(lambda parent_std: law(parent_std).std - std, std, upper))


def _modulus_bound(scheme: Scheme) -> float:
    mean = scheme["parent_mean"] if scheme.name == "truncated_normal" else 0.0
    if scheme["low"] != -scheme["high"] or mean != 0 or not math.isfinite(scheme["high"]):
        raise LawError(
            f"`low` and `high` must be finite and symmetric about a mean of 0 for complex weights, "
            f"got {scheme['low']} and {scheme['high']}"
        )
    return float(scheme["high"])
