"""D-optimal choice of structures: those with the environments that enlarge an active set most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.active.active_set import ActiveSet
from acefit.active.asi import LINEAR
from acefit.active.memory import atoms_of_batch
from acefit.active.search import SearchSettings, search
from acefit.active.vectors import Environments, Rows, Track, vector_widths
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.potential.model import Potential

SELECTING = SearchSettings(refinements=2)


class Selection(NamedTuple):
    """Chosen structures, the most informative first.

    Attributes
    ----------
    structures : (n,) positions among the candidates
    environments : (n,) how many of their atoms are in the new active set
    gamma : (n,) largest grade of their atoms with respect to the given active set; NaN without one
    """

    structures: NDArray[np.int64]
    environments: NDArray[np.int64]
    gamma: NDArray[np.float64]


def select_structures(
    potential: Potential,
    candidates: StructureSet,
    active_set: ActiveSet | None = None,
    most: int | None = None,
    *,
    settings: SearchSettings = SELECTING,
    memory: int | None = None,
    tables: bool = False,
    threads: int | None = None,
    track: Track | None = None,
) -> Selection:
    """Choose structures by MaxVol: ordered by how many of their atoms are in the active set of all candidates.

    Of structures with equally many the first comes first; those without any are not chosen.

    Parameters
    ----------
    potential : Potential
    candidates : StructureSet
    active_set : ActiveSet, optional
        Its environments compete with those of the candidates, so that only what is new is chosen.
    most : int, optional
        Largest number of structures.
    settings, memory, tables, threads, track
        As in `acefit.active.active_set.build_active_set`.

    Raises
    ------
    ActiveSetError
        If the active set is of another potential, or `most` is not positive.
    DataError
        If the candidates have other elements, or atoms too close to each other.
    """
    if most is not None and most < 1:
        raise ActiveSetError(f"the largest number of structures must be at least 1, got {most}")
    kind = LINEAR if active_set is None else active_set.kind
    widths = vector_widths(potential, kind)
    environments = Environments(
        potential, candidates, kind, atoms_of_batch(max(widths.values()), memory), None, tables, threads, track
    )
    gamma = np.full(candidates.n_structures, np.nan)
    if active_set is None:
        start = {symbol: Rows.empty(width) for symbol, width in widths.items()}
        found = search(environments.batches, environments.n_batches, start, settings)
    else:
        active_set.check(potential)
        start = {symbol: _units(width) for symbol, width in widths.items()}
        graded = _Graded(environments, active_set, gamma)
        found = search(graded.batches, environments.n_batches, start, settings)
    origins = np.concatenate([element.rows.structure for element in found.values()])
    counts = np.bincount(origins[origins >= 0], minlength=candidates.n_structures)
    order = np.argsort(-counts, kind="stable")
    chosen = order[counts[order] > 0][:most]
    return Selection(chosen, counts[chosen], gamma[chosen])


def _units(width: int) -> Rows:
    """Environments of an active set in units of themselves."""
    given = np.full(width, -1)
    return Rows(np.eye(width), given, given)


class _Graded:
    """Environments in units of those of an active set, v ASI, which spares inverting badly conditioned inverses once more.

    Notes the largest entry, the grade, of each structure.
    """

    def __init__(self, environments: Environments, active_set: ActiveSet, gamma: NDArray[np.float64]) -> None:
        self._environments, self._inverses, self._gamma = environments, active_set.inverses, gamma
        gamma[:] = 0.0

    def batches(self) -> Iterator[dict[str, Rows]]:
        for batch in self._environments.batches():
            units = {symbol: rows._replace(vectors=rows.vectors @ self._inverses[symbol]) for symbol, rows in batch.items()}
            for rows in units.values():
                np.maximum.at(self._gamma, rows.structure, np.abs(rows.vectors).max(axis=1, initial=0.0))
            yield units
