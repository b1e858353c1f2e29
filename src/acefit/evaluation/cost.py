"""What an evaluation of a potential costs: processor time per atom for energies, forces and virials on one thread."""

from __future__ import annotations

import time
from typing import NamedTuple

import llvmlite.binding
import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import build_prediction_layout, predict_layout

SAMPLE_ATOMS = 2000
"""Atoms that are enough for a steady time per atom, and few enough for large potentials."""

REPEATS, SECONDS = 5, 0.5
"""Evaluations are repeated at least so often and so long; the shortest is the least disturbed by whatever else runs."""


class Cost(NamedTuple):
    """Measured cost of a potential.

    Attributes
    ----------
    microseconds_per_atom : processor time of the shortest of some evaluations; neighbours are found and sorted already, as
        between two searches in molecular dynamics
    n_structures, n_atoms : size of the sample that was evaluated
    neighbors_per_atom : pairs of the sample within the cutoff of the neighbour lists, per atom
    processor : kind of processor, as the compiler calls it
    """

    microseconds_per_atom: float
    n_structures: int
    n_atoms: int
    neighbors_per_atom: float
    processor: str


def choose_sample(atoms_per_structure: NDArray[np.int64], n_atoms: int = SAMPLE_ATOMS) -> NDArray[np.int64]:
    """Structures spread evenly over a dataset with about `n_atoms` atoms in all; those of a small dataset repeatedly.

    There is at least one, and the choice is the same for every potential, so that their costs can be compared.
    """
    n_structures = len(atoms_per_structure)
    number = max(1, round(n_structures * n_atoms / int(atoms_per_structure.sum())))
    return np.arange(number) * n_structures // number


def measure_cost(compiled: Compiled, structures: StructureSet, neighbors: NeighborList) -> Cost:
    """Evaluate a sample of structures several times on one thread.

    Parameters
    ----------
    compiled : Compiled
        The potential, ready for evaluation.
    structures : StructureSet
    neighbors : NeighborList
        Of these structures, with a cutoff of at least the potential's.
    """
    chosen = choose_sample(structures.atoms_per_structure)
    sample, pairs = structures.select(chosen), neighbors.select(chosen)
    layout = build_prediction_layout(compiled, sample, pairs)
    coefficients = compiled.coefficients(compiled.layout.vector())
    times: list[float] = []
    while len(times) < REPEATS or sum(times) < SECONDS:
        # Time of this thread on its processor: other jobs that wait for the same core do not count
        start = time.thread_time()
        predict_layout(compiled, coefficients, sample, layout, threads=1)
        times.append(time.thread_time() - start)
    return Cost(
        microseconds_per_atom=1e6 * min(times) / sample.n_atoms,
        n_structures=len(chosen),
        n_atoms=sample.n_atoms,
        neighbors_per_atom=pairs.n_pairs / sample.n_atoms,
        processor=str(llvmlite.binding.get_host_cpu_name()),
    )
