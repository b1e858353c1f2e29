"""Structures as flat arrays, the form in which all later stages use them.

Checks of what is read are in `acefit.data.checks`, readers of files in `acefit.data.readers`, the Parquet tables in
`acefit.data.storage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import ArrayLike, NDArray

from acefit.errors import DataError


@dataclass(frozen=True, eq=False)
class StructureSet:
    """S structures with A atoms altogether; arrays are read-only.

    Parameters
    ----------
    numbers : int64, shape (A,)
        Atomic numbers.
    positions : float64, shape (A, 3)
        Cartesian positions, Å; atoms may lie outside their cell.
    offsets : int64, shape (S + 1,)
        Structure s owns the atoms offsets[s] .. offsets[s + 1] - 1.
    cells : float64, shape (S, 3, 3)
        Cell vectors as rows, Å; zeros when there are none.
    pbc : bool, shape (S, 3)
        Periodicity along each cell vector.
    energies : float64, shape (S,)
        Total energy to be fitted (references subtracted), eV; NaN when absent.
    forces : float64, shape (A, 3)
        eV/Å; NaN when absent.
    stresses : float64, shape (S, 6)
        eV/Å^3, ASE sign, order xx yy zz yz xz xy; NaN when absent.
    names, groups : sequences of str, length S
    ids : int64, shape (S,)
        Row of each structure in the dataset.

    Raises
    ------
    DataError
        If the shapes do not fit together.
    """

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    offsets: NDArray[np.int64]
    cells: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        n_structures, n_atoms = len(self.offsets) - 1, len(self.numbers)
        shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
            "numbers": (np.int64, (n_atoms,)),
            "positions": (np.float64, (n_atoms, 3)),
            "offsets": (np.int64, (n_structures + 1,)),
            "cells": (np.float64, (n_structures, 3, 3)),
            "pbc": (np.bool_, (n_structures, 3)),
            "energies": (np.float64, (n_structures,)),
            "forces": (np.float64, (n_atoms, 3)),
            "stresses": (np.float64, (n_structures, 6)),
            "ids": (np.int64, (n_structures,)),
        }
        for name, (dtype, shape) in shapes.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise DataError(f"{name} of a StructureSet has shape {array.shape} where {shape} is expected")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        for name in ("names", "groups"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            length = len(getattr(self, name))
            if length != n_structures:
                raise DataError(f"{name} of a StructureSet has length {length} where {n_structures} is expected")
        if self.offsets[0] != 0 or self.offsets[-1] != n_atoms or np.any(np.diff(self.offsets) < 0):
            raise DataError("offsets of a StructureSet must rise from 0 to the number of atoms")

    @property
    def n_structures(self) -> int:
        """Number of structures S."""
        return len(self.offsets) - 1

    @property
    def n_atoms(self) -> int:
        """Number of atoms A of all structures."""
        return len(self.numbers)

    @property
    def atoms_per_structure(self) -> NDArray[np.int64]:
        """Number of atoms of each structure, shape (S,)."""
        return np.diff(self.offsets)

    @property
    def structure_of_atom(self) -> NDArray[np.int64]:
        """Index of the structure each atom belongs to, shape (A,)."""
        return np.repeat(np.arange(self.n_structures), self.atoms_per_structure)

    @property
    def has_stress(self) -> NDArray[np.bool_]:
        """Whether each structure has a stress, shape (S,)."""
        return np.asarray(np.isfinite(self.stresses).all(axis=1))

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """Volume of each cell, Å^3, shape (S,); 0 for structures without a three-dimensional cell."""
        return np.abs(np.linalg.det(self.cells))

    def select(self, indices: ArrayLike) -> StructureSet:
        """Structures at the given positions (or where a boolean mask is true), in the given order."""
        chosen = as_indices(indices, self.n_structures)
        atoms = atom_rows(self.offsets, chosen)
        return StructureSet(
            numbers=self.numbers[atoms],
            positions=self.positions[atoms],
            offsets=np.concatenate([[0], np.cumsum(self.atoms_per_structure[chosen])]),
            cells=self.cells[chosen],
            pbc=self.pbc[chosen],
            energies=self.energies[chosen],
            forces=self.forces[atoms],
            stresses=self.stresses[chosen],
            names=tuple(self.names[s] for s in chosen),
            groups=tuple(self.groups[s] for s in chosen),
            ids=self.ids[chosen],
        )

    def to_ase(self, index: int) -> Atoms:
        """One structure as ASE atoms; the energy (references subtracted), forces and stress it has are in its calculator."""
        rows = slice(self.offsets[index], self.offsets[index + 1])
        atoms = Atoms(self.numbers[rows], self.positions[rows], cell=self.cells[index], pbc=self.pbc[index])
        atoms.info["name"] = self.names[index]
        if self.groups[index]:
            atoms.info["config_type"] = self.groups[index]
        energy, forces, stress = float(self.energies[index]), self.forces[rows].copy(), self.stresses[index].copy()
        labels: dict[str, Any] = {"energy": energy, "forces": forces, "stress": stress}
        present = {key: value for key, value in labels.items() if np.all(np.isfinite(value))}
        if present:
            atoms.calc = SinglePointCalculator(atoms, **present)
        return atoms

    @classmethod
    def from_ase(cls, structures: Iterable[Atoms]) -> StructureSet:
        """Build a set from ASE atoms.

        Energies, forces and stresses are taken from calculators that only hold results (`SinglePointCalculator`); other
        calculators are not run. Names come from ``info['name']``, groups from ``info['config_type']``.
        """
        frames = list(structures)
        counts = [len(atoms) for atoms in frames]
        n_structures, n_atoms = len(frames), sum(counts)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        energies, forces = np.full(n_structures, np.nan), np.full((n_atoms, 3), np.nan)
        stresses = np.full((n_structures, 6), np.nan)
        for s, atoms in enumerate(frames):
            results = atoms.calc.results if isinstance(atoms.calc, SinglePointCalculator) else {}
            energies[s] = results.get("energy", np.nan)
            forces[offsets[s] : offsets[s + 1]] = results.get("forces", np.nan)
            stresses[s] = results.get("stress", np.nan)
        return cls(
            numbers=np.concatenate([a.numbers for a in frames] or [np.empty(0)]),
            positions=np.concatenate([a.positions for a in frames] or [np.empty((0, 3))]),
            offsets=offsets,
            cells=np.array([a.cell.array for a in frames]).reshape(n_structures, 3, 3),
            pbc=np.array([a.pbc for a in frames], dtype=bool).reshape(n_structures, 3),
            energies=energies,
            forces=forces,
            stresses=stresses,
            names=tuple(str(a.info.get("name", s)) for s, a in enumerate(frames)),
            groups=tuple(str(a.info.get("config_type", "")) for a in frames),
            ids=np.arange(n_structures),
        )


def concatenate(sets: Sequence[StructureSet]) -> StructureSet:
    """Join sets one after the other; `ids` are numbered anew."""
    if not sets:
        return StructureSet.from_ase([])
    counts = np.concatenate([part.atoms_per_structure for part in sets])
    return StructureSet(
        numbers=np.concatenate([part.numbers for part in sets]),
        positions=np.concatenate([part.positions for part in sets]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cells=np.concatenate([part.cells for part in sets]),
        pbc=np.concatenate([part.pbc for part in sets]),
        energies=np.concatenate([part.energies for part in sets]),
        forces=np.concatenate([part.forces for part in sets]),
        stresses=np.concatenate([part.stresses for part in sets]),
        names=tuple(name for part in sets for name in part.names),
        groups=tuple(group for part in sets for group in part.groups),
        ids=np.arange(len(counts)),
    )


def as_indices(indices: ArrayLike, size: int) -> NDArray[np.int64]:
    """Turn positions or a mask of `size` structures into checked positions."""
    chosen = np.asarray(indices)
    if chosen.dtype == bool:
        if chosen.shape != (size,):
            raise DataError(f"a mask of shape {chosen.shape} cannot select from {size} structures")
        return np.flatnonzero(chosen)
    chosen = chosen.astype(np.int64).ravel()
    if np.any((chosen < 0) | (chosen >= size)):
        raise DataError(f"structure {chosen[(chosen < 0) | (chosen >= size)][0]} is not among 0 .. {size - 1}")
    return chosen


def ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate the integer ranges starts[k] .. starts[k] + counts[k] - 1."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)


def consecutive_ranges(sizes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Bounds of consecutive ranges, each as long as its sizes add up to at most so much; what is larger is a range by itself."""
    ends, bounds = np.cumsum(sizes), [0]
    while bounds[-1] < len(sizes):
        done = ends[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(ends, done + most, side="right")), bounds[-1] + 1))
    return np.array(bounds)


def atom_rows(offsets: NDArray[np.int64], structures: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the atoms of the given structures, in their order."""
    return ranges(offsets[structures], np.diff(offsets)[structures])
