"""Energies, forces, stresses and B projections of structures with one potential."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.grouping import Layout, build_layout, sum_per_range
from acefit.evaluation.threads import run_blocks
from acefit.kernels import radial
from acefit.kernels.energy import evaluate
from acefit.kernels.model import Coefficients
from acefit.kernels.projections import project
from acefit.potential.model import Potential

LARGE_STRUCTURE = 200
"""Atoms from which single structures are divided among threads when there are only few structures."""


SLOTS_AT_ONCE = 2**13
"""Slots whose distances are in memory together."""


class Prediction(NamedTuple):
    """Results for S structures with A atoms.

    Attributes
    ----------
    energies : (S,) eV; atomic_energies : (A,) eV
    forces : (A, 3) eV/Angstrom
    stresses : (S, 6) eV/Angstrom^3, ASE sign, order xx yy zz yz xz xy; NaN without a cell
    atomic_virials : (A, 6) eV, sum over the pairs of each centre of r_ij (x) dE_i/dr_j, symmetrised
    """

    energies: NDArray[np.float64]
    atomic_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    atomic_virials: NDArray[np.float64]


def element_indices(potential: Potential, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Element index of each atom.

    Raises
    ------
    DataError
        If an element is not in the potential.
    """
    table = np.full(len(chemical_symbols), -1, dtype=np.int64)
    for mu, symbol in enumerate(potential.elements):
        table[chemical_symbols.index(symbol)] = mu
    result = table[numbers]
    if (result < 0).any():
        missing = sorted({chemical_symbols[z] for z in numbers[result < 0]})
        raise DataError(f"elements {', '.join(missing)} are not in the potential, which has {', '.join(potential.elements)}")
    return result


def check_distances(compiled: Compiled, layout: Layout) -> None:
    """Refuse coinciding atoms, and in table mode distances below the first node.

    Raises
    ------
    DataError
        If a pair is too close.
    """
    vectors = layout.groups.vectors
    starts = range(0, len(vectors), SLOTS_AT_ONCE)
    squares = [float((vectors[k : k + SLOTS_AT_ONCE] ** 2).sum(axis=1).min()) for k in starts]
    if squares:
        check_shortest(compiled, float(np.sqrt(min(squares))))


def check_shortest(compiled: Compiled, shortest: float) -> None:
    """Refuse a distance (Angstrom) at which atoms coincide, or below the first node of the tables.

    Raises
    ------
    DataError
        If it is too short.
    """
    least = float(compiled.shape.bond[:, radial.TABLE_BIN].max(initial=0.0)) if compiled.shape.table.size else 1e-6
    if shortest < least:
        raise DataError(f"two atoms are {shortest:.3g} A apart; the potential needs at least {least:.3g} A")


def divides_structures(n_structures: int, n_atoms: int) -> bool:
    """Whether single structures are divided among threads, since there are only few."""
    return n_structures < 8 and n_atoms >= LARGE_STRUCTURE


def build_prediction_layout(
    compiled: Compiled,
    structures: StructureSet,
    neighbors: NeighborList,
    skin: float = 0.0,
    blocks: NDArray[np.int64] | None = None,
) -> Layout:
    """Layout for predictions: few large structures are divided among threads unless the ranges of structures are given.

    Raises
    ------
    DataError
        If an element is not in the potential, or two atoms are too close.
    """
    few = blocks is None and divides_structures(structures.n_structures, structures.n_atoms)
    elements = element_indices(compiled.potential, structures.numbers)
    layout = build_layout(compiled.shape, elements, structures, neighbors, split_structures=few, skin=skin, blocks=blocks)
    check_distances(compiled, layout)
    return layout


def voigt_stresses(virials: NDArray[np.float64], structures: StructureSet) -> NDArray[np.float64]:
    """Virials (S, 6) divided by the volumes; NaN for structures without a three-dimensional cell."""
    safe = np.where(structures.volumes > 0.0, structures.volumes, np.nan)
    return virials / safe[:, None]


def predict_compiled(
    compiled: Compiled, x: NDArray[np.float64], structures: StructureSet, neighbors: NeighborList, threads: int | None = None
) -> Prediction:
    """As `predict`, with a compiled potential and its parameter vector."""
    layout = build_prediction_layout(compiled, structures, neighbors)
    return predict_layout(compiled, compiled.coefficients(x), structures, layout, threads)


