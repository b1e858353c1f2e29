"""Atoms of one species in groups, their neighbours in slots: the layout that all other kernels work on."""

from math import sqrt

import numpy as np

from acefit.kernels._jit import LANES, driver, kernel
from acefit.kernels.model import Groups
from acefit.kernels.turns import take
from acefit.kernels.vectors import item, load, put, splat, store, where_below, zeros

FAR = 1e6
"""Distance of the pairs that fill unused places, Angstrom."""


@kernel
def is_inside(vectors, pair, cutoff):
    """Whether a pair is strictly closer than the cutoff of its bond."""
    x, y, z = vectors[pair, 0], vectors[pair, 1], vectors[pair, 2]
    return sqrt(x * x + y * y + z * z) < cutoff


@driver
def count_neighbors(n_elements, elements, offsets, neighbor, vectors, rcut):
    """Neighbours of each species inside the cutoff of their bond, (n_atoms, n_elements)."""
    counts = np.zeros((len(elements), n_elements), dtype=np.int64)
    for i in range(len(elements)):
        for pair in range(offsets[i], offsets[i + 1]):
            mu_j = elements[neighbor[pair]]
            if is_inside(vectors, pair, rcut[elements[i] * n_elements + mu_j]):
                counts[i, mu_j] += 1
    return counts


@driver
def assign_lanes(n_elements, elements, order, counts, block_atoms):
    """Lanes and slots of all groups.

    Parameters
    ----------
    elements : (n_atoms,); counts : (n_atoms, n_elements)
    order : (n_atoms,) atoms sorted by block, then element; neighbouring ones share a group
    block_atoms : (n_blocks + 1,) ranges of atoms

    Returns
    -------
    species, atoms, slots : as in `Groups`
    block_groups : (n_blocks + 1,) range of groups of each block
    """
    n_blocks = len(block_atoms) - 1
    largest = len(elements) // LANES + n_blocks * n_elements
    species = np.zeros(largest, dtype=np.int64)
    atoms = np.full((largest, LANES), -1, dtype=np.int32)
    slots = np.zeros((largest, n_elements + 1), dtype=np.int64)
    block_groups = np.zeros(n_blocks + 1, dtype=np.int64)
    group, position = 0, 0
    for block in range(n_blocks):
        k = block_atoms[block]
        while k < block_atoms[block + 1]:
            mu, lane = elements[order[k]], 0
            species[group] = mu
            while lane < LANES and k < block_atoms[block + 1] and elements[order[k]] == mu:
                atoms[group, lane] = order[k]
                lane += 1
                k += 1
            for mu_j in range(n_elements):
                slots[group, mu_j] = position
                most = 0
                for other in range(lane):
                    most = max(most, counts[atoms[group, other], mu_j])
                position += most
            slots[group, n_elements] = position
            group += 1
        block_groups[block + 1] = group
    return species[:group].copy(), atoms[:group].copy(), slots[:group].copy(), block_groups


