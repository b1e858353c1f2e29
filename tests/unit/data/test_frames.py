import numpy as np
import pytest
from ase.build import bulk, molecule

from acefit.data.frames import Frame, dataset_of, structures_of
from acefit.data.labels import find_keys, labels_of_atoms


def make_frames():
    frames = []
    for row, atoms in enumerate([bulk("Cu", cubic=True), molecule("H2O")]):
        atoms.info["energy"] = -1.5 - row
        atoms.arrays["forces"] = np.full((len(atoms), 3), 0.1 * row)
        keys = find_keys([(atoms, {})], {"energy": None, "forces": None, "stress": None}, "x")
        frames.append(Frame(atoms, labels_of_atoms(atoms, {}, keys), f"name-{row}", "group", "x.xyz", 7 + row, "train"))
    return frames


def test_structures_of__put_frames_one_after_the_other():
    structures = structures_of(make_frames())
    assert structures.offsets.tolist() == [0, 4, 7]
    assert structures.numbers.tolist() == [29] * 4 + [8, 1, 1]
    assert structures.pbc.tolist() == [[True] * 3, [False] * 3]
    assert structures.forces[3:5].tolist() == [[0.0] * 3, [0.1] * 3]
    assert structures.names == ("name-0", "name-1")
    assert np.isnan(structures.stresses).all()


def test_dataset_of__keeps_where_frames_come_from():
    dataset = dataset_of(make_frames())
    assert dataset.raw_energies.tolist() == [-1.5, -2.5]
    assert (dataset.sources, dataset.roles, dataset.rows.tolist()) == (("x.xyz",) * 2, ("train",) * 2, [7, 8])
    assert len(dataset.force_weights) == len(dataset.force_masks) == 7


@pytest.mark.parametrize("make", [structures_of, lambda frames: dataset_of(frames).structures])
def test_structures_of__no_frames_are_an_empty_set(make):
    structures = make([])
    assert (structures.n_structures, structures.n_atoms, structures.forces.shape) == (0, 0, (0, 3))
