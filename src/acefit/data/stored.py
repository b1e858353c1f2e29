"""Datasets and neighbour lists that stay in their files and are read some structures at a time.

In memory is what has one entry per structure; of atoms and pairs only those of the structures at hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acefit.artifacts import check_table, iterate_arrays, iterate_ranges, read_arrays
from acefit.data.neighborlists import NeighborList
from acefit.data.storage import Dataset, PathLike, dataset_of_columns, list_pairs, order_shards
from acefit.errors import ArtifactError

Bounds = Sequence[int] | NDArray[np.int64]
"""Ascending positions of structures; range k has the structures bounds[k] .. bounds[k + 1] - 1."""

ATOM_COLUMNS = ("structure", "number", "position", "force", "w_force", "w_force_mask")


@dataclass(frozen=True, eq=False)
class StoredDataset:
    """A dataset in its tables; made by `open_dataset`.

    Attributes
    ----------
    path_to_structures, path_to_atoms : tables
    table : columns of the table `structures`
    offsets : (S + 1,) structure s owns the atoms offsets[s] .. offsets[s + 1] - 1
    """

    path_to_structures: PathLike
    path_to_atoms: PathLike
    table: dict[str, NDArray[Any]]
    offsets: NDArray[np.int64]

    @property
    def n_structures(self) -> int:
        """Number of structures S."""
        return len(self.offsets) - 1

    @property
    def atoms_per_structure(self) -> NDArray[np.int64]:
        """Number of atoms of each structure, shape (S,)."""
        return np.diff(self.offsets)

    def parts(self, bounds: Bounds) -> Iterator[Dataset]:
        """Ranges of structures, one after the other.

        Raises
        ------
        ArtifactError
            If the table of atoms has vanished or does not belong to that of structures.
        """
        atoms = iterate_ranges([self.path_to_atoms], ATOM_COLUMNS, self.offsets[np.asarray(bounds)])
        for (first, last), columns in zip(pairwise(bounds), atoms, strict=True):
            table = {name: values[first:last] for name, values in self.table.items()}
            yield dataset_of_columns(table, columns, self.path_to_structures, self.path_to_atoms)

    def geometry_digest(self) -> str:
        """What `acefit.data.storage.geometry_digest` gives for all structures."""
        digest = hashlib.sha256(self.offsets.tobytes())
        for name in ("number", "position"):
            for part in iterate_arrays(self.path_to_atoms, (name,)):
                digest.update(np.ascontiguousarray(part[name]).data)
        digest.update(self.table["cell"].tobytes())
        digest.update(self.table["pbc"].tobytes())
        return digest.hexdigest()


def open_dataset(path_to_structures: PathLike, path_to_atoms: PathLike) -> StoredDataset:
    """Check the tables that `acefit.data.storage.write_dataset` wrote; atoms stay in their file.

    Raises
    ------
    ArtifactError
        If a file cannot be used, or the two do not belong together.
    """
    table = read_arrays(path_to_structures, "structures")
    offsets = np.concatenate([[0], np.cumsum(table["n_atoms"])]).astype(np.int64)
    if check_table(path_to_atoms, "atoms") != offsets[-1]:
        raise ArtifactError(f"{path_to_atoms} does not belong to {path_to_structures}; delete both, run the dataset stage again")
    return StoredDataset(path_to_structures, path_to_atoms, table, offsets)


@dataclass(frozen=True, eq=False)
class StoredNeighbors:
    """Neighbour list of a dataset in its shards; made by `open_neighborlist`.

    Attributes
    ----------
    paths : shards, in the order of the dataset
    dataset : StoredDataset
    counts : (S,) number of pairs of each structure
    cutoff : all pairs are closer than this, Å
    """

    paths: tuple[Path, ...]
    dataset: StoredDataset
    counts: NDArray[np.int64]
    cutoff: float

    def parts(self, bounds: Bounds) -> Iterator[tuple[Dataset, NeighborList]]:
        """Ranges of structures with their pairs, one after the other.

        Raises
        ------
        ArtifactError
            If a file has vanished.
        """
        pairs = np.concatenate([[0], np.cumsum(self.counts)])[np.asarray(bounds)]
        columns = iterate_ranges(self.paths, ("i", "j", "shift"), pairs)
        for first, data, part in zip(bounds, self.dataset.parts(bounds), columns, strict=False):
            first_atom = np.int32(self.dataset.offsets[first])
            yield data, list_pairs(data.structures, part["i"] - first_atom, part["j"] - first_atom, part["shift"], self.cutoff)


def open_neighborlist(paths: Sequence[PathLike], dataset: StoredDataset) -> StoredNeighbors:
    """Check all shards of a dataset's neighbour list, in any order, and count the pairs of each structure.

    Raises
    ------
    ArtifactError
        If a shard cannot be used, belongs to other structures, or some are missing.
    """
    ordered, cutoff = order_shards(paths, dataset.geometry_digest(), dataset.n_structures)
    counts = np.zeros(dataset.n_structures, dtype=np.int64)
    for path in ordered:
        check_table(path, "neighborlist")
        for part in iterate_arrays(path, ("i",)):
            if not len(part["i"]):
                continue
            first, last = np.searchsorted(dataset.offsets, part["i"][[0, -1]], side="right") - 1
            counts[first : last + 1] += np.diff(np.searchsorted(part["i"], dataset.offsets[first : last + 2]))
    return StoredNeighbors(tuple(ordered), dataset, counts, cutoff)
