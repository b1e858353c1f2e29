"""Outputs that ASE reads, with what its readers leave to be mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress


def read_with_ase(path: Path, kind: str) -> list[Atoms]:
    """Steps as ASE atoms with results.

    Of pw.x, steps without an energy are left out: it prints the last structure once more. Of GPAW, the free energy is added, that
    of which the forces are derivatives, as ASE keeps it elsewhere.

    Parameters
    ----------
    path : decompressed
    kind : ASE's name of the format
    """
    read = ase.io.read(str(path), index=":", format=kind)
    frames = read if isinstance(read, list) else [read]
    if kind == "gpaw-out":
        for atoms in frames:
            _add_free_energy(atoms)
    return [atoms for atoms in frames if kind != "espresso-out" or energy_of(atoms) is not None]


def results_of(atoms: Atoms) -> dict[str, Any]:
    """What a calculator of ASE holds: energies (eV), forces (eV/Å), stress (eV/Å^3, in the order of Voigt); empty without one."""
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    stress = results.get("stress")
    if stress is not None and np.shape(stress) == (3, 3):  # as the reader of GPAW gives it
        results["stress"] = full_3x3_to_voigt_6_stress(np.asarray(stress, dtype=float))
    return results


def energy_of(atoms: Atoms) -> float | None:
    """The energy that belongs to the forces, eV: the free energy, where a program tells it apart."""
    results = results_of(atoms)
    energy = results.get("free_energy", results.get("energy"))
    return None if energy is None else float(energy)


def _add_free_energy(atoms: Atoms) -> None:
    """Of GPAW: ASE takes the energy extrapolated to zero temperature, and a dispersion correction is in it only."""
    parts = getattr(atoms.calc, "energy_contributions", {})
    extrapolated = parts.get("extrapolated", parts.get("zero kelvin"))
    if extrapolated is not None and "free energy" in parts:
        atoms.calc.results["free_energy"] = atoms.calc.results["energy"] + parts["free energy"] - extrapolated
