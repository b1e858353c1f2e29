"""Atoms in groups of one species and fixed blocks of groups: how work is laid out for the kernels.

The blocks depend on the structures only, never on the number of threads, so neither do the sums over them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.kernels import radial
from acefit.kernels._jit import LANES
from acefit.kernels.grouping import assign_lanes, count_neighbors, fill_slots
from acefit.kernels.model import Groups, Shape

N_BLOCKS = 64
"""Blocks of whole structures, as long as they are not too large; many more than threads so that the load is even."""

MOST_ATOMS = 512
"""Atoms of a block of whole structures on average; the states of the groups of a block should fit into the caches."""

LEAST_ATOMS = 24
"""Atoms of a block of whole structures if there are enough; blocks of fewer atoms leave many lanes unused."""

N_SPLIT = 16
"""Blocks into which single large structures are divided, each with its own buffer of forces."""

NEARBY = 512
"""Atoms that are sorted by their numbers of neighbours together."""

ATOM_COST = 30
"""Work of one atom without neighbours, in units of the work of one pair (balances the blocks)."""


class Layout(NamedTuple):
    """Groups, their blocks, and where each block adds up.

    Attributes
    ----------
    groups : see `acefit.kernels.model`
    block_groups : (n_blocks + 1,) range of groups
    block_structures : (n_blocks + 1,) range of structures; all zero where blocks split structures
    block_buffer : (n_blocks,) buffer for forces and virials
    structure : (n_atoms,) structure of each atom
    """

    groups: Groups
    block_groups: NDArray[np.int64]
    block_structures: NDArray[np.int64]
    block_buffer: NDArray[np.int64]
    structure: NDArray[np.int64]

    @property
    def n_buffers(self) -> int:
        """Number of buffers."""
        return int(self.block_buffer.max(initial=0)) + 1


def sum_per_range(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """Sums of the ranges offsets[k] .. offsets[k + 1] - 1 along the first axis; zero for empty ones, where reduceat is not."""
    result = np.zeros((len(offsets) - 1, *values.shape[1:]), dtype=values.dtype)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        result[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return result


def balanced_blocks(cost: NDArray[np.int64], n_blocks: int) -> NDArray[np.int64]:
    """Boundaries (n_blocks + 1,) of consecutive ranges of nearly equal cost; blocks may be empty."""
    return ranges_of_cost(cost, np.arange(1, n_blocks) * cost.sum() / n_blocks)


def ranges_of_cost(cost: NDArray[np.int64], targets: NDArray[np.float64]) -> NDArray[np.int64]:
    """Boundaries (len(targets) + 2,) of consecutive ranges that end as soon as the cost up to there reaches the targets."""
    inner = np.searchsorted(np.concatenate([[0], np.cumsum(cost)]), targets, side="left")
    return np.concatenate([[0], np.maximum.accumulate(inner), [len(cost)]]).astype(np.int64)


def equal_ranges(n: int, n_ranges: int) -> NDArray[np.int64]:
    """Boundaries (n_ranges + 1,) of consecutive ranges of 0 .. n - 1 whose lengths differ by at most one."""
    return np.arange(n_ranges + 1, dtype=np.int64) * n // n_ranges


def writable(values: NDArray[Any]) -> NDArray[Any]:
    """The same array without its protection, which would compile a second kernel; a copy where the memory is protected itself."""
    view = values.view()
    try:
        view.flags.writeable = True
    except ValueError:
        return values.copy()
    return view


def blocks_of_structures(pairs: NDArray[np.int64], structures: StructureSet, n_blocks: int | None) -> NDArray[np.int64]:
    """Ranges of structures of each block, shape (n_blocks + 1,).

    Parameters
    ----------
    pairs : (n_atoms,) number of pairs of each atom
    structures : StructureSet
    n_blocks : int or None
        Blocks of equal numbers of structures, for minibatches, at most one per structure; None: blocks of equal cost.
    """
    if n_blocks is not None:
        n_structures = structures.n_structures
        return equal_ranges(n_structures, min(n_blocks, max(n_structures, 1)))
    per_structure = sum_per_range(pairs + ATOM_COST, structures.offsets)
    usual = max(N_BLOCKS, structures.n_atoms // MOST_ATOMS)
    most = max(1, min(usual, structures.n_atoms // LEAST_ATOMS, len(per_structure)))
    return balanced_blocks(per_structure, most)


def build_layout(
    shape: Shape,
    elements: NDArray[np.int64],
    structures: StructureSet,
    neighbors: NeighborList,
    split_structures: bool = False,
    n_blocks: int | None = None,
    skin: float = 0.0,
    blocks: NDArray[np.int64] | None = None,
) -> Layout:
    """Sort atoms and pairs for the kernels.

    Parameters
    ----------
    shape : of the potential
    elements : (n_atoms,) element index of each atom
    structures, neighbors : with a cutoff of at least the largest of the potential
    split_structures : bool
        Divide single structures among blocks (a large cell on several threads); each block then has its own buffer.
    n_blocks : int or None
        As in `blocks_of_structures`.
    skin : float
        Keep pairs up to this far beyond the cutoff of their bond, Angstrom.
    blocks : (n_blocks + 1,) or None
        Ranges of structures of each block, where they are known.
    """
    if split_structures:
        # All atoms are one block at first, so that only the last group of an element has unused lanes
        block_atoms = np.array([0, structures.n_atoms], dtype=np.int64)
        block_structures = np.zeros(0, dtype=np.int64)
    else:
        block_structures = blocks_of_structures(np.diff(neighbors.offsets), structures, n_blocks) if blocks is None else blocks
        block_atoms = structures.offsets[block_structures]
    rcut = shape.bond[:, radial.RC] + skin
    offsets, j, vectors = writable(neighbors.offsets), writable(neighbors.j), writable(neighbors.vectors)
    counts = count_neighbors(shape.n_elements, elements, offsets, j, vectors, rcut)
    order = lane_order(elements, counts, block_atoms)
    species, atoms, slots, block_groups = assign_lanes(shape.n_elements, elements, order, counts, block_atoms)
    groups = fill_slots(shape.n_elements, elements, offsets, j, vectors, rcut, species, atoms, slots)
    if split_structures:
        slots_of = slots[:, -1] - slots[:, 0]
        block_groups = balanced_blocks(LANES * slots_of + ATOM_COST, max(1, min(N_SPLIT, len(slots_of) // 2)))
        block_structures = np.zeros_like(block_groups)
    n_parts = len(block_groups) - 1
    block_buffer = np.arange(n_parts, dtype=np.int64) if split_structures else np.zeros(n_parts, dtype=np.int64)
    return Layout(groups, block_groups, block_structures, block_buffer, structures.structure_of_atom)


def lane_order(elements: NDArray[np.int64], counts: NDArray[np.int64], block_atoms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Atoms by block and element; within `NEARBY` atoms by their numbers of neighbours.

    Atoms with similar numbers of neighbours share a group, which leaves few places unused; atoms of one group are still close
    to each other in memory.
    """
    block = np.repeat(np.arange(len(block_atoms) - 1), np.diff(block_atoms))
    return np.lexsort((counts.sum(axis=1), np.arange(len(elements)) // NEARBY, elements, block))
