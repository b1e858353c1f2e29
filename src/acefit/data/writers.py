"""Write datasets: extended XYZ, ASE databases, our Parquet tables, pacemaker's pickled data frames; readers give back the same.

Labels have the names that `acefit.data.readers` finds: energy, energy_corrected (eV), forces (eV/Å), stress (eV/Å^3, sign and
order of ASE), w_energy, w_factor, w_forces, w_forces_mask, name, and the group under a name of choice. What a structure does not
have is left out. Floats are written with all their digits.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import ase.db
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict
from ase.stress import voigt_6_to_full_3x3_stress

from acefit.artifacts import open_table, write_table
from acefit.data.readers import rows_of_dataset
from acefit.data.storage import Dataset, atom_columns, structure_columns
from acefit.errors import DataError
from acefit.files import atomic_path

TEXT = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz")
PICKLED = (".pckl.gzip", ".pkl.gzip", ".pckl.gz", ".pkl.gz")
PARQUET = ".parquet"
SUFFIXES = (*TEXT, ".db", *PICKLED, PARQUET)
PER_ATOM = ("forces", "energies", "REF_forces", "w_forces", "w_forces_mask")
STRESSES = ("stress", "REF_stress")
STRUCTURES, ATOMS = "structures.parquet", "atoms.parquet"

Sink = Callable[[Dataset], None]
"""Takes the parts of a dataset, one after the other."""


def open_writer(
    path: str | Path, group_key: str = "config_type", provenance: Mapping[str, Any] | None = None
) -> AbstractContextManager[Sink]:
    """Open a file for a dataset that comes in parts; it replaces an existing file when the block ends without an error.

    Parameters
    ----------
    path : its suffix says what it is; without one it is a folder for the tables `structures.parquet` and `atoms.parquet`
    group_key : name of the entry that holds the group
    provenance : for Parquet tables

    Raises
    ------
    DataError
        If the suffix is unknown.
    """
    path, name = Path(path), Path(path).name.lower()
    if name.endswith(TEXT):
        return _text(path, group_key)
    if name.endswith(".db"):
        return _database(path, group_key)
    if name.endswith(PICKLED):
        return _pickle(path, group_key)
    if is_folder_of_tables(path) or name == STRUCTURES:
        return _tables(path if is_folder_of_tables(path) else path.parent, provenance)
    raise unknown_kind(path, "dataset", [suffix for suffix in SUFFIXES if suffix != PARQUET])


def unknown_kind(path: Path, what: str, known: Sequence[str]) -> DataError:
    """Error of a name from which no kind of file follows."""
    if path.suffix.lower() == PARQUET:
        folder = path.with_suffix("")
        return DataError(f"{path}: Parquet tables are two, of structures and of atoms; name a folder for them, such as {folder}")
    names = ", ".join(known)
    return DataError(
        f"{path}: cannot write this kind of {what}; end the name in one of {names}, or name a folder for Parquet tables"
    )


def check_target(target: Path, sources: Sequence[Path]) -> None:
    """Refuse to write what is read.

    Raises
    ------
    DataError
        If the target is one of the sources; folders of tables stand for these.
    """
    written, *read = (path / STRUCTURES if is_folder_of_tables(path) else path for path in (target, *sources))
    if written.exists() and any(path.exists() and path.samefile(written) for path in read):
        raise DataError(f"{target} is read and written; give another target")


def is_folder_of_tables(path: Path) -> bool:
    """Whether a path names a folder with, or for, the two Parquet tables."""
    return path.is_dir() or (not path.suffix and not path.is_file())


@contextmanager
def _text(path: Path, group_key: str) -> Iterator[Sink]:
    with open_text(path) as file:

        def write(dataset: Dataset) -> None:
            for atoms, columns in rows_of_dataset(dataset, group_key):
                file.write(format_xyz(atoms, columns).encode())

        yield write


@contextmanager
def open_text(path: Path) -> Iterator[IO[bytes]]:
    """Open a text file, compressed if its name ends in `.gz`; it is there when the block has ended without an error."""
    with atomic_path(path) as temporary, temporary.open("wb") as raw:
        # no time and no name in the header, so that equal data give equal files
        compressed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.name.lower().endswith(".gz") else None
        yield compressed or raw  # type: ignore[misc]
        if compressed:
            compressed.close()


def format_xyz(atoms: Atoms, columns: Mapping[str, Any]) -> str:
    """One structure as extended XYZ, floats with all digits.

    Parameters
    ----------
    atoms : numbers, positions, cell and periodicity
    columns : labels; those of `PER_ATOM` become columns, others entries of the comment
    """
    arrays = {"pos": atoms.positions} | {key: np.asarray(columns[key]) for key in PER_ATOM if key in columns}
    properties = ":".join(["species:S:1", *(f"{key}:R:{1 if v.ndim == 1 else v.shape[1]}" for key, v in arrays.items())])
    entries = [f"Properties={properties}", 'pbc="' + " ".join("T" if flag else "F" for flag in atoms.pbc) + '"']
    if atoms.cell.array.any():
        entries.insert(0, f'Lattice="{_numbers(atoms.cell.array)}"')
    for key, value in columns.items():
        if key in PER_ATOM or (isinstance(value, str) and not value):
            continue
        if key in STRESSES:
            entries.append(f'{key}="{_numbers(voigt_6_to_full_3x3_stress(value))}"')
        elif isinstance(value, str):
            entries.append(_entry(key, value))
        else:
            entries.append(f"{key}={float(value)!r}")
    values = np.column_stack(list(arrays.values())).tolist()
    rows = [f"{symbol} {' '.join(map(repr, row))}" for symbol, row in zip(atoms.symbols, values, strict=True)]
    return "\n".join([str(len(atoms)), " ".join(entries), *rows]) + "\n"


def _numbers(array: Any) -> str:
    return " ".join(map(repr, np.asarray(array, dtype=np.float64).ravel().tolist()))


def _entry(key: str, text: str) -> str:
    """Entry of the comment that is read as the same text: in ASE's JSON, where it looks like a number, a list or the like."""
    plain = str(key_val_dict_to_str({key: text}))
    read = key_val_str_to_dict(plain).get(key)
    if text.isprintable() and isinstance(read, str) and read == text:
        return plain
    return f"{key}={json.dumps('_JSON ' + json.dumps(text))}"


