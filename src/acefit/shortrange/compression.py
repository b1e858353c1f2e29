"""Energies of structures that are compressed and expanded as a whole, and how far a potential can be relied on along the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled
from acefit.data.checks import MINIMUM_DISTANCE
from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import predict_compiled
from acefit.shortrange import zbl

GammaOf = Callable[[StructureSet, NeighborList], NDArray[np.float64]]
"""Extrapolation grade of each atom (A,); the neighbour list reaches at least to the cutoff of the potential."""

Floats = NDArray[np.float64]

RIPPLE = 1e-3
"""eV/atom; smaller rises and falls are ripples of a fitted potential, no barriers."""

SMALLEST_STEP = 0.001
"""Angstrom between the sizes; more of them take much memory and tell nothing more."""


class Compressed(NamedTuple):
    """One structure at G sizes, the smallest first.

    Attributes
    ----------
    distances : (G,) shortest distance in the structure, Angstrom
    structures : the G structures
    neighbors : of them
    energies : (G,) of the potential, eV
    repulsion : of ZBL
    gamma : (A,) extrapolation grade of each atom; NaN without an active set
    natural : shortest distance of the structure as it was given, Angstrom
    """

    distances: Floats
    structures: StructureSet
    neighbors: NeighborList
    energies: Floats
    repulsion: zbl.ShortRange
    gamma: Floats
    natural: float

    @property
    def n_atoms(self) -> int:
        """Atoms of the structure."""
        return int(self.structures.offsets[1])

    @property
    def largest_gamma(self) -> Floats:
        """Largest extrapolation grade of each size, shape (G,)."""
        return self.gamma.reshape(len(self.distances), -1).max(axis=1)


def check_search(shortest: float, step: float, largest_gamma: float, seed: int) -> None:
    """Refuse settings with which no sizes, no structures or no reliable ones can be found.

    Raises
    ------
    DataError
    """
    if not MINIMUM_DISTANCE <= shortest < np.inf:
        raise DataError(f"structures are compressed to a shortest distance of {MINIMUM_DISTANCE} Å or more, not {shortest}")
    if not SMALLEST_STEP <= step < np.inf:
        raise DataError(f"distances need a step of at least {SMALLEST_STEP} Å, not {step}")
    if not largest_gamma > 0.0:
        raise DataError(f"a potential is relied on up to an extrapolation grade above 0, not {largest_gamma}")
    if seed < 0:
        raise DataError(f"structures are drawn with a seed of 0 or more, not {seed}")


def scale(structures: StructureSet, s: int, factors: Floats) -> StructureSet:
    """Structure s with its positions and cell multiplied by each factor; without energies, forces and stresses."""
    one = structures.select(np.full(len(factors), s))
    per_atom = np.repeat(factors, one.atoms_per_structure)[:, None]
    absent = {name: np.full_like(getattr(one, name), np.nan) for name in ("energies", "forces", "stresses")}
    return replace(one, positions=one.positions * per_atom, cells=one.cells * factors[:, None, None], **absent)


def compress(
    compiled: Compiled, structures: StructureSet, s: int, natural: float, distances: Floats, gamma_of: GammaOf | None = None
) -> Compressed:
    """Scale a structure isotropically such that its shortest distance takes given values, and evaluate it.

    Parameters
    ----------
    compiled : Compiled
        The potential.
    structures, s : the structure
    natural : float
        Its shortest distance, Angstrom.
    distances : (G,) rising
        Angstrom.
    gamma_of : callable, optional
        Extrapolation grades.
    """
    scaled = scale(structures, s, distances / natural)
    neighbors = build(scaled, max(compiled.potential.cutoff, zbl.OUTER))
    energies = predict_compiled(compiled, compiled.layout.vector(), scaled, neighbors).energies
    gamma = np.full(scaled.n_atoms, np.nan) if gamma_of is None else gamma_of(scaled, neighbors)
    return Compressed(distances, scaled, neighbors, energies, zbl.evaluate(scaled, neighbors), gamma, natural)


def first_barrier(curve: Compressed) -> int:
    """Index of the first maximum of the energy on the way from the structure as it was given to shorter distances.

    Beyond it the potential has a hole. Zero if the energy rises all the way, after it may have fallen to a minimum at first.
    """
    start = max(int(np.count_nonzero(curve.distances <= curve.natural)) - 1, 0)
    inwards = curve.energies[: start + 1][::-1] / curve.n_atoms
    risen = np.flatnonzero(inwards - np.minimum.accumulate(inwards) > RIPPLE)
    if not len(risen):
        return start
    lowest = int(np.argmin(inwards[: risen[0]]))
    from_there = inwards[lowest:]
    fallen = np.flatnonzero(np.maximum.accumulate(from_there) - from_there > RIPPLE)
    return start - lowest - int(np.argmax(from_there[: fallen[0]])) if len(fallen) else 0


def reliable_sizes(curve: Compressed, largest_gamma: float) -> NDArray[np.bool_]:
    """Where the potential can be relied on, shape (G,).

    With extrapolation grades: where none exceeds the limit. Without: from the first barrier on the way inwards on.
    """
    if np.isfinite(curve.gamma).all():
        return curve.largest_gamma < largest_gamma
    return np.arange(len(curve.distances)) >= first_barrier(curve)
