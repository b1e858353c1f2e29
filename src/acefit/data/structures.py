"""Structures as flat arrays, the form in which all later stages use them, and the checks that guard the way in.

Reading files is in `acefit.data.readers`, the Parquet tables are in `acefit.data.storage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import ArrayLike, NDArray

from acefit.errors import DataError

MINIMUM_DISTANCE = 0.3
"""Atoms closer than this (Å) are taken for an error of the data; the shortest bond, H2's, has 0.74 Å."""


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
            if len(getattr(self, name)) != n_structures:
                raise DataError(f"{name} of a StructureSet has length {len(getattr(self, name))} where {n_structures} is expected")
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
        return np.isfinite(self.stresses).all(axis=1)

    def volumes(self) -> NDArray[np.float64]:
        """Volume of each cell, Å^3, shape (S,); 0 for structures without a three-dimensional cell."""
        return np.abs(np.linalg.det(self.cells))

    def select(self, indices: ArrayLike) -> StructureSet:
        """Structures at the given positions (or where a boolean mask is true), in the given order."""
        chosen = _as_indices(indices, self.n_structures)
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
        labels = {"energy": float(self.energies[index]), "forces": self.forces[rows].copy(), "stress": self.stresses[index].copy()}
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
    counts = np.concatenate([s.atoms_per_structure for s in sets])
    arrays = {key: np.concatenate([getattr(s, key) for s in sets]) for key in ("numbers", "positions", "forces", "cells", "pbc")}
    arrays |= {key: np.concatenate([getattr(s, key) for s in sets]) for key in ("energies", "stresses")}
    names = {key: tuple(label for s in sets for label in getattr(s, key)) for key in ("names", "groups")}
    return StructureSet(**arrays, **names, offsets=np.concatenate([[0], np.cumsum(counts)]), ids=np.arange(len(counts)))


def _as_indices(indices: ArrayLike, size: int) -> NDArray[np.int64]:
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


def atom_rows(offsets: NDArray[np.int64], structures: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the atoms of the given structures, in their order."""
    return ranges(offsets[structures], np.diff(offsets)[structures])


def find_problems(
    structures: StructureSet, elements: Sequence[int] | None = None, minimum_distance: float = MINIMUM_DISTANCE
) -> dict[int, str]:
    """Look for structures that cannot be used.

    Parameters
    ----------
    structures : StructureSet
    elements : sequence of int, optional
        Atomic numbers that may occur; all may when absent.
    minimum_distance : float
        Atoms closer than this, in Å, are an error; periodic images count too.

    Returns
    -------
    problems : dict
        Index of each structure that cannot be used -> what is wrong with it (the first thing found).
    """
    problems: dict[int, str] = {}
    per_atom = structures.structure_of_atom

    def note(bad: NDArray[np.int64], what: str) -> None:
        for s in bad:
            problems.setdefault(int(s), what)

    note(np.flatnonzero(structures.atoms_per_structure == 0), "no atoms")
    note(np.unique(per_atom[~np.isfinite(structures.positions).all(axis=1)]), "positions are not finite numbers")
    note(np.flatnonzero(~np.isfinite(structures.cells).all(axis=(1, 2))), "the cell is not made of finite numbers")
    note(np.unique(per_atom[(structures.numbers < 1) | (structures.numbers > 118)]), "an atomic number is outside 1 .. 118")
    if elements is not None:
        note(np.unique(per_atom[~np.isin(structures.numbers, elements)]), "an element is not in the potential")
    _find_bad_labels(structures, note)
    for s in np.flatnonzero(structures.pbc.any(axis=1)):
        vectors = structures.cells[s][structures.pbc[s]]
        if s not in problems and _measure(vectors) < 1e-9:
            note(np.array([s]), "it is periodic but its cell has no volume along the periodic directions")
    good = np.setdiff1d(np.arange(structures.n_structures), list(problems))
    problems |= _find_close_atoms(structures.select(good), good, minimum_distance)
    return dict(sorted(problems.items()))


def _measure(vectors: NDArray[np.float64]) -> float:
    """Length, area or volume spanned by 1 to 3 vectors relative to what their lengths would allow (Å if zero vectors occur)."""
    return float(np.sqrt(max(np.linalg.det(vectors @ vectors.T), 0.0)))


def _find_bad_labels(structures: StructureSet, note: Any) -> None:
    """Note infinite labels and labels that are present in part: NaN for all components means absent."""
    note(np.flatnonzero(np.isinf(structures.energies)), "the energy is infinite")
    bad_stress = ~np.isfinite(structures.stresses) & ~np.isnan(structures.stresses).all(axis=1)[:, None]
    note(np.flatnonzero(bad_stress.any(axis=1)), "components of the stress are not finite numbers")
    bad_atoms = ~np.isfinite(structures.forces).all(axis=1)
    n_bad = np.bincount(structures.structure_of_atom[bad_atoms], minlength=structures.n_structures)
    absent = np.isnan(structures.forces).all(axis=1)
    n_absent = np.bincount(structures.structure_of_atom[absent], minlength=structures.n_structures)
    note(np.flatnonzero((n_bad > 0) & (n_absent < structures.atoms_per_structure)), "components of forces are not finite numbers")


def _find_close_atoms(structures: StructureSet, indices: NDArray[np.int64], minimum_distance: float) -> dict[int, str]:
    from acefit.data.neighborlists import build  # neighborlists builds on this module

    if minimum_distance <= 0:
        return {}
    # a search with a very small cutoff would be slower: it divides the cell into boxes of that size
    shortest = build(structures, max(minimum_distance, 2.0)).shortest_per_structure()
    return {
        int(indices[s]): f"two atoms are {shortest[s]:.3g} Å apart, closer than {minimum_distance:g} Å"
        for s in np.flatnonzero(shortest < minimum_distance)
    }