@contextmanager
def _database(path: Path, group_key: str) -> Iterator[Sink]:
    with atomic_path(path) as temporary, ase.db.connect(temporary, type="db", append=False, use_lock_file=False) as database:

        def write(dataset: Dataset) -> None:
            for atoms, columns in rows_of_dataset(dataset, group_key):
                results = {key: columns[key] for key in ("energy", "forces", "stress") if key in columns}
                if results:
                    atoms.calc = SinglePointCalculator(atoms, **results)
                database.write(atoms, data=dict(columns))

        yield write


@contextmanager
def _pickle(path: Path, group_key: str) -> Iterator[Sink]:
    rows: list[dict[str, Any]] = []

    def write(dataset: Dataset) -> None:
        rows.extend({"ase_atoms": atoms, **columns} for atoms, columns in rows_of_dataset(dataset, group_key))

    yield write
    names = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary:
        frame(rows, names).to_pickle(temporary, compression={"method": "gzip", "mtime": 0}, protocol=4)


def frame(rows: list[dict[str, Any]], names: list[str]) -> pd.DataFrame:
    """Rows as a frame of the kinds of columns that every version of pandas reads: objects and floats."""
    table = pd.DataFrame(index=pd.RangeIndex(len(rows)), columns=pd.Index(names, dtype=object), dtype=object)
    for name in names:
        values = [row.get(name, np.nan) for row in rows]
        is_number = all(isinstance(value, float | np.floating) for value in values)
        column = np.empty(len(rows), dtype=np.float64 if is_number else object)
        for k, value in enumerate(values):
            column[k] = value
        table[name] = pd.Series(column, index=table.index, dtype=column.dtype)
    return table


@contextmanager
def _tables(folder: Path, provenance: Mapping[str, Any] | None) -> Iterator[Sink]:
    parts: list[dict[str, Any]] = []
    folder.mkdir(parents=True, exist_ok=True)
    with open_table(folder / ATOMS, "atoms", provenance) as atoms:

        def write(dataset: Dataset) -> None:
            first_structure, first_atom = (sum(len(p["n_atoms"]) for p in parts), sum(int(p["n_atoms"].sum()) for p in parts))
            atoms.write(atom_columns(dataset, first_structure))
            parts.append(structure_columns(dataset, first_structure, first_atom))

        yield write
        columns = {
            key: [text for part in parts for text in part[key]]
            if isinstance(first, list)
            else np.concatenate([part[key] for part in parts])
            for key, first in parts[0].items()
        }
        write_table(columns, folder / STRUCTURES, "structures", provenance)
