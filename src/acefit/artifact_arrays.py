"""Columns of tables from Arrow to NumPy and back by their memory alone.

Arrow's own conversions load pandas, which takes longer than reading a table of the usual size, and most stages only want arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_numpy(values: pa.Array) -> NDArray[Any]:
    """Numbers, booleans or strings without empty values; fixed-size lists become (n, size), strings an object array of str."""
    kind = values.type
    if pa.types.is_fixed_size_list(kind):
        return to_numpy(values.flatten()).reshape(len(values), kind.list_size)
    if pa.types.is_string(kind):
        strings = np.empty(len(values), dtype=object)
        strings[:] = values.to_pylist()
        return strings
    if pa.types.is_boolean(kind):
        return np.from_dlpack(values.cast(pa.uint8())).view(np.bool_)
    return np.from_dlpack(values)


def to_arrow(values: Any) -> pa.Array:
    """Array or list as `pyarrow.array` takes it, where these are numbers or strings by their memory."""
    kinds = {type(value) for value in values} if isinstance(values, list) else set()
    if kinds == {str}:
        return _strings(values)
    if isinstance(values, list) and not kinds:
        return pa.nulls(0)
    # a list of different types is for Arrow to judge
    array = np.asarray(values) if len(kinds) < 2 else np.empty(0, dtype=object)
    if array.ndim == 1 and array.dtype.isnative and array.dtype.kind in "iuf":
        return _of_memory(pa.from_numpy_dtype(array.dtype), len(array), np.ascontiguousarray(array))
    if array.ndim == 1 and array.dtype.kind == "b":
        return _of_memory(pa.bool_(), len(array), np.packbits(array, bitorder="little"))
    return pa.array(values if isinstance(values, list) else array, from_pandas=False)


def _of_memory(kind: pa.DataType, n: int, *memory: Any) -> pa.Array:
    """Array of n values without empty ones."""
    return pa.Array.from_buffers(kind, n, [None, *map(pa.py_buffer, memory)])


def _strings(values: list[str]) -> pa.Array:
    parts = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, parts)])
    return _of_memory(pa.large_string(), len(parts), ends, b"".join(parts)).cast(pa.string())
