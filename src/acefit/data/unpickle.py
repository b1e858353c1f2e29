"""Read pickled pandas data frames without running what they may contain.

A pickle is a program. Only the classes and functions listed here can be named in it; anything else is an error before it is
looked up. What the listed ones do with hostile arguments is at worst an exception: none of them opens files or runs code, and
the memory they may take is bounded by the size of the file.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.errors import DataError
from acefit.untrusted import bounded_memory, check_regular

_CURE = "load it in an environment you trust and save it as extended XYZ or Parquet"

# modules that were renamed: old name -> name under which the class or function is found now
_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "pandas.core.internals.frozen": "pandas.core.indexes.frozen",
}

_ALLOWED: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "builtins": "bool bytearray bytes complex dict float frozenset int list range set slice str tuple object",
        "collections": "Counter OrderedDict defaultdict",
        "copyreg": "_reconstructor __newobj__",
        "datetime": "date datetime timedelta",
        "numpy": "ndarray dtype bool_ bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 str_",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "pandas": "DataFrame Series Index RangeIndex MultiIndex Categorical CategoricalDtype CategoricalIndex StringDtype "
        "Int64Dtype Float64Dtype BooleanDtype",
        "pandas.core.frame": "DataFrame",
        "pandas.core.series": "Series",
        "pandas.core.internals.managers": "BlockManager SingleBlockManager",
        "pandas.core.internals.blocks": "new_block",
        "pandas._libs.internals": "_unpickle_block",
        "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
        "pandas.core.indexes.base": "Index _new_Index",
        "pandas.core.indexes.range": "RangeIndex",
        "pandas.core.indexes.multi": "MultiIndex",
        "pandas.core.indexes.frozen": "FrozenList",
        "pandas.core.indexes.category": "CategoricalIndex",
        "pandas.core.arrays.categorical": "Categorical",
        "pandas.core.arrays.boolean": "BooleanArray BooleanDtype",
        "pandas.core.arrays.integer": "IntegerArray Int64Dtype",
        "pandas.core.arrays.floating": "FloatingArray Float64Dtype",
        "pandas.core.arrays.string_": "StringArray StringDtype",
        "pandas.core.arrays.string_arrow": "ArrowStringArray",
        "pandas.core.dtypes.dtypes": "CategoricalDtype",
        "pandas.arrays": "ArrowStringArray StringArray BooleanArray IntegerArray FloatingArray",
        "pyarrow.lib": "type_for_alias py_buffer",
        "ase.atoms": "Atoms",
        "ase.cell": "Cell",
        "ase.calculators.singlepoint": "SinglePointCalculator SinglePointDFTCalculator",
        "ase.calculators.calculator": "Parameters",
        "ase.constraints": "FixAtoms FixCartesian FixScaled FixedLine FixedPlane FixCom",
        "ase.constraints.fix_atoms": "FixAtoms",
        "ase.constraints.fix_cartesian": "FixCartesian",
        "ase.constraints.fix_scaled": "FixScaled",
        "ase.constraints.fixed_line": "FixedLine",
        "ase.constraints.fixed_plane": "FixedPlane",
        "ase.constraints.fix_com": "FixCom",
    }.items()
}


class _Discarded:
    """Stand-in for objects that structures carry along and nobody here needs, e.g. space groups."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take any arguments and forget them."""

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """Replace codecs.encode, which could also decompress or call registered codecs; protocol 2 stores bytes this way."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not allowed")
    return codecs.latin_1_encode(text)[0]


def _getattr(owner: Any, name: str) -> Any:
    """Replace getattr, which ASE's pickles use for one bound method only."""
    if not (isinstance(owner, SinglePointCalculator) and name == "_deprecated_get_spin_polarized"):
        raise pickle.UnpicklingError(f"attribute {name!r} is not allowed")
    return getattr(owner, name)


def _restore_array(data: Any) -> pa.Array:
    """Restore an Arrow array and check its offsets, which would otherwise be trusted."""
    array = pa.lib._restore_array(data)
    array.validate(full=True)
    return array


_REPLACED: dict[tuple[str, str], Any] = {
    ("builtins", "getattr"): _getattr,
    ("_codecs", "encode"): _encode,
    ("pyarrow.lib", "_restore_array"): _restore_array,
    ("pyace.preparedata", "DataFrameWithMetadata"): pd.DataFrame,
    ("pandas.core.indexes.numeric", "Int64Index"): pd.Index,
    ("pandas.core.indexes.numeric", "UInt64Index"): pd.Index,
    ("pandas.core.indexes.numeric", "Float64Index"): pd.Index,
    ("ase.spacegroup.spacegroup", "Spacegroup"): _Discarded,
}


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that knows NumPy arrays, pandas frames and ASE structures, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up a listed class or function; names that are not listed are never imported."""
        module = _RENAMED.get(module, module)
        if (module, name) in _REPLACED:
            return _REPLACED[module, name]
        if name in _ALLOWED.get(module, frozenset()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not among the data classes that are allowed")


_OPENERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


def read_pickled_frame(path: str | Path) -> pd.DataFrame:
    """Read a pickled data frame, compressed or not, with the restricted unpickler.

    Parameters
    ----------
    path : path
        Pickle of a pandas.DataFrame (or of pyace's subclass of it); the compression is recognised from the content.

    Returns
    -------
    frame : pandas.DataFrame

    Raises
    ------
    DataError
        If the file is damaged, holds something else, grows beyond all proportion, or names anything that is not a listed data
        class.
    """
    path = Path(path)
    try:
        check_regular(path)
        with path.open("rb") as plain:
            opener = _OPENERS.get(plain.read(2))
        with bounded_memory(path, DataError), opener(path) if opener else path.open("rb") as file:
            frame = RestrictedUnpickler(file).load()
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the path of a dataset") from error
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise DataError(f"{path} cannot be read as a pickled data frame: {error}; {_CURE}") from error
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{path} holds a {type(frame).__name__}, not a data frame; {_CURE}")
    return frame
