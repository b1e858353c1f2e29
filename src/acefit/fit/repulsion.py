"""Core repulsion set automatically after a fit: ZBL below the shortest distance the training data know of each pair."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray

from acefit.data.neighborlists import NeighborList
from acefit.data.pairs import Pairs, as_pairs
from acefit.data.structures import StructureSet
from acefit.errors import PotentialError
from acefit.potential.model import Potential, pair_key

log = logging.getLogger(__name__)

DELTA_IN = 0.1
"""Width of the transition below the shortest distance, Angstrom."""

Distances = dict[tuple[str, str], float]


def shortest_distances(potential: Potential, structures: StructureSet, neighbors: NeighborList | Pairs) -> Distances:
    """Shortest distance of each pair of elements of a potential within the outer cutoff of its bond.

    Parameters
    ----------
    potential : Potential
        Names the elements; they need not all occur in the structures, and elements are told apart by symbol, not by number.
    structures : StructureSet
        Training structures.
    neighbors : NeighborList or Pairs
        Of these structures; pairs in files are gone through once.

    Returns
    -------
    dict
        Pair of elements -> Angstrom, only for pairs that occur.
    """
    result: Distances = {}
    for part in as_pairs(neighbors).chunks():
        distances = np.sqrt(np.einsum("pc,pc->p", part.vectors, part.vectors))
        elements_i, elements_j = structures.numbers[part.i], structures.numbers[part.j]
        for (a, b), bond in potential.bonds.items():
            is_pair: NDArray[np.bool_] = (elements_i == atomic_numbers[a]) & (elements_j == atomic_numbers[b])
            shortest = float(np.min(distances, where=is_pair & (distances < bond.rcut), initial=np.inf))
            if np.isfinite(shortest):
                result[pair_key(a, b)] = min(shortest, result.get(pair_key(a, b), np.inf))
    return result


def with_automatic_repulsion(potential: Potential, distances: Mapping[tuple[str, str], float]) -> Potential:
    """Give every bond ZBL repulsion below a distance: `repulsion: auto` of pacemaker.

    Parameters
    ----------
    potential : Potential
        Fitted potential.
    distances : mapping
        Shortest distances, Angstrom. Pairs that are missing get the sum of the covalent radii, at most the outer cutoff.

    Returns
    -------
    Potential
        Every bond with mode `zbl`, inner cutoff at the distance, width `DELTA_IN`, factor 1; every embedding with core cuts 1.
        The ACE is unchanged at and beyond the distance, so that the training set is predicted as before.

    Raises
    ------
    PotentialError
        If a bond has no outer switching width, without which the ZBL term cannot vanish smoothly.
    """
    cutoffs = {}
    for (a, b), bond in potential.bonds.items():
        distance = distances.get(pair_key(a, b))
        if distance is None:
            radii = covalent_radii[[atomic_numbers[a], atomic_numbers[b]]]
            distance = min(float(radii.sum()), bond.rcut)
            log.info(
                "%s-%s never occurs within its cutoff: core repulsion below the sum of covalent radii, %.3f A", a, b, distance
            )
        else:
            log.info("%s-%s: core repulsion below its shortest training distance, %.3f A", a, b, distance)
        cutoffs[pair_key(a, b)] = distance
    return with_inner_cutoffs(potential, cutoffs)


def with_inner_cutoffs(potential: Potential, cutoffs: Mapping[tuple[str, str], float]) -> Potential:
    """Give bonds ZBL repulsion below given distances.

    Parameters
    ----------
    potential : Potential
    cutoffs : mapping
        Inner cutoff of each pair of elements, Angstrom; pairs that are missing get 0, which leaves them without repulsion.

    Returns
    -------
    Potential
        Every bond with mode `zbl`, width `DELTA_IN` and factor 1; every embedding with core cuts 1.

    Raises
    ------
    PotentialError
        If a bond has no outer switching width, without which the ZBL term cannot vanish smoothly.
    """
    bonds = {}
    for (a, b), bond in potential.bonds.items():
        if bond.dcut <= 0.0:
            raise PotentialError(f"ZBL repulsion needs dcut > 0 for the bond {a}-{b} to switch its term off; it is {bond.dcut}")
        distance = cutoffs.get(pair_key(a, b), 0.0)
        bonds[a, b] = replace(bond, rcut_in=distance, dcut_in=DELTA_IN, inner_cutoff_type="zbl", core_repulsion=(1.0, 1.0))
    embeddings = {
        element: replace(embedding, rho_core_cut=1.0, drho_core_cut=1.0) for element, embedding in potential.embeddings.items()
    }
    return replace(potential, bonds=bonds, embeddings=embeddings)
