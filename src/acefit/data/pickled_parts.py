"""What stands in for the classes of NumPy, pandas and Arrow while a pickle is read, and the data frame made from it.

These libraries restore their objects from a pickle without checking what it says; some of them then read memory that is not
theirs. None of their own code runs here before what it is given has been checked: a pickle only fills the stand-ins, and arrays
and columns are made from what they hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pickle import UnpicklingError
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_KIND = re.compile(r"[biufcSUOmM]\d{0,9}")
_STRINGS = {"string": "<i4", "utf8": "<i4", "large_string": "<i8", "large_utf8": "<i8"}


class Part:
    """An object of a pickle that only keeps what it was made from."""

    args: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *args: Any) -> Part:
        """Keep the arguments."""
        part = super().__new__(cls)
        part.args = args
        return part

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Frame(Part):
    """pandas.DataFrame."""


class Manager(Part):
    """Blocks and axes of a frame."""


class Block(Part):
    """Some columns of one type."""


class Index(Part):
    """Labels: their class and how they are made."""


class PlainIndex(Part):
    """Class of labels that are listed."""


class RangeIndex(Part):
    """Class of labels that are counted."""


class Backed(Part):
    """An extension array around a NumPy array: its class, and its type and array as state."""


class Strings(Part):
    """Class of texts in a NumPy array; itself an array in older pickles."""


class ArrowStrings(Part):
    """Texts in Arrow's form."""


class Categorical(Part):
    """Class of categories; itself an array in older pickles."""


class Masked(Part):
    """Numbers some of which are missing."""


class Kind(Part):
    """A numpy.dtype."""

    def dtype(self) -> np.dtype[Any]:
        """The type, if it is a plain one; dates become integers."""
        text = str(self.args[0]) if self.args else ""
        order: Any = "="
        if self.state is not None:
            order, *structure = self.state[1:5]
            if order not in ("<", ">", "|", "=") or structure != [None] * 3:
                raise UnpicklingError("arrays of structures are not allowed")
        if not _KIND.fullmatch(text):
            raise UnpicklingError(f"arrays of type {text[:20]!r} are not allowed")
        return np.dtype("i8" if text[0] in "mM" else text).newbyteorder(order)


class Array(np.ndarray):
    """An array whose pickled content is checked against its shape and type."""

    def __new__(cls, *args: Any) -> Array:
        """Refuse: pickles make arrays with `empty_array` or `array_of_buffer`."""
        raise UnpicklingError("arrays may not be constructed")

    def __setstate__(self, state: Any) -> None:
        shape, kind, fortran, content = state[-4:]
        dtype, n = _checked(kind, shape)
        if dtype.hasobject:
            fits = isinstance(content, list) and len(content) == n
        else:
            fits = isinstance(content, bytes) and len(content) == n * dtype.itemsize
        if not fits or self.size:
            raise UnpicklingError(f"the content of an array does not fit its shape {shape} and type {dtype}")
        checked: Any = (1, shape, dtype, bool(fortran), content)
        super().__setstate__(checked)


def _checked(kind: Any, shape: Any) -> tuple[np.dtype[Any], int]:
    """NumPy type and number of elements of an array."""
    if not isinstance(kind, Kind) or not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise UnpicklingError("an array has no proper shape or type")
    return kind.dtype(), math.prod(shape)


def empty_array(cls: Any, shape: Any, typecode: Any) -> Array:
    """Replace numpy._core.multiarray._reconstruct: an empty array that `Array.__setstate__` fills."""
    return np.ndarray.__new__(Array, 0)


