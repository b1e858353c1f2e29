"""Deterministic, atomic reading and writing of the pipeline's Parquet tables; other files: `acefit.files`.

Every table follows a contract of `acefit.artifact_contracts`; the file's metadata say which one, its version, the units,
which step and which version of acefit wrote it and from what. The meaning of single columns is not here but in the contracts.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from acefit import __version__
from acefit.artifact_arrays import to_arrow, to_numpy
from acefit.artifact_contracts import CONTRACTS, Column, Contract
from acefit.artifact_digest import ColumnDigest, digest_of_columns
from acefit.errors import ArtifactError, DamagedArtifactError
from acefit.files import atomic_path, file_digest, read_sealed
from acefit.untrusted import check_regular, fair_size, first_line

if TYPE_CHECKING:
    import pandas as pd

_KEY = b"acefit"
_CONTENT_KEY = b"acefit-content"
"""Metadata of the file, not of its schema: the digest is known when the last row is written."""
# Digest of the whole file, filled in where zeros were written; Arrow keeps a copy of the metadata that has the zeros
_SEAL_MARK, _NO_SEAL = b'"seal": "', 64 * "0"
_BYTES_AT_ONCE = 2**20
_HEADER_KEYS = {"contract", "schema_version", "acefit_version", "provenance"}

ROWS_PER_GROUP = 2**18
"""Rows that are stored together; so many are in memory where a table is written in pieces."""

ROWS_AT_ONCE = 2**16
"""Rows of a table that are in memory together where it is read in pieces."""

TableLike: TypeAlias = "Mapping[str, Any] | pd.DataFrame | pa.Table"


def _arrow_type(dtype: str) -> pa.DataType:
    """Arrow type of a contract's type, e.g. ``float64[3]`` is a fixed-size list."""
    base, _, size = dtype.partition("[")
    scalar = {"bool": pa.bool_(), "string": pa.string()}.get(base) or pa.type_for_alias(base)
    return pa.list_(scalar, int(size[:-1])) if size else scalar


def _contract(name: str) -> Contract:
    if name not in CONTRACTS:
        raise ArtifactError(f"there is no table contract {name!r}; registered are: {', '.join(sorted(CONTRACTS))}")
    return CONTRACTS[name]


def _columns_of(table: TableLike) -> dict[str, Any]:
    if isinstance(table, pa.Table):
        return {name: table.column(name) for name in table.column_names}
    pandas = sys.modules.get("pandas")  # whoever has a data frame has loaded it
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return {str(name): table[name].to_numpy() for name in table.columns}
    return dict(table)


def _arrow_column(values: Any, column: Column, path: Path) -> pa.Array | pa.ChunkedArray:
    """Convert one column to the contract's type; nulls, wrong shapes and lossy conversions are errors."""
    kind = _arrow_type(column.dtype)
    try:
        if isinstance(values, pa.Array | pa.ChunkedArray):
            array = values.cast(kind)
        elif pa.types.is_fixed_size_list(kind):
            rows = np.asarray(values)
            if rows.dtype == object:
                rows = np.stack(list(rows)) if len(rows) else np.empty((0, kind.list_size))
            rows = rows.reshape(len(rows), kind.list_size)
            array = pa.FixedSizeListArray.from_arrays(to_arrow(rows.ravel()).cast(kind.value_type), kind.list_size)
        else:
            array = to_arrow(values).cast(kind)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ArtifactError(f"cannot write {path}: column {column.name!r} is not {column.dtype}: {error}") from error
    if array.null_count:
        raise ArtifactError(f"cannot write {path}: column {column.name!r} has {array.null_count} empty values")
    return array


def _metadata(contract: Contract, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "contract": contract.name,
        "schema_version": contract.version,
        "acefit_version": __version__,
        "provenance": dict(provenance or {}),
        "seal": _NO_SEAL,
    }