def predict_layout(
    compiled: Compiled, coefficients: Coefficients, structures: StructureSet, layout: Layout, threads: int | None = None
) -> Prediction:
    """As `predict`, with everything prepared that stays the same while atoms move."""
    n_atoms, shape = structures.n_atoms, compiled.shape
    energies = np.zeros(n_atoms)
    forces, atomic_virials = np.zeros((layout.n_buffers, n_atoms, 3)), np.zeros((n_atoms, 6))

    def run(turns: NDArray[np.int64]) -> None:
        evaluate(
            turns,
            shape,
            coefficients,
            layout.groups,
            layout.block_groups,
            layout.block_buffer,
            energies,
            forces,
            atomic_virials,
        )

    run_blocks(run, len(layout.block_buffer), threads)
    total = sum_per_range(energies, structures.offsets)
    virial = sum_per_range(atomic_virials, structures.offsets)
    return Prediction(total, energies, forces.sum(axis=0), voigt_stresses(virial, structures), atomic_virials)


def predict(
    potential: Potential,
    structures: StructureSet,
    neighbors: NeighborList,
    tables: bool = False,
    threads: int | None = None,
) -> Prediction:
    """Evaluate a potential.

    Parameters
    ----------
    potential : Potential
    structures : StructureSet
    neighbors : NeighborList
        Of these structures, with a cutoff of at least the potential's.
    tables : bool
        Interpolated radial functions, as the reference evaluator uses.
    threads : int or None
        Threads to use; results do not depend on it.
    """
    compiled = compile_potential(potential, tables)
    return predict_compiled(compiled, compiled.layout.vector(), structures, neighbors, threads)


class Projections(NamedTuple):
    """B projections and densities of A atoms.

    Attributes
    ----------
    table : (A, largest number of functions of an element) B in canonical order, order-1 functions first
    elements : (A,) element index of each atom
    n_functions : (n_elements,) columns of the table that atoms of each element have
    rho : (A, p_max) densities; slope : (A, p_max) dF/drho_p without f_cut; cut : (A,) f_cut
    """

    table: NDArray[np.float64]
    elements: NDArray[np.int64]
    n_functions: NDArray[np.int64]
    rho: NDArray[np.float64]
    slope: NDArray[np.float64]
    cut: NDArray[np.float64]

    @property
    def values(self) -> list[NDArray[np.float64]]:
        """B of each atom, (n_functions of its element,)."""
        return [row[:n] for row, n in zip(self.table, self.n_functions[self.elements], strict=True)]


def project_compiled(
    compiled: Compiled,
    x: NDArray[np.float64],
    structures: StructureSet,
    neighbors: NeighborList,
    threads: int | None = None,
) -> Projections:
    """B projections of all atoms, and what the derivatives by the coefficients need: dE/dc_p = dF/drho_p B."""
    layout = build_prediction_layout(compiled, structures, neighbors)
    return project_layout(compiled, compiled.coefficients(x), structures, layout, threads)


def project_layout(
    compiled: Compiled, coefficients: Coefficients, structures: StructureSet, layout: Layout, threads: int | None = None
) -> Projections:
    """As `project_compiled`, with everything prepared that stays the same while atoms move."""
    shape, couplings, n_atoms = compiled.shape, compiled.couplings, structures.n_atoms
    n_functions, p_max = compiled.n_functions, int(shape.n_density.max())
    table = np.zeros((n_atoms, int(n_functions.max())))
    base = np.zeros((n_atoms, shape.n_elements * compiled.k_width))
    rho, slope, cut = np.zeros((n_atoms, p_max)), np.zeros((n_atoms, p_max)), np.zeros((n_atoms, 1))

    def run(turns: NDArray[np.int64]) -> None:
        project(turns, shape, coefficients, couplings, layout.groups, layout.block_groups, table, base, rho, slope, cut)

    run_blocks(run, len(layout.block_buffer), threads)
    elements = element_indices(compiled.potential, structures.numbers)
    for mu, matrix in enumerate(compiled.order_one):
        atoms = np.flatnonzero(elements == mu)
        table[atoms, : matrix.shape[1]] = base[atoms] @ matrix
    return Projections(table, elements, n_functions, rho, slope, cut[:, 0])
