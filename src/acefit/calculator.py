"""ASE calculator: a thin adapter over `acefit.evaluation`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from acefit.active.active_set import ActiveSet, read_active_set, refuse_without_functions
from acefit.active.grade import grade_projections
from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import PotentialError
from acefit.evaluation.grouping import Layout
from acefit.evaluation.predict import predict_layout, project_compiled, project_layout
from acefit.evaluation.skin import SkinLayout
from acefit.potential.files import read_any
from acefit.potential.model import Potential


class ACECalculator(Calculator):
    """ASE calculator for energies, forces, stresses and B projections of an ACE potential.

    Parameters
    ----------
    potential : path or Potential
        B-basis (`.yaml`) or C-tilde (`.yace`) file, of acefit or pacemaker, or a potential in memory.
    threads : int, optional
        Threads to use; default all that numba may use. Results do not depend on it.
    skin : float
        Neighbours are searched this far beyond the cutoff (Angstrom) and used until an atom has moved by half of it.
    tables : bool
        Interpolate radial functions in tables as the reference evaluator does; the default evaluates them analytically.
    active_set : path or ActiveSet, optional
        Gives the extrapolation grade ``gamma`` of every atom; up to 1 within what the active set spans. To stop or collect
        structures during a run, attach an `acefit.active.watch.GammaWatch` to it.
    gamma_on_request : bool
        Compute gamma only where `get_property("gamma")` asks for it, as that observer does every so many steps; the default
        computes it along with everything else.
    **options
        Passed on to ASE's Calculator, for example ``label``.

    Raises
    ------
    PotentialError
        If the file cannot be used or a parameter makes no sense.
    ActiveSetError
        If the active set cannot be used, or is of another potential.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acefit import ACECalculator
    >>> atoms = bulk("Si", cubic=True)
    >>> atoms.calc = ACECalculator("results/silicon/potential.yaml")
    >>> atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    >>> atoms.calc.projections(atoms).shape  # (number of atoms, number of functions)

    Notes
    -----
    Results: energy and free_energy (eV, equal), energies (per atom, eV), forces (eV/Angstrom), and for cells with a volume stress
    and stresses (per atom, they add up to the stress; eV/Angstrom^3, ASE's sign and Voigt order); gamma (per atom) with an active
    set. Energies are on the fitted scale: references are not added back, unless the potential has them as its E0
    (`acefit.potential.model.Potential.e0`; the key ``E0`` of a `.yace` file).
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]  # noqa: RUF012 - as ASE declares it

    def __init__(
        self,
        potential: str | Path | Potential,
        threads: int | None = None,
        *,
        skin: float = 0.5,
        tables: bool = False,
        active_set: str | Path | ActiveSet | None = None,
        gamma_on_request: bool = False,
        **options: Any,
    ) -> None:
        """Read and compile the potential; parameters as described for the class."""
        super().__init__(**options)
        if not isinstance(potential, Potential):
            if active_set is not None:
                refuse_without_functions(potential)
            potential = read_any(potential)
        if threads is not None and threads < 1:
            raise PotentialError(f"threads must be at least 1, got {threads}")
        if not 0.0 <= skin < np.inf:
            raise PotentialError(f"skin must be a length of at least 0 Angstrom, got {skin}")
        self.potential = potential
        self.threads = threads
        self._e0 = np.zeros(len(chemical_symbols))
        for element, energy in potential.e0.items():
            self._e0[atomic_numbers.get(element, 0)] = energy
        self._compiled = compile_potential(potential, tables)
        self._x = self._compiled.layout.vector()
        self._coefficients = self._compiled.coefficients(self._x)
        self._skin_layout = SkinLayout(self._compiled, skin)
        self.active_set, self.gamma_on_request = self._checked(active_set), gamma_on_request
        if self.active_set is not None:
            self.implemented_properties = [*self.implemented_properties, "gamma"]

    def calculate(
        self, atoms: Atoms | None = None, properties: list[str] | None = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill `results`; called by ASE."""
        wanted = properties or ["energy"]
        super().calculate(atoms, wanted, system_changes)
        assert self.atoms is not None
        structures, layout = self._skin_layout.follow(self.atoms, self.threads)
        if system_changes or not self.results:
            self._predict(self.atoms, structures, layout)
        if self.active_set is not None and (not self.gamma_on_request or "gamma" in wanted):
            projections = project_layout(self._compiled, self._coefficients, structures, layout, self.threads)
            self.results["gamma"] = grade_projections(self._compiled, self.active_set, projections)

    def _predict(self, atoms: Atoms, structures: StructureSet, layout: Layout) -> None:
        """Fill all results but gamma."""
        result = predict_layout(self._compiled, self._coefficients, structures, layout, self.threads)
        e0 = self._e0[atoms.numbers]
        energy = (float(result.energies[0]) if len(result.energies) else 0.0) + float(e0.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": result.atomic_energies + e0,
            "forces": result.forces,
        }
        if np.isfinite(result.stresses).all():
            self.results["stress"] = result.stresses[0]
            self.results["stresses"] = result.atomic_virials / atoms.get_volume()

    def _checked(self, active_set: str | Path | ActiveSet | None) -> ActiveSet | None:
        """The active set, read and compared with the potential."""
        if isinstance(active_set, ActiveSet):
            active_set.check(self.potential)
            return active_set
        return None if active_set is None else read_active_set(active_set, self.potential)

    def projections(self, atoms: Atoms) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """B projections of every atom in canonical order, order-1 functions first.

        Returns
        -------
        float64, shape (n_atoms, n_functions of the atom's element)
            A list of one array per atom where elements have different numbers of functions.
        """
        structures = StructureSet.from_ase([atoms])
        values = project_compiled(self._compiled, self._x, structures, build(structures, self.potential.cutoff)).values
        if len({len(v) for v in values}) == 1:
            return np.array(values)
        return values