def array_of_buffer(content: Any, kind: Any, shape: Any, order: Any = "C") -> NDArray[Any]:
    """Replace numpy._core.numeric._frombuffer."""
    dtype, n = _checked(kind, shape)
    if dtype.hasobject or not isinstance(content, bytes | bytearray) or len(content) != n * dtype.itemsize:
        raise UnpicklingError(f"the content of an array does not fit its shape {shape} and type {dtype}")
    return np.frombuffer(bytes(content), dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def scalar(kind: Any, content: Any = None) -> Any:
    """Replace numpy._core.multiarray.scalar."""
    if isinstance(kind, Kind) and kind.dtype().hasobject:
        return content
    return array_of_buffer(content, kind, ())[()]


def buffer(content: Any) -> bytes:
    """Replace pyarrow.lib.py_buffer."""
    if not isinstance(content, bytes | bytearray):
        raise UnpicklingError("a buffer is not made of bytes")
    return bytes(content)


def alias(name: Any) -> Any:
    """Replace pyarrow.lib.type_for_alias."""
    return name


def restore_strings(data: Any) -> list[str | None]:
    """Replace pyarrow.lib._restore_array, for texts only."""
    kind, length, _, offset, (valid, bounds, texts) = data[:5]
    if kind not in _STRINGS:
        raise UnpicklingError(f"Arrow arrays of {kind} are not allowed")
    ends = np.frombuffer(bounds, _STRINGS[kind]).tolist()[offset : offset + length + 1]
    if len(ends) != length + 1:
        raise UnpicklingError("an Arrow array is shorter than it says")
    present = [valid is None or bool(valid[i // 8] >> i % 8 & 1) for i in range(offset, offset + length)]
    return [texts[a:b].decode() if there else None for a, b, there in zip(ends[:-1], ends[1:], present, strict=True)]


def join_strings(chunks: Any, kind: Any = None) -> list[str | None]:
    """Replace pyarrow.lib.chunked_array."""
    return [text for chunk in chunks for text in chunk]


def build_frame(frame: Frame) -> pd.DataFrame:
    """Make a data frame from its parts.

    Raises
    ------
    UnpicklingError
        If the parts do not fit together, or columns or labels are of a kind that is not supported.
    """
    content = frame.state if isinstance(frame.state, dict) else {}
    manager = content.get("_mgr", content.get("_data"))
    if not isinstance(manager, Manager):
        raise UnpicklingError("a frame has no content")
    axes, blocks = _axes_and_blocks(manager)
    names, rows = (_labels(axis) for axis in axes)
    columns: dict[int, Any] = {}
    for values, placement in blocks:
        places = range(len(names))[placement] if isinstance(placement, slice) else np.asarray(placement).tolist()
        parts = list(np.asarray(values)) if isinstance(values, np.ndarray) and values.ndim == 2 else [_column(values)]
        columns |= dict(zip(places, parts, strict=True))
    if sorted(columns) != list(range(len(names))) or any(len(column) != len(rows) for column in columns.values()):
        raise UnpicklingError("the blocks of a frame do not fit its axes")
    made = pd.DataFrame({place: columns[place] for place in range(len(names))}, index=rows if columns else None)
    made.columns = [name if isinstance(name, str) else str(name) for name in names]
    return made


def _axes_and_blocks(manager: Manager) -> tuple[Sequence[Any], list[tuple[Any, Any]]]:
    """Axes of a frame, and values and places of its blocks, from the present form or that before pandas 1.3."""
    if manager.args:
        blocks, axes = manager.args
        return axes, [block.args[:2] for block in blocks]
    stored = manager.state[3]["0.14.1"]
    return stored["axes"], [(block["values"], block["mgr_locs"]) for block in stored["blocks"]]


def _labels(index: Any) -> Any:
    """Labels of rows or columns."""
    kind, made_from = index.args
    if "data" in made_from:
        return _column(made_from["data"])
    if kind is RangeIndex:
        return range(*(int(made_from[name]) for name in ("start", "stop", "step")))
    raise UnpicklingError("the labels of a frame are of a kind that is not supported")


def _column(values: Any) -> Any:
    """Array of one column; missing entries are None or NaN."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return np.asarray(values)
    if isinstance(values, ArrowStrings):
        return np.array(values.state["_pa_array"], dtype=object)
    if isinstance(values, Masked):
        return np.where(np.asarray(values.state["_mask"], dtype=bool), np.nan, np.asarray(values.state["_data"], dtype=float))
    kind = values.args[0] if isinstance(values, Backed) else type(values)
    state: Any = values.state if isinstance(values, Part) else None
    if isinstance(state, dict):  # before pandas 1.3
        state = state.get("_dtype"), state.get("_codes", state.get("_ndarray"))
    if kind is Strings:
        return _column(state[1])
    if kind is Categorical:
        labels: list[Any] = [*_labels(state[0].state["categories"]), None]
        categories: NDArray[Any] = np.array(labels, dtype=object)
        return categories[np.asarray(state[1])]
    raise UnpicklingError("a column is of a kind that is not supported")
