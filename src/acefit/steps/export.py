"""Write the final potential for LAMMPS."""

from __future__ import annotations

import logging
from pathlib import Path

from acefit.artifacts import made_by
from acefit.files import write_sealed
from acefit.potential.bbasis import read_sealed_potential
from acefit.potential.e0 import stored_e0
from acefit.potential.lammps import lammps_input, portability_notes
from acefit.potential.yace_write import write_yace

logger = logging.getLogger(__name__)


def export(
    *,
    e0: str,
    code: str = "",
    path_to_potential: str | Path,
    path_to_yace: str | Path,
    path_to_lammps: str | Path,
) -> None:
    """Write the C-tilde form of a potential and a LAMMPS input that uses it; equal inputs give equal files.

    Parameters
    ----------
    e0 : `zero`: energies on the scale of the fit, `references`: total energies, from the reference energies in the metadata
    code : digest of the code, for the provenance
    path_to_potential : final potential of the run
    path_to_yace, path_to_lammps : to write; the input names the potential without its folder

    Raises
    ------
    PotentialError
        If there are no reference energies to fill E0 with, or the C-tilde format cannot hold the potential.
    """
    potential = read_sealed_potential(path_to_potential)
    if e0 == "references":
        potential = potential.with_e0(stored_e0(potential, f"{path_to_potential}, export.e0: references"))
    for note in portability_notes(potential):
        logger.info("LAMMPS: %s", note)
    provenance = made_by("export", code, path_to_potential)
    write_yace(potential, path_to_yace, provenance=provenance)
    write_sealed(lammps_input(potential, Path(path_to_yace).name), path_to_lammps, provenance)
