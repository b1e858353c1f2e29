"""Datasets and neighbour lists as Parquet tables: what the steps write and the later steps read.

The columns are described in `acefit.artifact_contracts`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import ArrayLike, NDArray

from acefit.artifacts import read_arrays, read_provenance, write_table
from acefit.data.neighborlists import NeighborList, pair_vectors
from acefit.data.structures import StructureSet, as_indices, atom_rows
from acefit.data.structures import concatenate as concatenate_structures
from acefit.errors import ArtifactError

PathLike = str | os.PathLike[str]

_SHARD_HEADER = {"first_structure": int, "n_structures": int, "cutoff": float, "geometry": str}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Structures together with what the files say about them beyond what is fitted.

    Parameters
    ----------
    structures : StructureSet
        Its energies are the corrected ones.
    raw_energies : float64, shape (S,)
        Total energies as given, eV; NaN when absent.
    energy_weights, weight_factors : float64, shape (S,)
        Columns ``w_energy`` and ``w_factor`` of the data; NaN when absent.
    force_weights, force_masks : float64, shape (A,)
        Columns ``w_forces`` and ``w_forces_mask`` of the data; NaN when absent.
    sources : tuple of str, length S
        File of each structure.
    rows : int64, shape (S,)
        Index in that file.
    roles : tuple of str, length S
        What the file was given as: ``data`` (to be split), ``train`` or ``test``.
    """

    structures: StructureSet
    raw_energies: NDArray[np.float64]
    energy_weights: NDArray[np.float64]
    weight_factors: NDArray[np.float64]
    force_weights: NDArray[np.float64]
    force_masks: NDArray[np.float64]
    sources: tuple[str, ...]
    rows: NDArray[np.int64]
    roles: tuple[str, ...]

    @classmethod
    def from_structures(cls, structures: StructureSet, role: str = "data", source: str = "") -> Dataset:
        """Wrap structures of which nothing else is known; their energies count as given and as corrected."""
        n_structures = structures.n_structures
        return cls(
            structures=structures,
            raw_energies=structures.energies,
            energy_weights=np.full(n_structures, np.nan),
            weight_factors=np.full(n_structures, np.nan),
            force_weights=np.full(structures.n_atoms, np.nan),
            force_masks=np.full(structures.n_atoms, np.nan),
            sources=(source,) * n_structures,
            rows=np.arange(n_structures),
            roles=(role,) * n_structures,
        )

    def select(self, indices: ArrayLike) -> Dataset:
        """Structures at the given positions, in the given order."""
        chosen = as_indices(indices, self.structures.n_structures)
        atoms = atom_rows(self.structures.offsets, chosen)
        return Dataset(
            structures=self.structures.select(chosen),
            raw_energies=self.raw_energies[chosen],
            energy_weights=self.energy_weights[chosen],
            weight_factors=self.weight_factors[chosen],
            force_weights=self.force_weights[atoms],
            force_masks=self.force_masks[atoms],
            sources=tuple(self.sources[s] for s in chosen),
            rows=self.rows[chosen],
            roles=tuple(self.roles[s] for s in chosen),
        )


def _formulas(structures: StructureSet) -> list[str]:
    texts = []
    for first, last in zip(structures.offsets[:-1], structures.offsets[1:], strict=True):
        numbers, counts = np.unique(structures.numbers[first:last], return_counts=True)
        content = {chemical_symbols[z]: int(n) for z, n in zip(numbers, counts, strict=True)}
        texts.append(Formula.from_dict(content).format("abc"))
    return texts


