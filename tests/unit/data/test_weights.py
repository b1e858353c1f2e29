from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.data.structures import StructureSet
from acefit.data.weights import Weighting, Weights, normalized, read_weights, write_weights
from acefit.errors import ArtifactError


def make_structures():
    frames = []
    for s in range(4):
        atoms = Atoms(f"Cu{s + 1}", np.arange(3 * (s + 1)).reshape(-1, 3) * 1.5, cell=[20, 20, 20], pbc=True)
        stress = {"stress": np.ones(6)} if s % 2 else {}
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0 * (s + 1) + s, forces=np.full((s + 1, 3), 0.1 * s), **stress)
        frames.append(atoms)
    return StructureSet.from_ase(frames)


def test_weights__absent_labels_weigh_nothing():
    structures = make_structures()
    forces = structures.forces.copy()
    forces[0] = np.nan
    structures = replace(structures, energies=[np.nan, 1, 2, 3], forces=forces)
    weights = normalized(structures, np.ones(4), np.ones(10))
    assert weights.energy == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    assert weights.force == pytest.approx([0] + [1 / 9] * 9)


def test_weights__select_follows_the_structures():
    structures = make_structures()
    weights = Weights(np.arange(4.0), np.arange(10.0), -np.arange(4.0))
    chosen = weights.select([2, 0], structures)
    assert (chosen.energy.tolist(), chosen.force.tolist(), chosen.stress.tolist()) == ([2, 0], [3, 4, 5, 0], [-2, 0])


def make_weighting(structures):
    subsets = ("train", "test", "train", "excluded")[: structures.n_structures]
    n = len(subsets)
    return Weighting(Weights.uniform(structures), subsets, ("given",) * n, np.full(n, np.nan), ("",) * n, "uniform")


def test_tables__read_back_the_same(tmp_path):
    structures = make_structures()
    weighting = make_weighting(structures)
    write_weights(weighting, structures, tmp_path / "w", tmp_path / "a", {"step": "weights"})
    weights, subsets = read_weights(tmp_path / "w", tmp_path / "a")
    assert subsets == weighting.subsets
    for name in ("energy", "force", "stress"):
        assert np.array_equal(getattr(weights, name), getattr(weighting.weights, name))


def test_tables__must_belong_together(tmp_path):
    for structures, tag in ((make_structures(), ""), (make_structures().select([0]), "2")):
        write_weights(make_weighting(structures), structures, tmp_path / f"w{tag}", tmp_path / f"a{tag}")
    with pytest.raises(ArtifactError, match=r"a2 does not belong to .*w; run the weights stage again"):
        read_weights(tmp_path / "w", tmp_path / "a2")
