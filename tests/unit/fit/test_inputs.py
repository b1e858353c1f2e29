"""Training and test data from the artifacts; mismatching artifacts are tested through the step in steps/test_fit."""

import numpy as np

from acefit.fit.inputs import read_fit_data
from acefit.potential.bbasis import read_potential
from pipeline_files import SUBSETS, write_inputs


def test_read_fit_data__parts_belong_together(tmp_path):
    files = write_inputs(tmp_path)
    train, test = read_fit_data(
        read_potential(files["path_to_step"]),
        (files["path_to_structures"], files["path_to_atoms"]),
        (files["path_to_weights"], files["path_to_atom_weights"]),
        files["paths_to_shards"],
    )
    assert train.structures.n_structures == SUBSETS.count("train")
    assert test.structures.n_structures == SUBSETS.count("test")
    for part in (train, test):
        assert len(part.neighbors.counts) == part.structures.n_atoms == len(part.weights.force)
        assert part.neighbors.n_pairs == part.neighbors.counts.sum() > 0
        assert np.isclose(part.weights.energy.sum(), 1.0)
        assert len(part.effective_energies) == part.structures.n_structures
