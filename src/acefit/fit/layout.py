"""The layout of a set of structures for the loss, filled from pairs that pass by a few at a time.

It is what `acefit.evaluation.grouping.build_layout` makes of a whole neighbour list, but neither the list nor a copy of it is
ever in memory beside the slots, and these may be in files.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.pairs import Pairs
from acefit.data.structures import StructureSet
from acefit.evaluation.grouping import Layout, blocks_of_structures, lane_order
from acefit.evaluation.predict import check_shortest, element_indices
from acefit.fit.paged import PagedArray
from acefit.kernels import radial
from acefit.kernels._jit import LANES
from acefit.kernels.grouping import FAR, assign_lanes
from acefit.kernels.model import Groups
from acefit.kernels.vectors import zeros

SLOT_BYTES = LANES * (3 * 8 + 4)
"""Bytes of a slot: vector and neighbour of each lane."""

GROUPS_AT_ONCE = 256
"""Groups whose unused places are filled together."""

Ints = NDArray[np.int64]


class InsidePairs(NamedTuple):
    """Pairs within the cutoff of their bond: vectors (n, 3), neighbours (n,), and centre * n_elements + species of j (n,)."""

    vectors: NDArray[np.float64]
    j: NDArray[np.int32]
    key: Ints


class Pages:
    """The slots of a layout in files; the blocks that are not being worked on need not be in memory."""

    def __init__(self, folder: Path, n_slots: int) -> None:
        self.vectors = PagedArray(folder, (n_slots, 3, LANES), np.float64)
        self.neighbor = PagedArray(folder, (n_slots, LANES), np.int32)

    def expect(self, first: int, last: int) -> None:
        """Slots first..last-1 will be needed soon."""
        self.vectors.expect(first, last)
        self.neighbor.expect(first, last)

    def release(self, first: int, last: int) -> None:
        """Slots first..last-1 are not needed for a while."""
        self.vectors.release(first, last)
        self.neighbor.release(first, last)


def lay_out(
    compiled: Compiled, structures: StructureSet, pairs: Pairs, n_blocks: int | None = None, folder: Path | None = None
) -> tuple[Layout, Pages | None]:
    """Sort atoms and pairs for the kernels of the loss.

    Parameters
    ----------
    compiled : of the potential
    structures, pairs : with a cutoff of at least the largest of the potential
    n_blocks : as in `acefit.evaluation.grouping.blocks_of_structures`
    folder : where the slots are kept in files; None: in memory

    Returns
    -------
    Layout, and the files of its slots if there are any

    Raises
    ------
    DataError
        If an element is not in the potential, or two atoms are too close.
    FitError
        If the files cannot be made.
    """
    shape = compiled.shape
    elements = element_indices(compiled.potential, structures.numbers)
    block_structures = blocks_of_structures(pairs.counts, structures, n_blocks)
    block_atoms = structures.offsets[block_structures]
    counts = _count(compiled, elements, pairs)
    order = lane_order(elements, counts, block_atoms)
    species, atoms, slots, block_groups = assign_lanes(shape.n_elements, elements, order, counts, block_atoms)
    n_slots = int(slots[-1, -1]) if len(slots) else 0
    pages = None if folder is None else Pages(folder, n_slots)
    if pages is None:
        vectors = zeros(3 * n_slots).reshape((n_slots, 3, LANES))
        groups = Groups(species, atoms, slots, vectors, np.zeros((n_slots, LANES), dtype=np.int32))
    else:
        groups = Groups(species, atoms, slots, pages.vectors.values, pages.neighbor.values)
    _fill_unused(groups, pages)
    _fill(shape.n_elements, groups, _inside(compiled, elements, pairs), len(elements), pages)
    buffers = np.zeros(len(block_groups) - 1, dtype=np.int64)
    return Layout(groups, block_groups, block_structures, buffers, structures.structure_of_atom), pages


def slot_range(layout: Layout, block: int) -> tuple[int, int]:
    """First slot of a block, and the one behind its last."""
    first, last = layout.block_groups[block], layout.block_groups[block + 1]
    slots = layout.groups.slots
    return (int(slots[first, 0]), int(slots[last - 1, -1])) if last > first else (0, 0)


def _inside(compiled: Compiled, elements: Ints, pairs: Pairs) -> Iterator[InsidePairs]:
    """Pairs that count, some at a time."""
    n_elements, rcut = compiled.shape.n_elements, compiled.shape.bond[:, radial.RC]
    for i, j, vectors in pairs.chunks():
        other = elements[j]
        distances = np.sqrt(np.einsum("pc,pc->p", vectors, vectors))
        kept = np.flatnonzero(distances < rcut[elements[i] * n_elements + other])
        if len(kept):
            check_shortest(compiled, float(distances[kept].min()))
        yield InsidePairs(vectors[kept], j[kept], i[kept].astype(np.int64) * n_elements + other[kept])


def _count(compiled: Compiled, elements: Ints, pairs: Pairs) -> Ints:
    """Neighbours of each species within the cutoff of their bond, shape (A, n_elements)."""
    counts = np.zeros(len(elements) * compiled.shape.n_elements, dtype=np.int64)
    for part in _inside(compiled, elements, pairs):
        np.add.at(counts, part.key, 1)
    return counts.reshape(len(elements), compiled.shape.n_elements)


def _fill_unused(groups: Groups, pages: Pages | None) -> None:
    """Fill all places with pairs beyond every cutoff; they name an atom of their group, to which no other thread adds forces."""
    owners = np.where(groups.atoms >= 0, groups.atoms, groups.atoms[:, :1])
    sizes = groups.slots[:, -1] - groups.slots[:, 0]
    for low, high in pairwise([*range(0, len(owners), GROUPS_AT_ONCE), len(owners)]):
        first, last = int(groups.slots[low, 0]), int(groups.slots[high - 1, -1])
        groups.vectors[first:last, 0] = FAR
        groups.neighbor[first:last] = np.repeat(owners[low:high], sizes[low:high], axis=0)
        if pages is not None:
            pages.release(first, last)


def _fill(n_elements: int, groups: Groups, inside: Iterator[InsidePairs], n_atoms: int, pages: Pages | None) -> None:
    """Put all pairs into their slots, those of an atom and species in the order in which they come."""
    used = np.flatnonzero(groups.atoms.ravel() >= 0)
    group, lane = np.zeros(n_atoms, dtype=np.int64), np.zeros(n_atoms, dtype=np.int64)
    group[groups.atoms.ravel()[used]], lane[groups.atoms.ravel()[used]] = np.divmod(used, LANES)
    next_slot = groups.slots[group, :-1].ravel()
    for part in inside:
        order = np.argsort(part.key, kind="stable")
        key = part.key[order]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        sizes = np.diff(starts, append=len(key))
        slot = next_slot[key] + np.arange(len(key)) - np.repeat(starts, sizes)
        next_slot[key[starts]] += sizes
        place = lane[key // n_elements]
        for axis in range(3):
            groups.vectors[slot, axis, place] = part.vectors[order, axis]
        groups.neighbor[slot, place] = part.j[order]
        if pages is not None and len(slot):
            pages.release(int(slot.min()), int(slot.max()) + 1)
