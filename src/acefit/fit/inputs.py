"""What a fit reads of the stages before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acefit.artifacts import check_made_from, read_arrays
from acefit.data.pairs import open_pairs
from acefit.data.storage import read_structures
from acefit.data.weights import Weights
from acefit.errors import ArtifactError
from acefit.fit.processes import ALONE, Processes
from acefit.fit.run import FitData
from acefit.potential.model import Potential


def read_fit_data(
    potential: Potential,
    paths_to_dataset: tuple[str | Path, str | Path],
    paths_to_weights: tuple[str | Path, str | Path],
    paths_to_shards: Sequence[str | Path],
    processes: Processes = ALONE,
) -> tuple[FitData, FitData | None]:
    """Training and test data of a finished weights stage; None if there is no test set.

    The pairs stay in their files: whoever needs them reads them a few at a time.

    Parameters
    ----------
    potential : Potential
        Its cutoff must be within that of the neighbour lists.
    paths_to_dataset : tables of structures and of atoms
    paths_to_weights : tables of weights per structure and per atom
    paths_to_shards : neighbour lists
    processes : that read together; each checks some of the shards

    Raises
    ------
    ArtifactError
        If the tables do not belong together, or there is no training structure.
    """
    structures = read_structures(*paths_to_dataset)
    neighbors = open_pairs(paths_to_shards, structures, processes)
    if neighbors.cutoff < potential.cutoff:
        raise ArtifactError(
            f"the neighbour lists reach to {neighbors.cutoff} Å but the potential needs {potential.cutoff} Å; "
            "run the neighborlists stage with the cutoff of the potential"
        )
    table = read_arrays(paths_to_weights[0], "weights")
    atoms = read_arrays(paths_to_weights[1], "weights_atoms")
    if not np.array_equal(table["structure"], structures.ids) or len(atoms["atom"]) != structures.n_atoms:
        raise ArtifactError(
            f"{paths_to_weights[0]} or {paths_to_weights[1]} does not belong to {paths_to_dataset[0]}; "
            "run the weights stage again"
        )
    for path in paths_to_weights:
        check_made_from(path, *paths_to_dataset)
    weights = Weights(energy=table["w_energy"], force=atoms["w_force"], stress=table["w_stress"])
    dataset = FitData(structures, neighbors, weights, table["effective_energy"])
    subsets: list[FitData | None] = []
    for subset in ("train", "test"):
        chosen = np.flatnonzero(table["subset"] == subset)
        subsets.append(dataset.select(chosen) if len(chosen) else None)
    train, test = subsets
    if train is None:
        raise ArtifactError(f"{paths_to_weights[0]} has no training structure; run the weights stage again")
    return train, test
