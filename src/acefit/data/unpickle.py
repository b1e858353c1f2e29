"""Read pickled pandas data frames without running what they may contain.

A pickle is a program. Only the classes and functions listed here can be named in it; anything else is an error before it is
looked up. What the listed ones do with hostile arguments is at worst an exception: none of them opens files or runs code, those
of NumPy, pandas and Arrow are replaced by stand-ins (`acefit.data.pickled_parts`), and the memory that all of them may take is
bounded by the size of the file.
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
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data import pickled_parts as parts
from acefit.errors import DataError
from acefit.untrusted import bounded_memory, check_regular

_CURE = "load it in an environment you trust and save it as extended XYZ or Parquet"

# modules that were renamed: old name -> name under which the class or function is found now
_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}

_ALLOWED: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "builtins": "bool bytearray bytes complex dict float frozenset int list range set slice str tuple object",
        "collections": "Counter OrderedDict defaultdict",
        "copyreg": "_reconstructor __newobj__",
        "datetime": "date datetime timedelta",
        "numpy": "bool_ bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 str_",
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


_REPLACED: dict[tuple[str, str], Any] = {
    ("builtins", "getattr"): _getattr,
    ("_codecs", "encode"): _encode,
    ("pyace.preparedata", "DataFrameWithMetadata"): parts.Frame,
    ("ase.spacegroup.spacegroup", "Spacegroup"): _Discarded,
}

_STAND_INS: dict[str, dict[str, Any]] = {
    "numpy": {"ndarray": parts.Array, "dtype": parts.Kind},
    "numpy._core.multiarray": {"_reconstruct": parts.empty_array, "scalar": parts.scalar},
    "numpy._core.numeric": {"_frombuffer": parts.array_of_buffer},
    "pandas": {
        **{"DataFrame": parts.Frame, "Index": parts.PlainIndex, "RangeIndex": parts.RangeIndex, "Categorical": parts.Categorical},
        **dict.fromkeys(
            ("CategoricalDtype", "StringDtype", "Int64Dtype", "Float64Dtype", "BooleanDtype", "MultiIndex"), parts.Part
        ),
        "NA": None,
    },
    "pandas.core.frame": {"DataFrame": parts.Frame},
    "pandas.core.internals.managers": {"BlockManager": parts.Manager},
    "pandas.core.internals.blocks": {"new_block": parts.Block},
    "pandas._libs.internals": {"_unpickle_block": parts.Block},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked": parts.Backed},
    "pandas._libs.missing": {"NA": None},
    "pandas.core.indexes.base": {"Index": parts.PlainIndex, "_new_Index": parts.Index},
    "pandas.core.indexes.range": {"RangeIndex": parts.RangeIndex},
    "pandas.core.indexes.numeric": dict.fromkeys(("Int64Index", "UInt64Index", "Float64Index"), parts.PlainIndex),
    "pandas.core.arrays.categorical": {"Categorical": parts.Categorical},
    "pandas.core.arrays.boolean": {"BooleanArray": parts.Masked, "BooleanDtype": parts.Part},
    "pandas.core.arrays.integer": {"IntegerArray": parts.Masked, "Int64Dtype": parts.Part},
    "pandas.core.arrays.floating": {"FloatingArray": parts.Masked, "Float64Dtype": parts.Part},
    "pandas.core.arrays.string_": {"StringArray": parts.Strings, "StringDtype": parts.Part},
    "pandas.core.arrays.string_arrow": {"ArrowStringArray": parts.ArrowStrings},
    "pandas.core.dtypes.dtypes": {"CategoricalDtype": parts.Part},
    "pandas.arrays": {
        **{"ArrowStringArray": parts.ArrowStrings, "StringArray": parts.Strings},
        **dict.fromkeys(("BooleanArray", "IntegerArray", "FloatingArray"), parts.Masked),
    },
    "pyarrow.lib": {
        **{"_restore_array": parts.restore_strings, "chunked_array": parts.join_strings},
        **{"type_for_alias": parts.alias, "py_buffer": parts.buffer},
    },
}


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that knows NumPy arrays, pandas frames (as `pickled_parts.Frame`) and ASE structures, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up a listed class or function; names that are not listed are never imported."""
        module = _RENAMED.get(module, module)
        if (module, name) in _REPLACED:
            return _REPLACED[module, name]
        if name in _STAND_INS.get(module, {}):
            return _STAND_INS[module][name]
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
            loaded = RestrictedUnpickler(file).load()
            if not isinstance(loaded, parts.Frame):
                raise DataError(f"{path} holds a {type(loaded).__name__}, not a data frame; {_CURE}")
            return parts.build_frame(loaded)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the path of a dataset") from error
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise DataError(f"{path} cannot be read as a pickled data frame: {error}; {_CURE}") from error
