"""The output of NWChem for molecules: positions, energies and forces.

ASE pairs the energies of an optimisation that have no gradients with the coordinates of the next step, and takes coordinates in
atomic units for those in Å. Here a step is a table of gradients, which has the coordinates beside them, with the last energy of
its theory; without any gradients, the last energy, if the output has one geometry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from acefit.collect.convergence import Outcome, Verdict
from acefit.errors import DataError

THEORIES = {"RHF": "SCF", "UHF": "SCF", "ROHF": "SCF", "SCF": "SCF", "DFT": "DFT", "MP2": "MP2"}
"""First word above a table of gradients, and that of the energy they are derivatives of."""

UNITS = {"angstroms": 1.0, "a.u.": Bohr}
_GEOMETRY = re.compile(r"^\s*Output coordinates in (\S+)")
_ENERGY = re.compile(r"^\s*Total (SCF|DFT|MP2) energy\s+=?\s*(-?\d+\.\d+)")
_GRADIENTS = re.compile(r"^\s*(\S+) ENERGY GRADIENTS\s*$")
_PLANE_WAVES = re.compile(r"\*\s+NWPW .*Calculation")
HEADING_LINES = 4
"""Lines between a heading and its table at most."""


def read_nwchem(path: Path) -> Outcome:
    """Read all steps with gradients, or a single energy.

    Parameters
    ----------
    path : decompressed

    Raises
    ------
    DataError
        If the output is of plane waves, atoms are none, units are not known, or gradients are of another or several theories, or
        of another number of atoms.
    """
    run = _Run(path)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            run.look_at(line, lines)
    return run.outcome()


class _Run:
    """What the lines said so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames: list[Atoms] = []
        self.unconverged: set[int] = set()
        self.geometries: list[Atoms] = []
        self.energies: dict[str, tuple[float, bool]] = {}
        self.theory = ""
        self.lost = 0
        self.finished = self.failed = False

    def look_at(self, line: str, lines: Iterator[str]) -> None:
        """Take notice of a line, and read the table below it."""
        if found := _GEOMETRY.match(line):
            self.geometries = [*self.geometries[:1], self._read_geometry(found[1], lines)]
        elif "Calculation failed to converge" in line:
            self.failed = True
        elif found := _ENERGY.match(line):
            self.energies.pop(found[1], None)  # so that the last one printed is the last one kept
            self.energies[found[1]] = (float(found[2]), not self.failed)
            self.lost += self.failed
            self.failed = False
        elif found := _GRADIENTS.match(line):
            self._read_gradients(found[1].upper(), lines)
        elif "Total times  cpu:" in line:
            self.finished = True
        elif _PLANE_WAVES.search(line):
            raise DataError(f"{self.path}: its cell has three decimals only; plane-wave results of NWChem are not read")

    def outcome(self) -> Outcome:
        """All that was read."""
        notes: tuple[str, ...] = ()
        if not self.frames and self.energies and len(self.geometries) == 1:
            energy, converged = list(self.energies.values())[-1]
            self._add(self.geometries[0], energy, None, converged)
        elif not self.frames and self.energies:
            notes = ("it has several geometries and no gradients; run NWChem with: task ... gradient",)
        lost = self.lost + self.failed
        return Outcome(self.frames, Verdict(self.finished, frozenset(self.unconverged), lost), notes)

    def _add(self, atoms: Atoms, energy: float, forces: NDArray[np.float64] | None, converged: bool) -> None:
        atoms = atoms.copy()
        results = {"energy": energy * Hartree, "free_energy": energy * Hartree}
        atoms.calc = SinglePointCalculator(atoms, **results, forces=forces)
        if not converged:
            self.unconverged.add(len(self.frames))
            self.lost -= 1
        self.frames.append(atoms)

    def _read_geometry(self, unit: str, lines: Iterator[str]) -> Atoms:
        rows = _rows(lines, 6)  # number, tag, charge, x, y, z
        if unit not in UNITS:
            raise DataError(f"{self.path}: its coordinates are in {unit}; only {' and '.join(UNITS)} are read")
        charges = [float(row[2]) for row in rows]
        if not rows or any(charge < 1 or charge != int(charge) for charge in charges):
            raise DataError(f"{self.path}: its geometry has no atoms, or charges that are none of a nucleus")
        return Atoms([int(charge) for charge in charges], np.array([row[3:] for row in rows], dtype=float) * UNITS[unit])

    def _read_gradients(self, word: str, lines: Iterator[str]) -> None:
        rows = _rows(lines, 8)  # number, tag, x, y, z, gradient
        if word not in THEORIES:
            raise DataError(f"{self.path}: gradients of {word} are not read; known are those of {', '.join(THEORIES)}")
        if not self.geometries or len(rows) != len(self.geometries[-1]):
            n_atoms = len(self.geometries[-1]) if self.geometries else 0
            raise DataError(f"{self.path}: {len(rows)} gradients for {n_atoms} atoms; is the output cut off?")
        if self.theory not in ("", THEORIES[word]):
            raise DataError(f"{self.path}: it has gradients of {self.theory} and {THEORIES[word]}; let each theory write a file")
        self.theory = THEORIES[word]
        numbers = np.array([row[2:] for row in rows], dtype=float)
        atoms = Atoms(self.geometries[-1].numbers, numbers[:, :3] * Bohr)
        energy, converged = self.energies.pop(self.theory, (np.nan, True))
        self._add(atoms, energy, -numbers[:, 3:] * Hartree / Bohr, converged)


def _rows(lines: Iterator[str], n_columns: int) -> list[list[str]]:
    """Rows of a table, which begin with their number, behind some lines of heading."""
    found = list[list[str]]()
    for n_lines, line in enumerate(lines):
        row = line.split()
        if len(row) == n_columns and row[0].isdigit():
            found.append(row)
        elif found or n_lines > HEADING_LINES:
            break
    return found