def _seal_of(path: Path) -> tuple[int, str, str]:
    """Place of the seal in a Parquet file, what stands there, and the digest of the whole file with zeros in its place."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        n_bytes = file.seek(-8, os.SEEK_END) + 8
        footer_begin = n_bytes - 8 - int.from_bytes(file.read(4), "little")
        file.seek(max(footer_begin, 0))
        footer = file.read()
        place = footer.find(_SEAL_MARK) + len(_SEAL_MARK)
        file.seek(0)
        for begin in range(0, footer_begin, _BYTES_AT_ONCE):
            digest.update(file.read(min(_BYTES_AT_ONCE, footer_begin - begin)))
    end = place + len(_NO_SEAL)
    digest.update(footer[:place] + _NO_SEAL.encode() + footer[end:])
    return footer_begin + place, footer[place:end].decode("ascii", "replace"), digest.hexdigest()


def _seal(path: Path) -> None:
    """Fill in the seal of a complete file."""
    place, _, seal = _seal_of(path)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(seal.encode())


def write_table(
    table: TableLike, path: str | os.PathLike[str], contract_name: str, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a table as Parquet, atomically and with the same bytes for the same content.

    Parameters
    ----------
    table : mapping of arrays, pandas.DataFrame or pyarrow.Table
        Columns of the contract, in any order; two-dimensional arrays become fixed-size lists.
    path : path
        File to write; its folder is created.
    contract_name : str
        Registered contract, see `acefit.artifact_contracts.CONTRACTS`.
    provenance : mapping, optional
        JSON-able, see `made_by`, and whatever else explains the content.

    Raises
    ------
    ArtifactError
        If columns are missing, unknown, of different lengths, empty in places or do not fit their type.
    """
    with open_table(path, contract_name, provenance) as writer:
        writer.write(table)


