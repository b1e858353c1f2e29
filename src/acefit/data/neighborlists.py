"""Full neighbour lists of many structures as flat arrays, found with vesin.

What vesin is asked for is less than it can do: only fully periodic or fully open structures, with a slightly larger cutoff. The
vectors, the strict cutoff and the order of the pairs are computed here, so that the list does not depend on vesin's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import vesin
from numpy.typing import ArrayLike, NDArray

from acefit.data.structures import StructureSet, as_indices, atom_rows, ranges
from acefit.errors import DataError

_MARGIN = 1e-6
"""Å added to the cutoff of the search; pairs at or beyond the cutoff are removed with the distances computed here."""


@dataclass(frozen=True, eq=False)
class NeighborList:
    """All pairs (i, j) of a StructureSet closer than a cutoff, each in both directions, sorted by i, then j, then shift.

    Parameters
    ----------
    offsets : int64, shape (A + 1,)
        Atom i owns the pairs offsets[i] .. offsets[i + 1] - 1.
    j : int32, shape (P,)
        Row of the neighbour among the atoms of the StructureSet.
    vectors : float64, shape (P, 3)
        r_j + shift.cell - r_i, Å; the reversed pair has exactly the opposite vector.
    shifts : int16, shape (P, 3)
        Cell vectors added to the neighbour's position.
    structure_offsets : int64, shape (S + 1,)
        Atoms of each structure, as in the StructureSet.
    cutoff : float
        All pairs have a distance < cutoff, Å.
    """

    offsets: NDArray[np.int64]
    j: NDArray[np.int32]
    vectors: NDArray[np.float64]
    shifts: NDArray[np.int16]
    structure_offsets: NDArray[np.int64]
    cutoff: float

    def __post_init__(self) -> None:
        n_pairs = len(self.j)
        kinds = {"offsets": np.int64, "j": np.int32, "vectors": np.float64, "shifts": np.int16, "structure_offsets": np.int64}
        for name, dtype in kinds.items():
            view = np.ascontiguousarray(getattr(self, name), dtype=dtype).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.vectors.shape != (n_pairs, 3) or self.shifts.shape != (n_pairs, 3) or self.offsets[-1] != n_pairs:
            raise DataError("the arrays of a NeighborList disagree on the number of pairs")
        if self.structure_offsets[-1] != len(self.offsets) - 1:
            raise DataError("the arrays of a NeighborList disagree on the number of atoms")

    @property
    def n_pairs(self) -> int:
        """Number of pairs P, each direction counted."""
        return len(self.j)

    @property
    def n_atoms(self) -> int:
        """Number of atoms A."""
        return len(self.offsets) - 1

    @property
    def i(self) -> NDArray[np.int32]:
        """Row of the centre atom of each pair, shape (P,)."""
        return np.repeat(np.arange(self.n_atoms, dtype=np.int32), np.diff(self.offsets))

    def distances(self) -> NDArray[np.float64]:
        """Distance of each pair, Å, shape (P,)."""
        return np.sqrt(np.einsum("pc,pc->p", self.vectors, self.vectors))

    def shortest_per_atom(self) -> NDArray[np.float64]:
        """Distance to the nearest neighbour of each atom, Å, shape (A,); infinite for atoms without one within the cutoff."""
        return _minimum_per_range(self.distances(), self.offsets)

    def shortest_per_structure(self) -> NDArray[np.float64]:
        """Shortest distance in each structure, Å, shape (S,); infinite without a pair within the cutoff."""
        return _minimum_per_range(self.shortest_per_atom(), self.structure_offsets)

    def select(self, indices: ArrayLike) -> NeighborList:
        """Pairs of the given structures, for the StructureSet that `StructureSet.select` makes of the same indices."""
        chosen = as_indices(indices, len(self.structure_offsets) - 1)
        atoms = atom_rows(self.structure_offsets, chosen)
        counts = np.diff(self.offsets)[atoms]
        pairs = ranges(self.offsets[atoms], counts)
        n_atoms = np.diff(self.structure_offsets)[chosen]
        starts = np.concatenate([[0], np.cumsum(n_atoms)])
        moves = np.repeat(starts[:-1] - self.structure_offsets[chosen], n_atoms)
        return NeighborList(
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            j=self.j[pairs] + np.repeat(moves, counts).astype(np.int32),
            vectors=self.vectors[pairs],
            shifts=self.shifts[pairs],
            structure_offsets=starts,
            cutoff=self.cutoff,
        )


def _minimum_per_range(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Minimum of each range of values; infinite for empty ranges (reduceat alone would return a value of the next one)."""
    result = np.full(len(offsets) - 1, np.inf)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        result[filled] = np.minimum.reduceat(values, offsets[:-1][filled])
    return result


