"""Checks of structures read from files: what cannot be used is found and described, never dropped silently."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import minkowski_reduce
from numpy.typing import NDArray

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet

log = logging.getLogger(__name__)

MINIMUM_DISTANCE = 0.3
"""Atoms closer than this (Å) are taken for an error of the data; the shortest bond, H2's, has 0.74 Å."""

LARGEST_LENGTH = 1e6
"""Coordinates and cell vectors beyond this (Å), a tenth of a millimetre, are taken for an error of the data."""

_Note = Callable[[NDArray[np.intp], str], None]


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

    def note(bad: NDArray[np.intp], what: str) -> None:
        for s in bad:
            problems.setdefault(int(s), what)

    note(np.flatnonzero(structures.atoms_per_structure == 0), "no atoms")
    note(np.unique(per_atom[~np.isfinite(structures.positions).all(axis=1)]), "positions are not finite numbers")
    note(np.flatnonzero(~np.isfinite(structures.cells).all(axis=(1, 2))), "the cell is not made of finite numbers")
    far = np.abs(structures.positions).max(axis=1, initial=0.0) > LARGEST_LENGTH
    note(np.unique(per_atom[far]), f"an atom is more than {LARGEST_LENGTH:g} Å away from the origin")
    note(
        np.flatnonzero(np.abs(structures.cells).max(axis=(1, 2)) > LARGEST_LENGTH),
        f"the cell is larger than {LARGEST_LENGTH:g} Å",
    )
    note(np.unique(per_atom[(structures.numbers < 1) | (structures.numbers > 118)]), "an atomic number is outside 1 .. 118")
    if elements is not None:
        for s in np.setdiff1d(per_atom[~np.isin(structures.numbers, elements)], list(problems)):
            foreign = np.setdiff1d(structures.numbers[structures.offsets[s] : structures.offsets[s + 1]], elements)
            names = ", ".join(chemical_symbols[z] for z in foreign)
            note(np.array([s]), f"{names}: not among the elements of the potential")
    _find_bad_labels(structures, note)
    for s in np.flatnonzero(structures.pbc.any(axis=1)):
        vectors = structures.cells[s][structures.pbc[s]]
        if s not in problems and _measure(vectors) < 1e-9:
            note(np.array([s]), "it is periodic but its cell has no volume along the periodic directions")
    good = np.setdiff1d(np.arange(structures.n_structures), list(problems))
    problems |= _find_crowds(structures.select(good), good, minimum_distance)
    good = np.setdiff1d(good, list(problems))
    problems |= _find_close_atoms(structures.select(good), good, minimum_distance)
    return dict(sorted(problems.items()))


def common_structures(structures: StructureSet, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the second structures that are also among the first: the same atoms and cell, in order and to 1e-5 Å."""
    known = {_fingerprint(structures, int(s)) for s in first} if len(second) else set()
    return np.array([s for s in second if _fingerprint(structures, int(s)) in known], dtype=np.int64)


def _fingerprint(structures: StructureSet, s: int) -> bytes:
    atoms = slice(structures.offsets[s], structures.offsets[s + 1])
    # + 0.0, since -0.0 has other bytes
    places = np.round(np.concatenate([structures.cells[s], structures.positions[atoms]]), 5) + 0.0
    content = structures.numbers[atoms].tobytes() + structures.pbc[s].tobytes() + places.tobytes()
    return hashlib.sha256(content).digest()


def warn_of_absent(elements: Iterable[str], present: Iterable[str], what: str) -> None:
    """Warn of elements of a potential that are not among those present in `what`."""
    absent = sorted(set(elements) - set(present))
    if absent:
        log.warning("no atom of the %s is %s: nothing determines what belongs to it", what, " or ".join(absent))


def _measure(vectors: NDArray[np.float64]) -> float:
    """Length (Å), area (Å^2) or volume (Å^3) spanned by 1 to 3 vectors."""
    return float(np.sqrt(max(np.linalg.det(vectors @ vectors.T), 0.0)))


def _find_bad_labels(structures: StructureSet, note: _Note) -> None:
    """Note infinite labels and labels that are present in part: NaN for all components means absent."""
    note(np.flatnonzero(np.isinf(structures.energies)), "the energy is infinite")
    has_bad_stress = ~structures.has_stress & ~np.asarray(np.isnan(structures.stresses).all(axis=1))
    note(np.flatnonzero(has_bad_stress), "components of the stress are not finite numbers")
    bad_atoms = ~np.isfinite(structures.forces).all(axis=1)
    n_bad = np.bincount(structures.structure_of_atom[bad_atoms], minlength=structures.n_structures)
    absent = np.isnan(structures.forces).all(axis=1)
    n_absent = np.bincount(structures.structure_of_atom[absent], minlength=structures.n_structures)
    note(np.flatnonzero((n_bad > 0) & (n_absent < structures.atoms_per_structure)), "components of forces are not finite numbers")


def _find_crowds(structures: StructureSet, indices: NDArray[np.int64], minimum_distance: float) -> dict[int, str]:
    """Find structures with far too many atoms in some place, whose pairs could be too many to list.

    Two atoms in a cube of diagonal d are closer than d, and so are an atom and its image along a cell vector shorter than d; in
    a volume of less than d^3 / sqrt(2) per atom, that of the closest packing, some are.
    """
    if minimum_distance <= 0:
        return {}
    cubes = np.floor(structures.positions * (np.sqrt(3) / minimum_distance))
    order = np.lexsort((*cubes.T, structures.structure_of_atom))
    keys = np.column_stack([structures.structure_of_atom, cubes])[order]
    pairs = np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1))
    distances = np.linalg.norm(structures.positions[order[pairs + 1]] - structures.positions[order[pairs]], axis=1)
    shortest = np.full(structures.n_structures, np.inf)
    np.minimum.at(shortest, structures.structure_of_atom[order[pairs]], distances)
    for s in np.flatnonzero(structures.pbc.any(axis=1)):
        shortest[s] = min(shortest[s], _shortest_image(structures.cells[s], structures.pbc[s]))
    room = np.where(structures.pbc.all(axis=1), structures.volumes, np.inf)
    full = room < structures.atoms_per_structure * minimum_distance**3 / np.sqrt(2)
    problems = {int(indices[s]): f"{room[s]:.3g} Å^3 are too little room for its atoms" for s in np.flatnonzero(full)}
    return problems | _too_close(shortest, indices, minimum_distance)


def _shortest_image(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> float:
    """Length of the shortest cell vector, Å; of the reduced cell if the vectors are nearly parallel and may hide shorter ones."""
    lengths = np.linalg.norm(cell[pbc], axis=1)
    if _measure(cell[pbc]) < 0.01 * np.prod(lengths):
        lengths = np.linalg.norm(minkowski_reduce(cell, pbc)[0][pbc], axis=1)
    return float(lengths.min())


def _too_close(shortest: NDArray[np.float64], indices: NDArray[np.int64], minimum_distance: float) -> dict[int, str]:
    return {
        int(indices[s]): f"two atoms are {shortest[s]:.3g} Å apart, closer than {minimum_distance:g} Å"
        for s in np.flatnonzero(shortest < minimum_distance)
    }


def _find_close_atoms(structures: StructureSet, indices: NDArray[np.int64], minimum_distance: float) -> dict[int, str]:
    if minimum_distance <= 0:
        return {}
    # a search with a very small cutoff would be slower: it divides the cell into boxes of that size
    shortest = build(structures, max(minimum_distance, 2.0)).shortest_per_structure()
    return _too_close(shortest, indices, minimum_distance)
