"""Make the active set of the potential of a round from the structures it was fitted to."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from acefit.active.active_set import build_active_set
from acefit.active.asi import FULL, LINEAR
from acefit.active.memory import UNKNOWN
from acefit.artifacts import check_made_from, made_by, read_arrays
from acefit.data.storage import read_structures
from acefit.data.weighting import find_augmented
from acefit.files import write_yaml
from acefit.potential.bbasis import read_sealed_potential

log = logging.getLogger(__name__)


def activeset(
    *,
    path_to_potential: str | Path,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
    path_to_weights: str | Path,
    path_to_active_set: str | Path,
    path_to_summary: str | Path,
    full: bool = False,
    tables: bool = False,
    code: str = "",
) -> None:
    """Choose the environments that span the largest volume.

    Parameters
    ----------
    path_to_potential, path_to_structures, path_to_atoms : potential and dataset of the round
    path_to_weights : table of the weights stage; only structures for training count, and no synthetic ones
    path_to_active_set : `.asi` file to write
    path_to_summary : YAML to write: what is to be known about each element, see `acefit.active.active_set.ElementSummary`
    full : whether of derivatives by all coefficients instead of projections
    tables : whether radial functions are interpolated
    code : digest of the code, for the provenance

    Raises
    ------
    ActiveSetError
        If the potential has no active set of this kind.
    """
    potential = read_sealed_potential(path_to_potential)
    dataset = read_structures(path_to_structures, path_to_atoms)
    check_made_from(path_to_weights, path_to_structures)
    is_fitted = read_arrays(path_to_weights, "weights")["subset"] == "train"
    structures = dataset.select(np.flatnonzero(is_fitted & ~find_augmented(dataset)))
    built = build_active_set(potential, structures, FULL if full else LINEAR, memory=UNKNOWN, tables=tables)
    built.active_set.write(path_to_active_set)
    provenance = made_by("activeset", code, path_to_potential, path_to_structures, path_to_atoms, path_to_weights)
    write_yaml({"kind": built.active_set.kind, "elements": [s._asdict() for s in built.summaries]}, path_to_summary, provenance)
    for summary in built.summaries:
        log.info(
            "%s: %d of %d directions are spanned, largest gamma %.3f",
            summary.element,
            summary.rank,
            summary.functions,
            summary.max_gamma,
        )
