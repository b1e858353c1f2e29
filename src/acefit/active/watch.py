"""Watch the extrapolation grade while atoms move: an observer for ASE's dynamics and optimisers."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.errors import ActiveSetError, ExtrapolationError

COLLECT_ABOVE, STOP_ABOVE = 1.5, 25.0
"""Default grades: what is worth a calculation, and from where on a trajectory leads nowhere."""


class GammaWatch:
    """Collects structures whose largest grade is above one limit, and stops at the first above another.

    Parameters
    ----------
    atoms : Atoms
        With an `acefit.ACECalculator` that has an active set.
    collect_above, stop_above : float
        Largest grades; a structure above the second is collected too.
    path : path, optional
        Extended XYZ file to which collected structures are added as they come; a file of an earlier run is continued.

    Attributes
    ----------
    structures : list of Atoms
        Collected copies, with the grade of each atom as array ``gamma``, the largest one as ``info["gamma"]``.
    largest : list of float
        Largest grade at every call.

    Raises
    ------
    ActiveSetError
        If the calculator gives no grades, or the limits are not in order.
    ExtrapolationError
        When called, if the largest grade is above `stop_above` or is no number.

    Examples
    --------
    >>> atoms.calc = ACECalculator("potential.yaml", active_set="potential.asi")
    >>> dynamics = Langevin(atoms, 1 * fs, temperature_K=300, friction=0.01)
    >>> dynamics.attach(GammaWatch(atoms, collect_above=1.5, stop_above=10.0, path="new.xyz"), interval=10)
    """

    def __init__(
        self,
        atoms: Atoms,
        collect_above: float = COLLECT_ABOVE,
        stop_above: float = STOP_ABOVE,
        path: str | Path | None = None,
    ) -> None:
        if not 0.0 < collect_above <= stop_above:
            raise ActiveSetError(f"limits of gamma must rise: collect_above {collect_above}, stop_above {stop_above}")
        if "gamma" not in getattr(atoms.calc, "implemented_properties", ()):
            raise ActiveSetError("the calculator of the atoms gives no gamma; use ACECalculator(potential, active_set=...)")
        self.atoms, self.collect_above, self.stop_above, self.path = atoms, collect_above, stop_above, path
        self.structures: list[Atoms] = []
        self.largest: list[float] = []

    def __call__(self) -> None:
        """Look at the present structure."""
        gamma = self.atoms.calc.get_property("gamma", self.atoms)
        largest = float(gamma.max(initial=0.0))
        self.largest.append(largest)
        if not largest <= self.collect_above:
            self._collect(gamma, largest)
        if not largest <= self.stop_above:
            raise ExtrapolationError(f"gamma is {largest:.4g}, above {self.stop_above:g}: stopped", largest)

    def _collect(self, gamma: np.ndarray, largest: float) -> None:
        copy = self.atoms.copy()
        copy.arrays["gamma"], copy.info["gamma"] = gamma.copy(), largest
        results = self.atoms.calc.results
        copy.calc = SinglePointCalculator(copy, **{key: results[key] for key in ("energy", "forces", "stress") if key in results})
        self.structures.append(copy)
        if self.path is not None:
            # energies of the potential would be taken for labels by whoever reads the file
            ase.io.write(self.path, _bare(copy), format="extxyz", append=True)


def _bare(atoms: Atoms) -> Atoms:
    """Copy without calculator."""
    copy = atoms.copy()
    copy.calc = None
    return copy
