"""A small potential of two elements with data that its active set is made of."""

from functools import cache

import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.active.active_set import build_active_set
from acefit.data.structures import StructureSet
from models import random_potential

ORDERS = ((3, 2), (0, 2))


@cache
def small_potential():
    return random_potential(2, orders=ORDERS, core=False, scale=0.05)


def alloys(n=6, strain=0.0, shake=0.1, seed=0, labels=True):
    """Crystals of Al and Cu with shaken atoms."""
    rng, frames = np.random.default_rng(seed), []
    for k in range(n):
        atoms = bulk("Al", a=3.9 * (1 + strain), cubic=True).repeat((2, 1, 1))
        atoms.symbols[rng.permutation(8)[: k % 7 + 1]] = "Cu"
        atoms.positions += rng.normal(0.0, shake, atoms.positions.shape)
        atoms.info |= {"name": f"alloy-{k}", "config_type": "alloy"}
        forces = rng.normal(0.0, 0.1, (8, 3))
        if labels:
            atoms.calc = SinglePointCalculator(atoms, energy=float(-k), forces=forces)
        frames.append(atoms)
    return frames


@cache
def small_set(kind="linear"):
    """Potential, structures, and what `build_active_set` gives."""
    structures = StructureSet.from_ase(alloys(20))
    return small_potential(), structures, build_active_set(small_potential(), structures, kind)
