"""Text dumps of LAMMPS: what is checked before ASE reads them, since it trusts numbers of atoms and takes types for elements."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from ase import Atoms

from acefit.errors import DataError


def check_dump(text: TextIO, path: Path, elements: Sequence[str] = ()) -> None:
    """Compare the numbers of atoms with the lines that are there, and types with the elements that are known.

    Parameters
    ----------
    text : open file at its beginning, where it is left again
    path : for messages
    elements : of the types 1, 2, ...

    Raises
    ------
    DataError
        If the file is cut off, is no dump, or does not say what its atoms are.
    """
    lines = _with_sound_headings(text, path)
    n_frames = 0
    for number, line in lines:
        if not line.startswith("ITEM: NUMBER OF ATOMS"):
            _check_heading(path, number, line, lines)
            continue
        _, count = next(lines, (0, ""))
        if not count.strip().isdecimal():
            raise DataError(f"{path}, line {number + 1}: a number of atoms is expected, not {count.strip()[:40]!r}")
        box = list(itertools.islice(lines, 4))
        if len(box) < 4 or [text.startswith("ITEM: BOX BOUNDS") for _, text in box] != [True, False, False, False]:
            raise DataError(f"{path}, line {number + 2}: 'ITEM: BOX BOUNDS' and three lines are expected")
        number, line = next(lines, (box[-1][0], ""))
        if line and not line.startswith("ITEM: ATOMS"):
            raise DataError(f"{path}, line {number}: 'ITEM: ATOMS' is expected, not {line.strip()[:40]!r}")
        _check_atoms(path, number, line.split()[2:], int(count), lines, elements)
        n_frames += 1
    if not n_frames:
        raise DataError(f"{path} is no text dump of LAMMPS: it has no line 'ITEM: NUMBER OF ATOMS'")
    text.seek(0)


def _with_sound_headings(text: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    """Numbers and lines; ASE takes `ITEM:` for a heading wherever it stands in a line."""
    for number, line in enumerate(text, 1):
        if line.count("ITEM:") > line.startswith("ITEM:"):
            raise DataError(f"{path}, line {number}: 'ITEM:' stands within the line; is the file damaged?")
        yield number, line


def _check_heading(path: Path, number: int, line: str, lines: Iterator[tuple[int, str]]) -> None:
    """Allow units, time and timestep before the number of atoms; what else stands there is no dump."""
    if line.startswith(("ITEM: TIMESTEP", "ITEM: UNITS", "ITEM: TIME")):
        next(lines, None)
    elif line.strip():
        raise DataError(f"{path}, line {number}: {line.strip()[:40]!r} is not what a text dump of LAMMPS has here")


def _check_atoms(
    path: Path, number: int, columns: list[str], n_atoms: int, lines: Iterator[tuple[int, str]], elements: Sequence[str]
) -> None:
    """Check the rows of one structure, which follow the line `number`."""
    if not columns:
        raise DataError(f"{path}, line {number}: the atoms of a structure are missing; is it cut off?")
    if "element" not in columns and not ("type" in columns and elements):
        raise DataError(f"{path}, line {number}: the dump has no column element; say which elements its types are")
    place = columns.index("type") if "element" not in columns else None
    n_found = 0
    for row, line in itertools.islice(lines, min(n_atoms, sys.maxsize)):
        cells = line.split()
        if len(cells) != len(columns) or not line.endswith("\n"):
            raise DataError(f"{path}, line {row}: {len(columns)} columns are expected, {len(cells)} found; is it cut off?")
        if place is not None and not (cells[place].isdecimal() and 1 <= int(cells[place]) <= len(elements)):
            raise DataError(f"{path}, line {row}: type {cells[place][:20]} has no element; {len(elements)} are given")
        n_found += 1
    if n_found != n_atoms:
        raise DataError(f"{path}, line {number}: {n_atoms} atoms are announced, but {n_found} lines follow; is it cut off?")


def without_labels(atoms: Atoms) -> Atoms:
    """The structure alone: forces in a dump come from the potential that moved the atoms."""
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
