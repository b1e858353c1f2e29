"""Predict energies, forces and stresses of all structures with the final potential."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.analysis.predictions import Labels, build_tables, find_low_energy
from acefit.artifacts import check_made_from, check_table, iterate_ranges, made_by, open_table, read_arrays
from acefit.basis.compiled import Compiled, compile_potential
from acefit.data import neighborlists, structures
from acefit.data.neighborlists import NeighborList
from acefit.data.stored import StoredDataset, StoredNeighbors, open_dataset, open_neighborlist
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from acefit.evaluation.cost import choose_sample, measure_cost
from acefit.evaluation.parts import plan_parts
from acefit.evaluation.predict import build_prediction_layout, predict_layout
from acefit.files import write_yaml
from acefit.potential.bbasis import read_sealed_potential

LabelsOf = Callable[[NDArray[np.int64]], Iterator[Labels]]


class _Predicted(NamedTuple):
    """Rows of both tables for some structures, and those of the structures whose evaluation will be timed."""

    of_structures: dict[str, object]
    of_atoms: dict[str, object]
    sample: StructureSet
    pairs_of_sample: NeighborList


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
    code: str = "",
) -> None:
    """Evaluate a potential on the train, test and excluded structures of a dataset, of which only a part is in memory.

    Parameters
    ----------
    path_to_potential, path_to_structures, path_to_atoms : the potential with its core repulsion; tables of the dataset stage
    paths_to_shards : all shards of the neighbour lists; their cutoff must reach that of the potential
    path_to_weights, path_to_atom_weights : tables of the weights stage, which say what belongs to which subset
    path_to_predicted_structures, path_to_predicted_atoms : to write (contracts `predicted_structures` and `predicted_atoms`)
    path_to_cost : YAML to write: number of functions and measured time of an evaluation, see `acefit.evaluation.cost.Cost`
    tables : whether radial functions are interpolated
    code : digest of the code, for the provenance

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
    compiled = compile_potential(potential, tables)
    samples: list[StructureSet] = []
    pairs: list[NeighborList] = []
    with (
        open_table(path_to_predicted_structures, "predicted_structures", provenance) as all_structures,
        open_table(path_to_predicted_atoms, "predicted_atoms", provenance) as all_atoms,
    ):
        for part in _predict_parts(compiled, neighbors, labels_of):
            all_structures.write(part.of_structures)
            all_atoms.write(part.of_atoms)
            samples.append(part.sample)
            pairs.append(part.pairs_of_sample)
    cost = measure_cost(compiled, structures.concatenate(samples), neighborlists.concatenate(pairs))
    write_yaml({"n_functions": potential.n_functions, **cost._asdict()}, path_to_cost, provenance)


def _predict_parts(compiled: Compiled, neighbors: StoredNeighbors, labels_of: LabelsOf) -> Iterator[_Predicted]:
    """Predict some structures at a time."""
    coefficients = compiled.coefficients(compiled.layout.vector())
    offsets, n_atoms = neighbors.dataset.offsets, neighbors.dataset.atoms_per_structure
    parts, sample = plan_parts(neighbors.counts, n_atoms), choose_sample(n_atoms)
    bounds = np.array([0, *(part.last for part in parts)])
    for part, (data, pairs), labels in zip(parts, neighbors.parts(bounds), labels_of(bounds), strict=True):
        layout = build_prediction_layout(compiled, data.structures, pairs, blocks=part.blocks)
        predicted = predict_layout(compiled, coefficients, data.structures, layout)
        tables = build_tables(data.structures, predicted, labels, pairs.shortest_per_atom(), int(offsets[part.first]))
        chosen = sample[(sample >= part.first) & (sample < part.last)] - part.first
        yield _Predicted(*tables, data.structures.select(chosen), pairs.select(chosen))


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
