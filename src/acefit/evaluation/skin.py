"""Neighbours that are searched only now and then: pairs up to a skin beyond the cutoff stay valid while atoms move little.

References
----------
Verlet, Phys. Rev. 159, 98 (1967).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.evaluation.grouping import Layout
from acefit.evaluation.predict import build_prediction_layout, check_shortest
from acefit.evaluation.threads import run_blocks
from acefit.kernels.grouping import move, offsets_of


class SkinLayout:
    """Layout of one structure that follows its atoms.

    The neighbours are searched anew when an atom has moved by more than half the skin since the last search, and when the
    cell, its periodicity or the elements change.

    Parameters
    ----------
    compiled : Compiled
    skin : float
        Angstrom; 0 searches at every change.

    Attributes
    ----------
    n_searches : number of searches so far
    """

    def __init__(self, compiled: Compiled, skin: float) -> None:
        self._compiled = compiled
        self._skin = skin
        self._frame: tuple[NDArray, ...] | None = None
        self._structures: StructureSet
        self._layout: Layout
        self._searched_at: NDArray[np.float64]
        self._offsets: NDArray[np.float64]
        self.n_searches = 0

    def follow(self, atoms: Atoms, threads: int | None = None) -> tuple[StructureSet, Layout]:
        """Structure and layout of the atoms at their present positions; both are used again at the next call.

        Raises
        ------
        DataError
            If an element is not in the potential, two atoms are too close, or the cell has no volume.
        """
        frame = (atoms.numbers, atoms.cell.array, atoms.pbc)
        if not self._is_valid(frame, atoms.positions):
            self._search(atoms, frame)
        else:
            self._move(np.ascontiguousarray(atoms.positions), threads)
        return self._structures, self._layout

    def _is_valid(self, frame: tuple[NDArray, ...], positions: NDArray[np.float64]) -> bool:
        if self._frame is None or not all(np.array_equal(a, b) for a, b in zip(frame, self._frame, strict=True)):
            return False
        moved = positions - self._searched_at
        # not >, so that positions that are not numbers lead to a search, which says so
        return bool(np.einsum("ac,ac->a", moved, moved).max(initial=0.0) < (0.5 * self._skin) ** 2)

    def _search(self, atoms: Atoms, frame: tuple[NDArray, ...]) -> None:
        self._frame = None
        self._structures = StructureSet.from_ase([atoms])
        neighbors = build(self._structures, self._compiled.potential.cutoff + self._skin)
        self._layout = build_prediction_layout(self._compiled, self._structures, neighbors, self._skin)
        if self._skin > 0.0:
            self._searched_at = atoms.positions.copy()
            self._offsets = offsets_of(self._compiled.shape.n_elements, self._layout.groups, self._searched_at)
            self._frame = tuple(array.copy() for array in frame)
        self.n_searches += 1

    def _move(self, positions: NDArray[np.float64], threads: int | None) -> None:
        groups, starts = self._layout.groups, self._layout.block_groups
        shortest = np.full(len(starts) - 1, np.inf)

        def run(turns: NDArray[np.int64]) -> None:
            move(turns, self._compiled.shape.n_elements, groups, starts, positions, self._offsets, shortest)

        run_blocks(run, len(starts) - 1, threads)
        check_shortest(self._compiled, float(shortest.min(initial=np.inf)))
