"""Read datasets: extended XYZ, ASE databases and trajectories, our Parquet tables, pacemaker's pickled frames, LAMMPS dumps.

Files are read twice, some structures at a time: to see under which names they store their labels, and for the structures. Only
pickled frames are in memory as a whole. Reference energies are subtracted later (`acefit.data.references`).
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers

from acefit.data.checks import MINIMUM_DISTANCE, find_problems
from acefit.data.database import ReadOnlyDatabase
from acefit.data.extended_xyz import check_frames
from acefit.data.frames import Frame, dataset_of, structures_of
from acefit.data.labels import Keys, find_keys, labels_of_atoms
from acefit.data.lammps import check_dump, without_labels
from acefit.data.storage import Dataset, concatenate
from acefit.data.stored import open_dataset
from acefit.data.structures import consecutive_ranges
from acefit.data.unpickle import read_pickled_frame
from acefit.errors import AcefitError, ArtifactError, DamagedArtifactError, DataError
from acefit.untrusted import bounded_memory, fair_size

PICKLED = (".pckl.gzip", ".pkl.gzip", ".pckl.gz", ".pkl.gz", ".pckl", ".pkl", ".pickle")
TEXT = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz")
BINARY = (".db", ".traj")
DUMPS = (".dump", ".lammpstrj", ".dat")
ATOMS_AT_ONCE = 2**13
"""Structures are read until they have so many atoms, and then checked and passed on."""

BYTES_AT_ONCE = 2**20
SUFFIXES = (*TEXT, *BINARY, ".parquet", *PICKLED, *DUMPS)

Row = tuple[Atoms, dict[str, Any]]
Rows = Callable[[], Iterable[Row]]
"""Gives the structures of an open file, each time from the first one on."""


@dataclass(frozen=True)
class ReadingOptions:
    """How files are read and what is done with structures that cannot be used.

    Parameters
    ----------
    energy_key, forces_key, stress_key : str, optional
        Names of the labels in the files; found automatically when absent (see `acefit.data.labels`).
    group_key : str
        Name of the entry or column that groups structures.
    on_bad_structure : str
        ``stop`` or ``leave_out``.
    elements : sequence of str, optional
        Elements that may occur; all may when absent.
    minimum_distance : float
        Atoms closer than this, in Å, are an error.
    lammps_elements : sequence of str
        Elements of the types 1, 2, ... of LAMMPS, for dumps that do not name them.
    energy_needed : bool
        Whether a pickled frame without any energy is an error.
    leaving_out : str
        How the user leaves structures out that cannot be used, for the error; empty where there is no way.
    """

    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    group_key: str = "config_type"
    on_bad_structure: str = "stop"
    elements: Sequence[str] | None = None
    minimum_distance: float = MINIMUM_DISTANCE
    lammps_elements: Sequence[str] = ()
    energy_needed: bool = True
    leaving_out: str = "set data.on_bad_structure: leave_out"

    def __post_init__(self) -> None:
        if self.on_bad_structure not in ("stop", "leave_out"):
            raise DataError(f"on_bad_structure is {self.on_bad_structure!r}; give 'stop' or 'leave_out'")
        unknown = [symbol for symbol in (*(self.elements or ()), *self.lammps_elements) if symbol not in atomic_numbers]
        if unknown:
            raise DataError(f"unknown elements {', '.join(unknown)}; give chemical symbols")


Reader = Callable[[Path, ReadingOptions], AbstractContextManager[Rows]]


@dataclass(frozen=True)
class LeftOut:
    """One structure that is not used: file, index in it, name and reason."""

    source: str
    row: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}, structure {self.row} ({self.name}): {self.reason}"


@dataclass(frozen=True)
class FileReport:
    """What was found in one file."""

    source: str
    role: str
    n_structures: int
    n_atoms: int
    n_without_energy: int
    n_without_forces: int
    n_with_stress: int
    keys: dict[str, str | None]

    def joined(self, other: FileReport) -> FileReport:
        """Report on two parts of a file."""
        counts = ("n_structures", "n_atoms", "n_without_energy", "n_without_forces", "n_with_stress")
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in counts})


class Piece(NamedTuple):
    """Some consecutive structures of a file, with reports on them.

    Attributes
    ----------
    file : number of the file
    dataset : the structures that can be used, maybe none
    report : on them
    left_out : those that are not used
    """

    file: int
    dataset: Dataset
    report: FileReport
    left_out: list[LeftOut]


@dataclass(frozen=True)
class ReadResult:
    """A dataset with reports on its files and on the structures that were left out."""

    dataset: Dataset
    files: list[FileReport] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_files(files: Iterable[Mapping[str, str]], options: ReadingOptions | None = None) -> ReadResult:
    """Read several files into one dataset.

    Parameters
    ----------
    files : iterable of mappings
        Each with ``path``, optionally ``subset``: ``data`` (to be split, the default), ``train`` or ``test``; and ``made_by``,
        the stage that has made it, else it is the user's.
    options : ReadingOptions, optional

    Returns
    -------
    result : ReadResult
        Structures in the order of the files. Energies that are to be fitted are the column ``energy_corrected`` of the files
        (NaN without it); the total energies are in ``dataset.raw_energies``.

    Raises
    ------
    DataError
        If a file cannot be read, no structure remains, or a structure cannot be used and the options say ``stop``.
    ArtifactError
        If a table that a stage has made is missing or damaged.
    """
    pieces = list(iterate_files(files, options))
    left_out = [item for piece in pieces for item in piece.left_out]
    reports = join_reports((piece.file, piece.report) for piece in pieces)
    return ReadResult(concatenate([piece.dataset for piece in pieces]), reports, left_out)


def join_reports(parts: Iterable[tuple[int, FileReport]]) -> list[FileReport]:
    """One report on each file from its number and reports on its parts."""
    reports: dict[int, FileReport] = {}
    for file, report in parts:
        reports[file] = reports[file].joined(report) if file in reports else report
    return list(reports.values())


def iterate_files(files: Iterable[Mapping[str, str]], options: ReadingOptions | None = None) -> Iterator[Piece]:
    """Read several files as `read_files` does, some structures at a time.

    Raises
    ------
    DataError
        As `read_files`; what is wrong with structures is raised at the end, when all of them are known.
    """
    options = options or ReadingOptions()
    n_structures = n_bad = 0
    first_bad = None
    for number, file in enumerate(files):
        role = file.get("subset", "data")
        if role not in ("data", "train", "test"):
            raise DataError(f"subset {role!r} of {file['path']} is not one of data, train, test")
        try:
            for sound, bad, keys in _read_sound(Path(file["path"]), role, options):
                first_bad = first_bad or (bad[0] if bad else None)
                n_bad += len(bad)
                n_structures += len(sound)
                yield Piece(number, dataset_of(sound), _report(str(file["path"]), role, sound, keys), bad)
        except ArtifactError as error:
            if "made_by" in file:
                raise
            # only what can be made again is set aside, or may be deleted
            what = f"{error.path} {error.problem}" if isinstance(error, DamagedArtifactError) else str(error).partition(";")[0]
            raise DataError(f"{what}; name another file, or mend this one") from error
    if first_bad and options.on_bad_structure == "stop":
        more = f" (and {n_bad - 1} more)" if n_bad > 1 else ""
        cure = "mend or remove it" + (f", or {options.leaving_out}" if options.leaving_out else "")
        raise DataError(f"{first_bad}{more}; {cure}")
    if not n_structures:
        names = ", ".join(str(file["path"]) for file in files)
        raise DataError(f"no structure that can be used remains of {names or 'no file'}; give a file with such structures")


def _read_sound(path: Path, role: str, options: ReadingOptions) -> Iterator[tuple[list[Frame], list[LeftOut], Keys]]:
    """Some structures of a file at a time, at least once, those that cannot be used apart, and the names of its labels.

    Whatever a damaged or hostile file leads to is one error.
    """
    reader = _reader_of(path)
    if not path.is_file():
        raise DataError(f"dataset {path} does not exist; mend its name")
    parts = _read_parts(reader, path, role, options)
    while True:
        try:
            # what is done with the structures is not bounded
            with contextlib.nullcontext() if reader is _rows_of_parquet else bounded_memory(path, DataError):
                part = next(parts, None)
        except AcefitError as error:
            raise (
                error if isinstance(error, ArtifactError) or path.name in str(error) else DataError(f"{path}: {error}")
            ) from error
        except Exception as error:  # ASE's readers raise whatever a broken line leads to
            raise DataError(
                f"{path} cannot be read: {type(error).__name__}: {error}; check that it is what its extension says"
            ) from error
        if part is None:
            return
        yield part


def _read_parts(
    reader: Reader, path: Path, role: str, options: ReadingOptions
) -> Iterator[tuple[list[Frame], list[LeftOut], Keys]]:
    with reader(path, options) as rows_of:
        wanted = {"energy": options.energy_key, "forces": options.forces_key, "stress": options.stress_key}
        keys = find_keys(rows_of(), wanted, str(path))
        frames: list[Frame] = []
        n_atoms = 0
        for row, (atoms, columns) in enumerate(rows_of()):
            frames.append(_frame(path, row, role, atoms, columns, keys, options))
            n_atoms += len(atoms)
            if n_atoms >= ATOMS_AT_ONCE:
                yield *_separate(frames, options), keys
                frames, n_atoms = [], 0
        yield *_separate(frames, options), keys


def _frame(path: Path, row: int, role: str, atoms: Atoms, columns: dict[str, Any], keys: Keys, options: ReadingOptions) -> Frame:
    group = columns.get(options.group_key, atoms.info.get(options.group_key, ""))
    name = columns.get("name", atoms.info.get("name"))
    return Frame(
        atoms=atoms,
        labels=labels_of_atoms(atoms, columns, keys),
        name=_word(name) or f"{path.name}:{row}",
        group=_word(group),
        source=path.name,
        row=row,
        role=role,
    )


def _word(value: Any) -> str:
    """Name or group as text; lists, arrays and the like, which cannot be one, and absent values are empty."""
    return str(value) if isinstance(value, str | int | float | np.generic) and not _is_absent(value) else ""


def _reader_of(path: Path) -> Reader:
    name = path.name.lower()
    if name.endswith(PICKLED):
        return _rows_of_pickle
    if name.endswith(TEXT):
        return _rows_of_text
    if name.endswith(".traj"):
        return _rows_of_trajectory
    if name.endswith(".db"):
        return _rows_of_database
    if name.endswith(DUMPS):
        return _rows_of_dump
    if name.endswith(".parquet"):
        return _rows_of_parquet
    raise DataError(f"{path}: unknown kind of dataset; its name must end in one of {', '.join(SUFFIXES)}")


@contextmanager
def _rows_of_text(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(path.open("rb"))
        if path.name.lower().endswith(".gz"):
            # ASE seeks in the file, which in a compressed one means decompressing it from its beginning for every structure
            content = stack.enter_context(tempfile.TemporaryFile())
            _decompress(path, file, content)
            file = content
        text = stack.enter_context(io.TextIOWrapper(file, encoding="utf-8", newline="\n"))
        check_frames(text, path)
        yield lambda: ((atoms, {}) for atoms in ase.io.iread(text, index=":", format="extxyz"))


def _decompress(path: Path, file: IO[bytes], content: IO[bytes]) -> None:
    """Write the content of a compressed file, if it is not out of all proportion, and go back to its beginning."""
    most = fair_size(path)
    with gzip.open(file) as compressed:
        while block := compressed.read(BYTES_AT_ONCE):
            content.write(block)
            if content.tell() > most:
                raise DataError(f"{path} holds more than {most / 2**30:.1f} GiB of text: it is damaged or made to do harm")
    content.seek(0)


@contextmanager
def _rows_of_trajectory(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    yield lambda: ((atoms, {}) for atoms in ase.io.iread(os.fspath(path), index=":", format="traj"))


@contextmanager
def _rows_of_dump(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    """Read a text dump of LAMMPS; forces in it are those of the potential that ran, and no labels."""
    with path.open(encoding="utf-8", newline="\n") as text:
        check_dump(text, path, options.lammps_elements)
        settings: dict[str, Any] = {"index": ":", "format": "lammps-dump-text", "specorder": list(options.lammps_elements)}
        yield lambda: ((without_labels(atoms), {}) for atoms in ase.io.iread(os.fspath(path), **settings))


@contextmanager
def _rows_of_database(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    with ReadOnlyDatabase(str(path)) as database:
        yield lambda: ((row.toatoms(), {**row.data, **row.key_value_pairs}) for row in database.select())


@contextmanager
def _rows_of_pickle(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    rows = _rows_of_frame(read_pickled_frame(path), path, options)
    yield lambda: rows


def _rows_of_frame(frame: pd.DataFrame, path: Path, options: ReadingOptions) -> list[Row]:
    if "ase_atoms" not in frame.columns:
        raise DataError(f"{path} has no column ase_atoms; it has {', '.join(map(str, frame.columns))}")
    if options.energy_needed and not {"energy", "energy_corrected", options.energy_key} & set(frame.columns):
        raise DataError(f"{path} has neither a column energy nor energy_corrected; add one, or name it (energy_key)")
    columns = [str(name) for name in frame.columns]
    rows: list[Row] = []
    for row, values in enumerate(zip(*(frame[name] for name in frame.columns), strict=True)):
        cells = dict(zip(columns, values, strict=True))
        atoms = cells.pop("ase_atoms")
        if not isinstance(atoms, Atoms):
            raise DataError(f"{path}, structure {row}: ase_atoms is a {type(atoms).__name__}, not ASE atoms")
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=atoms.info)
        rows.append((bare, {key: value for key, value in cells.items() if not _is_absent(value)}))
    return rows


def _is_absent(value: Any) -> bool:
    """Whether a cell of a frame is empty: None or a single NaN."""
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


@contextmanager
def _rows_of_parquet(path: Path, options: ReadingOptions) -> Iterator[Rows]:
    """Read our table `structures`, with the table `atoms` that lies beside it as ``atoms.parquet``."""
    dataset = open_dataset(path, path.with_name("atoms.parquet"))
    bounds = consecutive_ranges(dataset.atoms_per_structure, ATOMS_AT_ONCE)
    yield lambda: (row for part in dataset.parts(bounds) for row in rows_of_dataset(part, options.group_key))


def rows_of_dataset(dataset: Dataset, group_key: str) -> Iterator[Row]:
    """Structures of a dataset as bare atoms with all that is known about them under the names that readers look for."""
    structures = dataset.structures
    for s in range(structures.n_structures):
        atoms = slice(structures.offsets[s], structures.offsets[s + 1])
        bare = Atoms(structures.numbers[atoms], structures.positions[atoms], cell=structures.cells[s], pbc=structures.pbc[s])
        columns: dict[str, Any] = {
            "energy": dataset.raw_energies[s],
            "energy_corrected": structures.energies[s],
            "forces": structures.forces[atoms],
            "stress": structures.stresses[s],
            "w_energy": dataset.energy_weights[s],
            "w_factor": dataset.weight_factors[s],
            "w_forces": dataset.force_weights[atoms],
            "w_forces_mask": dataset.force_masks[atoms],
        }
        present = {key: value for key, value in columns.items() if not np.all(np.isnan(value))}
        present["name"] = structures.names[s]
        present.setdefault(group_key, structures.groups[s])  # a group under the name of something else must not replace that
        yield bare, present


def _separate(frames: list[Frame], options: ReadingOptions) -> tuple[list[Frame], list[LeftOut]]:
    """Divide frames into those that can be used and those that cannot, with the reasons."""
    reasons = {row: problem for row, frame in enumerate(frames) if (problem := frame.labels.problem)}
    shaped = [row for row in range(len(frames)) if row not in reasons]
    if shaped:
        elements = None if options.elements is None else [atomic_numbers[symbol] for symbol in options.elements]
        problems = find_problems(structures_of([frames[row] for row in shaped]), elements, options.minimum_distance)
        reasons |= {shaped[index]: what for index, what in problems.items()}
    bad = [LeftOut(frames[r].source, frames[r].row, frames[r].name, reasons[r]) for r in sorted(reasons)]
    return [frame for row, frame in enumerate(frames) if row not in reasons], bad


def _report(path: str, role: str, frames: list[Frame], keys: Keys) -> FileReport:
    labels = [frame.labels for frame in frames]
    return FileReport(
        source=path,
        role=role,
        n_structures=len(frames),
        n_atoms=sum(len(frame.atoms) for frame in frames),
        n_without_energy=sum(bool(np.isnan(label.energy) and np.isnan(label.energy_corrected)) for label in labels),
        n_without_forces=sum(bool(np.isnan(label.forces).all()) for label in labels),
        n_with_stress=sum(bool(np.isfinite(label.stress).all()) for label in labels),
        keys=keys.as_dict(),
    )
