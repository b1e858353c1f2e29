"""The main output of ABINIT 9 and later: cell, positions, energy, forces and stress of every step.

ASE reads one step only, with a cell that is not multiplied by `acell`. Here a step is a block `!ResultsGS`, whose energy contains
the electronic entropy, completed by the table of coordinates that follows it, since those of the block have four decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from acefit.collect.convergence import Outcome, Verdict
from acefit.errors import DataError

RESULTS = "--- !ResultsGS"
TABLES = {"Cartesian coordinates (xcart) [bohr]": Bohr, "cartesian coordinates (angstrom) at end:": 1.0}
"""Headings of tables of coordinates, and their units in Å."""

OLDEST = 9
_VERSION = re.compile(r"^\.Version\s+(\d+)")
_KEY = re.compile(r"^(\w+)\s*:\s*([^#\s]\S*)?")


def read_abinit(path: Path) -> Outcome:
    """Read the steps of all datasets.

    Parameters
    ----------
    path : decompressed

    Raises
    ------
    DataError
        If the version is older than 9, or numbers of atoms do not agree.
    """
    frames, unconverged = list[Atoms](), set[int]()
    waiting: Atoms | None = None
    finished = failed = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = line.strip()
            if (version := _VERSION.match(line)) and int(version[1]) < OLDEST:
                raise DataError(f"{path}: version {version[1]} of ABINIT prints too little; {OLDEST} and later are read")
            if "was not enough SCF cycles to converge" in line:
                failed = True
            elif text == RESULTS:
                waiting = _read_results(lines, path)
                if waiting is None:
                    break
            elif waiting is not None and text in TABLES:
                positions = _read_rows(lines, len(waiting))
                if len(positions) < len(waiting):
                    break
                waiting.positions[:] = positions * TABLES[text]
                if failed:
                    unconverged.add(len(frames))
                frames.append(waiting)
                waiting, failed = None, False
            elif text == "Calculation completed.":
                finished = True
    return Outcome(frames, Verdict(finished, frozenset(unconverged), int(failed)))


def _read_results(lines: Iterator[str], path: Path) -> Atoms | None:
    """What a block of results says, without positions; nothing if the output ends within."""
    values, tables, key = dict[str, str](), dict[str, list[list[str]]](), ""
    for line in lines:
        if line.startswith("..."):
            break
        if line.startswith("- ["):
            tables.setdefault(key, []).append(re.split(r"[\s,]+", line[3:].strip(" ],\n")))
        elif found := _KEY.match(line):
            key = found[1]
            values[key] = found[2] or ""
    else:
        return None
    symbols = [row[-1] for row in tables.get("xred", [])]
    energy = float(values["etotal"]) * Hartree
    results: dict[str, Any] = {"energy": energy, "free_energy": energy}
    if "cartesian_forces" in tables:
        results["forces"] = _numbers(tables, "cartesian_forces") * Hartree / Bohr
        if len(results["forces"]) != len(symbols):
            raise DataError(f"{path}: {len(results['forces'])} forces for {len(symbols)} atoms; is the output damaged?")
    if "cartesian_stress_tensor" in tables:
        stress = _numbers(tables, "cartesian_stress_tensor").reshape(3, 3) * Hartree / Bohr**3
        results["stress"] = full_3x3_to_voigt_6_stress(stress)
    atoms = Atoms(symbols, cell=_numbers(tables, "lattice_vectors").reshape(3, 3) * Bohr, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _numbers(tables: dict[str, list[list[str]]], key: str) -> NDArray[np.float64]:
    return np.array(tables[key], dtype=float)


def _read_rows(lines: Iterator[str], n: int) -> NDArray[np.float64]:
    """The last three numbers of each of n lines, or of less where the output ends."""
    rows = [line.split()[-3:] for _, line in zip(range(n), lines, strict=False)]
    return np.array([row for row in rows if len(row) == 3], dtype=float).reshape(-1, 3)
