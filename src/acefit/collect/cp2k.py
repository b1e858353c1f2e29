"""The main output of CP2K, which ASE does not read: cell, coordinates, energy, forces and stress of a single point.

Later steps of an optimisation or of dynamics have no coordinates there; `acefit.collect.cp2k_trajectory` takes them from other
files. Energies are those behind `ENERGY|`, which contain the electronic entropy and of which the forces are derivatives. CP2K's
stress is that of the pressure, with the opposite sign of ASE's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from pathlib import Path
from typing import Any, NamedTuple

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
_CELL = re.compile(rf"^ CELL\| Vector [abc] \[angstrom\]:?\s+{_THREE}\s+\|[abc]\| =\s+({_NUMBER})", re.MULTILINE)
_ANGLE = re.compile(rf"^ CELL\| Angle \([abc],[abc]\), \w+\s+\[degree\]:?\s+({_NUMBER})", re.MULTILINE)
_PERIODIC = re.compile(r"^ CELL\| Periodicity\s+([XYZ]+|NONE)", re.MULTILINE)
_POSITIONS = re.compile(r"^ MODULE \S+.*ATOMIC COORDINATES IN ANGSTROM\s*$", re.MULTILINE | re.IGNORECASE)
_POSITION = re.compile(rf"^\s+\d+\s+\d+\s+([A-Z][a-z]?)\s+\d+\s+{_THREE}(?:\s|$)")
_ENERGY = re.compile(rf"^ ENERGY\| Total FORCE_EVAL .*?energy [\[(](?:a\.u\.|hartree)[\])]:?\s+({_NUMBER})", re.MULTILINE)
_FORCES = re.compile(r"^ (?:ATOMIC FORCES in \[a\.u\.\]|FORCES\| Atomic forces \[hartree/bohr\])\s*$", re.MULTILINE)
_FORCE = re.compile(rf"^\s+(?:\d+\s+\d+\s+[A-Z][a-z]?|FORCES\|\s+\d+)\s+{_THREE}")
_STRESS = re.compile(r"^ (?:STRESS\| Analytical stress tensor|STRESS TENSOR) \[(GPa|bar)\]\s*$", re.MULTILINE)
_STRESS_ROW = re.compile(rf"^\s+(?:STRESS\|\s+)?[xyzXYZ]\s+{_THREE}\s*$")
UNITS = {"GPa": GPa, "bar": bar}
LATER = "their coordinates are not in the output of CP2K, and its trajectory is not beside it"
MISSING = "cell or coordinates are not in this output of CP2K; run it with PRINT_LEVEL MEDIUM"
HEADING_LINES = 4
"""Lines between a heading and its table at most."""


class Evaluation(NamedTuple):
    """One energy (hartree) of a main output, whether the electrons converged, and the text up to the next with its tables."""

    energy: float
    converged: bool
    text: str


class MainOutput(NamedTuple):
    """A main output: its energies, how many cycles behind the last did not converge, whether the program came to its end."""

    evaluations: list[Evaluation]
    lost: int
    finished: bool


def read_cp2k(path: Path) -> Outcome:
    """Read the main output of a run with at least the print level MEDIUM.

    Raises
    ------
    DataError
        If cell or coordinates are missing, or the numbers of atoms do not agree.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    output = divide(text)
    if not output.evaluations:
        return Outcome([], Verdict(output.finished, lost=output.lost))
    first, *later = output.evaluations
    lost = sum(not evaluation.converged for evaluation in later) + output.lost
    verdict = Verdict(output.finished, frozenset(() if first.converged else (0,)), lost)
    notes = (f"{len(later)} later steps: {LATER}",) if later else ()
    return Outcome([first_frame(text, first, path)], verdict, notes)


def divide(text: str) -> MainOutput:
    """Find the energies in the text of a main output."""
    found = list(_ENERGY.finditer(text))
    failed = [place.start() for place in re.finditer("SCF run NOT converged", text)]
    edges = [0, *(energy.end() for energy in found), len(text)]
    evaluations = []
    for k, energy in enumerate(found):
        converged = bisect_left(failed, edges[k]) == bisect_left(failed, edges[k + 1])
        end = found[k + 1].start() if k + 1 < len(found) else len(text)
        evaluations.append(Evaluation(float(energy[1]), converged, text[energy.end() : end]))
    return MainOutput(evaluations, sum(place >= edges[len(found)] for place in failed), "PROGRAM ENDED AT" in text)


def first_frame(text: str, first: Evaluation, path: Path) -> Atoms:
    """The structure that a main output has, with the results of its first energy.

    Raises
    ------
    DataError
    """
    heading = _POSITIONS.search(text)
    rows = _rows(text[heading.end() :], _POSITION) if heading else []
    if not rows:
        raise DataError(f"{path}: {MISSING}")
    cell, pbc = read_cell(text, path)
    atoms = Atoms([row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float), cell=cell, pbc=pbc)
    energy = first.energy * Hartree
    results = {"energy": energy, "free_energy": energy, **read_derivatives(first.text, len(atoms), path)}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def read_cell(text: str, path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The first cell of a main output, Å, and its periodic directions.

    Vectors have three decimals there, lengths and angles six. The latter say what the cell is, the former only how it is turned.

    Raises
    ------
    DataError
        If it is missing.
    """
    rows = np.array([found.groups() for found in _CELL.finditer(text)][:3], dtype=float).reshape(-1, 4)
    angles = [float(found[1]) for found in _ANGLE.finditer(text)][:3]
    if len(rows) != 3 or len(angles) != 3:
        raise DataError(f"{path}: {MISSING}")
    cosines = np.eye(3)
    cosines[[1, 0, 0], [2, 2, 1]] = cosines[[2, 2, 1], [1, 0, 0]] = np.cos(np.radians(angles))
    cell, exact = rows[:, :3], cosines * np.outer(rows[:, 3], rows[:, 3])
    if not np.allclose(cell @ cell.T, exact, rtol=0, atol=1e-6 * exact.max()):
        cell = np.linalg.cholesky(exact) @ np.linalg.solve(np.linalg.cholesky(cell @ cell.T), cell)
    periodic = _PERIODIC.search(text)
    directions = periodic[1] if periodic else "XYZ"
    return cell, np.array([axis in directions for axis in "XYZ"])


def read_derivatives(text: str, n_atoms: int, path: Path) -> dict[str, Any]:
    """Forces (n, 3) and stress (6,) of an evaluation's text, as far as they are there, in ASE's units and sign.

    Raises
    ------
    DataError
        If a table is not complete.
    """
    results: dict[str, Any] = {}
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
