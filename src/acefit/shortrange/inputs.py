"""Datasets as the tools for short distances see them: geometries, without what was made by such a tool before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acefit.data.readers import ReadingOptions, read_files
from acefit.data.structures import StructureSet
from acefit.data.weighting import find_augmented
from acefit.errors import DataError
from acefit.potential.model import Potential

log = logging.getLogger(__name__)


def read_geometries(paths: Sequence[str | Path], potential: Potential) -> StructureSet:
    """Structures of some files; augmented ones are left out, and the log says how many.

    Parameters
    ----------
    paths : sequence of paths
        Any format that the dataset stage reads.
    potential : Potential
        Other elements than its are an error.

    Raises
    ------
    DataError
        If a file cannot be read or used, or holds augmented structures only.
    """
    options = ReadingOptions(elements=potential.elements, energy_needed=False, leaving_out="")
    structures = read_files([{"path": str(path)} for path in paths], options).dataset.structures
    is_augmented = find_augmented(structures)
    if is_augmented.all():
        raise DataError(
            f"only augmented structures in {', '.join(map(str, paths))}; give the data that the potential was fitted to"
        )
    if is_augmented.any():
        log.warning("augmented structures are left out: %d", int(is_augmented.sum()))
    return structures.select(np.flatnonzero(~is_augmented))
