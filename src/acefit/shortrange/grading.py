"""Active sets for the tools for short distances: grades of compressed structures, and the choice of synthetic ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acefit.active.active_set import ActiveSet, import_functions, read_active_set
from acefit.active.grade import grade_structures
from acefit.active.selection import select_structures
from acefit.data.neighborlists import NeighborList
from acefit.data.structures import StructureSet
from acefit.potential.model import Potential
from acefit.shortrange.augment import Rank
from acefit.shortrange.compression import GammaOf


def read_with_active_set(
    path_to_potential: Path, path_to_active_set: Path | None
) -> tuple[Potential, ActiveSet | None, Path | None]:
    """A potential and its active set: the given one, else the file beside the potential that ends in `.asi`, else none.

    Raises
    ------
    PotentialError, ActiveSetError
        If a file cannot be used, or they do not belong together.
    """
    potential = import_functions(path_to_potential)
    beside = path_to_potential.parent / f"{path_to_potential.stem}.asi"
    path = path_to_active_set or (beside if beside.is_file() else None)
    if path is None:
        return potential, None, None
    return potential, read_active_set(path, potential), path


def grades_of(potential: Potential, active_set: ActiveSet | None) -> GammaOf | None:
    """Function that grades the atoms of structures; None without an active set."""
    if active_set is None:
        return None
    known = active_set

    def gamma_of(structures: StructureSet, neighbors: NeighborList) -> NDArray[np.float64]:
        return grade_structures(potential, known, structures)

    return gamma_of


def ranks_of(potential: Potential, active_set: ActiveSet | None) -> Rank:
    """Function that chooses structures by MaxVol, beside the active set if there is one."""

    def rank(structures: StructureSet, most: int | None) -> NDArray[np.int64]:
        return select_structures(potential, structures, active_set, most).structures

    return rank
