"""Structures that are offered to an active set, and files for those that are chosen."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms

from acefit.data.readers import ReadingOptions, read_files
from acefit.data.storage import Dataset
from acefit.data.writers import STRUCTURES, open_writer
from acefit.errors import ActiveSetError
from acefit.files import atomic_path

AUGMENTED = "augmented"
"""Beginning of the names of structures that were made to mend a potential at short distances and vouch for nothing."""

EVERYTHING = "n_atoms > 0"
"""Query for all structures."""

VASP = "POSCAR"


def read_candidates(paths: Sequence[str | Path], elements: Sequence[str], lammps_elements: Sequence[str] = ()) -> Dataset:
    """Structures of files of any kind that `acefit.data.readers` knows; energies and forces may be absent.

    Parameters
    ----------
    paths : files
    elements : that may occur, those of the potential
    lammps_elements : elements of the types 1, 2, ... of dumps that do not name them

    Raises
    ------
    DataError
        If a file cannot be read, or a structure cannot be used.
    """
    options = ReadingOptions(elements=elements, lammps_elements=lammps_elements, energy_needed=False, leaving_out="")
    return read_files([{"path": str(path)} for path in paths], options).dataset


def select_by_query(dataset: Dataset, query: str | None = None) -> Dataset:
    """Structures for which an expression of pandas holds; without one those whose names do not begin with ``augmented``.

    Parameters
    ----------
    dataset : Dataset
    query : str, optional
        Of the columns ``name``, ``group``, ``source``, ``n_atoms`` and ``energy_per_atom`` (eV, as given), for example
        ``n_atoms < 100 and group != 'liquid'``.

    Raises
    ------
    ActiveSetError
        If the expression cannot be evaluated, or no structure remains.
    """
    structures = dataset.structures
    columns = {
        "name": structures.names,
        "group": structures.groups,
        "source": dataset.sources,
        "n_atoms": structures.atoms_per_structure,
        "energy_per_atom": dataset.raw_energies / structures.atoms_per_structure,
    }
    frame = pd.DataFrame(columns)
    try:
        kept = frame[~frame["name"].str.startswith(AUGMENTED)] if query is None else frame.query(query, engine="python")
    except Exception as error:  # pandas raises whatever an expression leads to
        raise ActiveSetError(f"query {query!r} cannot be used ({error}); its columns are {', '.join(columns)}") from error
    if kept.empty:
        raise ActiveSetError(
            f"none of {len(frame)} structures remains of the query {query or 'that leaves out augmented ones'!r}"
        )
    return dataset.select(kept.index.to_numpy(dtype=np.int64))


def write_candidates(dataset: Dataset, path: str | Path) -> list[Path]:
    """Write structures with their labels; the kind of file follows from the name.

    Parameters
    ----------
    dataset : Dataset
    path : str or Path
        As `acefit.data.writers.open_writer` takes it; or with POSCAR in its name, for numbered files of VASP, with atoms sorted
        by element.

    Returns
    -------
    list of Path
        Written files, or the folder of the tables.

    Raises
    ------
    DataError
        If the name says no known kind.
    """
    path, structures = Path(path), dataset.structures
    if VASP in path.name:
        numbers = range(structures.n_structures)
        return [_write_vasp(structures.to_ase(k), path.with_name(f"{path.name}-{k + 1:04d}")) for k in numbers]
    with open_writer(path) as write:
        write(dataset)
    return [path]


def check_output(path: str | Path) -> list[Path]:
    """Files of a former selection under this name; a name from which no kind of file follows is refused.

    Raises
    ------
    DataError
    """
    path = Path(path)
    if VASP in path.name:
        return sorted(path.parent.glob(f"{glob.escape(path.name)}-[0-9][0-9][0-9][0-9]"))
    open_writer(path)  # looks at the name; nothing is written before it is entered
    return [file for file in (path, path / STRUCTURES) if file.is_file()]


def _write_vasp(atoms: Atoms, path: Path) -> Path:
    with atomic_path(path) as temporary:
        ase.io.write(temporary, atoms, format="vasp", sort=True)
    return path
