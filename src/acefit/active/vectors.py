"""Vectors of atomic environments, of which active sets are made: projections (linear) or derivatives dE/dc (full)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.active.asi import FULL, LINEAR
from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet, consecutive_ranges
from acefit.errors import ActiveSetError
from acefit.evaluation.predict import Projections, project_compiled
from acefit.potential.model import Potential

Floats = NDArray[np.float64]

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Passes items on and shows how many of them (total) are done with something (description)."""

ROWS_AT_ONCE = 2**12
"""Atoms whose vectors are multiplied by an inverse at a time."""


class Rows(NamedTuple):
    """Environments of one element.

    Attributes
    ----------
    vectors : (M, D)
    structure, atom : (M,) where they come from: structure, and atom counted within all structures; -1 for those of a given set
    """

    vectors: Floats
    structure: NDArray[np.int64]
    atom: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of them."""
        return Rows(self.vectors[rows], self.structure[rows], self.atom[rows])

    @classmethod
    def empty(cls, n_columns: int) -> Rows:
        """No environments."""
        none = np.zeros(0, dtype=np.int64)
        return cls(np.zeros((0, n_columns)), none, none)

    @classmethod
    def joined(cls, first: Rows, second: Rows) -> Rows:
        """Both, one behind the other."""
        return cls(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def environment_vectors(projections: Projections, mu: int, n_density: int, kind: str, atoms: NDArray[np.int64]) -> Floats:
    """Vectors (len(atoms), D) of atoms of one element.

    Parameters
    ----------
    projections : Projections
    mu : index of the element
    n_density : its number of densities P
    kind : ``linear``: B, D = n; ``full``: dF/drho_p B without f_cut, density slow, D = n P
    atoms : all of this element
    """
    b = projections.table[atoms, : projections.n_functions[mu]]
    if kind == LINEAR:
        return b
    return (projections.slope[atoms, :n_density, None] * b[:, None, :]).reshape(len(atoms), -1)


class Environments:
    """Vectors of all atoms of some structures, computed in batches of so many atoms.

    Parameters
    ----------
    potential : Potential
    structures : StructureSet
    kind : str
        ``linear`` or ``full``.
    most_atoms : int
        Atoms of a batch; single larger structures are batches of their own.
    used : bool, shape (n_atoms,), optional
        Atoms that take part; default all.
    tables : bool
        Interpolate radial functions in tables as the reference evaluator does.
    threads : int, optional
    track : callable, optional
        Shows progress.
    """

    def __init__(
        self,
        potential: Potential,
        structures: StructureSet,
        kind: str,
        most_atoms: int,
        used: NDArray[np.bool_] | None = None,
        tables: bool = False,
        threads: int | None = None,
        track: Track | None = None,
    ) -> None:
        self.potential, self.structures, self.kind = potential, structures, kind
        self.tables, self.threads, self.track = tables, threads, track
        self.used = np.ones(structures.n_atoms, dtype=bool) if used is None else used
        self.bounds = consecutive_ranges(structures.atoms_per_structure, most_atoms)

    @property
    def n_batches(self) -> int:
        """Number of batches."""
        return len(self.bounds) - 1

    @cached_property
    def compiled(self) -> Compiled:
        """The potential for the kernels."""
        return compile_potential(self.potential, self.tables)

    def batches(self) -> Iterator[dict[str, Rows]]:
        """Environments of each element, batch by batch."""
        compiled, x, elements = self.compiled, self.compiled.layout.vector(), self.potential.elements
        ranges = list(zip(self.bounds[:-1], self.bounds[1:], strict=True))
        for first, last in ranges if self.track is None else self.track(ranges, "environments", len(ranges)):
            part, start = self.structures.select(np.arange(first, last)), self.structures.offsets[first]
            found = project_compiled(compiled, x, part, build(part, self.potential.cutoff), self.threads)
            owner, result = part.structure_of_atom + first, {}
            for mu, symbol in enumerate(elements):
                atoms = np.flatnonzero((found.elements == mu) & self.used[start : start + part.n_atoms])
                vectors = environment_vectors(found, mu, int(compiled.shape.n_density[mu]), self.kind, atoms)
                result[symbol] = Rows(vectors, owner[atoms], atoms + start)
            yield result


def vector_widths(potential: Potential, kind: str) -> dict[str, int]:
    """Element -> length D of its vectors.

    Raises
    ------
    ActiveSetError
        If a full set is asked for where it could not be told from a linear one.
    """
    densities = {symbol: potential.embeddings[symbol].ndensity for symbol in potential.elements}
    if kind == FULL and set(densities.values()) == {1}:
        raise ActiveSetError("every element of the potential has one density; take the linear active set, files have no other")
    counts = Counter(function.elements[0] for function in potential.functions())
    return {symbol: counts[symbol] * (densities[symbol] if kind == FULL else 1) for symbol in potential.elements}


def grade_rows(vectors: Floats, inverse: Floats) -> Floats:
    """Grades max_k |sum_f v_f ASI[f, k]| of each row, (M,)."""
    grades = np.zeros(len(vectors))
    for first in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        grades[part] = np.abs(vectors[part] @ inverse).max(axis=1)
    return grades