@driver
def fill_slots(n_elements, elements, offsets, neighbor, vectors, rcut, species, atoms, slots):
    """Put the neighbours of all atoms into their slots.

    Parameters
    ----------
    elements : (n_atoms,); offsets : (n_atoms + 1,); neighbor : (n_all_pairs,); vectors : (n_all_pairs, 3)
    rcut : (n_elements**2,) cutoff of each ordered bond
    species, atoms, slots : from `assign_lanes`
    """
    n_groups = len(species)
    n_slots = slots[n_groups - 1, n_elements] if n_groups > 0 else 0
    slot_vectors = zeros(3 * n_slots).reshape((n_slots, 3, LANES))
    slot_neighbor = np.zeros((n_slots, LANES), dtype=np.int32)
    slot_vectors[:, 0, :] = FAR
    next_slot = np.zeros(n_elements, dtype=np.int64)
    for group in range(n_groups):
        mu_i = species[group]
        for lane in range(LANES):
            # Unused places refer to an atom of the group: what is added there is zero, and no other thread writes to it
            i = atoms[group, lane] if atoms[group, lane] >= 0 else atoms[group, 0]
            for slot in range(slots[group, 0], slots[group, n_elements]):
                slot_neighbor[slot, lane] = i
            if atoms[group, lane] < 0:
                continue
            for mu_j in range(n_elements):
                next_slot[mu_j] = slots[group, mu_j]
            for pair in range(offsets[i], offsets[i + 1]):
                j = neighbor[pair]
                mu_j = elements[j]
                if is_inside(vectors, pair, rcut[mu_i * n_elements + mu_j]):
                    slot = next_slot[mu_j]
                    for axis in range(3):
                        slot_vectors[slot, axis, lane] = vectors[pair, axis]
                    slot_neighbor[slot, lane] = j
                    next_slot[mu_j] += 1
    return Groups(species, atoms, slots, slot_vectors, slot_neighbor)


@kernel
def centres_into(atoms, positions, out):
    """Positions (3, LANES) of the centres of one group; unused lanes take those of the first atom, as their places do."""
    for lane in range(LANES):
        i = atoms[lane] if atoms[lane] >= 0 else atoms[0]
        for axis in range(3):
            out[axis, lane] = positions[i, axis]


@driver
def offsets_of(n_elements, groups, positions):
    """What is added to r_j - r_i in each place, (n_slots, 3, LANES): shifts by cells, and far away for unused places."""
    n_slots = len(groups.vectors)
    result, own = zeros(3 * n_slots).reshape((n_slots, 3, LANES)), zeros(3)
    for group in range(len(groups.species)):
        centres_into(groups.atoms[group], positions, own)
        for slot in range(groups.slots[group, 0], groups.slots[group, n_elements]):
            for lane in range(LANES):
                j = groups.neighbor[slot, lane]
                for axis in range(3):
                    difference = positions[j, axis] - own[axis, lane]
                    result[slot, axis, lane] = groups.vectors[slot, axis, lane] - difference
    return result


@driver
def move(turns, n_elements, groups, block_groups, positions, offsets, shortest):
    """Recompute the vectors of all places in some blocks from the positions of all atoms.

    turns are the blocks to take (see `acefit.kernels.turns`); shortest (n_blocks,) gets the shortest distance of each.
    """
    own = zeros(4)
    block = take(turns)
    while block >= 0:
        shortest[block] = move_groups(block_groups[block], block_groups[block + 1], n_elements, groups, positions, offsets, own)
        block = take(turns)


@kernel
def move_groups(first, last, n_elements, groups, positions, offsets, own):
    """Recompute the vectors of the groups first..last-1; returns the shortest distance. own (4, LANES) is scratch."""
    shortest = splat(FAR * FAR)
    for group in range(first, last):
        centres_into(groups.atoms[group], positions, own)
        for slot in range(groups.slots[group, 0], groups.slots[group, n_elements]):
            row = 3 * slot
            for lane in range(LANES):
                j, out = 3 * item(groups.neighbor, slot * LANES + lane), row * LANES + lane
                put(groups.vectors, out, item(positions, j))
                put(groups.vectors, out + LANES, item(positions, j + 1))
                put(groups.vectors, out + 2 * LANES, item(positions, j + 2))
            for axis in range(3):
                moved = load(groups.vectors, row + axis) - load(own, axis) + load(offsets, row + axis)
                store(groups.vectors, row + axis, moved)
            x, y, z = load(groups.vectors, row), load(groups.vectors, row + 1), load(groups.vectors, row + 2)
            squared = x * x + y * y + z * z
            shortest = where_below(squared, shortest, squared, shortest)
    store(own, 3, shortest)
    least = FAR * FAR
    for lane in range(LANES):
        least = min(least, own[3, lane])
    return sqrt(least)
