"""Several potentials as one ASE calculator: their mean, and how far they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled, compile_potential
from acefit.errors import PotentialError
from acefit.evaluation.predict import Prediction, predict_layout
from acefit.evaluation.skin import SkinLayout
from acefit.kernels import radial
from acefit.potential.files import read_any
from acefit.potential.model import Potential


class ACEEnsemble(Calculator):
    """ASE calculator for the mean of several ACE potentials and their spread.

    Parameters
    ----------
    potentials : sequence of paths or Potentials
        At least two, with the same elements.
    threads : int, optional
        Threads to use; default all that numba may use.
    skin : float
        As for `acefit.ACECalculator`.
    tables : bool
        As for `acefit.ACECalculator`.
    **options
        Passed on to ASE's Calculator.

    Raises
    ------
    PotentialError
        If there are too few potentials, they differ in elements, or a parameter makes no sense.

    Attributes
    ----------
    members : list of Prediction
        Results of each potential, in the order given, for the atoms evaluated last.

    Examples
    --------
    >>> from acefit import ACEEnsemble
    >>> atoms.calc = ACEEnsemble(["seed-1/potential.yaml", "seed-2/potential.yaml", "seed-3/potential.yaml"])
    >>> atoms.get_forces()  # the mean
    >>> atoms.calc.results["energy_std"], atoms.calc.results["forces_dev"].max()

    Notes
    -----
    Results are those of `acefit.ACECalculator`, averaged, and for each of them `<name>_std`, the standard deviation over the
    members (of the population: divided by their number), and `<name>_dev`, the largest deviation of a member from the mean. They
    have the shape of the quantity, but for forces `forces_dev` is that of the length of the vectors, one number per atom. So is
    `forces_spread`, the root of their mean squared length, sqrt(mean |F - mean F|^2).

    Members with equal cutoffs of all bonds share the search for neighbours and the layout of pairs.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]  # noqa: RUF012 - as ASE declares it

    def __init__(
        self,
        potentials: Sequence[str | Path | Potential],
        threads: int | None = None,
        *,
        skin: float = 0.5,
        tables: bool = False,
        **options: Any,
    ) -> None:
        """Read and compile the potentials; parameters as described for the class."""
        super().__init__(**options)
        if isinstance(potentials, str | Path | Potential) or len(potentials) < 2:
            raise PotentialError("an ensemble needs a list of at least two potentials; ACECalculator takes a single one")
        if threads is not None and threads < 1:
            raise PotentialError(f"threads must be at least 1, got {threads}")
        if not 0.0 <= skin < np.inf:
            raise PotentialError(f"skin must be a length of at least 0 Angstrom, got {skin}")
        self.potentials = [p if isinstance(p, Potential) else read_any(p) for p in potentials]
        self.threads = threads
        check_elements(self.potentials)
        self._compiled = [compile_potential(potential, tables) for potential in self.potentials]
        self._coefficients = [compiled.coefficients(compiled.layout.vector()) for compiled in self._compiled]
        self._groups = [(members, SkinLayout(self._compiled[members[0]], skin)) for members in group_members(self._compiled)]
        self.members: list[Prediction] = []

    def calculate(
        self, atoms: Atoms | None = None, properties: list[str] | None = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill `results`; called by ASE."""
        super().calculate(atoms, properties or ["energy"], system_changes)
        assert self.atoms is not None
        found: dict[int, Prediction] = {}
        for members, skin_layout in self._groups:
            structures, layout = skin_layout.follow(self.atoms, self.threads)
            for k in members:
                found[k] = predict_layout(self._compiled[k], self._coefficients[k], structures, layout, self.threads)
        self.members = [found[k] for k in range(len(self.potentials))]
        self.results = summarize([_results(*member, self.atoms) for member in zip(self.members, self.potentials, strict=True)])
        self.results["free_energy"] = self.results["energy"]

    @property
    def n_searches(self) -> int:
        """Number of searches for neighbours so far, each for all members with the same cutoffs."""
        return sum(skin_layout.n_searches for _, skin_layout in self._groups)


def check_elements(potentials: Sequence[Potential]) -> None:
    """Refuse potentials of different elements, whose mean would be of different things."""
    for k, potential in enumerate(potentials[1:], 2):
        if potential.elements != potentials[0].elements:
            raise PotentialError(
                f"potential {k} of the ensemble has the elements {' '.join(potential.elements)}, the first one "
                f"{' '.join(potentials[0].elements)}; all must have the same"
            )


def group_members(compiled: Sequence[Compiled]) -> list[list[int]]:
    """Numbers of the potentials that see the same pairs of atoms: equal cutoffs of all bonds, and equal bins of tables."""
    groups: dict[bytes, list[int]] = {}
    for k, one in enumerate(compiled):
        groups.setdefault(one.shape.bond[:, [radial.RC, radial.TABLE_BIN]].tobytes(), []).append(k)
    return list(groups.values())


def _results(member: Prediction, potential: Potential, atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    """Results of one potential by name, stresses only where there is a volume."""
    e0 = np.array([potential.e0.get(symbol, 0.0) for symbol in atoms.symbols])
    results = {
        "energy": member.energies.sum() + e0.sum(),
        "energies": member.atomic_energies + e0,
        "forces": member.forces,
    }
    if np.isfinite(member.stresses).all():
        results |= {"stress": member.stresses[0], "stresses": member.atomic_virials / atoms.get_volume()}
    return results


def summarize(members: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, Any]:
    """Mean, standard deviation and largest deviation of results of several potentials.

    Parameters
    ----------
    members : sequence of dict
        Name of the result -> value of one potential.

    Returns
    -------
    dict
        As in the notes on `ACEEnsemble`; single numbers are float.
    """
    results: dict[str, Any] = {}
    for name in members[0]:
        values = np.array([member[name] for member in members])
        mean = values.mean(axis=0)
        deviations = values - mean
        size = np.linalg.norm(deviations, axis=-1) if name == "forces" else np.abs(deviations)
        parts = {name: mean, f"{name}_std": values.std(axis=0), f"{name}_dev": size.max(axis=0)}
        if name == "forces":
            parts["forces_spread"] = np.sqrt((size**2).mean(axis=0))
        results |= {key: float(value) if value.ndim == 0 else value for key, value in parts.items()}
    return results
