"""Predict energies, forces and stresses of all structures with the final potential."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acefit.analysis.predictions import Labels, build_tables, find_low_energy
from acefit.artifacts import check_made_from, check_table, iterate_ranges, made_by, open_table, read_arrays
from acefit.basis.compiled import compile_potential
from acefit.data.stored import StoredDataset, StoredNeighbors, open_dataset, open_neighborlist
from acefit.errors import ArtifactError
from acefit.evaluation.parts import plan_parts
from acefit.evaluation.predict import build_prediction_layout, predict_layout
from acefit.potential.bbasis import read_sealed_potential
from acefit.potential.model import Potential

LabelsOf = Callable[[NDArray[np.int64]], Iterator[Labels]]


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
    tables: bool = False,
    code: str = "",
) -> None:
    """Evaluate a potential on the train, test and excluded structures of a dataset, of which only a part is in memory.

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
    tables : bool
        Use tabulated radial functions instead of analytic ones.
    code : str
        Digest of the code, for the provenance.

    Raises
    ------
    ArtifactError
        If an input cannot be used, or the neighbour lists are too short for the potential.
    DataError
        If a prediction is not finite.
    """
    potential = read_sealed_potential(path_to_potential)
    dataset = open_dataset(path_to_structures, path_to_atoms)
    neighbors = open_neighborlist(paths_to_shards, dataset)
    if neighbors.cutoff < potential.cutoff:
        raise ArtifactError(
            f"the neighbour lists reach to {neighbors.cutoff} Å but {path_to_potential} needs {potential.cutoff} Å; "
            "run the neighborlists stage with the cutoff of the potential"
        )
    labels_of = _open_labels(dataset, path_to_weights, path_to_atom_weights)
    inputs = (path_to_potential, path_to_structures, path_to_atoms, path_to_weights, path_to_atom_weights, *paths_to_shards)
    provenance = made_by("predict", code, *inputs)
    with (
        open_table(path_to_predicted_structures, "predicted_structures", provenance) as all_structures,
        open_table(path_to_predicted_atoms, "predicted_atoms", provenance) as all_atoms,
    ):
        for of_structures, of_atoms in _predict_parts(potential, neighbors, labels_of, tables):
            all_structures.write(of_structures)
            all_atoms.write(of_atoms)


def _predict_parts(
    potential: Potential, neighbors: StoredNeighbors, labels_of: LabelsOf, tables: bool
) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Rows of both tables for some structures at a time."""
    compiled = compile_potential(potential, tables)
    coefficients = compiled.coefficients(compiled.layout.vector())
    offsets = neighbors.dataset.offsets
    parts = plan_parts(neighbors.counts, neighbors.dataset.atoms_per_structure)
    bounds = np.array([0, *(part.last for part in parts)])
    for part, (data, pairs), labels in zip(parts, neighbors.parts(bounds), labels_of(bounds), strict=True):
        layout = build_prediction_layout(compiled, data.structures, pairs, blocks=part.blocks)
        predicted = predict_layout(compiled, coefficients, data.structures, layout)
        yield build_tables(data.structures, predicted, labels, pairs.shortest_per_atom(), int(offsets[part.first]))


def _open_labels(dataset: StoredDataset, path_to_weights: str | Path, path_to_atom_weights: str | Path) -> LabelsOf:
    """Read subsets and weights of the structures, check that they are those of the dataset; labels of ranges of structures."""
    structures, weights = dataset.table, read_arrays(path_to_weights, "weights")
    n_atoms = check_table(path_to_atom_weights, "weights_atoms")
    for path in (path_to_weights, path_to_atom_weights):
        check_made_from(path, dataset.path_to_structures)
    if not np.array_equal(weights["structure"], structures["structure"]) or n_atoms != dataset.offsets[-1]:
        raise ArtifactError(
            f"{path_to_weights} or {path_to_atom_weights} does not have the structures of {dataset.path_to_structures}, each "
            "once and in their order; run the weights stage again"
        )
    energies = structures["energy_corrected"] / structures["n_atoms"]
    columns = {
        "formulas": structures["formula"],
        "subsets": weights["subset"],
        "reasons": weights["reason"],
        "w_energy": weights["w_energy"],
        "w_stress": weights["w_stress"],
        "is_low_energy": find_low_energy(energies, weights["effective_energy"], weights["subset"]),
    }

    def labels_of(bounds: NDArray[np.int64]) -> Iterator[Labels]:
        of_atoms = iterate_ranges([path_to_atom_weights], ["w_force"], dataset.offsets[bounds])
        for (first, last), atoms in zip(pairwise(bounds), of_atoms, strict=True):
            yield Labels(**{name: values[first:last] for name, values in columns.items()}, w_force=atoms["w_force"])

    return labels_of
