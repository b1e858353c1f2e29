"""The main output of CP2K, which ASE does not read: cell, coordinates, energy, forces and stress of a single point.

Later steps of an optimisation or of dynamics have no coordinates there; they are counted, not read. Energies are those behind
`ENERGY|`, which contain the electronic entropy and are what the forces are derivatives of. CP2K's stress is that of the pressure,
with the opposite sign of ASE's.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import Bohr, GPa, Hartree, bar
from numpy.typing import NDArray

from acefit.collect.convergence import Outcome, Verdict
from acefit.errors import DataError

_NUMBER = r"[-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?"
_THREE = rf"({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})"
_CELL = re.compile(rf"^ CELL\| Vector [abc] \[angstrom\]:?\s+{_THREE}", re.MULTILINE)
_PERIODIC = re.compile(r"^ CELL\| Periodicity\s+([XYZ]+|NONE)", re.MULTILINE)
_POSITIONS = re.compile(r"^ MODULE \S+.*ATOMIC COORDINATES IN ANGSTROM\s*$", re.MULTILINE | re.IGNORECASE)
_POSITION = re.compile(rf"^\s+\d+\s+\d+\s+([A-Z][a-z]?)\s+\d+\s+{_THREE}(?:\s|$)")
_ENERGY = re.compile(rf"^ ENERGY\| Total FORCE_EVAL .*?energy [\[(](?:a\.u\.|hartree)[\])]:?\s+({_NUMBER})", re.MULTILINE)
_FORCES = re.compile(r"^ (?:ATOMIC FORCES in \[a\.u\.\]|FORCES\| Atomic forces \[hartree/bohr\])\s*$", re.MULTILINE)
_FORCE = re.compile(rf"^\s+(?:\d+\s+\d+\s+[A-Z][a-z]?|FORCES\|\s+\d+)\s+{_THREE}")
_STRESS = re.compile(r"^ (?:STRESS\| Analytical stress tensor|STRESS TENSOR) \[(GPa|bar)\]\s*$", re.MULTILINE)
_STRESS_ROW = re.compile(rf"^\s+(?:STRESS\|\s+)?[xyzXYZ]\s+{_THREE}\s*$")
UNITS = {"GPa": GPa, "bar": bar}
LATER = "their coordinates are not in the output of CP2K"
HEADING_LINES = 4
"""Lines between a heading and its table at most."""


def read_cp2k(path: Path) -> Outcome:
    """Read the main output of a run with at least the print level MEDIUM.

    Raises
    ------
    DataError
        If cell or coordinates are missing, or the numbers of atoms do not agree.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    failed = [found.start() for found in re.finditer("SCF run NOT converged", text)]
    energies = list(_ENERGY.finditer(text))
    first = energies[0].end() if energies else len(text)
    verdict = Verdict(
        "PROGRAM ENDED AT" in text,
        frozenset({0} if energies and any(place < first for place in failed) else ()),
        len([place for place in failed if place > first or not energies]),
    )
    if not energies:
        return Outcome([], verdict)
    atoms = _read_structure(text, path)
    following = text[first : energies[1].start() if len(energies) > 1 else len(text)]
    results = {"energy": float(energies[0][1]) * Hartree, "free_energy": float(energies[0][1]) * Hartree}
    atoms.calc = SinglePointCalculator(atoms, **results, **_read_derivatives(following, len(atoms), path))
    later = len(energies) - 1
    return Outcome([atoms], verdict, (f"{later} later steps: {LATER}",) if later else ())


def _read_structure(text: str, path: Path) -> Atoms:
    cell = np.array([found.groups() for found in _CELL.finditer(text)][:3], dtype=float)
    heading = _POSITIONS.search(text)
    rows = _rows(text[heading.end() :], _POSITION) if heading else []
    if len(cell) != 3 or not rows:
        raise DataError(f"{path}: cell or coordinates are not in this output of CP2K; run it with PRINT_LEVEL MEDIUM")
    periodic = _PERIODIC.search(text)
    directions = periodic[1] if periodic else "XYZ"
    positions = np.array([row[1:] for row in rows], dtype=float)
    return Atoms([row[0] for row in rows], positions, cell=cell, pbc=[axis in directions for axis in "XYZ"])


def _read_derivatives(text: str, n_atoms: int, path: Path) -> dict[str, NDArray[np.float64]]:
    """Forces and stress of the step that the text is about, as far as they are there."""
    results = {}
    if heading := _FORCES.search(text):
        forces = np.array(_rows(text[heading.end() :], _FORCE), dtype=float).reshape(-1, 3)
        if len(forces) != n_atoms:
            raise DataError(f"{path}: {len(forces)} forces for {n_atoms} atoms; is the output cut off?")
        results["forces"] = forces * Hartree / Bohr
    if heading := _STRESS.search(text):
        rows = np.array(_rows(text[heading.end() :], _STRESS_ROW), dtype=float).reshape(-1, 3)
        if len(rows) != 3:
            raise DataError(f"{path}: the stress tensor has {len(rows)} rows; is the output cut off?")
        results["stress"] = -full_3x3_to_voigt_6_stress(rows) * UNITS[heading[1]]
    return results


def _rows(text: str, pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    """Consecutive lines of a table, behind lines of its heading."""
    found: list[tuple[str, ...]] = []
    for n_lines, line in enumerate(text.lstrip("\n").splitlines()):
        row = pattern.match(line)
        if row:
            found.append(row.groups())
        elif found or n_lines >= HEADING_LINES:
            break
    return found
