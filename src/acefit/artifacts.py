"""Deterministic, atomic reading and writing of the pipeline's Parquet tables and YAML files.

Every table follows a contract of `acefit.artifact_contracts`; the file's metadata say which one, its version, the units,
which step and which version of acefit wrote it and from what. The meaning of single columns is not here but in the contracts.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from acefit import __version__
from acefit.artifact_contracts import CONTRACTS, Column, Contract
from acefit.errors import ArtifactError

_KEY = b"acefit"
_YAML_HEADER, _YAML_END = "# written by acefit ", "...\n"
_CURE = "delete it and run the pipeline again, which writes it anew"

ROWS_AT_ONCE = 2**16
"""Rows of a table that are in memory together where it is read in pieces."""

TableLike: TypeAlias = Mapping[str, Any] | pd.DataFrame | pa.Table


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that replaces it when the block ends without an error.

    The content is synchronised to disk before the rename, so that a crash leaves the old file or the new one, never a part.
    Missing folders are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; run the stage that writes it first") from error


def input_digests(*paths: str | os.PathLike[str]) -> dict[str, str]:
    """Map file name -> digest of the given files, for the provenance of what is made from them."""
    return {Path(path).name: file_digest(path) for path in paths}


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
    if isinstance(table, pd.DataFrame):
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
        yield
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise ArtifactError(f"{path} is not a complete Parquet file ({first}); {_CURE}") from error


def _header(schema: pa.Schema, path: Path) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        raise ArtifactError(f"{path} was not written by acefit (no acefit metadata); give the file of an acefit run or {_CURE}")
    return json.loads(raw)


def _check_schema(schema: pa.Schema, path: Path, contract: Contract) -> dict[str, Any]:
    """Check columns and metadata of a file against its contract; the metadata."""
    header = _header(schema, path)
    if header["contract"] != contract.name:
        raise ArtifactError(f"{path} holds a table {header['contract']!r}, not {contract.name!r}; give a file of that kind")
    if header["schema_version"] != contract.version:
        raise ArtifactError(
            f"{path} has version {header['schema_version']} of the table {contract.name!r}, written by acefit "
            f"{header['acefit_version']}; this acefit ({__version__}) reads version {contract.version}; {_CURE}"
        )
    known = {column.name: column.dtype for column in contract.columns}
    for name, dtype in known.items():
        if name not in schema.names or schema.field(name).type != _arrow_type(dtype):
            raise ArtifactError(f"{path} lacks the column {name!r} of type {dtype}; {_CURE}")
    unknown = [name for name in schema.names if name not in known]
    if unknown and contract.extra is None:
        raise ArtifactError(f"{path} has columns that the table {contract.name!r} does not know: {', '.join(unknown)}; {_CURE}")
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
    with _readable(path):
        table = pq.read_table(path, memory_map=False, partitioning=None)
    header = _check_schema(table.schema, path, contract)
    if header["content"] != _content_digest(table.schema, lambda name: table.column(name).chunks):
        raise ArtifactError(f"{path} was altered after acefit wrote it; {_CURE}")
    return table


def check_table(path: str | os.PathLike[str], contract_name: str) -> None:
    """Check a table as `read_table` does, with little memory: it is read column by column in pieces.

    Raises
    ------
    ArtifactError
        As `read_table`.
    """
    path, contract = Path(path), _contract(contract_name)
    with _readable(path), pq.ParquetFile(path) as file:
        header = _check_schema(file.schema_arrow, path, contract)

        def parts_of(name: str) -> Iterator[pa.Array]:
            return (batch.column(0) for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name]))

        content = _content_digest(file.schema_arrow, parts_of)
    if header["content"] != content:
        raise ArtifactError(f"{path} was altered after acefit wrote it; {_CURE}")


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
    arrays = to_arrays(read_table(path, contract_name))
    return pd.DataFrame({name: list(values) if values.ndim > 1 else values for name, values in arrays.items()})


def _plain(value: Any) -> Any:
    """Turn NumPy scalars, arrays, tuples and paths into what YAML has."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return value


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, and with floats that every YAML reader takes for floats."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = repr(float(value))
    if text in ("inf", "-inf", "nan"):
        text = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[text]
    elif "e" in text and "." not in text:
        text = text.replace("e", ".0e")  # YAML 1.1 reads 1e-08 as a string
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(float, _represent_float)


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_yaml(content: Any, path: str | os.PathLike[str]) -> None:
    """Write YAML atomically, keys in the given order, floats with all their digits.

    A first comment names the writer, and the end-of-document mark at the end shows that nothing was cut off.

    Raises
    ------
    ArtifactError
        If the content has something YAML cannot hold.
    """
    try:
        text = yaml.dump(_plain(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    except yaml.YAMLError as error:
        raise ArtifactError(f"cannot write {path}: {error}") from error
    write_text(f"{_YAML_HEADER}{__version__}\n{text}{_YAML_END}", path)


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file, written by `write_yaml` or by hand.

    Raises
    ------
    ArtifactError
        If the file is missing, empty, is not YAML, or was written by `write_yaml` and its end is cut off.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist; run the stage that writes it first") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ArtifactError(f"{path} is not a readable YAML file ({str(error).splitlines()[0]}); {_CURE}") from error
    if not text.strip():
        raise ArtifactError(f"{path} is empty; {_CURE}")
    if text.startswith(_YAML_HEADER) and not text.endswith(_YAML_END):
        raise ArtifactError(f"{path} is cut off before its end; {_CURE}")
    return content
