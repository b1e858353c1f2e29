"""Datasets with everything that a dataset may have."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet
from acefit.data.writers import open_writer
from models import random_structures

NAMES = ["plain", "1.0", "007", "T", "a b", 'q"uote', "back\\slash", "x=y", "[1,2]", "äö"]
GROUPS = ["", "1e5", "bulk", "none", "{}", "_JSON 3", "a'b", "1 2 3", "true", "-"]


def rich_dataset():
    """Everything a dataset may have, and everything it may lack."""
    structures = StructureSet.from_ase(random_structures(("Al", "Ni")))
    n, rng = structures.n_structures, np.random.default_rng(3)
    energies, raw, forces = rng.normal(size=n), rng.normal(size=n), structures.forces.copy()
    energies[0], raw[1] = np.nan, np.nan
    forces[: structures.offsets[1]] = np.nan  # the first structure has no forces
    weights = rng.random(structures.n_atoms)
    weights[structures.offsets[2] : structures.offsets[3]] = np.nan
    of_structures = rng.random(n)
    of_structures[3] = np.nan
    named = replace(structures, energies=energies, forces=forces, names=tuple(NAMES[:n]), groups=tuple(GROUPS[:n]))
    dataset = Dataset.from_structures(named)
    return replace(
        dataset,
        raw_energies=raw,
        energy_weights=of_structures,
        weight_factors=of_structures[::-1].copy(),
        force_weights=weights,
        force_masks=np.round(weights[::-1]),
    )


def write(dataset, path, parts=2):
    bounds = np.linspace(0, dataset.structures.n_structures, parts + 1).astype(int)
    with open_writer(path) as sink:
        for first, last in pairwise(bounds):
            sink(dataset.select(np.arange(first, last)))