def pair_vectors(
    structures: StructureSet,
    i: NDArray[np.integer],
    j: NDArray[np.integer],
    shifts: NDArray[np.integer],
    structure: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Vectors r_j + shift.cell - r_i of pairs, Å, shape (P, 3).

    Summed as (r_j - r_i) + (s_a a + s_b b + s_c c), whose every operation changes only its sign when the pair is reversed: both
    directions of a pair are on the same side of the cutoff. `structure` is that of each atom, where it is at hand.
    """
    cells = structures.cells
    s = (structures.structure_of_atom if structure is None else structure)[i]
    result = shifts[:, 0, None] * cells[s, 0]
    result += shifts[:, 1, None] * cells[s, 1]
    result += shifts[:, 2, None] * cells[s, 2]
    result += structures.positions[j] - structures.positions[i]
    return result


def build(structures: StructureSet, cutoff: float) -> NeighborList:
    """Find all pairs of atoms closer than a cutoff.

    Parameters
    ----------
    structures : StructureSet
        Any mixture of periodicities; cells may be left-handed, flat or smaller than the cutoff, atoms may lie outside.
    cutoff : float
        Å; pairs have a distance strictly smaller than it.

    Returns
    -------
    neighbors : NeighborList

    Raises
    ------
    DataError
        If the cutoff is not a positive number, a periodic structure has no volume, or an atom is so many cells away
        from its neighbour that the shift cannot be stored.
    """
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise DataError(f"the cutoff of a neighbour list must be a positive number of Å, not {cutoff}")
    search = vesin.NeighborList(cutoff=cutoff + _MARGIN, full_list=True, sorted=False)
    parts = [_search_structure(search, structures, s, cutoff) for s in range(structures.n_structures)]
    i, j, shifts, vectors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True)) if parts else _NOTHING
    return NeighborList(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(i, minlength=structures.n_atoms))]),
        j=j,
        vectors=vectors,
        shifts=shifts,
        structure_offsets=structures.offsets,
        cutoff=float(cutoff),
    )


_Pairs = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int16], NDArray[np.float64]]
_NOTHING: _Pairs = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty((0, 3), np.int16), np.empty((0, 3)))


def _search_structure(search: vesin.NeighborList, structures: StructureSet, s: int, cutoff: float) -> _Pairs:
    """Pairs of structure s: i, j (rows in the set), shifts and vectors, sorted by i, j and shift."""
    first, last = structures.offsets[s], structures.offsets[s + 1]
    if first == last:
        return _NOTHING
    positions, cell, pbc = structures.positions[first:last], structures.cells[s], structures.pbc[s]
    box = _search_cell(positions, cell, pbc, cutoff, structures.names[s])
    i, j, shifts = search.compute(positions, box, bool(pbc.any()), "ijS")
    i, j, shifts = i.astype(np.int64), j.astype(np.int64), shifts.astype(np.int64)
    if len(shifts) and np.abs(shifts).max() > np.iinfo(np.int16).max:
        raise DataError(f"structure {structures.names[s]!r} has atoms more than 32767 cells apart; wrap them into the cell")
    cells = shifts[:, 0, None] * cell[0] + shifts[:, 1, None] * cell[1] + shifts[:, 2, None] * cell[2]
    vectors = (positions[j] - positions[i]) + cells
    kept = np.einsum("pc,pc->p", vectors, vectors) < cutoff * cutoff
    i, j, shifts, vectors = i[kept], j[kept], shifts[kept], vectors[kept]
    order = _sort_order(i, j, shifts, len(positions))
    return i[order] + first, (j[order] + first).astype(np.int32), shifts[order].astype(np.int16), vectors[order]


def _sort_order(i: NDArray[np.int64], j: NDArray[np.int64], shifts: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """Order of pairs by i, j and shift; one integer key is much faster to sort than five columns."""
    if not len(i):
        return np.empty(0, np.int64)
    low = shifts.min(axis=0)
    width = shifts.max(axis=0) - low + 1
    if n_atoms**2 * float(np.prod(width.astype(float))) > 2**62:
        return np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], j, i))
    key = i * n_atoms + j
    for axis in range(3):
        key = key * width[axis] + (shifts[:, axis] - low[axis])
    return np.argsort(key)


def _search_cell(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_], cutoff: float, name: str
) -> NDArray[np.float64]:
    """Cell for the search: open directions of a partly periodic structure become vectors at right angles to the periodic ones.

    They are long enough that no image along them is within the cutoff, so their shifts are zero, and since they are at right
    angles, moving an atom by a periodic vector never moves it along them.
    """
    if pbc.all() or not pbc.any():
        box = cell
    else:
        box = cell.copy()
        box[~pbc] = np.linalg.svd(cell[pbc])[2][np.count_nonzero(pbc) :]
        extents = np.ptp(positions @ box[~pbc].T, axis=0)
        box[~pbc] *= (extents + 2 * cutoff + 1.0)[:, None]
    if pbc.any() and abs(np.linalg.det(box)) < 1e-12:
        raise DataError(f"structure {name!r} is periodic but its cell has no volume along these directions; mend its cell or pbc")
    return box


def concatenate(lists: Sequence[NeighborList]) -> NeighborList:
    """Join lists of consecutive ranges of structures into the list of all of them.

    Raises
    ------
    DataError
        If there is none, or their cutoffs differ.
    """
    if not lists or len({part.cutoff for part in lists}) > 1:
        raise DataError(f"neighbour lists to be joined must have one cutoff, not {sorted({part.cutoff for part in lists})}")
    first_atoms = np.cumsum([0] + [part.n_atoms for part in lists])
    first_pairs = np.cumsum([0] + [part.n_pairs for part in lists])
    return NeighborList(
        offsets=np.concatenate([[0]] + [part.offsets[1:] + start for part, start in zip(lists, first_pairs[:-1], strict=True)]),
        j=np.concatenate([part.j + np.int32(start) for part, start in zip(lists, first_atoms[:-1], strict=True)]),
        vectors=np.concatenate([part.vectors for part in lists]),
        shifts=np.concatenate([part.shifts for part in lists]),
        structure_offsets=np.concatenate(
            [[0]] + [part.structure_offsets[1:] + start for part, start in zip(lists, first_atoms[:-1], strict=True)]
        ),
        cutoff=lists[0].cutoff,
    )


def shard_bounds(atoms_per_structure: NDArray[np.int64], n_shards: int) -> NDArray[np.int64]:
    """Bounds of contiguous ranges of structures with about equal numbers of atoms, shape (n_shards + 1,); ranges may be empty.

    Raises
    ------
    DataError
        If n_shards is not positive.
    """
    if n_shards < 1:
        raise DataError(f"the number of shards must be at least 1, not {n_shards}")
    ends = np.cumsum(atoms_per_structure)
    total = ends[-1] if len(ends) else 0
    targets = total * np.arange(1, n_shards) / n_shards
    inner = np.searchsorted(ends - atoms_per_structure / 2, targets)
    return np.concatenate([[0], inner, [len(atoms_per_structure)]]).astype(np.int64)
