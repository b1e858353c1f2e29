"""Predict energies, forces and stresses of all structures with the final potential."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acefit.analysis.predictions import Labels, build_tables
from acefit.artifacts import read_arrays, write_table
from acefit.basis.compiled import compile_potential
from acefit.data.storage import read_neighborlist, read_structures
from acefit.errors import ArtifactError
from acefit.evaluation.cost import measure_cost
from acefit.evaluation.predict import predict_compiled
from acefit.files import input_digests, write_yaml
from acefit.potential.bbasis import read_potential


def predict(
    *,
    path_to_potential: str | Path,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    paths_to_shards: Sequence[str | Path],
    path_to_weights: str | Path,
    path_to_atom_weights: str | Path,
    path_to_predicted_structures: str | Path,
    path_to_predicted_atoms: str | Path,
    path_to_cost: str | Path,
    tables: bool = False,
) -> None:
    """Evaluate a potential on the train, test and excluded structures of a dataset.

    Parameters
    ----------
    path_to_potential : path
        The potential as it will be used, with its core repulsion.
    path_to_structures, path_to_atoms : path
        Tables of the dataset stage.
    paths_to_shards : paths
        All shards of the neighbour lists; their cutoff must reach that of the potential.
    path_to_weights, path_to_atom_weights : path
        Tables of the weights stage, which say what belongs to which subset.
    path_to_predicted_structures, path_to_predicted_atoms : path
        Tables to write (contracts `predicted_structures` and `predicted_atoms`).
    path_to_cost : path
        YAML to write: number of functions and measured time of an evaluation, see `acefit.evaluation.cost.Cost`.
    tables : bool
        Use tabulated radial functions instead of analytic ones.

    Raises
    ------
    ArtifactError
        If an input cannot be used, or the neighbour lists are too short for the potential.
    DataError
        If a prediction is not finite.
    """
    potential = read_potential(path_to_potential)
    structures = read_structures(path_to_structures, path_to_atoms)
    neighbors = read_neighborlist(paths_to_shards, structures)
    if neighbors.cutoff < potential.cutoff:
        raise ArtifactError(
            f"the neighbour lists reach to {neighbors.cutoff} Å but {path_to_potential} needs {potential.cutoff} Å; "
            "run the neighborlists stage with the cutoff of the potential"
        )
    labels = _read_labels(path_to_structures, path_to_weights, path_to_atom_weights)
    compiled = compile_potential(potential, tables)
    predicted = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors)
    of_structures, of_atoms = build_tables(structures, predicted, labels, neighbors.shortest_per_atom())
    provenance = {
        "step": "predict",
        "inputs": input_digests(path_to_potential, path_to_structures, path_to_atoms, path_to_weights, path_to_atom_weights),
    }
    write_table(of_structures, path_to_predicted_structures, "predicted_structures", provenance)
    write_table(of_atoms, path_to_predicted_atoms, "predicted_atoms", provenance)
    write_yaml({"n_functions": potential.n_functions, **measure_cost(compiled, structures, neighbors)._asdict()}, path_to_cost)


def _read_labels(path_to_structures: str | Path, path_to_weights: str | Path, path_to_atom_weights: str | Path) -> Labels:
    """Read subsets and weights and check that they are those of the dataset."""
    structures = read_arrays(path_to_structures, "structures")
    weights = read_arrays(path_to_weights, "weights")
    atoms = read_arrays(path_to_atom_weights, "weights_atoms")
    n_atoms = int(structures["n_atoms"].sum())
    if not np.array_equal(weights["structure"], structures["structure"]) or not np.array_equal(atoms["atom"], np.arange(n_atoms)):
        raise ArtifactError(
            f"{path_to_weights} or {path_to_atom_weights} does not have the structures of {path_to_structures}, each once and in "
            "their order; run the weights stage again"
        )
    return Labels(
        formulas=structures["formula"],
        subsets=weights["subset"],
        reasons=weights["reason"],
        w_energy=weights["w_energy"],
        w_stress=weights["w_stress"],
        effective_energies=weights["effective_energy"],
        w_force=atoms["w_force"],
    )
