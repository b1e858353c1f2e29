"""Make the active set of the potential of a round from the structures it was fitted to."""

from __future__ import annotations

import logging
from pathlib import Path

from acefit.active.active_set import build_active_set
from acefit.active.asi import FULL, LINEAR
from acefit.active.memory import UNKNOWN
from acefit.artifacts import made_by
from acefit.data.storage import read_structures
from acefit.files import write_yaml
from acefit.potential.bbasis import read_sealed_potential

log = logging.getLogger(__name__)


def activeset(
    *,
    path_to_potential: str | Path,
    path_to_structures: str | Path,
    path_to_atoms: str | Path,
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
    structures = read_structures(path_to_structures, path_to_atoms)
    built = build_active_set(potential, structures, FULL if full else LINEAR, memory=UNKNOWN, tables=tables)
    built.active_set.write(path_to_active_set)
    provenance = made_by("activeset", code, path_to_potential, path_to_structures, path_to_atoms)
    write_yaml({"kind": built.active_set.kind, "elements": [s._asdict() for s in built.summaries]}, path_to_summary, provenance)
    for summary in built.summaries:
        log.info(
            "%s: %d of %d directions are spanned, largest gamma %.3f",
            summary.element,
            summary.rank,
            summary.functions,
            summary.max_gamma,
        )
