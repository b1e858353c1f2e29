"""Shortest distances of each pair of elements in a dataset, and what counts as shorter than the data know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations_with_replacement, pairwise

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from numpy.typing import NDArray

from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet, consecutive_ranges
from acefit.potential.model import pair_key

QUANTILE = 0.001
"""Share of the structures whose shortest distances are taken for outliers."""

ATOMS_AT_ONCE = 2**13

Pair = tuple[str, str]
Distances = dict[Pair, float]


def pair_codes(structures: StructureSet, neighbors: NeighborList) -> NDArray[np.int64]:
    """One number per unordered pair of elements for every pair of atoms, see `code_of`."""
    i, j = structures.numbers[neighbors.i], structures.numbers[neighbors.j]
    return np.minimum(i, j) * len(chemical_symbols) + np.maximum(i, j)


def code_of(pair: Pair) -> int:
    """Number of a pair of elements as in `pair_codes`."""
    low, high = sorted(atomic_numbers[element] for element in pair)
    return low * len(chemical_symbols) + high


def covalent_distance(pair: Pair) -> float:
    """Sum of the covalent radii, Angstrom."""
    return float(covalent_radii[[atomic_numbers[element] for element in pair]].sum())


def shortest_per_structure(structures: StructureSet, neighbors: NeighborList) -> dict[Pair, NDArray[np.float64]]:
    """Shortest distance of each pair of elements in every structure that has the pair within the cutoff of the list.

    Returns
    -------
    dict
        Pair -> distances, Angstrom, in the order of the structures.
    """
    codes, distances = pair_codes(structures, neighbors), neighbors.distances()
    order = np.lexsort((distances, structures.structure_of_atom[neighbors.i], codes))
    codes, structure = codes[order], structures.structure_of_atom[neighbors.i][order]
    # the first of each pair of elements in each structure
    first = np.flatnonzero(np.diff(codes, prepend=-1) | np.diff(structure, prepend=-1))
    shortest = distances[order][first]
    known, starts = np.unique(codes[first], return_index=True)
    elements = (divmod(int(code), len(chemical_symbols)) for code in known)
    pairs = (pair_key(chemical_symbols[low], chemical_symbols[high]) for low, high in elements)
    return dict(zip(pairs, np.split(shortest, starts[1:]), strict=False))


def look_through(structures: StructureSet, cutoff: float) -> tuple[NDArray[np.float64], dict[Pair, NDArray[np.float64]]]:
    """Shortest distance of every structure, infinite beyond the cutoff (Angstrom), and `shortest_per_structure` of all.

    The neighbours of some structures at a time are in memory.
    """
    natural: list[NDArray[np.float64]] = []
    found: dict[Pair, list[NDArray[np.float64]]] = {}
    for first, last in pairwise(consecutive_ranges(structures.atoms_per_structure, ATOMS_AT_ONCE)):
        part = structures.select(np.arange(first, last))
        neighbors = build(part, cutoff)
        natural.append(neighbors.shortest_per_structure())
        for pair, values in shortest_per_structure(part, neighbors).items():
            found.setdefault(pair, []).append(values)
    return np.concatenate(natural), {pair: np.concatenate(values) for pair, values in found.items()}


def known_distances(
    shortest: Mapping[Pair, NDArray[np.float64]], elements: Iterable[str], quantile: float = QUANTILE
) -> Distances:
    """Distance of each pair of elements below which a dataset says nothing.

    Parameters
    ----------
    shortest : mapping
        See `shortest_per_structure`.
    elements : iterable of str
    quantile : float
        Of the shortest distances of the structures.

    Returns
    -------
    dict
        Pair -> Angstrom; the sum of the covalent radii for pairs that do not occur.
    """
    pairs = (pair_key(a, b) for a, b in combinations_with_replacement(sorted(elements), 2))
    return {p: float(np.quantile(shortest[p], quantile)) if len(shortest.get(p, ())) else covalent_distance(p) for p in pairs}


def atoms_with_short_pairs(
    structures: StructureSet, neighbors: NeighborList, thresholds: Mapping[Pair, float]
) -> NDArray[np.bool_]:
    """Whether each atom has a neighbour closer than the threshold (Angstrom) of their elements, shape (A,)."""
    threshold_of = np.zeros(len(chemical_symbols) ** 2)
    for pair, threshold in thresholds.items():
        threshold_of[code_of(pair)] = threshold
    is_short = neighbors.distances() < threshold_of[pair_codes(structures, neighbors)]
    result = np.zeros(structures.n_atoms, dtype=bool)
    result[neighbors.i[is_short]] = True
    return result
