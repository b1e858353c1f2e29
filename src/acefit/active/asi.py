"""Files of active sets (`.asi`): NumPy's `.npz` with one square matrix per element, as pacemaker and LAMMPS read them.

What belongs to it beyond the matrices, above all the list of functions in the order of the rows, is in the comment of the
archive, which other programs skip. Nothing is unpickled.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from acefit import __version__
from acefit.errors import ActiveSetError
from acefit.files import atomic_path, text_digest
from acefit.untrusted import bounded_memory, check_regular, fair_size, first_line

MARK = b"acefit"
LONGEST_COMMENT = 65535
MOST_BYTES_OF_LIST = 2**28

LINEAR, FULL = "linear", "full"


class Contents(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    matrices : element -> inverse of the active set, (D, D)
    kind : ``linear`` or ``full``; None in files of other programs
    digests : element -> `functions_digest`; None in files of other programs
    functions : element -> labels of its functions in order; None in files of other programs, or where they are too many
    """

    matrices: dict[str, NDArray[np.float64]]
    kind: str | None
    digests: dict[str, str] | None
    functions: dict[str, list[str]] | None


def functions_digest(labels: list[str]) -> str:
    """Digest of the functions of one element in their order."""
    return text_digest("\n".join(labels))


def write_asi(
    path: str | Path, matrices: Mapping[str, NDArray[np.float64]], kind: str, functions: Mapping[str, list[str]]
) -> None:
    """Write an active set.

    Parameters
    ----------
    path : path
    matrices : mapping
        Element -> (D, D).
    kind : str
        ``linear`` or ``full``.
    functions : mapping
        Element -> labels of its functions in canonical order.
    """
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            arrays: dict[str, Any] = {s: np.ascontiguousarray(matrix, dtype=np.float64) for s, matrix in matrices.items()}
            np.savez(file, **arrays)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.comment = _comment(kind, functions)


def _comment(kind: str, functions: Mapping[str, list[str]]) -> bytes:
    """Version, kind and functions; only their digests where the list, compressed, is longer than a comment may be."""
    digests = {symbol: functions_digest(labels) for symbol, labels in functions.items()}
    content: dict[str, Any] = {"acefit_version": __version__, "kind": kind, "digests": digests}
    for more in ({"functions": dict(functions)}, {}):
        comment = MARK + zlib.compress(json.dumps({**content, **more}).encode(), 9)
        if len(comment) <= LONGEST_COMMENT:
            break
    return comment


def read_asi(path: str | Path) -> Contents:
    """Read an active set of acefit or of another program.

    Raises
    ------
    ActiveSetError
        If the file is missing, damaged, or holds anything but finite square matrices named by elements.
    """
    path = Path(path)
    try:
        check_regular(path)
        with bounded_memory(path, ActiveSetError), zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > fair_size(path):
                raise ActiveSetError(f"{path} unpacks to far more than its size: it is damaged or made to do harm")
            if len({entry.filename for entry in entries}) < len(entries):
                raise ActiveSetError(f"{path} holds an element twice; write the active set anew")
            matrices = {entry.filename.removesuffix(".npy"): _matrix(archive, entry) for entry in entries}
            comment = archive.comment
        kind, digests, functions = _read_comment(comment)
    except FileNotFoundError as error:
        raise ActiveSetError(f"active set {path} does not exist; `acefit activeset` makes one") from error
    except ActiveSetError as error:
        raise error if str(path) in str(error) else ActiveSetError(f"{path}: {error}") from error
    except Exception as error:  # NumPy and zipfile raise whatever a damaged archive leads to
        raise ActiveSetError(f"{path} is not an active set (an .npz archive of matrices): {first_line(error)}") from error
    if not matrices:
        raise ActiveSetError(f"{path} holds no matrix; write the active set anew")
    for symbol, matrix in matrices.items():
        _check_matrix(path, symbol, matrix)
    return Contents(matrices, kind, digests, functions)


def _matrix(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_matrix(path: Path, symbol: str, matrix: NDArray[Any]) -> None:
    if symbol not in atomic_numbers or symbol == "X":
        raise ActiveSetError(f"{path} holds {symbol!r:.40}, which is no element; it is not an active set")
    if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ActiveSetError(
            f"{path}: the matrix of {symbol} has shape {matrix.shape} and type {matrix.dtype}, not square float64"
        )
    if not np.isfinite(matrix).all():
        raise ActiveSetError(f"{path}: the matrix of {symbol} holds entries that are not finite; build the active set anew")


def _read_comment(comment: bytes) -> tuple[str | None, dict[str, str] | None, dict[str, list[str]] | None]:
    if not comment.startswith(MARK):
        return None, None, None
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(comment[len(MARK) :], MOST_BYTES_OF_LIST)
    if not unpacker.eof:
        raise ActiveSetError("its list of functions is cut off or absurdly long")
    content = json.loads(text)
    kind, digests, functions = content["kind"], content["digests"], content.get("functions")
    if kind not in (LINEAR, FULL) or not _are_texts(digests.values()):
        raise ActiveSetError("its list of functions is damaged")
    if functions is not None:
        for symbol, labels in functions.items():
            if not _are_texts(labels) or functions_digest(labels) != digests.get(symbol):
                raise ActiveSetError("its list of functions is damaged")
    return kind, digests, functions


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)
