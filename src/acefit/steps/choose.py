"""Choose the structures of a round that are labelled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acefit.active.active_set import read_active_set
from acefit.active.grade import grade_structures
from acefit.active.memory import UNKNOWN
from acefit.active.selection import select_structures
from acefit.artifacts import made_by
from acefit.data.storage import concatenate, read_dataset, write_dataset
from acefit.potential.bbasis import read_sealed_potential

log = logging.getLogger(__name__)


def choose(
    *,
    path_to_potential: str | Path,
    path_to_active_set: str | Path,
    paths_to_structures: Sequence[str | Path],
    paths_to_atoms: Sequence[str | Path],
    path_to_chosen_structures: str | Path,
    path_to_chosen_atoms: str | Path,
    most: int,
    reject_above: float,
    tables: bool = False,
    code: str = "",
) -> None:
    """Choose among what all walks collected, beside the active set.

    Parameters
    ----------
    path_to_potential, path_to_active_set : of the round
    paths_to_structures, paths_to_atoms : candidates of each walk
    path_to_chosen_structures, path_to_chosen_atoms : dataset to write, maybe without structures
    most : largest number of structures
    reject_above : candidates with a larger gamma are left out
    tables : whether radial functions are interpolated
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If the active set is of another potential.
    """
    potential = read_sealed_potential(path_to_potential)
    active_set = read_active_set(path_to_active_set, potential)
    candidates = concatenate([read_dataset(*pair) for pair in zip(paths_to_structures, paths_to_atoms, strict=True)])
    structures = candidates.structures
    largest = np.zeros(structures.n_structures)
    np.maximum.at(
        largest, structures.structure_of_atom, grade_structures(potential, active_set, structures, UNKNOWN, tables=tables)
    )
    sound = np.flatnonzero(largest <= reject_above)
    if n_wild := structures.n_structures - len(sound):
        log.warning("%d candidates have a gamma above %g and are not labelled", n_wild, reject_above)
    kept = candidates.select(sound)
    chosen = select_structures(potential, kept.structures, active_set, most, memory=UNKNOWN, tables=tables).structures
    provenance = made_by("choose", code, path_to_potential, path_to_active_set, *paths_to_structures, *paths_to_atoms)
    write_dataset(kept.select(chosen), path_to_chosen_structures, path_to_chosen_atoms, provenance)
    log.info("%d of %d candidates are chosen", len(chosen), structures.n_structures)
