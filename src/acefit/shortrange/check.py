"""Does a potential keep atoms apart? The energy of each pair of elements must rise all the way to short distances.

A potential that is fitted to configurations with ordinary distances may have a hole below the shortest of them: its energy
passes a barrier and falls again, and atoms that get across in a hot simulation or a collision never come back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.evaluation.predict import predict_compiled
from acefit.potential.model import Potential

SHORTEST = 0.35
"""Angstrom; atoms that are closer have kinetic energies of nuclear physics."""

STEP = 0.01
"""Angstrom between the distances that are looked at."""

SHORTEST_BOND = 0.6
"""Dimers have bonds of at least this share of the sum of covalent radii (W2, a sextuple bond, 0.63), where the wall begins."""

TOLERANCE = 1e-3
"""eV; smaller drops are those of rounding and of flat places."""

LEAST_RISE = 1.0
"""eV by which the energy must rise from its minimum to the shortest distance; atoms of a hot gas have about as much."""


class PairCurve(NamedTuple):
    """Energy of two atoms alone against their distance.

    Attributes
    ----------
    pair : the elements
    distances : (G,) Angstrom, rising
    energies : (G,) eV
    """

    pair: tuple[str, str]
    distances: NDArray[np.float64]
    energies: NDArray[np.float64]


class Wall(NamedTuple):
    """What is found for one pair of elements.

    Attributes
    ----------
    pair : the elements
    begins : distance from which on the energy should rise towards shorter ones, Angstrom
    barrier : distance at which it ceases to rise, Angstrom; None if it rises all the way
    drop : largest drop behind that barrier, eV
    rise : energy at the shortest distance over that where the wall begins, eV
    """

    pair: tuple[str, str]
    begins: float
    barrier: float | None
    drop: float
    rise: float

    @property
    def is_sound(self) -> bool:
        """Whether the energy rises all the way, and by enough."""
        return self.barrier is None

    def facts(self) -> dict[str, object]:
        """Everything by name."""
        return {**self._asdict(), "pair": "-".join(self.pair), "is_sound": self.is_sound}

    def __str__(self) -> str:
        name = "-".join(self.pair)
        if self.barrier is None:
            return f"{name}: the energy rises from {self.begins:.2f} Å down to {SHORTEST} Å, by {self.rise:.4g} eV"
        if self.drop > TOLERANCE:
            what = f"the energy falls by up to {self.drop:.4g} eV at distances below {self.barrier:.2f} Å"
        else:
            what = f"the energy rises by {self.rise:.4g} eV only from {self.begins:.2f} Å down to {SHORTEST} Å"
        return f"{name}: {what}, where atoms may stay; set a core repulsion or move its inner cutoff (acefit corerep)"


def compute_pair_curve(compiled: Compiled, pair: tuple[str, str], distances: NDArray[np.float64]) -> PairCurve:
    """Energies of two atoms alone.

    Parameters
    ----------
    compiled : Compiled
        The potential.
    pair : two of its elements
    distances : (G,) Angstrom
    """
    n, numbers = len(distances), [atomic_numbers[element] for element in pair]
    positions = np.zeros((n, 2, 3))
    positions[:, 1, 2] = distances
    structures = StructureSet(
        numbers=np.tile(numbers, n),
        positions=positions.reshape(-1, 3),
        offsets=2 * np.arange(n + 1),
        cells=np.zeros((n, 3, 3)),
        pbc=np.zeros((n, 3), dtype=bool),
        energies=np.full(n, np.nan),
        forces=np.full((2 * n, 3), np.nan),
        stresses=np.full((n, 6), np.nan),
        names=("",) * n,
        groups=("",) * n,
        ids=np.arange(n),
    )
    neighbors = build(structures, compiled.potential.cutoff)
    return PairCurve(pair, distances, predict_compiled(compiled, compiled.layout.vector(), structures, neighbors).energies)


def examine_curve(curve: PairCurve) -> Wall:
    """Find out whether a curve rises from its minimum all the way to the shortest distance.

    Parameters
    ----------
    curve : PairCurve
        Up to a distance at which the two atoms are bound or farther apart.

    Returns
    -------
    Wall
        Going inwards, the energy may first fall, but no further than to the shortest bond there is (`SHORTEST_BOND`).
    """
    r, e = curve.distances[::-1], curve.energies[::-1]
    last = _last_bond(curve.pair, r)
    outer = e[: last + 1]
    risen = np.flatnonzero(outer - np.minimum.accumulate(outer) > TOLERANCE)
    start = int(np.argmin(outer[: risen[0]] if len(risen) else outer))
    highest = np.maximum.accumulate(e[start:])
    drops = highest - e[start:]
    begins, rise = float(r[start]), float(e[-1] - e[start])
    fallen = np.flatnonzero(drops > TOLERANCE)
    if len(fallen):
        barrier = start + int(np.argmax(e[start : start + fallen[0] + 1]))
        return Wall(curve.pair, begins, float(r[barrier]), float(drops.max()), rise)
    return Wall(curve.pair, begins, None if rise >= LEAST_RISE else begins, 0.0, rise)


def _last_bond(pair: tuple[str, str], r: NDArray[np.float64]) -> int:
    """Index of the shortest of the falling distances that may be a bond."""
    return max(int(np.count_nonzero(r >= SHORTEST_BOND * _bond_length(pair))) - 1, 0)


def _bond_length(pair: tuple[str, str]) -> float:
    return float(covalent_radii[[atomic_numbers[element] for element in pair]].sum())


def check_walls(potential: Potential) -> list[Wall]:
    """Examine all pairs of elements of a potential.

    Parameters
    ----------
    potential : Potential

    Returns
    -------
    list of Wall
        By pair. Each is looked at from the larger of the sum of covalent radii and the inner cutoff, but from within the outer
        one, to `SHORTEST`.
    """
    walls, compiled = [], compile_potential(potential)
    for pair, bond in sorted(potential.bonds.items()):
        upper = min(max(_bond_length(pair), bond.rcut_in), bond.rcut)
        distances = np.linspace(SHORTEST, upper, max(int(np.ceil((upper - SHORTEST) / STEP)), 1) + 1)
        walls.append(examine_curve(compute_pair_curve(compiled, pair, distances)))
    return walls
