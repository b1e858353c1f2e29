"""Pairs of neighbours a few at a time, so that those of a large set need not be in memory together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acefit.artifacts import check_table, iterate_arrays, read_provenance
from acefit.data.neighborlists import NeighborList, pair_vectors
from acefit.data.storage import PathLike, geometry_digest, order_shards
from acefit.data.structures import StructureSet, as_indices, atom_rows

PAIRS_AT_ONCE = 2**16
"""Pairs that are in memory together."""


class PairChunk(NamedTuple):
    """Some pairs of a set of structures.

    Attributes
    ----------
    i, j : int32, shape (n,); rows of centre and neighbour; the pairs of one centre are in the order of the neighbour list
    vectors : float64, shape (n, 3); r_j - r_i with the neighbour's image, Å
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    vectors: NDArray[np.float64]


class Pairs(Protocol):
    """Pairs of a set of structures that can be gone through any number of times."""

    @property
    def cutoff(self) -> float:
        """All pairs are closer than this, Å."""
        ...

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of pairs of each atom, shape (A,)."""
        ...

    @property
    def n_pairs(self) -> int:
        """Number of pairs, each direction counted."""
        ...

    def select(self, indices: ArrayLike) -> Pairs:
        """Pairs of the structures at the given positions, in the given order."""
        ...

    def chunks(self) -> Iterator[PairChunk]:
        """All pairs, some at a time."""
        ...


@dataclass(frozen=True, eq=False)
class ListedPairs:
    """Pairs of a neighbour list in memory."""

    neighbors: NeighborList

    @property
    def cutoff(self) -> float:
        """All pairs are closer than this, Å."""
        return self.neighbors.cutoff

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of pairs of each atom, shape (A,)."""
        return np.diff(self.neighbors.offsets)

    @property
    def n_pairs(self) -> int:
        """Number of pairs, each direction counted."""
        return self.neighbors.n_pairs

    def select(self, indices: ArrayLike) -> ListedPairs:
        """Pairs of the structures at the given positions, in the given order."""
        return ListedPairs(self.neighbors.select(indices))

    def chunks(self) -> Iterator[PairChunk]:
        """All pairs, some at a time."""
        offsets = self.neighbors.offsets
        for first in range(0, self.n_pairs, PAIRS_AT_ONCE):
            pairs = slice(first, first + PAIRS_AT_ONCE)
            rows = np.arange(first, min(first + PAIRS_AT_ONCE, self.n_pairs))
            i = np.searchsorted(offsets, rows, side="right").astype(np.int32) - np.int32(1)
            yield PairChunk(i, self.neighbors.j[pairs], self.neighbors.vectors[pairs])


@dataclass(frozen=True, eq=False)
class StoredPairs:
    """Pairs of some structures of a dataset, read from its neighbour lists each time; made by `open_pairs`.

    Attributes
    ----------
    paths : shards of the whole dataset, in its order
    structures : StructureSet; the whole dataset
    dataset_counts : (A,) number of pairs of each of its atoms
    chosen : (S,) positions of the structures, in their order
    cutoff : Å
    """

    paths: tuple[Path, ...]
    structures: StructureSet
    dataset_counts: NDArray[np.int64]
    chosen: NDArray[np.int64]
    cutoff: float

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of pairs of each atom, shape (A,)."""
        return self.dataset_counts[atom_rows(self.structures.offsets, self.chosen)]

    @property
    def n_pairs(self) -> int:
        """Number of pairs, each direction counted."""
        return int(self.counts.sum())

    def select(self, indices: ArrayLike) -> StoredPairs:
        """Pairs of the structures at the given positions, in the given order."""
        chosen = self.chosen[as_indices(indices, len(self.chosen))]
        return StoredPairs(self.paths, self.structures, self.dataset_counts, chosen, self.cutoff)

    def chunks(self) -> Iterator[PairChunk]:
        """All pairs, some at a time, in the order of the dataset.

        Raises
        ------
        ArtifactError
            If a shard has vanished or cannot be read.
        """
        atoms = atom_rows(self.structures.offsets, self.chosen)
        row = np.full(self.structures.n_atoms, -1, dtype=np.int32)
        row[atoms] = np.arange(len(atoms), dtype=np.int32)
        structure = self.structures.structure_of_atom
        for path in self.paths:
            shard = read_provenance(path)["provenance"]["shard"]
            first = shard["first_structure"]
            if (row[self.structures.offsets[first] : self.structures.offsets[first + shard["n_structures"]]] < 0).all():
                continue
            for part in iterate_arrays(path, ("i", "j", "shift"), PAIRS_AT_ONCE):
                kept = np.flatnonzero(row[part["i"]] >= 0)
                i, j, shifts = part["i"][kept], part["j"][kept], part["shift"][kept]
                if len(i):
                    yield PairChunk(row[i], row[j], pair_vectors(self.structures, i, j, shifts, structure))


class Readers(Protocol):
    """Processes that read a dataset together."""

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of processes."""
        ...

    def sum(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over all of them, in each of them."""
        ...


def open_pairs(paths: Sequence[PathLike], structures: StructureSet, readers: Readers | None = None) -> StoredPairs:
    """Check all shards of a dataset's neighbour list and count its pairs; nothing stays in memory but the numbers.

    Parameters
    ----------
    paths : sequence of paths
        All shards that the dataset was divided into, in any order.
    structures : StructureSet
        The complete dataset.
    readers : Readers, optional
        Processes that all call this; each checks and counts some of the shards.

    Raises
    ------
    ArtifactError
        If a shard cannot be used, belongs to other structures, or some are missing.
    """
    ordered, cutoff = order_shards(paths, geometry_digest(structures), structures.n_structures)
    counts = np.zeros(structures.n_atoms, dtype=np.int64)
    for path in ordered if readers is None else ordered[readers.rank :: readers.size]:
        check_table(path, "neighborlist")
        for part in iterate_arrays(path, ("i",)):
            first = int(part["i"][0]) if len(part["i"]) else 0
            found = np.bincount(part["i"] - first)
            counts[first : first + len(found)] += found
    if readers is not None:
        counts = readers.sum(counts)
    return StoredPairs(tuple(ordered), structures, counts, np.arange(structures.n_structures), cutoff)


def as_pairs(neighbors: NeighborList | Pairs) -> Pairs:
    """A neighbour list in memory as `Pairs`; others as they are."""
    return ListedPairs(neighbors) if isinstance(neighbors, NeighborList) else neighbors
