"""Extrapolation grades: how far environments are outside what an active set spans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acefit.active.active_set import ActiveSet
from acefit.active.memory import atoms_of_batch
from acefit.active.vectors import Environments, environment_vectors, grade_rows
from acefit.basis.compiled import Compiled
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import Projections
from acefit.potential.model import Potential


def grade_projections(compiled: Compiled, active_set: ActiveSet, projections: Projections) -> NDArray[np.float64]:
    """Grade gamma of every atom, (A,); up to 1 within what the active set spans, larger outside."""
    gamma = np.zeros(len(projections.elements))
    for mu, symbol in enumerate(compiled.potential.elements):
        atoms = np.flatnonzero(projections.elements == mu)
        vectors = environment_vectors(projections, mu, int(compiled.shape.n_density[mu]), active_set.kind, atoms)
        gamma[atoms] = grade_rows(vectors, active_set.inverses[symbol])
    return gamma


def grade_structures(
    potential: Potential,
    active_set: ActiveSet,
    structures: StructureSet,
    memory: int | None = None,
    tables: bool = False,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Grade of every atom of some structures, (n_atoms,), computed in batches.

    Raises
    ------
    DataError
        If the structures have other elements, or atoms too close to each other.
    """
    width = max(len(inverse) for inverse in active_set.inverses.values())
    gamma = np.zeros(structures.n_atoms)
    for batch in Environments(
        potential, structures, active_set.kind, atoms_of_batch(width, memory), None, tables, threads
    ).batches():
        for symbol, rows in batch.items():
            gamma[rows.atom] = grade_rows(rows.vectors, active_set.inverses[symbol])
    return gamma
