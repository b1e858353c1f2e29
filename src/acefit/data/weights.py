"""Weights of energies, forces and stresses in the loss, and their tables.

Each subset's energy weights sum to 1 over its structures, its force weights to 1 over its atoms, its stress weights to 1 over its
structures that have a stress. How they are assigned is in `acefit.data.weighting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acefit.artifacts import read_arrays, write_table
from acefit.data.storage import PathLike
from acefit.data.structures import StructureSet, as_indices, atom_rows
from acefit.errors import ArtifactError


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the structures and atoms of a StructureSet.

    Parameters
    ----------
    energy, stress : float64, shape (S,)
    force : float64, shape (A,)
    """

    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    stress: NDArray[np.float64]

    def select(self, indices: ArrayLike, structures: StructureSet) -> Weights:
        """Weights for ``structures.select(indices)``, not normalised again."""
        chosen = as_indices(indices, structures.n_structures)
        return Weights(self.energy[chosen], self.force[atom_rows(structures.offsets, chosen)], self.stress[chosen])

    @classmethod
    def uniform(cls, structures: StructureSet) -> Weights:
        """Equal weights of all structures with an energy, all atoms with a force and all structures with a stress."""
        return normalized(structures, np.ones(structures.n_structures), np.ones(structures.n_atoms))


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights of a whole dataset with the reasons for them.

    Attributes
    ----------
    weights : 0 for excluded structures
    subsets : tuple of str, length S; train, test or excluded
    reasons : tuple of str, length S
    effective_energies : float64, shape (S,); eV/atom, NaN without an energy-based policy
    tiers : tuple of str, length S; lower, upper or empty
    source : uniform, energy-based, external or dataset
    """

    weights: Weights
    subsets: tuple[str, ...]
    reasons: tuple[str, ...]
    effective_energies: NDArray[np.float64]
    tiers: tuple[str, ...]
    source: str


def normalized(structures: StructureSet, energy: NDArray[np.float64], force: NDArray[np.float64]) -> Weights:
    """Normalise energy and force weights and derive the stress weights.

    A weight whose energy, force or stress is absent is 0. Stress weights are proportional to the energy weights: uniform ones
    give uniform ones, an energy-based policy trusts the stress of a structure as much as its energy.
    """
    return Weights(
        energy=_to_unit_sum(np.where(np.isfinite(structures.energies), energy, 0.0)),
        force=_to_unit_sum(np.where(np.isfinite(structures.forces).all(axis=1), force, 0.0)),
        stress=_to_unit_sum(np.where(structures.has_stress, energy, 0.0)),
    )


def _to_unit_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def write_weights(
    weighting: Weighting,
    structures: StructureSet,
    path_to_weights: PathLike,
    path_to_atom_weights: PathLike,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the tables `weights` (per structure) and `weights_atoms` (per atom)."""
    columns = {
        "structure": structures.ids,
        "subset": list(weighting.subsets),
        "w_energy": weighting.weights.energy,
        "w_stress": weighting.weights.stress,
        "effective_energy": weighting.effective_energies,
        "tier": list(weighting.tiers),
        "reason": list(weighting.reasons),
    }
    write_table(columns, path_to_weights, "weights", provenance)
    atoms = {
        "structure": structures.structure_of_atom,
        "atom": np.arange(structures.n_atoms),
        "w_force": weighting.weights.force,
    }
    write_table(atoms, path_to_atom_weights, "weights_atoms", provenance)


def read_weights(path_to_weights: PathLike, path_to_atom_weights: PathLike) -> tuple[Weights, tuple[str, ...]]:
    """Read the tables of the weights stage: weights of the whole dataset and the subset of each structure.

    Raises
    ------
    ArtifactError
        If a file cannot be used, or the two do not belong together.
    """
    table, atoms = read_arrays(path_to_weights, "weights"), read_arrays(path_to_atom_weights, "weights_atoms")
    if not np.array_equal(np.unique(atoms["structure"]), table["structure"]):
        raise ArtifactError(f"{path_to_atom_weights} does not belong to {path_to_weights}; run the weights stage again")
    return Weights(table["w_energy"], atoms["w_force"], table["w_stress"]), tuple(table["subset"])