@contextmanager
def open_table(
    path: str | os.PathLike[str], contract_name: str, provenance: Mapping[str, Any] | None = None
) -> Iterator[TableWriter]:
    """Write a table some rows at a time: the file has the bytes that `write_table` gives all rows, however they are divided.

    It appears when the block ends without an error.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        writer = TableWriter(temporary, path, _contract(contract_name), provenance)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()
        _seal(temporary)


class TableWriter:
    """Rows on their way to a file; made by `open_table`."""

    def __init__(self, temporary: Path, path: Path, contract: Contract, provenance: Mapping[str, Any] | None) -> None:
        self._temporary, self._path, self._contract = temporary, path, contract
        self._metadata = {_KEY: json.dumps(_metadata(contract, provenance), sort_keys=True).encode()}
        self._file: pq.ParquetWriter | None = None
        self._digests: list[ColumnDigest] = []
        self._waiting: list[pa.Table] = []

    def write(self, table: TableLike) -> None:
        """Add rows, columns as for `write_table` and the same ones each time.

        Raises
        ------
        ArtifactError
            As `write_table`.
        """
        rows = _arrow_table(table, self._path, self._contract)
        if self._file is None:
            schema = rows.schema.with_metadata(self._metadata)
            self._file = pq.ParquetWriter(self._temporary, schema, compression="zstd")
            self._digests = [ColumnDigest(field) for field in schema]
        for digest, column in zip(self._digests, rows.columns, strict=True):
            for part in column.chunks:
                digest.update(part)
        self._waiting.append(rows)
        self._store(ROWS_PER_GROUP)

    def _store(self, least: int) -> None:
        """Store complete groups of rows as long as at least so many rows wait."""
        assert self._file is not None
        if sum(map(len, self._waiting)) < least:
            return
        # pages end where the pieces of a column do, so that the bytes would depend on them
        rows = pa.concat_tables(self._waiting).combine_chunks()
        n_stored = len(rows) if least == 0 else len(rows) // ROWS_PER_GROUP * ROWS_PER_GROUP
        for first in range(0, max(n_stored, 1), ROWS_PER_GROUP):
            self._file.write_table(rows.slice(first, min(ROWS_PER_GROUP, n_stored - first)))
        self._waiting = [rows.slice(n_stored)] if n_stored < len(rows) else []

    def finish(self) -> None:
        """Store what waits and the digest."""
        if self._file is None:
            self.write({column.name: [] for column in self._contract.columns})
        assert self._file is not None
        if self._waiting:
            self._store(0)
        self._file.add_key_value_metadata({_CONTENT_KEY: digest_of_columns(self._digests)})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _arrow_table(table: TableLike, path: Path, contract: Contract) -> pa.Table:
    """Columns in the contract's order and types."""
    given = _columns_of(table)
    names = [column.name for column in contract.columns]
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if missing:
        raise ArtifactError(f"cannot write {path}: columns missing for contract {contract.name!r}: {', '.join(missing)}")
    if unknown and contract.extra is None:
        raise ArtifactError(f"cannot write {path}: contract {contract.name!r} knows no columns {', '.join(unknown)}")
    columns = [*contract.columns, *(_extra(contract, name) for name in unknown)]
    arrays = [_arrow_column(given[column.name], column, path) for column in columns]
    lengths = {column.name: len(array) for column, array in zip(columns, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ArtifactError(f"cannot write {path}: columns have different lengths: {lengths}")
    fields = [pa.field(c.name, _arrow_type(c.dtype), False, {"unit": c.unit, "meaning": c.meaning}) for c in columns]
    return pa.table(arrays, schema=pa.schema(fields))


def _extra(contract: Contract, name: str) -> Column:
    assert contract.extra is not None
    return Column(name, contract.extra.dtype, contract.extra.unit, contract.extra.meaning)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of reading a Parquet file into ours."""
    try:
        check_regular(path)
        yield
    except (ArtifactError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except Exception as error:  # besides its own errors, Arrow passes on those of the standard library
        raise DamagedArtifactError(path, f"is not a complete Parquet file ({first_line(error)})") from error


def _header(file: pq.ParquetFile, path: Path) -> dict[str, Any]:
    """Metadata of a table, with the digest of its content."""
    raw = (file.schema_arrow.metadata or {}).get(_KEY)
    content = (file.metadata.metadata or {}).get(_CONTENT_KEY)
    if raw is None or content is None:
        raise DamagedArtifactError(path, "was not written by acefit (no acefit metadata)")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not header.keys() >= _HEADER_KEYS or not isinstance(header["provenance"], dict):
        raise DamagedArtifactError(path, "has damaged acefit metadata")
    return {**header, "content": content.decode("ascii", "replace")}


def _check_file(file: pq.ParquetFile, path: Path, contract: Contract) -> None:
    """Check columns and metadata of a file against its contract, and the whole file against its seal."""
    schema, header = file.schema_arrow, _header(file, path)
    if header["contract"] != contract.name:
        raise DamagedArtifactError(path, f"holds a table {header['contract']!r}, not {contract.name!r}")
    if header["schema_version"] != contract.version:
        found = f"version {header['schema_version']} of the table {contract.name!r}, written by acefit {header['acefit_version']}"
        raise DamagedArtifactError(path, f"has {found}; this acefit ({__version__}) reads version {contract.version}")
    known = {column.name: column.dtype for column in contract.columns}
    unknown = [name for name in schema.names if name not in known]
    extra = dict.fromkeys(unknown, contract.extra.dtype) if contract.extra else {}
    for name, dtype in {**known, **extra}.items():
        if schema.names.count(name) != 1 or schema.field(name).type != _arrow_type(dtype):
            raise DamagedArtifactError(path, f"lacks the column {name!r} of type {dtype}")
    if unknown and contract.extra is None:
        raise DamagedArtifactError(path, f"has columns that the table {contract.name!r} does not know: {', '.join(unknown)}")
    _, seal, expected = _seal_of(path)
    if seal != expected:
        raise DamagedArtifactError(path, "was altered after acefit wrote it")
    # last, since Arrow ends the process where it is asked about columns whose statistics are damaged
    if problem := unpacked_problem(file, path):
        raise DamagedArtifactError(path, problem)


def unpacked_problem(file: pq.ParquetFile, path: Path) -> str:
    """Say what is wrong with a file that would take out of all proportion to its size; empty if nothing is.

    Arrow is not read under a limit of memory (`acefit.untrusted.bounded_memory`), as it may not start its threads then.
    """
    groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
    n_bytes = 8 * sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
    if n_bytes <= fair_size(path):
        return ""
    return f"would take {n_bytes / 2**30:.1f} GiB of memory, out of all proportion to its size: it is damaged or made to do harm"


def read_table(path: str | os.PathLike[str], contract_name: str) -> pa.Table:
    """Read a table and check it against its contract.

    Parameters
    ----------
    path : path
        File written by `write_table`.
    contract_name : str
        Contract the file must follow.

    Returns
    -------
    table : pyarrow.Table
        Columns in the contract's order, without nulls.

    Raises
    ------
    ArtifactError
        If the file is missing.
    DamagedArtifactError
        If it is truncated, foreign, altered, of another contract or of another version of it.
    """
    path, contract = Path(path), _contract(contract_name)
    with _readable(path), pq.ParquetFile(path) as file:
        _check_file(file, path, contract)
        table = file.read(use_threads=False)  # under a limit of memory Arrow dies where it gets none for a thread
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count:
            raise DamagedArtifactError(path, f"has empty values in the column {name!r}")
    return table


def check_table(path: str | os.PathLike[str], contract_name: str) -> int:
    """Check a table as `read_table` does, without keeping it in memory; its number of rows.

    Raises
    ------
    ArtifactError
        As `read_table`.
    """
    path, contract = Path(path), _contract(contract_name)
    with _readable(path), pq.ParquetFile(path) as file:
        _check_file(file, path, contract)
        return int(file.metadata.num_rows)


def iterate_arrays(
    path: str | os.PathLike[str], columns: Sequence[str], n_rows: int = ROWS_AT_ONCE
) -> Iterator[dict[str, np.ndarray]]:
    """Some columns of a table as NumPy arrays, a number of rows at a time, in order; check it with `check_table` before.

    Raises
    ------
    ArtifactError
        If the file is missing or cannot be read.
    """
    path = Path(path)
    with _readable(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(n_rows, columns=list(columns)):
            yield to_arrays(pa.Table.from_batches([batch]))


def iterate_ranges(
    paths: Sequence[str | os.PathLike[str]], columns: Sequence[str], bounds: Sequence[int] | np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    """Some columns of given ranges of rows as NumPy arrays, one range at a time; check the tables with `check_table` before.

    Parameters
    ----------
    paths : sequence of paths
        At least one table; several of a kind count as one, in this order.
    columns : sequence of str
        Columns to read.
    bounds : sequence of int, ascending
        Range k has the rows bounds[k] .. bounds[k + 1] - 1; all must exist.

    Raises
    ------
    ArtifactError
        If a file is missing or cannot be read.
    """
    batches = _batches([Path(path) for path in paths], list(columns), int(bounds[0]))
    batch, begin = next(batches)
    for first, last in pairwise(map(int, bounds)):
        pieces = [batch.slice(0, 0)]
        while first < last:
            if first >= begin + len(batch):
                batch, begin = next(batches)
                continue
            pieces.append(batch.slice(first - begin, last - first))
            first = min(last, begin + len(batch))
        yield to_arrays(pa.Table.from_batches(pieces))


def _batches(paths: Sequence[Path], columns: list[str], first: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Some rows at a time, and the number of the first of them; before all an empty batch, and then about from row `first` on."""
    begin = 0
    for number, path in enumerate(paths):
        with _readable(path), pq.ParquetFile(path) as file:
            if number == 0:
                schema = pa.schema([file.schema_arrow.field(name) for name in columns])
                yield pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema), 0
            groups: list[int] = []
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                if groups or first < begin + n_rows:
                    groups.append(group)
                else:
                    begin += n_rows
            for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=columns) if groups else ():
                yield batch, begin
                begin += len(batch)


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Metadata of a table: contract, schema_version, acefit_version, content (digest) and provenance as given by its writer."""
    path = Path(path)
    with _readable(path), pq.ParquetFile(path) as file:
        return _header(file, path)


def made_by(step: str, code: str, *inputs: str | os.PathLike[str]) -> dict[str, Any]:
    """Provenance of what a step writes: its name, the digest of its code, and those of the content of the files it read."""
    return {"step": step, "code": code, "inputs": {_short_name(path): content_digest(path) for path in inputs}}


def content_digest(path: str | os.PathLike[str]) -> str:
    """Digest of the content of a table or sealed file, without its metadata, as it stands in them; SHA-256 of any other file.

    Two files with the same content have the same digest, whichever version of the code wrote them.
    """
    try:
        return str((read_provenance(path) if Path(path).suffix == ".parquet" else read_sealed(path)[1])["content"])
    except DamagedArtifactError:
        return file_digest(path)


def check_made_from(path: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Check that a table was made from the present content of some files, as far as its metadata name them.

    Raises
    ------
    DamagedArtifactError
        If it was made from others: it belongs to another run.
    """
    known = read_provenance(path)["provenance"].get("inputs", {})
    for name in inputs:
        digest = known.get(_short_name(name))
        if digest is not None and digest != content_digest(name):
            raise DamagedArtifactError(path, f"does not belong to {name}: it was made from another file of this name")


