"""Structures, readers, reference energies, split, weights and neighbour lists."""
