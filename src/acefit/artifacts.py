"""Deterministic, atomic reading and writing of the pipeline's Parquet tables; other files: `acefit.files`.

Every table follows a contract of `acefit.artifact_contracts`; the file's metadata say which one, its version, the units,
which step and which version of acefit wrote it and from what. The meaning of single columns is not here but in the contracts.
"""

from __future__ import annotations

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
from acefit.artifact_contracts import CONTRACTS, Column, Contract
from acefit.artifact_digest import ColumnDigest, content_digest, digest_parts
from acefit.errors import ArtifactError
from acefit.files import CURE, atomic_path

if TYPE_CHECKING:
    import pandas as pd

_KEY = b"acefit"
_CONTENT_KEY = b"acefit-content"
"""Metadata of the file, not of its schema: the digest is known when the last row is written."""

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
            array = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()).cast(kind.value_type), kind.list_size)
        else:
            array = pa.array(values if isinstance(values, list) else np.asarray(values), from_pandas=False).cast(kind)
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
    }


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
        JSON-able: the writing ``step``, digests of its ``inputs`` and whatever else explains the content.

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
        self._file.add_key_value_metadata({_CONTENT_KEY: content_digest(self._digests)})

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
        yield
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise ArtifactError(f"{path} is not a complete Parquet file ({first}); {CURE}") from error


def _header(schema: pa.Schema, path: Path) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        raise ArtifactError(f"{path} was not written by acefit (no acefit metadata); give the file of an acefit run or {CURE}")
    return json.loads(raw)


def _check_file(file: pq.ParquetFile, path: Path, contract: Contract) -> str:
    """Check columns and metadata of a file against its contract; the digest that its content must have."""
    header = _check_schema(file.schema_arrow, path, contract)
    digest = _file_digest(file)
    if digest is None:
        written = f"an early acefit {header['acefit_version']} wrote it"
        raise ArtifactError(f"{path} was altered after acefit wrote it, or {written}: it has no digest of its content; {CURE}")
    return digest


def _file_digest(file: pq.ParquetFile) -> str | None:
    digest = (file.metadata.metadata or {}).get(_CONTENT_KEY)
    return None if digest is None else digest.decode()


def _check_schema(schema: pa.Schema, path: Path, contract: Contract) -> dict[str, Any]:
    """Check columns and metadata of a file against its contract; the metadata."""
    header = _header(schema, path)
    if header["contract"] != contract.name:
        raise ArtifactError(f"{path} holds a table {header['contract']!r}, not {contract.name!r}; give a file of that kind")
    if header["schema_version"] != contract.version:
        raise ArtifactError(
            f"{path} has version {header['schema_version']} of the table {contract.name!r}, written by acefit "
            f"{header['acefit_version']}; this acefit ({__version__}) reads version {contract.version}; {CURE}"
        )
    known = {column.name: column.dtype for column in contract.columns}
    for name, dtype in known.items():
        if name not in schema.names or schema.field(name).type != _arrow_type(dtype):
            raise ArtifactError(f"{path} lacks the column {name!r} of type {dtype}; {CURE}")
    unknown = [name for name in schema.names if name not in known]
    if unknown and contract.extra is None:
        raise ArtifactError(f"{path} has columns that the table {contract.name!r} does not know: {', '.join(unknown)}; {CURE}")
    return header


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
        If the file is missing, truncated, foreign, altered, of another contract or of another version of it.
    """
    path, contract = Path(path), _contract(contract_name)
    with _readable(path), pq.ParquetFile(path) as file:
        expected = _check_file(file, path, contract)
        table = file.read()
    if expected != content_digest(digest_parts(field, table.column(field.name).chunks) for field in table.schema):
        raise ArtifactError(f"{path} was altered after acefit wrote it; {CURE}")
    return table


def check_table(path: str | os.PathLike[str], contract_name: str) -> int:
    """Check a table as `read_table` does, with little memory: it is read column by column in pieces; its number of rows.

    Raises
    ------
    ArtifactError
        As `read_table`.
    """
    path, contract = Path(path), _contract(contract_name)
    with _readable(path), pq.ParquetFile(path) as file:
        expected = _check_file(file, path, contract)

        def parts_of(name: str) -> Iterator[pa.Array]:
            return (batch.column(0) for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name]))

        content, n_rows = content_digest(digest_parts(f, parts_of(f.name)) for f in file.schema_arrow), file.metadata.num_rows
    if expected != content:
        raise ArtifactError(f"{path} was altered after acefit wrote it; {CURE}")
    return int(n_rows)


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
                empty = file.schema_arrow.empty_table().select(columns)
                yield pa.RecordBatch.from_arrays([c.combine_chunks() for c in empty.columns], schema=empty.schema), 0
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
        header, digest = _header(file.schema_arrow, path), _file_digest(file)
    return {**header, "content": digest}


def to_arrays(table: pa.Table) -> dict[str, np.ndarray]:
    """Columns as NumPy arrays: fixed-size lists become (n, size), strings an object array of str."""
    arrays = {}
    for name in table.column_names:
        values = table.column(name).combine_chunks()
        if pa.types.is_fixed_size_list(values.type):
            flat = values.flatten().to_numpy(zero_copy_only=False)
            arrays[name] = flat.reshape(len(values), values.type.list_size)
        else:
            arrays[name] = values.to_numpy(zero_copy_only=False)
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
