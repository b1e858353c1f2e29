"""Shaken silicon crystals with energies of Tersoff's potential, which stands for a first-principles calculation."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

ORACLE = """
from ase.calculators.tersoff import Tersoff, TersoffParameters

def tersoff():
    values = dict(m=3.0, gamma=1.0, lambda3=0.0, c=1.0039e5, d=16.217, h=-0.59825, n=0.78734, beta=1.1e-6)
    values |= dict(lambda2=1.73222, B=471.18, R=2.85, D=0.15, lambda1=2.4799, A=1830.8)
    return Tersoff({("Si", "Si", "Si"): TersoffParameters(**values)})
"""


def write_silicon(folder, n_structures=12):
    """Write `oracle.py`, the training data `crystals.xyz`, and `start.xyz`, from which the potential explores."""
    (folder / "oracle.py").write_text(ORACLE)
    names: dict = {}
    exec(ORACLE, names)
    rng, frames = np.random.default_rng(0), []
    for k in range(n_structures):
        atoms = bulk("Si", a=5.43 * (0.97 + 0.005 * k), cubic=True)
        atoms.positions += rng.normal(0.0, 0.05, atoms.positions.shape)
        atoms.calc = names["tersoff"]()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(folder / "crystals.xyz", frames, format="extxyz")
    start = bulk("Si", cubic=True)
    write(folder / "start.xyz", Atoms(start.numbers, start.positions, cell=start.cell, pbc=True), format="extxyz")