def write_dataset(
    dataset: Dataset, path_to_structures: PathLike, path_to_atoms: PathLike, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a dataset as the tables `structures` and `atoms`; structures are numbered by their position."""
    write_table(structure_columns(dataset), path_to_structures, "structures", provenance)
    write_table(atom_columns(dataset), path_to_atoms, "atoms", provenance)


def structure_columns(dataset: Dataset, first_structure: int = 0, first_atom: int = 0) -> dict[str, Any]:
    """Columns of the table `structures` for a part of a dataset that begins with this structure and atom."""
    structures, volumes = dataset.structures, dataset.structures.volumes
    return {
        "structure": first_structure + np.arange(structures.n_structures),
        "name": list(structures.names),
        "group": list(structures.groups),
        "source": list(dataset.sources),
        "row": dataset.rows,
        "role": list(dataset.roles),
        "n_atoms": structures.atoms_per_structure,
        "first_atom": first_atom + structures.offsets[:-1],
        "formula": _formulas(structures),
        "cell": structures.cells.reshape(-1, 9),
        "pbc": structures.pbc,
        "volume": np.where(volumes > 0, volumes, np.nan),
        "energy": dataset.raw_energies,
        "energy_corrected": structures.energies,
        "stress": structures.stresses,
        "w_energy": dataset.energy_weights,
        "w_factor": dataset.weight_factors,
    }


def atom_columns(dataset: Dataset, first_structure: int = 0) -> dict[str, Any]:
    """Columns of the table `atoms` for a part of a dataset that begins with this structure."""
    structures = dataset.structures
    return {
        "structure": first_structure + structures.structure_of_atom,
        "number": structures.numbers,
        "position": structures.positions,
        "force": structures.forces,
        "w_force": dataset.force_weights,
        "w_force_mask": dataset.force_masks,
    }


def read_dataset(path_to_structures: PathLike, path_to_atoms: PathLike) -> Dataset:
    """Read the tables that `write_dataset` wrote.

    Raises
    ------
    ArtifactError
        If a file cannot be used, or the two do not belong together.
    """
    table, atoms = read_arrays(path_to_structures, "structures"), read_arrays(path_to_atoms, "atoms")
    return dataset_of_columns(table, atoms, path_to_structures, path_to_atoms)


def dataset_of_columns(
    table: Mapping[str, NDArray[Any]], atoms: Mapping[str, NDArray[Any]], path_to_structures: PathLike, path_to_atoms: PathLike
) -> Dataset:
    """Dataset of some rows of both tables, which belong together.

    Raises
    ------
    ArtifactError
        If they do not.
    """
    counts = table["n_atoms"]
    fits = np.all(counts >= 0) and sum(map(int, counts)) == len(atoms["structure"])
    if not fits or not np.array_equal(atoms["structure"], np.repeat(table["structure"], counts)):
        raise ArtifactError(f"{path_to_atoms} does not belong to {path_to_structures}; delete both, run the dataset stage again")
    structures = StructureSet(
        numbers=atoms["number"],
        positions=atoms["position"],
        offsets=np.concatenate([[0], np.cumsum(table["n_atoms"])]),
        cells=table["cell"].reshape(-1, 3, 3),
        pbc=table["pbc"],
        energies=table["energy_corrected"],
        forces=atoms["force"],
        stresses=table["stress"],
        names=tuple(table["name"]),
        groups=tuple(table["group"]),
        ids=table["structure"],
    )
    return Dataset(
        structures=structures,
        raw_energies=table["energy"],
        energy_weights=table["w_energy"],
        weight_factors=table["w_factor"],
        force_weights=atoms["w_force"],
        force_masks=atoms["w_force_mask"],
        sources=tuple(table["source"]),
        rows=table["row"],
        roles=tuple(table["role"]),
    )


def read_structures(path_to_structures: PathLike, path_to_atoms: PathLike) -> StructureSet:
    """Read only the structures of a dataset (see `read_dataset`)."""
    return read_dataset(path_to_structures, path_to_atoms).structures


def geometry_digest(structures: StructureSet) -> str:
    """Digest of all that determines the neighbour lists: atoms, positions, cells and periodicity."""
    digest = hashlib.sha256()
    for array in (structures.offsets, structures.numbers, structures.positions, structures.cells, structures.pbc):
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_shard(
    neighbors: NeighborList,
    structures: StructureSet,
    first_structure: int,
    path: PathLike,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the neighbour list of some consecutive structures of a dataset.

    Parameters
    ----------
    neighbors : NeighborList
        Pairs of the structures first_structure .. only, atoms numbered from 0.
    structures : StructureSet
        The complete dataset.
    first_structure : int
        Position of the first structure in the dataset.
    path : path
    provenance : mapping, optional
    """
    columns = pair_columns(neighbors, int(structures.offsets[first_structure]))
    range_of_structures = (first_structure, first_structure + len(neighbors.structure_offsets) - 1)
    header = shard_header(range_of_structures, neighbors.cutoff, geometry_digest(structures))
    write_table(columns, path, "neighborlist", {**(provenance or {}), "shard": header})


def shard_header(range_of_structures: tuple[int, int], cutoff: float, geometry: str) -> dict[str, Any]:
    """What the metadata of a shard say: its structures first .. last - 1, the cutoff and the digest of the dataset's geometry."""
    first, last = range_of_structures
    return {"first_structure": int(first), "n_structures": int(last - first), "cutoff": float(cutoff), "geometry": geometry}


def pair_columns(neighbors: NeighborList, first_atom: int) -> dict[str, Any]:
    """Columns of the table `neighborlist` for structures that begin with this atom of the dataset."""
    return {
        "i": neighbors.i + np.int32(first_atom),
        "j": neighbors.j + np.int32(first_atom),
        "shift": neighbors.shifts,
        "distance": neighbors.distances(),
    }


def order_shards(paths: Sequence[PathLike], geometry: str, n_structures: int) -> tuple[list[Path], float]:
    """Check by their metadata that some files are all shards of a dataset's neighbour list.

    Parameters
    ----------
    paths : in any order
    geometry, n_structures : digest of the geometry and number of structures of the dataset

    Returns
    -------
    paths : in the order of the dataset
    cutoff : Å

    Raises
    ------
    ArtifactError
        If a shard belongs to other structures, or some are missing.
    """
    headers = [(read_provenance(path)["provenance"].get("shard"), Path(path)) for path in paths]
    for header, path in headers:
        if not isinstance(header, dict) or any(type(header.get(key)) is not kind for key, kind in _SHARD_HEADER.items()):
            raise ArtifactError(
                f"{path} does not say which structures it covers; delete it and run the neighborlists stage again"
            )
        if header["geometry"] != geometry:
            raise ArtifactError(f"{path} belongs to other structures; delete it and run the neighborlists stage again")
    headers.sort(key=lambda item: (item[0]["first_structure"], item[0]["n_structures"]))
    covered = 0
    for header, path in headers:
        if header["first_structure"] != covered or header["cutoff"] != headers[0][0]["cutoff"]:
            raise ArtifactError(f"{path} leaves a gap, overlaps or has another cutoff; give all shards of one list, once each")
        covered += header["n_structures"]
    if not headers or covered != n_structures:
        raise ArtifactError(f"the shards cover {covered} of {n_structures} structures; give all of the list")
    return [path for _, path in headers], float(headers[0][0]["cutoff"])


def list_pairs(
    structures: StructureSet, i: NDArray[np.int32], j: NDArray[np.int32], shifts: NDArray[np.int16], cutoff: float
) -> NeighborList:
    """Neighbour list of its columns; centres and neighbours are rows of these structures."""
    return NeighborList(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(i, minlength=structures.n_atoms))]),
        j=j,
        vectors=pair_vectors(structures, i, j, shifts),
        shifts=shifts,
        structure_offsets=structures.offsets,
        cutoff=cutoff,
    )


def concatenate(datasets: Sequence[Dataset]) -> Dataset:
    """Join datasets one after the other."""

    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in datasets])

    return Dataset(
        structures=concatenate_structures([part.structures for part in datasets]),
        raw_energies=join("raw_energies"),
        energy_weights=join("energy_weights"),
        weight_factors=join("weight_factors"),
        force_weights=join("force_weights"),
        force_masks=join("force_masks"),
        sources=tuple(source for part in datasets for source in part.sources),
        rows=join("rows"),
        roles=tuple(role for part in datasets for role in part.roles),
    )


def with_energies(dataset: Dataset, energies: NDArray[np.float64]) -> Dataset:
    """Give the same dataset other corrected energies, eV, shape (S,)."""
    return replace(dataset, structures=replace(dataset.structures, energies=energies))
