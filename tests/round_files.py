"""The files that the stages of a round of active learning read."""

import numpy as np

from acefit.artifacts import made_by
from acefit.data.storage import Dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.data.weights import Weighting, Weights, write_weights
from acefit.potential.bbasis import write_configuration
from active_sets import alloys, small_potential, small_set


def write_training(folder, paths, structures, subsets):
    """Write the weights of a dataset; path of their table."""
    uniform = Weights.uniform(structures)
    n = structures.n_structures
    weighting = Weighting(uniform, tuple(subsets), ("",) * n, np.full(n, np.nan), ("",) * n, "uniform")
    made = made_by("weights", "c", paths["path_to_structures"], paths["path_to_atoms"])
    write_weights(weighting, structures, folder / "weights.parquet", folder / "weights_atoms.parquet", made)
    return folder / "weights.parquet"


def write_round(folder, subsets=None):
    """Write potential, dataset and weights; keyword arguments of the step `activeset`, potential and structures."""
    potential, structures, _ = small_set()
    write_configuration(small_potential(), folder / "potential.yaml")
    paths = write_structures(folder, "", structures)
    weights = write_training(folder, paths, structures, subsets or ["train"] * structures.n_structures)
    return {"path_to_potential": folder / "potential.yaml", **paths, "path_to_weights": weights}, potential, structures


def write_structures(folder, name, structures):
    """Write a dataset; its paths."""
    paths = {f"path_to_{what}": folder / f"{name}{what}.parquet" for what in ("structures", "atoms")}
    write_dataset(Dataset.from_structures(structures), *paths.values())
    return paths


def write_active_set(folder):
    """Write the active set; paths of potential and active set."""
    files, *_ = write_round(folder)
    small_set()[2].active_set.write(folder / "x.asi")
    return {"path_to_potential": files["path_to_potential"], "path_to_active_set": folder / "x.asi"}


def far_structures():
    """Structures that the active set does not know, and some that it does."""
    return StructureSet.from_ase([*alloys(2, labels=False), *alloys(2, strain=0.15, seed=9, labels=False)])
