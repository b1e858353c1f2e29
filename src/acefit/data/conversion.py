"""Convert datasets from any kind of file to any other, some structures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from acefit.data.readers import FileReport, LeftOut, Piece, ReadingOptions, iterate_files, join_reports
from acefit.data.writers import STRUCTURES, check_target, open_writer
from acefit.errors import DataError
from acefit.files import file_digest


class Converted(NamedTuple):
    """What was converted: structures and atoms, a report on every source, and structures that were left out."""

    n_structures: int
    n_atoms: int
    files: list[FileReport]
    left_out: list[LeftOut]


def convert_data(
    sources: Sequence[str | Path],
    target: str | Path,
    options: ReadingOptions | None = None,
    watch: Callable[[Iterable[Piece]], Iterable[Piece]] = iter,
) -> Converted:
    """Convert files to one file or to Parquet tables.

    Labels, weights, names and groups are kept, with all digits. Where a structure comes from (file, row and role there) is not:
    it will be the new file.

    Parameters
    ----------
    sources : files that `acefit.data.readers` reads, or folders with the Parquet tables; their structures one after the other
    target : see `acefit.data.writers.open_writer`
    options : names of labels, and what is done with structures that cannot be used
    watch : gives back the parts it is given, for a progress bar

    Raises
    ------
    DataError
        If a source cannot be read, a structure cannot be used and the options do not say to leave it out, or the target is
        unknown or one of the sources.
    """
    options = options or ReadingOptions()
    paths = [Path(source) / STRUCTURES if Path(source).is_dir() else Path(source) for source in sources]
    check_target(Path(target), paths)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"dataset {missing[0]} does not exist; mend its name")
    provenance = {"step": "convert", "code": "", "inputs": {str(path): file_digest(path) for path in paths}}
    pieces = iterate_files([{"path": str(path)} for path in paths], options)
    first = next(pieces)  # what cannot be read at all leaves no trace
    n_structures = n_atoms = 0
    reports, left_out = [], []
    with open_writer(target, options.group_key, provenance) as write:
        for piece in watch(chain([first], pieces)):
            write(piece.dataset)
            n_structures += piece.dataset.structures.n_structures
            n_atoms += piece.dataset.structures.n_atoms
            reports.append((piece.file, piece.report))
            left_out += piece.left_out
    return Converted(n_structures, n_atoms, join_reports(reports), left_out)
