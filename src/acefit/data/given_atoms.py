"""ASE atoms in memory as a file that the readers of datasets take, with every number exactly as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.db.sqlite import SQLite3Database

from acefit.errors import DataError

GEOMETRY = ("numbers", "positions")


def write_atoms(frames: Iterable[Atoms], path: str | os.PathLike[str]) -> int:
    """Write structures with all their labels to an ASE database, which keeps every digit; extended XYZ rounds.

    Parameters
    ----------
    frames : ASE atoms; labels are where `acefit.data.labels` looks for them: info, arrays, results of the calculator
    path : file to write, ending in .db; it must not exist

    Returns
    -------
    n_structures : int

    Raises
    ------
    DataError
        If there are no structures, or one of the objects is none.
    """
    if Path(path).exists():
        raise DataError(f"{path} exists already; give another name")
    number = 0
    with SQLite3Database(os.fspath(path)) as database:
        for number, atoms in enumerate(frames, 1):
            if not isinstance(atoms, Atoms):
                raise DataError(f"structure {number - 1} of the data is a {type(atoms).__name__}, not ASE atoms")
            try:
                database.write(_bare(atoms), data=_entries(atoms))
            except (TypeError, ValueError, AttributeError, AssertionError) as error:
                raise DataError(f"structure {number - 1} has an entry that is no number, text or array: {error}") from error
    if not number:
        raise DataError("the data have no structure")
    return number


def _bare(atoms: Atoms) -> Atoms:
    """The bare structure; what the calculator has found is among the entries."""
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _entries(atoms: Atoms) -> dict[str, Any]:
    """Everything that may be a label: results of the calculator, then arrays, then info, which count more."""
    results = dict(atoms.calc.results) if atoms.calc is not None and not atoms.calc.calculation_required(atoms, []) else {}
    arrays = {name: values for name, values in atoms.arrays.items() if name not in GEOMETRY}
    entries = {**results, **arrays, **atoms.info}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in entries.items()}
