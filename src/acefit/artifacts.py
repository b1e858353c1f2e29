"""Deterministic, atomic reading and writing of the pipeline's Parquet tables; other files: `acefit.files`.

Every table follows a contract of `acefit.artifact_contracts`; the file's metadata say which one, its version, the units,
which step and which version of acefit wrote it and from what. The meaning of single columns is not here but in the contracts.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from acefit import __version__
from acefit.artifact_contracts import CONTRACTS, Column, Contract
from acefit.errors import ArtifactError
from acefit.files import CURE, atomic_path
from acefit.untrusted import bounded_memory, check_regular, first_line

if TYPE_CHECKING:
    import pandas as pd

_KEY = b"acefit"
_METADATA_KEYS = {"contract", "schema_version", "acefit_version", "content", "provenance"}

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


def _metadata(contract: Contract, provenance: Mapping[str, Any] | None, digest: str) -> dict[str, Any]:
    return {
        "contract": contract.name,
        "schema_version": contract.version,
        "acefit_version": __version__,
        "content": digest,
        "provenance": dict(provenance or {}),
    }


def _content_digest(schema: pa.Schema, parts_of: Callable[[str], Iterable[pa.Array]]) -> str:
    """Digest of names, types and values, which notices bytes that were altered without making the file unreadable.

    `parts_of` gives the values of a column in pieces; how they are divided does not matter.
    """
    digest = hashlib.sha256()
    for field in schema:
        kind = field.type
        name = f"{kind.value_type}[{kind.list_size}]" if pa.types.is_fixed_size_list(kind) else kind
        digest.update(f"{field.name}:{name};".encode())
        separator = b""
        for part in parts_of(field.name):
            values = part.flatten() if pa.types.is_fixed_size_list(kind) else part
            if part.null_count or values.null_count:
                raise ValueError(f"column {field.name!r} has empty values")
            if pa.types.is_string(values.type):
                digest.update(separator if len(values) else b"")
                digest.update("\0".join(values.to_pylist()).encode())
                separator = b"\0" if len(values) else separator
            else:
                digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).data)
    return digest.hexdigest()


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
    path, contract, given = Path(path), _contract(contract_name), _columns_of(table)
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
    arrow = pa.table(arrays, schema=pa.schema(fields))
    digest = _content_digest(arrow.schema, lambda name: arrow.column(name).chunks)
    text = json.dumps(_metadata(contract, provenance, digest), sort_keys=True)
    arrow = arrow.replace_schema_metadata({_KEY: text.encode()})
    with atomic_path(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")


def _extra(contract: Contract, name: str) -> Column:
    assert contract.extra is not None
    return Column(name, contract.extra.dtype, contract.extra.unit, contract.extra.meaning)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of reading a Parquet file into ours."""
    try:
        check_regular(path)
        yield
    except ArtifactError:
        raise
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except Exception as error:  # besides its own errors, Arrow passes on those of the standard library
        raise ArtifactError(f"{path} is not a complete Parquet file ({first_line(error)}); {CURE}") from error


def _header(schema: pa.Schema, path: Path) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        raise ArtifactError(f"{path} was not written by acefit (no acefit metadata); give the file of an acefit run or {CURE}")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not header.keys() >= _METADATA_KEYS or not isinstance(header["provenance"], dict):
        raise ArtifactError(f"{path} has damaged acefit metadata; {CURE}")
    return header


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
    unknown = [name for name in schema.names if name not in known]
    extra = dict.fromkeys(unknown, contract.extra.dtype) if contract.extra else {}
    for name, dtype in {**known, **extra}.items():
        if schema.names.count(name) != 1 or schema.field(name).type != _arrow_type(dtype):
            raise ArtifactError(f"{path} lacks the column {name!r} of type {dtype}; {CURE}")
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
    with bounded_memory(path, ArtifactError), _readable(path), pq.ParquetFile(path) as file:
        header = _check_schema(file.schema_arrow, path, contract)
        table = file.read(use_threads=False)  # each new thread would count as memory, and Arrow dies where it gets none
        content = _content_digest(table.schema, lambda name: table.column(name).chunks)
    if header["content"] != content:
        raise ArtifactError(f"{path} was altered after acefit wrote it; {CURE}")
    return table


def check_table(path: str | os.PathLike[str], contract_name: str) -> None:
    """Check a table as `read_table` does, with little memory: it is read column by column in pieces.

    Raises
    ------
    ArtifactError
        As `read_table`.
    """
    path, contract = Path(path), _contract(contract_name)
    with bounded_memory(path, ArtifactError), _readable(path), pq.ParquetFile(path) as file:
        header = _check_schema(file.schema_arrow, path, contract)

        def parts_of(name: str) -> Iterator[pa.Array]:
            return (batch.column(0) for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name], use_threads=False))

        content = _content_digest(file.schema_arrow, parts_of)
    if header["content"] != content:
        raise ArtifactError(f"{path} was altered after acefit wrote it; {CURE}")


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


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Metadata of a table: contract, schema_version, acefit_version, content (digest) and provenance as given by its writer."""
    path = Path(path)
    with _readable(path):
        schema = pq.read_schema(path)
    return _header(schema, path)


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
