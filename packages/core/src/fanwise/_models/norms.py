"""Parameters that hold the norms of another, as the scale of weight normalization does."""

from __future__ import annotations

from dataclasses import dataclass

from .ledger import Ledger


@dataclass(frozen=True, slots=True)
class Norms:
    """A parameter that holds norms.

    Attributes
    ----------
    path : str
        Its path.
    weight : str
        The path of the parameter that is drawn, whose norms it holds.
    axes : tuple of int
        The axes of that weight that each norm sums over.
    shape : tuple of int
        The shape of the parameter; the weight's, less those axes, up to sizes of one.
    """

    path: str
    weight: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]


def norms_in(ledger: Ledger, /) -> list[Norms]:
    """List the parameters that a ledger derives as norms.

    Parameters
    ----------
    ledger : Ledger
        What happens to each parameter.

    Returns
    -------
    list of Norms
        In the order of the ledger; they are due when all else is drawn.

    Examples
    --------
    >>> from fanwise import Axes, Parameter, he_normal, plan_model
    >>> from fanwise.adapting import norms_in
    >>> weight = Parameter("v", (8, 4), Axes("out in"))
    >>> scale = Parameter("g", (8,), kind="weight_norm", norms_of="v", norm_axes=(0,))
    >>> norms_in(plan_model([weight, scale], he_normal()))
    [Norms(path='g', weight='v', axes=(1,), shape=(8,))]
    """
    parameters = {entry.path: entry.parameter for entry in ledger.entries}
    found = []
    for entry in ledger.entries:
        holder = entry.parameter
        if entry.status != "derived" or holder.norms_of is None:
            continue
        weight = parameters[holder.norms_of]
        rank = len(weight.shape)
        kept = {axis % rank for axis in holder.norm_axes}
        others = tuple(axis for axis in range(rank) if axis not in kept)
        found.append(Norms(holder.path, weight.tied_to or weight.path, others, holder.shape))
    return found
