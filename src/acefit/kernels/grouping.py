"""Counting sort of atoms into groups of one species and of pairs by (group, neighbour species, lane)."""

from math import sqrt

import numpy as np

from acefit.kernels._jit import LANES, kernel
from acefit.kernels.model import Groups


@kernel
def is_inside(vectors, pair, cutoff):
    """Whether a pair is strictly closer than the cutoff of its bond."""
    x, y, z = vectors[pair, 0], vectors[pair, 1], vectors[pair, 2]
    return sqrt(x * x + y * y + z * z) < cutoff


@kernel
def count_groups(n_elements, elements, offsets, neighbor, vectors, rcut, block_atoms):
    """Number of groups and of pairs inside the cutoffs of their bonds."""
    n_groups, n_pairs = 0, 0
    for block in range(len(block_atoms) - 1):
        count = np.zeros(n_elements, dtype=np.int64)
        for i in range(block_atoms[block], block_atoms[block + 1]):
            count[elements[i]] += 1
            for pair in range(offsets[i], offsets[i + 1]):
                if is_inside(vectors, pair, rcut[elements[i] * n_elements + elements[neighbor[pair]]]):
                    n_pairs += 1
        for mu in range(n_elements):
            n_groups += (count[mu] + LANES - 1) // LANES
    return n_groups, n_pairs


@kernel
def fill_groups(n_elements, elements, offsets, neighbor, vectors, rcut, block_atoms, n_groups, n_pairs):
    """Groups and the range of groups of each block.

    Parameters
    ----------
    elements : (n_atoms,); offsets : (n_atoms + 1,); neighbor : (n_all_pairs,); vectors : (n_all_pairs, 3)
    rcut : (n_elements**2,) cutoff of each ordered bond
    block_atoms : (n_blocks + 1,) ranges of atoms
    """
    species = np.zeros(n_groups, dtype=np.int64)
    atoms = np.full((n_groups, LANES), -1, dtype=np.int32)
    segments = np.zeros((n_groups, n_elements, LANES + 1), dtype=np.int64)
    sorted_vectors, sorted_neighbor = np.zeros((3, n_pairs)), np.zeros(n_pairs, dtype=np.int32)
    block_groups = np.zeros(len(block_atoms), dtype=np.int64)
    group = 0
    for block in range(len(block_atoms) - 1):
        for mu in range(n_elements):
            lane = 0
            for i in range(block_atoms[block], block_atoms[block + 1]):
                if elements[i] == mu:
                    atoms[group, lane] = i
                    species[group] = mu
                    lane += 1
                    if lane == LANES:
                        group, lane = group + 1, 0
            if lane > 0:
                group += 1
        block_groups[block + 1] = group
    position = 0
    for g in range(n_groups):
        for mu_j in range(n_elements):
            cutoff = rcut[species[g] * n_elements + mu_j]
            segments[g, mu_j, 0] = position
            for lane in range(LANES):
                i = atoms[g, lane]
                if i >= 0:
                    for pair in range(offsets[i], offsets[i + 1]):
                        j = neighbor[pair]
                        if elements[j] == mu_j and is_inside(vectors, pair, cutoff):
                            for axis in range(3):
                                sorted_vectors[axis, position] = vectors[pair, axis]
                            sorted_neighbor[position] = j
                            position += 1
                segments[g, mu_j, lane + 1] = position
    return Groups(species, atoms, segments, sorted_vectors, sorted_neighbor), block_groups
