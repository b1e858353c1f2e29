import logging

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.artifacts import content_digest, read_arrays, read_provenance, write_table
from acefit.data.storage import Dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.data.weighting import automatic_kappa
from acefit.data.weights import read_weights
from acefit.errors import ArtifactError
from acefit.files import read_yaml
from acefit.steps.weights import weights


def make_structures():
    frames = []
    for s in range(6):
        atoms = bulk("Cu", cubic=True)
        atoms.calc = SinglePointCalculator(atoms, energy=4.0 * s, forces=np.full((4, 3), 0.2 * s))
        frames.append(atoms)
    return StructureSet.from_ase(frames)


def run(tmp_path, structures, subsets, weighting=None):
    write_dataset(Dataset.from_structures(structures), tmp_path / "s", tmp_path / "a")
    columns = {"structure": np.arange(len(subsets)), "subset": subsets, "reason": ["drawn"] * len(subsets)}
    write_table(columns, tmp_path / "split", "split")
    weights(
        path_to_structures=tmp_path / "s",
        path_to_atoms=tmp_path / "a",
        path_to_split=tmp_path / "split",
        weighting=weighting,
        ignore_weights=False,
        aug_factor=1e-4,
        path_to_weights=tmp_path / "w",
        path_to_atom_weights=tmp_path / "wa",
        path_to_summary=tmp_path / "summary.yaml",
    )
    return read_weights(tmp_path / "w", tmp_path / "wa"), read_yaml(tmp_path / "summary.yaml")


def test_weights__uniform(tmp_path):
    structures = make_structures()
    subsets = ["train", "test", "train", "train", "train", "test"]
    (read, read_subsets), summary = run(tmp_path, structures, subsets)
    assert read_subsets == tuple(subsets)
    assert read.energy.tolist() == [0.25, 0.5, 0.25, 0.25, 0.25, 0.5]
    assert read.force[:4].tolist() == [1 / 16] * 4
    assert summary["source"] == "uniform"
    assert summary["kappa_auto"] == automatic_kappa(structures.select([0, 2, 3, 4]))
    assert summary["n_structures"] == {"train": 4, "test": 2, "excluded": 0}
    assert summary["n_atoms"] == {"train": 16, "test": 8, "excluded": 0}
    assert read_arrays(tmp_path / "wa", "weights_atoms")["atom"].tolist() == list(range(24))
    inputs = read_provenance(tmp_path / "w")["provenance"]["inputs"]
    assert inputs == {f"{tmp_path.name}/{name}": content_digest(tmp_path / name) for name in ("s", "a", "split")}


def test_weights__energy_based_selection_is_recorded(tmp_path, caplog):
    policy = {"type": "EnergyBasedWeightingPolicy", "DElow": 1.5, "DEup": 3.5, "wlow": 0.8, "seed": 1}
    with caplog.at_level(logging.WARNING):
        (read, subsets), summary = run(tmp_path, make_structures(), ["train"] * 5 + ["test"], policy)
    assert subsets == ("train", "train", "train", "train", "excluded", "test")
    assert read.energy[:2].sum() == pytest.approx(0.8, rel=1e-14)
    assert summary["tiers"] == {"lower": 2, "upper": 4}
    assert summary["excluded"] == {"the effective energy reaches DEup 3.5 eV/atom": 1}
    assert "1 structures excluded: the effective energy reaches DEup" in caplog.text
    assert summary["kappa_auto"] == automatic_kappa(make_structures().select([0, 1, 2, 3]))


def test_weights__kappa_is_left_open_where_it_cannot_be_computed(tmp_path):
    _, summary = run(tmp_path, make_structures().select([0]), ["train"])
    assert summary["kappa_auto"] is None


def test_weights__refuses_a_split_of_another_dataset(tmp_path):
    with pytest.raises(ArtifactError, match="split does not belong to"):
        run(tmp_path, make_structures(), ["train"] * 5)


def test_weights__says_that_test_structures_are_in_the_training_set(tmp_path, caplog):
    run(tmp_path, make_structures(), ["train"] * 4 + ["test"] * 2)
    assert "2 of 2 test structures are also in the training set, so that test errors say too little" in caplog.text
    caplog.clear()
    frames = [make_structures().to_ase(s) for s in range(3)]
    frames[2].positions += 0.1
    run(tmp_path, StructureSet.from_ase(frames), ["train", "train", "test"])
    assert "also in the training set" not in caplog.text
