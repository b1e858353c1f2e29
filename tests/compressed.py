"""Compressed structures with made-up energies and grades."""

from dataclasses import replace

import numpy as np
from ase import Atoms

from acefit.basis.compiled import compile_potential
from acefit.data.structures import StructureSet
from acefit.shortrange.compression import compress
from models import random_potential

NATURAL = 2.0
DISTANCES = np.arange(1.0, 3.0, 0.2)
TRIMER = StructureSet.from_ase([Atoms("AlAlCu", [[0, 0, 0], [0, 0, NATURAL], [0, 2.6, 0]])])


def bare_potential(n_elements=2, orders=None):
    """Potential without core repulsion and inner cutoffs."""
    potential = random_potential(n_elements, core=False, scale=0.05, orders=orders)
    bonds = {pair: replace(bond, rcut_in=0.0, dcut_in=0.0) for pair, bond in potential.bonds.items()}
    return replace(potential, bonds=bonds)


def curve_of(energies, grades=None):
    """The trimer at all distances with the given energies and grades of its atoms."""
    curve = compress(compile_potential(bare_potential()), TRIMER, 0, NATURAL, DISTANCES)
    gamma = np.full(curve.structures.n_atoms, np.nan) if grades is None else np.asarray(grades, float).ravel()
    return curve._replace(energies=np.asarray(energies, float), gamma=gamma)