def _short_name(path: str | os.PathLike[str]) -> str:
    """Name of a file with its folder, by which a provenance refers to it."""
    return "/".join(Path(path).parts[-2:])


def to_arrays(table: pa.Table) -> dict[str, np.ndarray]:
    """Columns as NumPy arrays (see `acefit.artifact_arrays.to_numpy`)."""
    arrays = {}
    for name in table.column_names:
        values = table.column(name).combine_chunks()
        if values.null_count:
            raise ValueError(f"empty values in the column {name!r}")
        arrays[name] = to_numpy(values)
    return arrays


def read_arrays(path: str | os.PathLike[str], contract_name: str) -> dict[str, np.ndarray]:
    """Read a table as a dictionary of NumPy arrays (see `read_table` for the checks and errors, `to_arrays` for the shapes)."""
    return to_arrays(read_table(path, contract_name))


def read_frame(path: str | os.PathLike[str], contract_name: str) -> pd.DataFrame:
    """Read a table as a data frame, fixed-size lists as arrays per row (see `read_table` for the checks and errors)."""
    # Loading pandas takes longer than reading a table, and most stages only want arrays
    import pandas as pd

    arrays = to_arrays(read_table(path, contract_name))
    return pd.DataFrame({name: list(values) if values.ndim > 1 else values for name, values in arrays.items()})
