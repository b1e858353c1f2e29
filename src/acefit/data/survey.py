"""What is in data files, as far as the settings of a fit depend on it; read some structures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.data.neighborlists import build
from acefit.data.readers import LeftOut, Piece, ReadingOptions, iterate_files
from acefit.data.references import Composition, join_compositions
from acefit.data.storage import Dataset

REACH = 5.0
"""Å; nearest neighbours are looked for up to here."""


@dataclass(frozen=True)
class Survey:
    """What is in some files.

    Attributes
    ----------
    elements : in alphabetical order
    isolated : those of which there is a free atom with an energy
    n_structures, n_atoms : numbers
    n_periodic : structures that are periodic in some direction
    n_energies, n_corrected, n_forces, n_stresses, n_weights : structures with total energies, corrected energies, forces,
        stresses and weights
    spread : largest minus smallest energy per atom beyond what the numbers of atoms of each element explain, eV/atom; 0 without
    groups : names
    shortest, typical : shortest distance, and median of the structures' shortest ones, Å; NaN without
    left_out : structures that cannot be used
    """

    elements: tuple[str, ...]
    isolated: tuple[str, ...]
    n_structures: int
    n_atoms: int
    n_periodic: int
    n_energies: int
    n_corrected: int
    n_forces: int
    n_stresses: int
    n_weights: int
    spread: float
    groups: tuple[str, ...]
    shortest: float
    typical: float
    left_out: tuple[LeftOut, ...]

    @property
    def is_molecular(self) -> bool:
        """Whether nothing is periodic."""
        return self.n_periodic == 0


def survey_data(
    paths: Sequence[str | Path],
    options: ReadingOptions | None = None,
    watch: Callable[[Iterable[Piece]], Iterable[Piece]] = iter,
) -> Survey:
    """Look through data files.

    Parameters
    ----------
    paths : see `acefit.data.readers.read_files`
    options : names of labels; structures that cannot be used are told, not an error
    watch : gives back the parts it is given, for a progress bar

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    options = options or ReadingOptions(on_bad_structure="leave_out")
    elements, isolated, groups = set[str](), set[str](), set[str]()
    counts = np.zeros(7, dtype=np.int64)
    energies, compositions, distances, left_out, n_atoms = [], list[Composition](), [], list[LeftOut](), 0
    for piece in watch(iterate_files([{"path": str(path)} for path in paths], options)):
        dataset, structures = piece.dataset, piece.dataset.structures
        composition = Composition.of(structures)
        symbols = [chemical_symbols[z] for z in composition.numbers]
        free = composition.isolated & np.isfinite(dataset.raw_energies)
        elements.update(symbols)
        isolated.update(symbols[int(row.argmax())] for row in composition.counts[free])
        groups.update(structures.groups)
        n_atoms += structures.n_atoms
        counts += _count(dataset)
        energies.append(np.where(np.isnan(structures.energies), dataset.raw_energies, structures.energies))
        compositions.append(composition)
        distances.append(build(structures, REACH).shortest_per_structure())
        left_out += piece.left_out
    near = np.concatenate(distances)[np.isfinite(np.concatenate(distances))]
    names = ("n_structures", "n_periodic", "n_energies", "n_corrected", "n_forces", "n_stresses", "n_weights")
    numbers: dict[str, Any] = dict(zip(names, map(int, counts), strict=True))
    return Survey(
        elements=tuple(sorted(elements)),
        isolated=tuple(sorted(isolated)),
        n_atoms=n_atoms,
        spread=_spread(join_compositions(compositions), np.concatenate(energies)),
        groups=tuple(sorted(groups - {""})),
        shortest=float(near.min()) if len(near) else float("nan"),
        typical=float(np.median(near)) if len(near) else float("nan"),
        left_out=tuple(left_out),
        **numbers,
    )


def _spread(composition: Composition, energies: NDArray[np.float64]) -> float:
    """Range of energies per atom from which a least-squares energy of every element is subtracted."""
    known = np.flatnonzero(np.isfinite(energies))
    if not len(known):
        return 0.0
    shares = composition.counts[known] / composition.n_atoms[known, None]
    per_atom = energies[known] / composition.n_atoms[known]
    explained = shares @ np.linalg.lstsq(shares, per_atom)[0]
    return float(np.ptp(per_atom - explained))


def _count(dataset: Dataset) -> NDArray[np.int64]:
    """Numbers of structures, in the order of the fields that `survey_data` fills with them."""
    structures = dataset.structures
    has_forces = np.bincount(structures.structure_of_atom, np.isfinite(structures.forces).all(axis=1), structures.n_structures)
    return np.array(
        [
            structures.n_structures,
            np.count_nonzero(structures.pbc.any(axis=1)),
            np.count_nonzero(np.isfinite(dataset.raw_energies)),
            np.count_nonzero(np.isfinite(structures.energies)),
            np.count_nonzero(has_forces),
            np.count_nonzero(structures.has_stress),
            np.count_nonzero(np.isfinite(dataset.energy_weights)),
        ],
        dtype=np.int64,
    )
