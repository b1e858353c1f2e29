"""Convert potential files from one format to the other."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from acefit.errors import PotentialError
from acefit.files import write_text
from acefit.potential.e0 import parse_e0, stored_e0
from acefit.potential.files import CTILDE, SUFFIXES, read_any, write_any
from acefit.potential.lammps import lammps_input
from acefit.potential.model import Potential

log = logging.getLogger(__name__)


def convert_potential(
    source: str | Path, target: str | Path, e0: str | None = None, path_to_lammps: str | Path | None = None
) -> Potential:
    """Read a potential and write it in the format of the target's suffix; old variants become the present one.

    Parameters
    ----------
    source, target : `.yaml` or `.yace`
    e0 : energy per atom: None keeps what the source has; `zero`; `references` takes the reference energies in the metadata; or
        values in eV such as `Al=-1.2,Ni=-0.8`. A B-basis file keeps them in its `auxdata`, where only acefit looks for them.
    path_to_lammps : LAMMPS input to write beside a `.yace` file

    Returns
    -------
    Potential
        What was written.

    Raises
    ------
    PotentialError
        If the source cannot be read, the target's format cannot hold it, or there are no reference energies.
    """
    source, target = Path(source), Path(target)
    is_ctilde = target.suffix.lower() in CTILDE
    if target.suffix.lower() not in SUFFIXES:
        raise PotentialError(f"{target}: a potential file ends in {', '.join(SUFFIXES)}; give it one of these names")
    if path_to_lammps is not None and not is_ctilde:
        raise PotentialError(f"{path_to_lammps}: LAMMPS reads a .yace file; name the target so")
    if path_to_lammps is not None and Path(path_to_lammps).resolve() == target.resolve():
        raise PotentialError(f"{path_to_lammps}: is the potential itself; give the LAMMPS input another name")
    potential = read_any(source)
    if e0 == "zero":
        potential = potential.with_e0({})
    elif e0 == "references":
        potential = potential.with_e0(stored_e0(potential, str(source)))
    elif e0 is not None:
        potential = potential.with_e0(parse_e0(e0, potential.elements))
    skipped = sum(function.skip for block in potential.blocks for function in block.functions)
    if is_ctilde and skipped:
        log.warning("%s: %d functions that are marked `skip` are not written, the format has no such mark", target, skipped)
    if is_ctilde and {kind: v for kind, v in potential.with_e0({}).auxdata.items() if v}:
        log.warning("%s: auxdata are not written, the format has no place for them", target)
    if not is_ctilde and any(potential.e0.values()):
        log.warning("%s: E0 stands in its auxdata, where acefit finds it; other programs give energies without it", target)
    write_any(potential, target)
    if path_to_lammps is not None:
        write_text(lammps_input(potential, os.path.relpath(target, Path(path_to_lammps).parent)), path_to_lammps)
    return potential
