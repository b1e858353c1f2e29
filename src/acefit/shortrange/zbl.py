"""ZBL repulsion of atoms that are close to each other: energies, forces and stresses, and an ASE calculator.

References
----------
Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Solids (1985), universal screening function; the shift that lets
value, slope and curvature vanish at the outer cutoff is that of `pair_style zbl` of LAMMPS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import ArrayLike, NDArray

from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.grouping import sum_per_range
from acefit.evaluation.predict import voigt_stresses
from acefit.kernels.core import COULOMB

INNER, OUTER = 0.0, 4.0
"""Default cutoffs, Angstrom: the shift begins at the first and the energy ends at the second."""

HARDEST = 103
"""Lawrencium, the last element of the screening lengths."""

_TERMS = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))

Array = NDArray[np.float64]


class ShortRange(NamedTuple):
    """Energies of S structures with A atoms.

    Attributes
    ----------
    energies : (S,) eV; atomic_energies : (A,) eV, half of each pair
    forces : (A, 3) eV/Angstrom
    stresses : (S, 6) eV/Angstrom^3, ASE sign and order; NaN without a cell
    """

    energies: Array
    atomic_energies: Array
    forces: Array
    stresses: Array


def screened(r: Array, a: Array) -> tuple[Array, Array, Array]:
    """Phi(r/a)/r of the universal screening function, with slope and curvature; r and a in Angstrom."""
    phi, dphi, ddphi = (np.zeros(np.broadcast_shapes(np.shape(r), np.shape(a))) for _ in range(3))
    for c, d in _TERMS:
        term = c * np.exp(-d * r / a)
        phi, dphi, ddphi = phi + term, dphi - d / a * term, ddphi + (d / a) ** 2 * term
    return phi / r, (dphi - phi / r) / r, (ddphi - 2.0 * dphi / r + 2.0 * phi / r**2) / r


def pair_energies(
    r: ArrayLike, z_i: ArrayLike, z_j: ArrayLike, inner: float = INNER, outer: float = OUTER
) -> tuple[Array, Array]:
    """Energies and slopes of pairs of atoms.

    E(r) = K Z_i Z_j (Phi(r/a)/r + S(r)), a = 0.4685 Angstrom / (Z_i^0.23 + Z_j^0.23), with the shift S that lets the energy
    vanish twice continuously differentiable at the outer cutoff; S is constant below the inner one.

    Parameters
    ----------
    r : array_like
        Distances, Angstrom.
    z_i, z_j : array_like
        Atomic numbers, of shapes that can be broadcast.
    inner, outer : float
        Cutoffs, Angstrom.

    Returns
    -------
    energies, slopes : float64
        eV and eV/Angstrom, of the whole pair; zero from the outer cutoff on.

    Raises
    ------
    DataError
        If the cutoffs are in the wrong order or a distance is not positive.
    """
    r, z_i, z_j = np.broadcast_arrays(np.asarray(r, np.float64), np.asarray(z_i, np.float64), np.asarray(z_j, np.float64))
    if not 0.0 <= inner < outer < np.inf:
        raise DataError(f"the cutoffs of ZBL must satisfy 0 <= inner < outer, not {inner} and {outer} Å")
    if np.any(r <= 0.0):
        raise DataError("two atoms are in the same place, where the energy of ZBL is infinite; move or remove one of them")
    a = 0.46850 / (z_i**0.23 + z_j**0.23)
    width = outer - inner
    e, de, dde = screened(np.full(r.shape, outer), a)
    a3 = (-3.0 * de + width * dde) / width**2
    a4 = (2.0 * de - width * dde) / width**3
    constant = -e + width * de / 2.0 - width**2 * dde / 12.0
    d = np.maximum(r - inner, 0.0)
    value, slope, _ = screened(r, a)
    scale = np.where(r < outer, COULOMB * z_i * z_j, 0.0)
    return scale * (value + a3 / 3.0 * d**3 + a4 / 4.0 * d**4 + constant), scale * (slope + a3 * d**2 + a4 * d**3)


def evaluate(structures: StructureSet, neighbors: NeighborList, inner: float = INNER, outer: float = OUTER) -> ShortRange:
    """Energies, forces and stresses of structures.

    Parameters
    ----------
    structures : StructureSet
    neighbors : NeighborList
        Of these structures, with a cutoff of at least the outer one.
    inner, outer : float
        Cutoffs, Angstrom.

    Raises
    ------
    DataError
        If the neighbour list is too short, an element is beyond Lr, or atoms coincide.
    """
    if neighbors.cutoff < outer:
        raise DataError(f"the neighbour list reaches to {neighbors.cutoff} Å, but ZBL needs {outer} Å")
    if np.any(structures.numbers > HARDEST):
        raise DataError("ZBL is defined for the elements from H to Lr; remove the structures with others")
    i, j, r = neighbors.i, neighbors.j, neighbors.distances()
    energies, slopes = pair_energies(r, structures.numbers[i], structures.numbers[j], inner, outer)
    pull = (slopes / r)[:, None] * neighbors.vectors
    # every pair is there in both directions, each of which moves its centre
    forces = sum_per_range(pull, neighbors.offsets)
    atomic = sum_per_range(0.5 * energies, neighbors.offsets)
    v, p = neighbors.vectors, 0.5 * pull
    products = np.stack(
        [v[:, 0] * p[:, 0], v[:, 1] * p[:, 1], v[:, 2] * p[:, 2], v[:, 1] * p[:, 2], v[:, 0] * p[:, 2], v[:, 0] * p[:, 1]], 1
    )
    virials = sum_per_range(sum_per_range(products, neighbors.offsets), structures.offsets)
    return ShortRange(sum_per_range(atomic, structures.offsets), atomic, forces, voigt_stresses(virials, structures))


class ZBLCalculator(Calculator):
    """ASE calculator of the ZBL repulsion alone.

    Parameters
    ----------
    inner, outer : float
        Cutoffs, Angstrom; see `pair_energies`.
    **options
        Passed on to ASE's Calculator.

    Examples
    --------
    >>> from ase import Atoms
    >>> from acefit.shortrange.zbl import ZBLCalculator
    >>> Atoms("AlNi", [[0, 0, 0], [0, 0, 1.5]], calculator=ZBLCalculator()).get_potential_energy()
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012 - as ASE declares it

    def __init__(self, inner: float = INNER, outer: float = OUTER, **options: Any) -> None:
        """Parameters as described for the class."""
        super().__init__(**options)
        pair_energies(1.0, 1, 1, inner, outer)
        self.inner, self.outer = inner, outer

    def calculate(
        self, atoms: Atoms | None = None, properties: list[str] | None = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill `results`; called by ASE."""
        super().calculate(atoms, properties or ["energy"], system_changes)
        assert self.atoms is not None
        structures = StructureSet.from_ase([self.atoms])
        result = evaluate(structures, build(structures, self.outer), self.inner, self.outer)
        energy = float(result.energies[0])
        self.results = {"energy": energy, "free_energy": energy, "energies": result.atomic_energies, "forces": result.forces}
        if np.isfinite(result.stresses).all():
            self.results["stress"] = result.stresses[0]
