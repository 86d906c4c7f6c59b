"""Axes as they are followed through a computation: split, merged, sliced, and back again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Owner = tuple[int, int]  # the value of a parameter, and one of its axes


@dataclass(eq=False, slots=True)
class Atom:
    """An axis, or a factor of one: what no operation has divided so far.

    Attributes
    ----------
    size : int
        Number of positions.
    owner : tuple of int or None
        The parameter and axis that it is.
    parent : Atom or None
        What it is a factor or a piece of.
    start : int
        Of a piece: where it begins in its parent.
    members : tuple of Atom
        What was added to one another along it.
    factors : dict
        How it was divided, by sizes: the factors from the outermost on.
    pieces : dict
        What was sliced from it, by start and stop.
    rejoined : bool
        Whether pieces were put together again.
    """

    size: int
    owner: Owner | None = None
    parent: Atom | None = None
    start: int = 0
    members: tuple[Atom, ...] = ()
    factors: dict[tuple[int, ...], tuple[Atom, ...]] = field(default_factory=dict)
    pieces: dict[tuple[int, int], Atom] = field(default_factory=dict)
    rejoined: bool = False

    def divide(self, sizes: tuple[int, ...]) -> tuple[Atom, ...]:
        """The factors of these sizes, the same each time."""
        if sizes not in self.factors:
            parts = [member.divide(sizes) for member in self.members]
            self.factors[sizes] = tuple(
                Atom(size, parent=self, members=tuple(part[i] for part in parts))
                for i, size in enumerate(sizes)
            )
        return self.factors[sizes]

    def piece(self, start: int, stop: int) -> Atom:
        """The positions of a slice, the same each time."""
        if (start, stop) == (0, self.size):
            return self
        if (start, stop) not in self.pieces:
            members = tuple(member.piece(start, stop) for member in self.members)
            self.pieces[start, stop] = Atom(stop - start, parent=self, start=start, members=members)
        return self.pieces[start, stop]

    def owners(self) -> list[tuple[Owner, tuple[int, int] | None]]:
        """The axes of parameters that it is a part of, each with the piece of it, if it is one."""
        found: dict[tuple[Owner, tuple[int, int] | None], None] = {}
        seen: set[int] = set()

        def look(atom: Atom, piece: tuple[int, int] | None) -> None:
            if id(atom) in seen:
                return
            seen.add(id(atom))
            if atom.owner is not None:
                found[atom.owner, piece] = None
            for member in atom.members:
                look(member, piece)
            parent = atom.parent
            if parent is None:
                return
            if atom in parent.pieces.values():
                begin = atom.start + (piece[0] if piece else 0)
                look(parent, (begin, begin + (piece[1] - piece[0] if piece else atom.size)))
            else:
                factors = next(f for f in parent.factors.values() if atom in f)
                inner = math.prod(factor.size for factor in factors[1:])
                outermost = piece is not None and atom is factors[0]
                look(parent, (piece[0] * inner, piece[1] * inner) if piece and outermost else None)

        look(self, None)
        return list(found)

    def descendants(self) -> Iterable[Atom]:
        """Its factors and pieces, and theirs."""
        for group in (*self.factors.values(), self.pieces.values()):
            for atom in group:
                yield atom
                yield from atom.descendants()

    def blocks(self) -> tuple[int, ...]:
        """Sizes of the pieces that it was cut into, if they go separate ways and are all of it."""
        cuts = [] if self.rejoined else list(self.pieces)
        for factors in self.factors.values():
            outer, inner = factors[0], math.prod(factor.size for factor in factors[1:])
            if not outer.rejoined:
                cuts += [(start * inner, stop * inner) for start, stop in outer.pieces]
        sizes: list[int] = []
        end = 0
        for start, stop in sorted(set(cuts)):
            if start < end and stop <= end:
                continue  # a piece of a piece
            if start != end:
                return ()
            piece = self.pieces.get((start, stop))
            sizes += (piece.blocks() if piece else ()) or (stop - start,)
            end = stop
        return tuple(sizes) if end == self.size and len(sizes) > 1 else ()


Axis = tuple[Atom, ...]


def plain(shape: Iterable[int]) -> tuple[Axis, ...]:
    """Axes of which nothing is known."""
    return tuple((Atom(size),) for size in shape)


def size_of(axis: Axis) -> int:
    """Number of positions of an axis."""
    return math.prod(atom.size for atom in axis)


def regroup(axes: Sequence[Axis], shape: Sequence[int]) -> tuple[Axis, ...]:
    """The axes of a reshaped array: factors in the same order, divided where they must be."""
    queue = [atom for axis in axes for atom in axis if atom.size != 1]
    if 0 in shape or any(atom.size == 0 for atom in queue):
        return plain(shape)
    result: list[Axis] = []
    for size in shape:
        taken: list[Atom] = []
        have = 1
        while have < size:
            if not queue:
                return plain(shape)
            atom = queue.pop(0)
            need = size // have
            if size % (have * atom.size) == 0:
                taken.append(atom)
                have *= atom.size
            elif size % have == 0 and atom.size % need == 0:
                outer, inner = atom.divide((need, atom.size // need))
                taken.append(outer)
                queue.insert(0, inner)
                have *= need
            else:
                return plain(shape)
        result.append(join(taken))
    return tuple(result)


def join(atoms: Sequence[Atom]) -> Axis:
    """Factors as one axis; all factors of one atom are this atom again."""
    joined = list(atoms)
    changed = True
    while changed:
        changed = False
        for i, atom in enumerate(joined):
            if atom.parent is None:
                continue
            for factors in atom.parent.factors.values():
                n = len(factors)
                if (
                    all(a is b for a, b in zip(joined[i : i + n], factors, strict=False))
                    and len(joined[i : i + n]) == n
                ):
                    joined[i : i + n] = [atom.parent]
                    changed = True
                    break
            if changed:
                break
    return tuple(joined) or (Atom(1),)


def slice_axis(axis: Axis, start: int, stop: int, step: int) -> Axis:
    """The axis of a slice."""
    size = size_of(axis)
    if (start, stop, step) == (0, size, 1):
        return axis
    if step != 1 or stop <= start:
        return (Atom(len(range(start, stop, step))),)
    outer, *inner = axis
    block = math.prod(atom.size for atom in inner)
    if start % block or stop % block:
        return (Atom(stop - start),)
    return (outer.piece(start // block, stop // block), *inner)


def take(axes: Sequence[Axis], atom: Atom, index: int) -> list[Axis]:
    """The axes beside an outermost factor of which one position is taken, as q of q, k and v."""
    parent = atom.parent
    factors = next((f for f in parent.factors.values() if f[0] is atom), None) if parent else None
    if parent is None or factors is None:
        return list(axes)
    sizes = tuple(factor.size for factor in factors[1:])
    inner = math.prod(sizes)
    piece = parent.piece(index * inner, (index + 1) * inner)
    new = piece.divide(sizes) if len(sizes) > 1 else (piece,)
    places: dict[int, Atom] = {}

    def replace(old: Atom, fresh: Atom) -> None:
        places[id(old)] = fresh
        for sizes, divided in list(old.factors.items()):
            for one, other in zip(divided, fresh.divide(sizes), strict=True):
                replace(one, other)

    for old, fresh in zip(factors[1:], new, strict=True):
        replace(old, fresh)
    return [tuple(places.get(id(one), one) for one in axis) for axis in axes]


def rejoin(axes: Sequence[Axis]) -> Axis | None:
    """The atom whose pieces are all put together again, in any order."""
    if not all(len(axis) == 1 for axis in axes):
        return None
    parents = {id(axis[0].parent): axis[0].parent for axis in axes}
    parent = next(iter(parents.values()))
    if len(parents) != 1 or parent is None:
        return None
    covered = sorted((axis[0].start, axis[0].start + axis[0].size) for axis in axes)
    ends = [0, *(stop for _, stop in covered)]
    if [start for start, _ in covered] != ends[:-1] or ends[-1] != parent.size:
        return None
    parent.rejoined = True
    stack = list(parent.members)
    while stack:
        member = stack.pop()
        member.rejoined = True
        stack += member.members
    return (parent,)
