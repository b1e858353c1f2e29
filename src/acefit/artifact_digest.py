"""Digests of tables whose rows come a few at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from acefit.artifact_arrays import to_numpy


class ColumnDigest:
    """Digest of name, type and values of a column that comes in pieces; how they are divided does not matter."""

    def __init__(self, field: pa.Field) -> None:
        kind = field.type
        name = f"{kind.value_type}[{kind.list_size}]" if pa.types.is_fixed_size_list(kind) else kind
        self._digest = hashlib.sha256(f"{field.name}:{name};".encode())
        self._separator = b""

    def update(self, part: pa.Array) -> None:
        """Add the values that come next."""
        values = part.flatten() if pa.types.is_fixed_size_list(part.type) else part
        if pa.types.is_string(values.type):
            self._digest.update(self._separator if len(values) else b"")
            self._digest.update("\0".join(values.to_pylist()).encode())
            self._separator = b"\0" if len(values) else self._separator
        else:
            self._digest.update(np.ascontiguousarray(to_numpy(values)).data)

    def value(self) -> bytes:
        """Digest of all values so far."""
        return self._digest.digest()


def digest_of_columns(columns: Iterable[ColumnDigest]) -> str:
    """Digest of names, types and values of a table, by which others refer to its content."""
    return hashlib.sha256(b"".join(column.value() for column in columns)).hexdigest()
