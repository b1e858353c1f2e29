"""Inner cutoffs of the core repulsion: given, or found by compressing structures until the potential fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from acefit.basis.compiled import Compiled, compile_potential
from acefit.data.structures import StructureSet
from acefit.errors import DataError, PotentialError
from acefit.potential.model import NO_CORE, Potential, pair_key
from acefit.shortrange.compression import Compressed, GammaOf, check_search, compress, first_barrier
from acefit.shortrange.distances import Distances, Pair, known_distances, look_through

Watch = Callable[[Iterable[int]], Iterable[int]]
"""Passes items on, for a progress bar."""

_ENTRY = re.compile(r"([A-Z][a-z]?)(?:-([A-Z][a-z]?))?[:=](.+)")


@dataclass(frozen=True)
class CorerepSettings:
    """How inner cutoffs are searched.

    Parameters
    ----------
    n_structures : int
        Structures that are compressed, drawn from those not larger than the median size.
    shortest, longest, step : float
        Shortest distances to which they are scaled, Angstrom.
    largest_gamma : float
        Environments with a larger extrapolation grade are not relied on.
    quantile : float
        Of the distances at which the structures fail.
    seed : int
        Of the random draw.
    """

    n_structures: int = 50
    shortest: float = 0.5
    longest: float = 2.5
    step: float = 0.05
    largest_gamma: float = 10.0
    quantile: float = 0.99
    seed: int = 42

    def __post_init__(self) -> None:
        if self.n_structures < 1 or not 0.0 <= self.quantile <= 1.0:
            raise DataError("corerep needs at least one structure and a quantile between 0 and 1")
        check_search(self.shortest, self.step, self.largest_gamma, self.seed)
        if not self.shortest < self.longest < np.inf:
            raise DataError(f"corerep needs shortest < longest, not {self.shortest} and {self.longest} Å")


class InnerCutoff(NamedTuple):
    """Inner cutoff of one pair of elements.

    Attributes
    ----------
    pair : the elements
    distance : Angstrom; 0 for no repulsion
    source : where it comes from
    """

    pair: Pair
    distance: float
    source: str


def parse_inner_cutoffs(texts: Iterable[str]) -> Distances:
    """Read inner cutoffs such as `Al:1.9` and `Al-Ni:1.85`.

    Raises
    ------
    DataError
        If one cannot be understood, or a pair stands there twice.
    """
    result: Distances = {}
    for text in texts:
        match = _ENTRY.fullmatch(text.strip())
        elements = (match[1], match[2] or match[1]) if match else ()
        try:
            distance = float(match[3]) if match else np.nan
        except ValueError:
            distance = np.nan
        if not 0.0 <= distance < np.inf or any(element not in chemical_symbols[1:] for element in elements):
            raise DataError(f"inner cutoff {text!r:.60} cannot be understood; write Al:1.9 or Al-Ni:1.85 (Å)")
        pair = pair_key(*elements)
        if pair in result:
            raise DataError(f"the inner cutoff of {'-'.join(pair)} is given twice")
        result[pair] = distance
    return result


def given_cutoffs(potential: Potential, distances: Mapping[Pair, float]) -> list[InnerCutoff]:
    """Inner cutoffs as given, 0 for the pairs that are not.

    Raises
    ------
    PotentialError
        If a pair is not in the potential, or an inner cutoff is not below the outer one.
    """
    for pair, distance in distances.items():
        bond = potential.bond(*pair)
        if bond is None:
            raise PotentialError(f"the potential has no bond {'-'.join(pair)}; its elements are {' '.join(potential.elements)}")
        if distance >= bond.rcut:
            raise PotentialError(
                f"the inner cutoff of {'-'.join(pair)}, {distance} Å, must be below the outer one, {bond.rcut} Å"
            )
    return [InnerCutoff(p, distances.get(p, 0.0), "given" if p in distances else "not given") for p in sorted(potential.bonds)]


def output_path(potential: Path, output: Path | None, overwrite: bool) -> Path:
    """Where to write: as wanted, or beside the potential with `-corerep` in its name.

    Raises
    ------
    PotentialError
        If a name is that of a folder, or not of a B-basis file; or if there is such a file already, above all the potential
        itself, and it is not to be overwritten.
    """
    if potential.is_dir():
        raise PotentialError(f"{potential} is a folder; name a potential file")
    path = output or potential.with_name(f"{potential.stem}-corerep{potential.suffix or '.yaml'}")
    if path.is_dir():
        raise PotentialError(f"{path} is a folder; name a file (--output)")
    if path.suffix == ".yace":
        raise PotentialError(f"{path}: what is written is a B-basis file; name it .yaml, and convert it with acefit convert")
    if not overwrite and path.exists():
        what = "is the potential itself" if potential.exists() and path.samefile(potential) else "exists already"
        raise PotentialError(f"{path} {what}; give another name (--output) or --force")
    return path


def without_repulsion(potential: Potential) -> Potential:
    """The potential without core repulsion and inner cutoffs."""
    bonds = {
        pair: replace(bond, rcut_in=0.0, dcut_in=0.0, inner_cutoff_type="distance", core_repulsion=NO_CORE)
        for pair, bond in potential.bonds.items()
    }
    return replace(potential, bonds=bonds)


def automatic_cutoffs(
    potential: Potential,
    structures: StructureSet,
    settings: CorerepSettings | None = None,
    gamma_of: GammaOf | None = None,
    watch: Watch = iter,
) -> list[InnerCutoff]:
    """Find inner cutoffs by compressing structures of a dataset.

    Each structure is compressed until the potential (without its core repulsion) fails: its energy passes a barrier, or without
    barrier its extrapolation grade exceeds the limit; or ZBL is lower than the potential. Without an active set the pair with the
    shortest distance at this size counts, with one all nearest neighbours of atoms whose grade exceeds the limit.

    Parameters
    ----------
    potential : Potential
    structures : StructureSet
        The training data.
    settings : CorerepSettings, optional
    gamma_of : callable, optional
        Extrapolation grades; without them the barrier alone decides.
    watch : callable
        Is given the numbers of the structures, for a progress bar.

    Returns
    -------
    list of InnerCutoff
        One per bond, at most the shortest distance of the pair in the data, or the sum of the covalent radii of
        pairs that the data do not have: the potential was fitted to what is beyond. Pairs that never fail get this distance.

    Raises
    ------
    DataError
        If no structure can be compressed, or its elements are not in the potential.
    """
    settings = settings or CorerepSettings()
    plain = without_repulsion(potential)
    natural, shortest = look_through(structures, plain.cutoff)
    sizes = structures.atoms_per_structure
    candidates = np.flatnonzero(np.isfinite(natural) & (sizes <= np.median(sizes)))
    if not len(candidates):
        raise DataError("no structure has two atoms within the cutoff of the potential, so that none can be compressed")
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.permutation(candidates)[: settings.n_structures])
    distances = np.arange(settings.shortest, settings.longest, settings.step)
    compiled = compile_potential(plain)
    failures: dict[Pair, list[float]] = {}
    for s in watch(chosen.tolist()):
        curve = _curve(compiled, structures, s, float(natural[s]), distances, gamma_of)
        for pair, distance in find_failures(curve, settings.largest_gamma).items():
            failures.setdefault(pair, []).append(distance)
    return [_choose(potential, pair, failures.get(pair, []), shortest, settings.quantile) for pair in sorted(potential.bonds)]


def _choose(
    potential: Potential, pair: Pair, failures: list[float], shortest: Mapping[Pair, NDArray[np.float64]], quantile: float
) -> InnerCutoff:
    """Inner cutoff of a pair from the distances at which structures fail, within what the data and the bond allow."""
    of_data = "shortest distance of the data" if pair in shortest else "sum of covalent radii"
    limits = {
        f"{len(failures)} compressed structures": float(np.quantile(failures, quantile)) if failures else np.inf,
        of_data: known_distances(shortest, pair, quantile=0.0)[pair],
        "outer cutoff": potential.bonds[pair].rcut,
    }
    source = min(limits, key=lambda name: limits[name])
    return InnerCutoff(pair, limits[source], source)


def _curve(
    compiled: Compiled,
    structures: StructureSet,
    s: int,
    natural: float,
    distances: NDArray[np.float64],
    gamma_of: GammaOf | None,
) -> Compressed:
    """Compress a structure; the grid reaches to its own shortest distance at least, from where barriers are looked for."""
    step = distances[1] - distances[0] if len(distances) > 1 else natural
    beyond = np.arange(distances[-1] + step, natural + step, step)
    return compress(compiled, structures, s, natural, np.concatenate([distances, beyond]), gamma_of)


def find_failures(curve: Compressed, largest_gamma: float) -> Distances:
    """Largest distance of each pair of elements at which a compressed structure cannot be relied on.

    Parameters
    ----------
    curve : Compressed
    largest_gamma : float

    Returns
    -------
    dict
        Pair -> Angstrom, of an atom and its nearest neighbour; none if the potential can be relied on at all sizes.
    """
    graded = bool(np.isfinite(curve.gamma).all())
    limit = first_barrier(curve)
    if graded:
        sound = np.flatnonzero(curve.largest_gamma < largest_gamma)
        limit = min(limit, int(sound[0])) if len(sound) else limit
    below = np.flatnonzero((curve.energies <= curve.repulsion.energies) & (curve.distances <= curve.natural))
    limit = max(limit, int(below[0]) if len(below) else 0)
    if not graded:
        closest = np.arange(curve.structures.n_atoms) == _closest_atom(curve, limit)
        return _nearest_pairs(curve, closest) if limit else {}
    return _nearest_pairs(curve, (np.arange(len(curve.gamma)) < (limit + 1) * curve.n_atoms) & (curve.gamma >= largest_gamma))


def _closest_atom(curve: Compressed, size: int) -> int:
    """An atom of the shortest pair at one size."""
    first = size * curve.n_atoms
    return first + int(np.argmin(curve.neighbors.shortest_per_atom()[first : first + curve.n_atoms]))


def _nearest_pairs(curve: Compressed, atoms: NDArray[np.bool_]) -> Distances:
    """Largest distance to the nearest neighbour of the given atoms, by pair of elements."""
    neighbors, numbers = curve.neighbors, curve.structures.numbers
    distances = neighbors.distances()
    result: Distances = {}
    for atom in np.flatnonzero(atoms & (np.diff(neighbors.offsets) > 0)):
        first, last = neighbors.offsets[atom], neighbors.offsets[atom + 1]
        pair_index = first + int(np.argmin(distances[first:last]))
        pair = pair_key(chemical_symbols[numbers[atom]], chemical_symbols[numbers[neighbors.j[pair_index]]])
        result[pair] = max(result.get(pair, 0.0), float(distances[pair_index]))
    return result
