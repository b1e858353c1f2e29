"""Potential files of any kind: the suffix says which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acefit.errors import PotentialError
from acefit.potential.bbasis import import_potential, read_potential, write_potential
from acefit.potential.model import Potential
from acefit.potential.yace_read import import_yace, read_yace
from acefit.potential.yace_write import write_yace

BBASIS = (".yaml", ".yml")
CTILDE = (".yace",)
SUFFIXES = (*BBASIS, *CTILDE)


def read_any(path: str | Path, doubts: bool = True) -> Potential:
    """Read a potential file, B-basis (`.yaml`) or C-tilde (`.yace`); a file with another suffix is taken for a B-basis file.

    Parameters
    ----------
    path : file name
    doubts : whether to log what is doubtful about it (`acefit.potential.checks.doubts`)

    Raises
    ------
    PotentialError
        If it is missing, is not what its suffix says, or breaks a rule of its format.
    """
    if Path(path).suffix.lower() in CTILDE:
        return import_yace(path) if doubts else read_yace(path)
    return import_potential(path) if doubts else read_potential(path)


def write_any(potential: Potential, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a potential file in the format of its suffix.

    Raises
    ------
    PotentialError
        If the suffix is none of `SUFFIXES`, or the format cannot hold the potential.
    """
    suffix = Path(path).suffix.lower()
    if suffix in CTILDE:
        write_yace(potential, path, provenance=provenance)
    elif suffix in BBASIS:
        write_potential(potential, path, provenance)
    else:
        raise PotentialError(f"{path}: a potential file ends in {', '.join(SUFFIXES)}; give it one of these names")
