"""How many environments are in memory at a time."""

from __future__ import annotations

import re

from acefit.errors import ActiveSetError
from acefit.system import available_memory

SHARE = 0.8
"""Part of the free memory that may be used unless a limit is given."""

UNKNOWN = 2 * 10**9
"""Bytes where the system does not tell what is free; also in the workflow, whose results must not depend on the machine."""

COPIES = 6
"""Matrices of a batch that MaxVol has at a time: rows, joined rows, scaled, orthonormal, entries, and one of LAPACK."""

LEAST_ATOMS = 64

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_memory(text: str) -> int | None:
    """Bytes of a text such as ``500MB`` or ``1.5 GiB``; None for ``auto``.

    Raises
    ------
    ActiveSetError
        If it is no size.
    """
    if text.strip().lower() == "auto":
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not found or found[2].upper() not in _UNITS or float(found[1]) <= 0.0:
        raise ActiveSetError(f"memory limit {text!r} is no size; write for example 500MB, 2GB or auto")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def atoms_of_batch(width: int, limit: int | None = None) -> int:
    """Atoms of a batch with vectors of so many entries, so that MaxVol stays below `limit` bytes (default: of what is free)."""
    if limit is None:
        free = available_memory()
        limit = UNKNOWN if free is None else int(SHARE * free)
    return max(limit // (8 * COPIES * max(width, 1)) - width, LEAST_ATOMS)
