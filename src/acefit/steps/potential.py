"""Finish the potential: core repulsion and metadata."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acefit import __version__
from acefit.artifacts import check_made_from, made_by, read_arrays
from acefit.data.pairs import open_pairs
from acefit.data.storage import read_structures
from acefit.errors import ArtifactError
from acefit.files import read_yaml
from acefit.fit.repulsion import Distances, shortest_distances, with_automatic_repulsion
from acefit.potential.bbasis import read_sealed_potential, write_potential
from acefit.potential.model import Potential
from acefit.shortrange.check import check_walls

log = logging.getLogger(__name__)

# bookkeeping of a running fit
TRANSIENT = ("_fit_cycles", "intermediate_time")


def potential(
    *,
    repulsion: str | None,
    metadata: Mapping[str, Any] | None,
    code: str = "",
    path_to_selected: str | Path,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_references: str | Path,
    path_to_weights: str | Path,
    paths_to_shards: Sequence[str | Path],
    path_to_potential: str | Path,
) -> None:
    """Write the final potential; equal inputs give equal files.

    The core repulsion is set here, before predictions and reports are made, so that these are of the potential that is used. The
    log says whether the energy of each pair of elements rises all the way to short distances (`acefit.shortrange.check`).

    Parameters
    ----------
    repulsion : `auto` for ZBL below the shortest training distance of each pair, None to leave the potential as fitted
    metadata : entries of the configuration, stored as text
    code : digest of the code, for the provenance
    path_to_selected : potential of the last ladder step
    path_to_structures, path_to_atoms, paths_to_shards : dataset and neighbour lists
    path_to_references : YAML of the dataset stage, whose reference energies are stored
    path_to_weights : table of the weights stage, which says what was trained on
    path_to_potential : potential to write

    Raises
    ------
    ArtifactError
        If the inputs do not belong together.
    PotentialError
        If a bond has no outer switching width for the ZBL term.
    """
    fitted = read_sealed_potential(path_to_selected)
    if repulsion == "auto":
        distances = _training_distances(fitted, (path_to_structures, path_to_atoms), path_to_weights, paths_to_shards)
        fitted = with_automatic_repulsion(fitted, distances)
    for wall in check_walls(fitted):
        log.log(logging.INFO if wall.is_sound else logging.WARNING, "%s", wall)
    kept = {key: value for key, value in fitted.metadata.items() if key not in TRANSIENT}
    own = {"acefit_version": __version__}
    reference_energy = read_yaml(path_to_references)["reference_energy"]
    if reference_energy is not None:
        own["reference_energy"] = reference_energy
    given = {str(key): str(value) for key, value in (metadata or {}).items()}
    used = (path_to_structures, path_to_atoms, path_to_weights, *paths_to_shards) if repulsion == "auto" else ()
    provenance = made_by("potential", code, path_to_selected, path_to_references, *used)
    write_potential(replace(fitted, metadata={**kept, **given, **own}), path_to_potential, provenance)


def _training_distances(
    fitted: Potential,
    paths_to_dataset: tuple[str | Path, str | Path],
    path_to_weights: str | Path,
    paths_to_shards: Sequence[str | Path],
) -> Distances:
    """Shortest distance of each pair in the training set, Angstrom."""
    structures = read_structures(*paths_to_dataset)
    table = read_arrays(path_to_weights, "weights")
    if not np.array_equal(table["structure"], structures.ids):
        raise ArtifactError(f"{path_to_weights} does not belong to {paths_to_dataset[0]}; run the weights stage again")
    check_made_from(path_to_weights, *paths_to_dataset)
    chosen = np.flatnonzero(table["subset"] == "train")
    pairs = open_pairs(paths_to_shards, structures).select(chosen)
    return shortest_distances(fitted, structures.select(chosen), pairs)
