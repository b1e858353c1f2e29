"""Tables of predictions beside their references, one row per structure and one per atom.

Works on arrays and data frames; the files are read and written by `acefit.steps.predict`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import Prediction
from acefit.fit.metrics import low_energy_set

Values = NDArray[np.float64]


class Labels(NamedTuple):
    """What earlier stages decided about each structure and atom, in the order of the structures.

    Attributes
    ----------
    formulas, subsets, reasons : (S,) str
    w_energy, w_stress : (S,)
    is_low_energy : (S,) bool, see `find_low_energy`
    w_force : (A,)
    """

    formulas: NDArray[np.object_]
    subsets: NDArray[np.object_]
    reasons: NDArray[np.object_]
    w_energy: Values
    w_stress: Values
    is_low_energy: NDArray[np.bool_]
    w_force: Values


def find_low_energy(energies_per_atom: Values, effective_energies: Values, subsets: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Mark the structures of low energy, each subset by itself (see `acefit.fit.metrics.low_energy_set`).

    Parameters
    ----------
    energies_per_atom, effective_energies : (S,) eV/atom, NaN when absent
    subsets : (S,) names

    Returns
    -------
    is_low : (S,) bool
    """
    is_low = np.zeros(len(energies_per_atom), dtype=bool)
    for subset in sorted(set(subsets)):
        rows = np.array([subset == other for other in subsets])
        is_low[rows] = low_energy_set(energies_per_atom[rows], effective_energies[rows])
    return is_low


def build_tables(
    structures: StructureSet, predicted: Prediction, labels: Labels, nn_distances: Values, first_atom: int = 0
) -> tuple[dict[str, object], dict[str, object]]:
    """Put predictions and references side by side.

    Parameters
    ----------
    structures : StructureSet
        References on the fitted scale.
    predicted : Prediction
        Of the same structures in the same order.
    labels : Labels
    nn_distances : (A,) distance to each atom's nearest neighbour, Angstrom; infinite without one
    first_atom : row of the first atom in the dataset, of which these may be some consecutive structures

    Returns
    -------
    of_structures, of_atoms : dict of columns
        Columns of the table contracts `predicted_structures` and `predicted_atoms`.

    Raises
    ------
    DataError
        If a prediction is not a finite number.
    """
    _check_finite(structures, predicted)
    of_atoms: dict[str, object] = {
        "structure": structures.ids[structures.structure_of_atom],
        "atom": first_atom + np.arange(structures.n_atoms),
        "element": np.array(chemical_symbols, dtype=object)[structures.numbers],
        "force": structures.forces,
        "force_predicted": predicted.forces,
        "energy_predicted": predicted.atomic_energies,
        "nn_distance": _finite_or_nan(nn_distances),
        "w_force": labels.w_force,
    }
    return _structure_columns(structures, predicted, labels, nn_distances), of_atoms


def _structure_columns(
    structures: StructureSet, predicted: Prediction, labels: Labels, nn_distances: Values
) -> dict[str, object]:
    counts = structures.atoms_per_structure
    energies_per_atom = structures.energies / counts
    force_errors = np.linalg.norm(predicted.forces - structures.forces, axis=1)
    volumes = structures.volumes
    bulk = np.asarray(structures.pbc).all(axis=1, keepdims=True)
    return {
        "structure": structures.ids,
        "name": list(structures.names),
        "group": list(structures.groups),
        "subset": labels.subsets,
        "reason": labels.reasons,
        "n_atoms": counts,
        "formula": labels.formulas,
        "energy": structures.energies,
        "energy_predicted": predicted.energies,
        "energy_per_atom": energies_per_atom,
        "energy_per_atom_predicted": predicted.energies / counts,
        "is_low_energy": labels.is_low_energy,
        "force_error_max": _largest_per_structure(force_errors, structures.offsets),
        "nn_min": _finite_or_nan(-_largest_per_structure(-nn_distances, structures.offsets)),
        "volume": np.where(volumes > 0, volumes, np.nan),
        "stress": structures.stresses,
        "stress_predicted": np.where(bulk, predicted.stresses, np.nan),
        "w_energy": labels.w_energy,
        "w_stress": labels.w_stress,
    }


def _check_finite(structures: StructureSet, predicted: Prediction) -> None:
    bad_atoms = ~np.isfinite(predicted.forces).all(axis=1)
    bad = np.union1d(np.flatnonzero(~np.isfinite(predicted.energies)), structures.structure_of_atom[bad_atoms])
    if len(bad):
        first = int(bad[0])
        raise DataError(
            f"the prediction for structure {structures.ids[first]} ({structures.names[first]}) is not a finite number; "
            "the fit has diverged: look at its metrics, lower its step or raise its regularisation"
        )


def _largest_per_structure(values: Values, offsets: NDArray[np.int64]) -> Values:
    """Largest value of each structure's atoms; every structure has at least one."""
    return np.maximum.reduceat(values, offsets[:-1]) if len(offsets) > 1 else np.empty(0)


def _finite_or_nan(values: Values) -> Values:
    return np.where(np.isfinite(values), values, np.nan)


class Predictions(NamedTuple):
    """Both tables in memory, as the figures and error tables use them.

    Attributes
    ----------
    structures : a row per structure, scalar columns of the contract `predicted_structures`
    stress, stress_predicted : (S, 6) eV/Angstrom^3
    atoms : a row per atom, scalar columns of the contract `predicted_atoms`, and subset, group, is_low_energy of its structure
    force, force_predicted : (A, 3) eV/Angstrom
    """

    structures: pd.DataFrame
    stress: Values
    stress_predicted: Values
    atoms: pd.DataFrame
    force: Values
    force_predicted: Values

    @classmethod
    def from_columns(cls, of_structures: dict[str, NDArray[np.generic]], of_atoms: dict[str, NDArray[np.generic]]) -> Predictions:
        """Take the columns of both tables as arrays."""
        structures = pd.DataFrame({key: value for key, value in of_structures.items() if np.ndim(value) == 1})
        atoms = pd.DataFrame({key: value for key, value in of_atoms.items() if np.ndim(value) == 1})
        labels = structures.set_index("structure")[["subset", "group", "is_low_energy"]]
        atoms = atoms.join(labels, on="structure")
        return cls(
            structures,
            np.asarray(of_structures["stress"], dtype=float),
            np.asarray(of_structures["stress_predicted"], dtype=float),
            atoms,
            np.asarray(of_atoms["force"], dtype=float),
            np.asarray(of_atoms["force_predicted"], dtype=float),
        )

    def energy_errors(self) -> Values:
        """Predicted minus reference energy per atom, eV/atom, (S,); NaN without a reference."""
        errors = self.structures["energy_per_atom_predicted"] - self.structures["energy_per_atom"]
        return errors.to_numpy(float)

    def force_errors(self) -> Values:
        """Predicted minus reference forces, eV/Angstrom, (A, 3); NaN without a reference."""
        return self.force_predicted - self.force

    def stress_errors(self) -> Values:
        """Predicted minus reference stresses, eV/Angstrom^3, (S, 6); NaN without one of them."""
        return self.stress_predicted - self.stress
